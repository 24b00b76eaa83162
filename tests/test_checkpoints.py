"""Checkpoints: what was stored comes back, whatever precision it was stored in, or is named."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mutants import mutants
from test_modes import SETTINGS
from test_training import CONFIG, ROOT, SMALL, assert_same_state, data, new_model
from vqvae_lite.checkpoints import (
    CheckpointError,
    check_resumable,
    detail,
    find_checkpoint,
    last_checkpoint,
    remove_older,
    save_checkpoint,
    step_path,
)
from vqvae_lite.model import VQVAE
from vqvae_lite.models import FIRST_FORMAT, MODELS, load_checkpoint
from vqvae_lite.modules import at_most
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import recipe_of
from vqvae_lite.training import train

SHARED = Path(__file__).resolve().parents[1] / "checkpoints"


def without_checksums(folder: Path) -> Path:
    """Makes a checkpoint one of the first, which had none."""
    file = folder / "config.json"
    config = json.loads(file.read_text())
    del config["sha256"]
    file.write_text(json.dumps({**config, "format": FIRST_FORMAT}))
    return folder


def restore(folder: Path, file: str, change) -> None:
    """Stores the tensors of a file anew, each as `change` makes it."""
    tensors = load_file(folder / file)
    save_file({name: change(name, value) for name, value in tensors.items()}, folder / file)


@pytest.mark.parametrize(
    "path", sorted(file.parent for file in SHARED.rglob("config.json")), ids=lambda path: path.name
)
def test_every_shared_checkpoint_loads(path):
    checkpoint = load_checkpoint(path)
    assert checkpoint.model.kind == checkpoint.config["kind"]
    assert not checkpoint.model.training
    for name, value in checkpoint.model.state_dict().items():
        assert value.dtype == (torch.float32 if value.is_floating_point() else torch.int64), name


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_on_the_disk_is_float32_in_memory(tmp_path, half):
    model = new_model()
    model.quantizer.passes += 70_001  # more than either half precision holds
    optimizer = {f"{name}/exp_avg": value for name, value in model.named_parameters()}
    save_checkpoint(tmp_path / "m", model, step=1, optimizer=optimizer)
    for file in ("model.safetensors", "optimizer.safetensors"):
        restore(tmp_path / "m", file, lambda _, value: value.to(half) if value.ndim else value)
    without_checksums(tmp_path / "m")
    loaded = load_checkpoint(tmp_path / "m")
    assert loaded.model.quantizer.passes == 70_001
    for name, value in model.state_dict().items():
        again = loaded.model.state_dict()[name]
        assert again.dtype == value.dtype, name
        assert torch.equal(again, value.to(half).to(value.dtype) if value.ndim else value), name
    for name, value in loaded.optimizer.items():
        assert value.dtype == torch.float32, name
        assert torch.equal(value, optimizer[name].to(half).float()), name


def test_a_checkpoint_gives_back_the_model(tmp_path):
    model = new_model()
    train(model, data(), CONFIG, progress=False)
    details = {"recipe": {"name": "x"}}
    path = save_checkpoint(tmp_path / "m", model, step=6, details=details)
    loaded = load_checkpoint(path)
    assert_same_state(model, loaded.model)
    assert loaded.config["step"] == 6
    assert loaded.config["recipe"] == {"name": "x"}
    assert loaded.config["model"] == asdict(SMALL)
    assert not loaded.model.training
    assert loaded.optimizer == {}


def test_saving_refuses_nan_and_taken_places(tmp_path):
    model = new_model()
    save_checkpoint(tmp_path / "m", model, step=1)
    before = (tmp_path / "m" / "model.safetensors").read_bytes()
    with pytest.raises(FileExistsError, match="not replaced"):
        save_checkpoint(tmp_path / "m", model, step=2)
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == before
    with torch.no_grad():
        model.encoder.to_codes.bias[0] = float("inf")
    with pytest.raises(CheckpointError, match="step 3: encoder.to_codes.bias contains NaN or Inf"):
        save_checkpoint(tmp_path / "n", model, step=3)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]


def _truncate(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def _no_file(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()


def _change(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def _poison(folder):
    file = folder / "model.safetensors"
    tensors = load_file(file)
    tensors["quantizer.count"][3] = float("nan")
    save_file(tensors, file)


def _scale(folder, name, values, dtype=torch.float32):
    file = folder / "model.safetensors"
    tensors = load_file(file)
    tensors["encoder.to_codes.weight"] = tensors["encoder.to_codes.weight"].to(torch.int8)
    save_file({**tensors, f"{name}:scale": torch.full((values,), 0.1, dtype=dtype)}, file)


def _other_weights(folder):
    other = save_checkpoint(folder.parent / "other", new_model(replace(SMALL, width=9)), step=1)
    shutil.copy(other / "model.safetensors", folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncate, "model.safetensors cannot be read as a safetensors file: "),
        (lambda f: (f / "model.safetensors").write_bytes(b"PK"), "as a safetensors file: "),
        (_no_file, "model.safetensors cannot be read as a safetensors file: it is no file"),
        (lambda f: (f / "config.json").write_text("{"), "config.json cannot be read as the conf"),
        (lambda f: (f / "config.json").write_text("[" * 10**6), "it nests too deeply"),
        (lambda f: (f / "config.json").write_text('{"a":' * 1500), "as the configuration of a"),
        (lambda f: (f / "config.json").write_text("[]"), "got 'list'"),
        (lambda f: _change(f, format="other 3"), "expected the format .*, got 'other 3'"),
        (lambda f: _change(f, model={"wide": 8}), "'model' must hold only"),
        (lambda f: _change(f, model={"width": 0}), "of a model: width must be at least"),
        (lambda f: _change(f, step="x"), "step must be an int"),
        (lambda f: _change(f, step=-3), "config.json .*: step must be at least 0, got -3"),
        (lambda f: _change(f, step=True), "step must be an int"),
        (lambda f: _change(f, kind=["vqvae"]), "'kind' must be one of"),
        (_other_weights, "does not fit its configuration"),
        (_poison, "quantizer.count contains NaN or Inf"),
        (lambda f: _scale(f, "nothing", 4), "nothing:scale is of no weight in 8 bits"),
        (lambda f: _scale(f, "encoder.to_codes.weight", 99), "with as many rows"),
        (lambda f: _scale(f, "encoder.to_codes.bias", 4), "bias:scale is of no weight in 8 bits"),
    ],
)
def test_damaged_and_foreign_checkpoints(tmp_path, damage, message):
    path = without_checksums(save_checkpoint(tmp_path / "m", new_model(), step=1))
    damage(path)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_the_first_checkpoints_did_not_say_that_they_hold_a_vqvae(tmp_path):
    path = without_checksums(save_checkpoint(tmp_path / "m", new_model(), step=1))
    config = json.loads((path / "config.json").read_text())
    del config["kind"]
    (path / "config.json").write_text(json.dumps(config))
    assert_same_state(load_checkpoint(path).model, new_model())


def test_what_is_not_there_is_named(tmp_path):
    path = save_checkpoint(tmp_path / "m", new_model(), step=1)
    (path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no file .*model\.safetensors"):
        load_checkpoint(path)


HUGE = (10**6, 10**9, 10**30)


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_that_is_not_the_file_s_is_refused_before_it_is_made(tmp_path, kind):
    """Whatever number of its settings asks for more than the file has, and however much more."""
    settings, make = MODELS[kind]
    model = make(SETTINGS.get(kind) or settings())
    path = without_checksums(save_checkpoint(tmp_path / "m", model, step=1))
    made = asdict(model.config)
    numbers = [name for name, value in made.items() if type(value) is int and name not in FREE]
    if "strides" in made:
        numbers.append("strides")
    with at_most(numbers=2 * 10**7, tensors=20_000):  # or this says so
        for name in numbers:
            for huge in HUGE:
                _change(path, model={**made, name: [huge] if name == "strides" else huge})
                with pytest.raises(CheckpointError, match=f"^{re.escape(str(path))}/"):
                    load_checkpoint(path)


# No weight follows from these: of VIMCO's samples, and what else is drawn or weighed in training.
FREE = ("samples", "chunk", "hop", "commitment", "free_nats", "annealing_steps")


class Growing(nn.Module):
    """Somebody else's: it makes a head that it replaces, and reads numbers while it is made."""

    kind = "growing"

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.head = nn.Linear(50, 50)
        self.head = nn.Linear(3, config.width)
        self.scale = nn.Parameter(torch.tensor(self.head.weight.sum().item()))


@dataclass(frozen=True)
class GrowingConfig:
    width: int = 3


def test_a_model_of_ones_own_may_change_its_mind_while_it_is_made(tmp_path):
    models = {"growing": (GrowingConfig, Growing)}
    path = save_checkpoint(tmp_path / "m", Growing(GrowingConfig()), step=1)
    assert load_checkpoint(path, models).model.head.out_features == 3
    _change(without_checksums(path), model={"width": 10**12})
    with pytest.raises(CheckpointError, match="it has more than"):
        load_checkpoint(path, models)


def test_to_load_a_model_draws_as_to_make_it_does(tmp_path):
    path = save_checkpoint(tmp_path / "m", new_model(), step=1)
    torch.manual_seed(3)
    VQVAE(SMALL)
    expected = torch.get_rng_state()
    torch.manual_seed(3)
    load_checkpoint(path)
    assert torch.equal(torch.get_rng_state(), expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(step=10**15),
        lambda config: config.update(more=1),
        lambda config: config.pop("history"),
        lambda config: config["model"].update(commitment=0.3),
        lambda config: config["recipe"].update(size=32),
        lambda config: config["sha256"].update(config="0" * 64),
        lambda config: config["sha256"].pop("model.safetensors"),
        lambda config: config.update(sha256=3),
        lambda config: config.pop("sha256"),
        lambda config: config.update(format=FIRST_FORMAT),
    ],
)
def test_what_was_changed_after_it_was_written_is_noticed(tmp_path, change):
    details = {"recipe": {"size": 16}, "history": [[1, {"loss": 0.5}]], "odd": {3: (float("nan"),)}}
    path = save_checkpoint(tmp_path / "m", new_model(), step=1, details=details)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config, sort_keys=True))
    load_checkpoint(path)  # laid out otherwise it says the same
    change(config)
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="was changed since it was written, or is damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.safetensors"])
def test_a_bit_of_a_weight_that_turned_is_noticed(tmp_path, file):
    path = save_checkpoint(tmp_path / "m", new_model(), step=1, optimizer={"a": torch.ones(9)})
    flipped = bytearray((path / file).read_bytes())
    flipped[-3] ^= 1
    (path / file).write_bytes(flipped)
    with pytest.raises(CheckpointError, match=f"{file} was changed since it was written"):
        load_checkpoint(path)


def test_without_its_optimizer_a_checkpoint_still_loads(tmp_path):
    path = save_checkpoint(tmp_path / "m", new_model(), step=1, optimizer={"a": torch.ones(9)})
    (path / "optimizer.safetensors").unlink()
    assert load_checkpoint(path).optimizer == {}


@pytest.mark.parametrize("name", ["format", "kind", "step", "model", "sha256"])
def test_details_do_not_replace_what_a_checkpoint_says_itself(tmp_path, name):
    with pytest.raises(ValueError, match=f"details must not hold '{name}'"):
        save_checkpoint(tmp_path / "m", new_model(), step=1, details={name: 3})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("step", "error"), [("x", TypeError), (True, TypeError), (1.0, TypeError), (-1, ValueError)]
)
def test_a_step_is_a_number_from_0_on(tmp_path, step, error):
    with pytest.raises(error, match="step must be"):
        save_checkpoint(tmp_path / "m", new_model(), step=step)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_a_checkpoint_has_the_rights_that_the_umask_leaves(tmp_path):
    before = os.umask(0o022)
    try:
        path = save_checkpoint(tmp_path / "run" / "m", new_model(), step=1)
    finally:
        os.umask(before)
    rights = {entry.name: entry.stat().st_mode & 0o777 for entry in [path, *path.iterdir()]}
    assert rights == {"m": 0o755, "config.json": 0o644, "model.safetensors": 0o644}


@pytest.mark.skipif(not shutil.which("setpriv") or os.name == "nt", reason="needs another user")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("shut", ["", "step-00000001", "step-00000001/model.safetensors"])
def test_what_may_not_be_read_is_not_called_absent(tmp_path, shut):
    save_checkpoint(step_path(tmp_path, 1), new_model(), step=1)
    (tmp_path / shut).chmod(0)
    for folder in [tmp_path.parent, *tmp_path.parent.parents][:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    if shut:
        tmp_path.chmod(0o755)
    code = f"from vqvae_lite import load_checkpoint; load_checkpoint({str(tmp_path)!r})"
    command = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert re.match(rf"PermissionError: {tmp_path}.* may not be read", done.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    "value", [None, 3, "x", [1], [1, {"loss": "x"}], [["x", {}]], [[1, 2]], {"a": 1}]
)
def test_a_detail_that_is_another_is_named(tmp_path, value):
    details = {} if value is None else {"history": value}
    checkpoint = load_checkpoint(
        save_checkpoint(tmp_path / "m", new_model(), step=1, details=details)
    )
    if value is None:
        with pytest.raises(CheckpointError, match="m: 'map' must be two numbers, there is none"):
            detail(checkpoint, "map", lambda value: len(value) == 2, "two numbers")
        return
    with pytest.raises(CheckpointError, match="m: 'history' must be a list of steps, .* got "):
        train(checkpoint.model, data(), CONFIG, resume=checkpoint, progress=False)


def test_no_checkpoint_at_all(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match="no checkpoint at"):
            load_checkpoint(path)


def test_a_half_written_checkpoint_does_not_count(tmp_path):
    save_checkpoint(step_path(tmp_path, 1), new_model(), step=1)
    partial = tmp_path / ".step-00000002.partial-1"
    shutil.copytree(step_path(tmp_path, 1), partial)
    (tmp_path / "step-00000003").mkdir()
    assert load_checkpoint(tmp_path).config["step"] == 1


@pytest.fixture
def windows(monkeypatch):
    """What Windows refuses: to open a folder, to flush what is not open for writing."""
    opened, flushed = {}, []
    real_open, real_fsync = os.open, os.fsync

    def open_file(path, flags, *more, **named):
        if not named and Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        handle = real_open(path, flags, *more, **named)
        opened[handle] = flags, Path(path).name
        return handle

    def fsync(handle):
        flags, name = opened[handle]
        if not flags & (os.O_RDWR | os.O_WRONLY):
            raise OSError(errno.EBADF, "Bad file descriptor")
        flushed.append(name)
        real_fsync(handle)

    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.setattr(os, "fsync", fsync)
    return flushed


def test_a_checkpoint_is_saved_where_folders_cannot_be_flushed(windows, tmp_path):
    model = new_model()
    save_checkpoint(tmp_path / "a", model, step=3, optimizer={"a": torch.ones(2)})
    assert sorted(windows) == ["config.json", "model.safetensors", "optimizer.safetensors"]
    assert_same_state(load_checkpoint(tmp_path / "a").model, model)


def test_a_file_that_may_not_be_written_is_still_an_error(tmp_path, monkeypatch):
    def refuse(path, *more):
        raise PermissionError(errno.EACCES, "no way", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=r"a cannot be written: no way"):
        save_checkpoint(tmp_path / "a", new_model(), step=3)
    assert not (tmp_path / "a").exists()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux what is mapped")
def test_no_file_stays_mapped_into_memory(tmp_path):
    """On Windows such a file could not be removed, and training that goes on removes it."""
    save_checkpoint(tmp_path / "a", new_model(), step=3, optimizer={"a": torch.ones(2**20)})
    held = load_checkpoint(tmp_path / "a")
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()
    assert held.optimizer["a"].sum() == 2**20


def test_an_older_checkpoint_that_is_being_read_waits_for_the_next_time(tmp_path, monkeypatch):
    for step in (1, 2, 3):
        save_checkpoint(step_path(tmp_path, step), new_model(), step=step)
    with monkeypatch.context() as patch:
        real = os.unlink

        def unlink(path, **more):
            if "safetensors" in str(path):
                raise PermissionError(errno.EACCES, "used by another process", str(path))
            real(path, **more)

        patch.setattr(os, "unlink", unlink)
        remove_older(tmp_path, 2)
    assert last_checkpoint(tmp_path) == step_path(tmp_path, 3)
    remove_older(tmp_path, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000003"]


def test_the_last_checkpoint_is_that_of_the_highest_step(tmp_path):
    assert last_checkpoint(tmp_path / "nowhere") is None
    for step in (2, 10**8, 5):
        save_checkpoint(step_path(tmp_path, step), new_model(), step=step)
    assert last_checkpoint(tmp_path) == tmp_path / "step-100000000"
    assert find_checkpoint(tmp_path / "step-00000002") == tmp_path / "step-00000002"


def all_of(path: Path) -> list:
    """What a command takes from a checkpoint, as a list that can be compared."""
    checkpoint = load_checkpoint(path)
    recipe = recipe_of(checkpoint)
    check_resumable(checkpoint, checkpoint.model)
    state = [(name, value.tolist()) for name, value in checkpoint.model.state_dict().items()]
    kept = [(name, value.tolist()) for name, value in checkpoint.optimizer.items()]
    stated = {name: value for name, value in checkpoint.config.items() if name != "sha256"}
    return [state, kept, json.dumps(stated, sort_keys=True), recipe]


@pytest.mark.parametrize("first", [False, True], ids=["now", "first"])
def test_whatever_happens_to_a_checkpoint_it_is_read_as_it_was_or_named(tmp_path, first):
    """One of the first, without checksums, may be read as another."""
    recipe = get_recipe("maze", "quick", ["width=4", "code_dim=3", "num_codes=5", "num_residual=1"])
    model, images = new_model(recipe.model), data(size=12)
    details = {"recipe": recipe.to_json()}
    config = replace(CONFIG, steps=2)
    train(model, images, config, run=tmp_path / "run", details=details, progress=False)
    whole = last_checkpoint(tmp_path / "run")
    if first:
        without_checksums(whole)
    expected = all_of(whole)
    with at_most(numbers=4 * 10**7, tensors=50_000):
        for change, mutant in mutants(whole, tmp_path, 80, seed=first):
            try:
                found, said = all_of(mutant), None
            except (ValueError, OSError) as error:
                found, said = None, str(error)
            if said is None:
                assert first or found == expected, change
            else:
                assert str(mutant) in said, change
                assert "\n" not in said, change
