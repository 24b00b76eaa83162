"""Checkpoints: what was stored comes back, whatever precision it was stored in, or is named."""

import errno
import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from test_training import CONFIG, SMALL, assert_same_state, data, new_model
from vqvae_lite.checkpoints import (
    CheckpointError,
    find_checkpoint,
    last_checkpoint,
    remove_older,
    save_checkpoint,
    step_path,
)
from vqvae_lite.models import load_checkpoint
from vqvae_lite.training import train

SHARED = Path(__file__).resolve().parents[1] / "checkpoints"


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
        (_truncate, "model.safetensors is truncated or not a safetensors file"),
        (lambda f: (f / "model.safetensors").write_bytes(b"PK"), "truncated or not a safetensors"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda f: (f / "config.json").write_text("{"), "config.json is not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "got 'list'"),
        (lambda f: _change(f, format="other 3"), "expected the format .*, got 'other 3'"),
        (lambda f: _change(f, model={"wide": 8}), "'model' must hold only"),
        (lambda f: _change(f, model={"width": 0}), "no valid model in it: width must be at least"),
        (lambda f: _change(f, step="x"), "'step' must be an int"),
        (_other_weights, "does not fit its configuration"),
        (_poison, "quantizer.count contains NaN or Inf"),
        (lambda f: _scale(f, "nothing", 4), "nothing:scale is of no weight in 8 bits"),
        (lambda f: _scale(f, "encoder.to_codes.weight", 99), "with as many rows"),
        (lambda f: _scale(f, "encoder.to_codes.bias", 4), "bias:scale is of no weight in 8 bits"),
    ],
)
def test_damaged_and_foreign_checkpoints(tmp_path, damage, message):
    path = save_checkpoint(tmp_path / "m", new_model(), step=1)
    damage(path)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_the_first_checkpoints_did_not_say_that_they_hold_a_vqvae(tmp_path):
    path = save_checkpoint(tmp_path / "m", new_model(), step=1)
    config = json.loads((path / "config.json").read_text())
    del config["kind"]
    (path / "config.json").write_text(json.dumps(config))
    assert_same_state(load_checkpoint(path).model, new_model())


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
        raise PermissionError(f"no way to {path}")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="no way to"):
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
