"""Training and its checkpoints: the same numbers, and nothing lost."""

import copy
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
import types
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from PIL import Image
from torch import nn

from test_files import holder
from vqvae_lite import training
from vqvae_lite.baselines.vae import VAE, VAEConfig
from vqvae_lite.checkpoints import CheckpointError, last_checkpoint, save_checkpoint, step_path
from vqvae_lite.distributed import Place, processes
from vqvae_lite.encoding import CodeMaps
from vqvae_lite.evaluation import evaluate
from vqvae_lite.images import FolderImages, TensorImages, to_float, to_uint8
from vqvae_lite.metrics import psnr, ssim
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.models import load_checkpoint
from vqvae_lite.sound.files import Utterance
from vqvae_lite.sound.windows import SoundWindows, SpokenCodes, Windows
from vqvae_lite.training import ShuffledBatches, TrainingConfig, TrainingError, train
from vqvae_lite.video.coding import VideoWindows

SMALL = ModelConfig(width=8, code_dim=4, num_codes=16, restart_below=0.1)
CONFIG = TrainingConfig(steps=6, batch_size=4, learning_rate=1e-3, checkpoint_every=3)
ROOT = Path(__file__).resolve().parents[1]


def data(count: int = 10, size: int = 16) -> TensorImages:
    """Each image four squares of plain colour: enough to learn from in a few steps."""
    generator = torch.Generator().manual_seed(3)
    colours = torch.randint(0, 256, (count, 3, 2, 2), generator=generator, dtype=torch.uint8)
    return TensorImages(colours.repeat_interleave(size // 2, 2).repeat_interleave(size // 2, 3))


def new_model(config: ModelConfig = SMALL) -> VQVAE:
    torch.manual_seed(0)
    return VQVAE(config, torch.Generator().manual_seed(0))


def assert_same_state(a: nn.Module, b: nn.Module, tolerance: float = 0.0) -> None:
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.allclose(x, y, rtol=tolerance, atol=tolerance), name


@pytest.mark.slow
@pytest.mark.parametrize("decay", [None, 0.9])
def test_training_lowers_the_loss(decay):
    model = new_model(replace(SMALL, decay=decay))
    before = evaluate(model, data()).mean_squared_error
    config = replace(CONFIG, steps=150, learning_rate=5e-3)
    history = train(model, data(), config, progress=False)
    assert evaluate(model, data()).mean_squared_error < 0.5 * before
    assert [record.step for record in history] == list(range(1, 151))


def test_an_autocast_around_the_training_keeps_no_old_weights():
    config = replace(CONFIG, precision="bfloat16")
    alone, inside = new_model(SMALL), new_model(SMALL)
    train(alone, data(), config, progress=False)
    with torch.autocast("cpu", torch.bfloat16):
        train(inside, data(), config, progress=False)
    assert_same_state(alone, inside)


@pytest.mark.parametrize("decay", [None, 0.9])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_run_gives_the_numbers_of_an_unbroken_one(tmp_path, decay, precision):
    config = replace(CONFIG, precision=precision)
    settings = replace(SMALL, decay=decay)
    unbroken = new_model(settings)
    history = train(unbroken, data(), config, run=tmp_path / "a", progress=False)

    class CutError(Exception):
        pass

    class CutShort(TensorImages):
        served = 0

        def __getitems__(self, indices):
            self.served += 1
            if self.served > 5:  # in the fifth step; the last checkpoint is of the third
                raise CutError
            return super().__getitems__(indices)

    images = CutShort(data().images)
    with pytest.raises(CutError):
        train(new_model(settings), images, config, run=tmp_path / "b", progress=False)
    checkpoint = load_checkpoint(tmp_path / "b")
    assert checkpoint.config["step"] == 3
    resumed = checkpoint.model
    again = train(resumed, data(), config, run=tmp_path / "b", resume=checkpoint, progress=False)
    assert_same_state(unbroken, resumed)
    assert again == history


def test_only_the_newest_checkpoint_stays(tmp_path):
    train(new_model(), data(), CONFIG, run=tmp_path, progress=False)
    assert [entry.name for entry in tmp_path.iterdir()] == ["step-00000006"]
    names = sorted(file.name for file in (tmp_path / "step-00000006").iterdir())
    assert names == ["config.json", "model.safetensors", "optimizer.safetensors"]


def test_a_nan_loss_names_the_step_and_keeps_the_last_checkpoint(tmp_path):
    class Poisoned(TensorImages):
        served = 0

        def __getitems__(self, indices):
            self.served += 1
            if self.served == 5:
                with torch.no_grad():
                    model.decoder.from_codes.bias.fill_(float("nan"))
            return super().__getitems__(indices)

    model = new_model()
    with pytest.raises(TrainingError, match="step 5: the loss is nan"):
        train(model, Poisoned(data().images), CONFIG, run=tmp_path, progress=False)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.config["step"] == 3
    assert all(torch.isfinite(value).all() for value in checkpoint.model.state_dict().values())


def test_a_nan_before_the_quantizer_names_the_step():
    model = new_model()
    with torch.no_grad():
        model.encoder.to_codes.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match="step 1: z_e contains NaN or Inf"):
        train(model, data(), CONFIG, progress=False)


def test_every_image_once_an_epoch_and_shares_that_join():
    config = replace(CONFIG, steps=10)
    alone = list(ShuffledBatches(10, config, 0, Place(0, 1, torch.device("cpu"))))
    flat = [index for batch in alone for index in batch]
    assert all(sorted(flat[e : e + 10]) == list(range(10)) for e in range(0, 40, 10))
    assert flat[:10] != flat[10:20]
    shares = [
        list(ShuffledBatches(10, config, 0, Place(rank, 2, torch.device("cpu"))))
        for rank in range(2)
    ]
    assert [a + b for a, b in zip(*shares, strict=True)] == alone
    later = list(ShuffledBatches(10, config, 7, Place(0, 1, torch.device("cpu"))))
    assert later == alone[7:]


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_good_checkpoint(tmp_path):
    script = tmp_path / "endless.py"
    script.write_text(
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]\n"
        "import test_training as t\nfrom dataclasses import replace\n"
        "t.torch.set_num_threads(1)\n"
        "config = replace(t.CONFIG, steps=10**6, checkpoint_every=1)\n"
        f"t.train(t.new_model(), t.data(), config, run={str(tmp_path / 'run')!r}, progress=False)\n"
    )
    worker = subprocess.Popen([sys.executable, str(script)])
    try:
        deadline = time.monotonic() + 120
        while last_checkpoint(tmp_path / "run") is None:
            assert worker.poll() is None, "the run ended by itself"
            assert time.monotonic() < deadline, "no checkpoint came"
            time.sleep(0.05)
        time.sleep(0.3)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    checkpoint = load_checkpoint(tmp_path / "run")
    step = checkpoint.config["step"]
    config = replace(CONFIG, steps=step + 1, checkpoint_every=1)
    train(checkpoint.model, data(), config, run=tmp_path / "run", resume=checkpoint, progress=False)
    left = sorted(entry.name for entry in (tmp_path / "run").iterdir())
    assert left == [f"step-{step + 1:08d}"], "what the killed run left behind is gone"


def test_training_refuses_what_cannot_be(tmp_path):
    with pytest.raises(ValueError, match="batch_size 4 does not divide among 3 processes"):
        train(new_model(), data(), CONFIG, place=Place(0, 3, torch.device("cpu")))
    with pytest.raises(ValueError, match="no images"):
        train(new_model(), [], CONFIG)
    model = new_model()
    train(model, data(), CONFIG, run=tmp_path, progress=False)
    done = load_checkpoint(tmp_path)
    with pytest.raises(ValueError, match="taken 6 of 6 steps already"):
        train(done.model, data(), CONFIG, resume=done)


def of_another_shape(tensors):
    return {name: value[:1] if value.ndim > 2 else value for name, value in tensors.items()}


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: dict(list(tensors.items())[:3]),
        lambda tensors: {n: v for n, v in tensors.items() if n != "decoder.doublings.0.bias/step"},
        lambda tensors: {**tensors, "more/step": torch.ones(())},
        lambda tensors: {name: value[None] for name, value in tensors.items()},
        of_another_shape,
    ],
)
def test_an_optimizer_of_other_parameters_is_refused(tmp_path, change):
    model = new_model()
    train(model, data(), CONFIG, run=tmp_path, progress=False)
    done = load_checkpoint(tmp_path)
    other = done._replace(optimizer=change(done.optimizer))
    with pytest.raises(CheckpointError, match="optimizer.safetensors does not fit the model: "):
        train(other.model, data(), replace(CONFIG, steps=8), resume=other)
    assert not done.model.training, "nothing was begun"


def test_a_seed_may_be_as_large_as_can_be():
    config = replace(CONFIG, seed=2**63 - 1, steps=1)
    train(new_model(), data(), config, progress=False)


def test_another_process_in_the_run_is_named_before_the_first_step(tmp_path):
    other = holder(tmp_path)
    try:
        for resume in (False, True):
            checkpoint = None
            if resume:
                path = save_checkpoint(step_path(tmp_path, 1), new_model(), step=1)
                checkpoint = load_checkpoint(path)
            with pytest.raises(BlockingIOError, match="is being trained in by another process"):
                train(new_model(), data(), CONFIG, run=tmp_path, resume=checkpoint, progress=False)
    finally:
        other.kill()
        other.communicate()
    train(new_model(), data(), CONFIG, run=tmp_path, progress=False)
    assert [entry.name for entry in tmp_path.iterdir()] == ["step-00000006"]


@pytest.fixture
def small_disk(tmp_path):
    """A folder with room for 300 kB, no more."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_a_run_with_one_line_and_its_last_checkpoint_whole(small_disk):
    """An honest one: the first checkpoint, of some 90 kB, fits; then something fills the disk."""
    run = small_disk / "run"
    config = replace(CONFIG, steps=3)
    unbroken, broken = new_model(), new_model()
    train(unbroken, data(), CONFIG, progress=False)

    def fill() -> None:
        with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1024))

    full = pytest.raises(OSError, match=rf"^{run}/step-0000000\d cannot be written: .*No space")
    fill()
    with full:
        train(new_model(), data(), config, run=run, progress=False)
    assert not run.exists(), "the first checkpoint"
    (small_disk / "filler").unlink()
    train(broken, data(), config, run=run, progress=False)
    fill()
    for _ in range(2):  # the second checkpoint, and once more while the disk is still full
        kept = load_checkpoint(run)
        assert kept.config["step"] == 3
        assert_same_state(kept.model, broken)
        with full:
            train(kept.model, data(), CONFIG, run=run, resume=kept, progress=False)
        assert [entry.name for entry in run.iterdir()] == ["step-00000003"]
    (small_disk / "filler").unlink()
    kept = load_checkpoint(run)
    train(kept.model, data(), CONFIG, run=run, resume=kept, progress=False)
    assert_same_state(kept.model, unbroken)


THREADS = """
import sys, torch
import test_training as t
threads, file = sys.argv[1:]
torch.set_num_threads(int(threads))
model = t.new_model(t.replace(t.SMALL, width=32))
first = {name: value.clone() for name, value in model.state_dict().items()}
order = [index for batch in t.ShuffledBatches(10, t.CONFIG, 0, t.training.ALONE) for index in batch]
config = t.replace(t.CONFIG, steps=2, batch_size=8, precision="float32")
history = t.train(model, t.data(size=64), config, progress=False)
torch.save((first, order, history[0].means["loss"], model.state_dict()), file)
"""


@pytest.mark.slow
def test_the_same_threads_give_the_same_numbers_and_others_the_same_start(tmp_path):
    """To the bit; across numbers of threads the first weights and the order of the images are."""
    results = []
    for number, threads in enumerate([1, 2, 2]):
        file = tmp_path / f"{number}.pt"
        command = [sys.executable, "-c", THREADS, str(threads), str(file)]
        path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})
        results.append(torch.load(file))
    (first, order, loss, _), (*others, end), (*_, again) = results
    assert all(torch.equal(value, others[0][name]) for name, value in first.items())
    assert order == others[1]
    assert loss == pytest.approx(others[2], rel=1e-4)  # of the first step; they drift apart later
    assert all(torch.equal(value, again[name]) for name, value in end.items())


def test_training_leaves_nothing_locked_after_an_error(tmp_path):
    model = new_model()
    with torch.no_grad():
        model.decoder.from_codes.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match="step 1: the loss is nan"):
        train(model, data(), CONFIG, run=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_is_resumed_by_its_own_kind_of_model_alone(tmp_path):
    train(new_model(), data(), CONFIG, run=tmp_path, progress=False)
    done, longer = load_checkpoint(tmp_path), replace(CONFIG, steps=8)
    other = new_model(replace(SMALL, commitment=0.5))
    with pytest.raises(ValueError, match="resumed: its model has commitment 0.25, .* given 0.5"):
        train(other, data(), longer, resume=done)
    other = VAE(VAEConfig(width=8))
    with pytest.raises(ValueError, match="resumed: its model has kind 'vqvae', .* given 'vae'"):
        train(other, data(), longer, resume=done)
    with pytest.raises(TypeError, match="must have a name, `kind`"):
        train(Own(), data(), longer, resume=done)


class Output(NamedTuple):
    codes: torch.Tensor
    loss: torch.Tensor
    note: str = "no number"


@dataclass(frozen=True)
class OwnConfig:
    sizes: tuple[int, ...] = (3, 3)
    num_codes: int | None = None


class Own(nn.Module):
    """What somebody else brings: tied weights, one that is frozen, one that nothing reaches."""

    def __init__(self, config: OwnConfig | None = None):
        super().__init__()
        if config:
            self.config, self.kind = config, "own"
        self.one = nn.Conv2d(3, 3, 1)
        self.other = nn.Conv2d(3, 3, 1)
        self.other.weight = self.one.weight
        self.frozen = nn.Parameter(torch.ones(3, 1, 1), requires_grad=False)
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, x):
        y = self.frozen + self.other(self.one(x))
        return Output((y[:, 0] > 0).long(), (y - x).square().mean())


def test_a_pytorch_that_cannot_tell_is_taken_to_have_no_bfloat16(monkeypatch):
    """What tells it came with 2.5, under another name than it has now."""
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    asked = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert training._use_bfloat16("auto", asked)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)  # of another maker's CPU
    assert not training._use_bfloat16("auto", asked)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert training._use_bfloat16("auto", asked)
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert not training._use_bfloat16("auto", asked)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_computes_in_the_precision_asked_for_and_learns_in_float32(precision):
    seen = []

    class Watched(Own):
        def forward(self, x):
            seen.append(self.one(x).dtype)
            return super().forward(x)

    model = Watched()
    train(model, data(), replace(CONFIG, precision=precision), progress=False)
    assert set(seen) == {getattr(torch, precision)}
    assert model.one.weight.dtype == torch.float32


def test_training_leaves_the_generator_of_others_alone():
    model, state = Own(), torch.get_rng_state()
    train(model, data(), CONFIG, progress=False)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_model_of_ones_own_needs_neither_name_nor_settings_where_nothing_is_kept():
    records = train(Own(), data(), CONFIG, progress=False)
    assert [record.means.keys() for record in records] == [{"loss"}] * 6
    assert records[-1].means["loss"] < records[0].means["loss"]


@pytest.mark.parametrize("num_codes", [None, 2])
def test_a_model_of_ones_own_is_kept_and_resumed(tmp_path, num_codes):
    settings = OwnConfig(num_codes=num_codes)
    names = {"loss"} if num_codes is None else {"loss", "perplexity"}
    torch.manual_seed(0)
    unbroken = Own(settings)
    broken = copy.deepcopy(unbroken)
    history = train(unbroken, data(), CONFIG, progress=False)
    assert all(record.means.keys() == names for record in history)
    train(broken, data(), replace(CONFIG, steps=3), run=tmp_path, progress=False)
    kept = load_checkpoint(tmp_path, models={"own": (OwnConfig, Own)})
    again = train(kept.model, data(), CONFIG, run=tmp_path, resume=kept, progress=False)
    assert_same_state(unbroken, kept.model)
    assert again == history


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": None}, "must have a name, `kind`, a str; Own has None"),
        ({"config": {"sizes": 3}}, "must have its settings, `config`, a dataclass; Own has"),
        ({"config": OwnConfig(sizes=torch.ones(1))}, "config of Own cannot be stored as JSON"),
    ],
)
def test_what_a_checkpoint_needs_is_asked_before_the_first_step(tmp_path, change, message):
    model = Own(OwnConfig()).eval()
    for name, value in change.items():
        setattr(model, name, value)
    with pytest.raises(TypeError, match=message):
        train(model, data(), CONFIG, run=tmp_path / "run")
    with pytest.raises(TypeError, match=message):
        save_checkpoint(tmp_path / "run", model, step=1)
    with pytest.raises(TypeError, match="details cannot be stored as JSON"):
        train(Own(OwnConfig()), data(), CONFIG, run=tmp_path, details={"where": tmp_path})
    assert not model.training
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("out", "given"),
    [
        (lambda loss: loss, "got Tensor"),
        (lambda loss: (loss,), "got tuple"),
        (lambda loss: {"loss": loss}, "got dict"),
        (lambda loss: Output(None, loss[None]), r"got Output with a loss of the shape \(1,\)"),
        (lambda loss: Output(None, 1.0), "got Output"),
    ],
)
def test_an_output_without_a_loss_is_named_at_the_first_step(out, given):
    class Other(Own):
        def forward(self, x):
            return out(super().forward(x).loss)

    model = Other()
    before = copy.deepcopy(model)
    with pytest.raises(TypeError, match=f"named tuple with the scalar 'loss', {given}"):
        train(model, data(), CONFIG, progress=False)
    assert_same_state(model, before)


def test_the_readmes_own_model_trains_and_goes_on(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("### Your own model\n")[1]
    code = re.search(r"(?ms)^```python\n(.*?)^```", section)[1]
    assert len([line for line in code.splitlines() if line]) <= 25
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "own"}
    monkeypatch.setitem(sys.modules, "own", types.ModuleType("own"))
    exec(compile(code, "README.md", "exec"), names)
    config = json.loads((tmp_path / "runs/mine/step-00000060/config.json").read_text())
    assert config["history"][-1][0] == 60
    assert "perplexity" in config["history"][-1][1]


def test_without_its_optimizer_a_checkpoint_goes_on_with_a_new_one(tmp_path):
    shared = load_checkpoint(save_checkpoint(step_path(tmp_path, 4), new_model(), step=4))
    before = [parameter.detach().clone() for parameter in shared.model.parameters()]
    train(shared.model, data(), replace(CONFIG, learning_rate=4e-3), resume=shared, progress=False)
    moved = [
        (now - then).abs().max().item()
        for now, then in zip(shared.model.parameters(), before, strict=True)
    ]
    # Adam's first two steps are each as large as the learning rate, or nearly: nothing is averaged.
    assert 4e-3 < max(moved) <= 2.1 * 4e-3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"batch_size": 1.5}, TypeError, "batch_size must be an int"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be finite and above 0"),
        ({"precision": "half"}, ValueError, "precision must be one of"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": 2**63}, ValueError, "seed must be at most 9223372036854775807"),
        ({"seed": 0.5}, TypeError, "seed must be an int"),
        ({"workers": -1}, ValueError, "workers must be at least 0"),
        ({"workers": 10**6}, ValueError, "workers must be at most 1024"),
        ({"compile": "x"}, TypeError, "compile must be a bool"),
    ],
)
def test_bad_training_configurations(options, error, message):
    with pytest.raises(error, match=message):
        TrainingConfig(**options)


def test_a_device_that_is_not_there():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ValueError, match="no CUDA GPU is available"), processes("cuda"):
        pass
    for device in ("meta", "gpu", "cudas", "foo", "", "cpu:3", "cuda:x", "cuda:-1", "mps:1"):
        with pytest.raises(ValueError, match="device must be cpu, cuda"), processes(device):
            pass


def test_evaluation_counts_every_image_once():
    model = new_model()
    train(model, data(), CONFIG, progress=False)
    whole = evaluate(model, data(), batch_size=10)
    images = data().images
    drawn = model.eval().decode(model.encode(to_float(images)))
    model.train()
    error = (drawn - to_float(images)).square().mean().item()
    assert whole.mean_squared_error == pytest.approx(error, rel=1e-5)
    assert whole.ssim == pytest.approx(ssim(to_uint8(drawn), images).mean().item())
    assert whole.psnr == pytest.approx(psnr(to_uint8(drawn), images).mean().item())
    parts = evaluate(model, data(), batch_size=3)  # 3 + 3 + 3 + 1
    assert whole.images == parts.images == 10
    assert whole == pytest.approx(parts, rel=1e-5)
    assert whole.bits_per_image == 4 * 4 * 4
    assert whole.raw_bits_per_image == 16 * 16 * 24
    assert model.training, "the mode is given back"
    with pytest.raises(ValueError, match="no images"):
        evaluate(model, [])


@pytest.mark.slow
def test_workers_that_are_started_anew_read_the_same_images(tmp_path):
    """As on Windows and on a Mac, where nothing is inherited: what they need is sent to them."""
    pictures = torch.randint(256, (12, 16, 16, 3), generator=torch.Generator().manual_seed(0))
    for index, picture in enumerate(pictures.to(torch.uint8).numpy()):
        Image.fromarray(picture).save(tmp_path / f"{index}.png")
    models = []
    before = torch.multiprocessing.get_start_method()
    try:
        torch.multiprocessing.set_start_method("spawn", force=True)
        for workers in (0, 1):
            model = new_model()
            images = FolderImages(tmp_path, 8)
            train(model, images, replace(CONFIG, workers=workers), progress=False)
            models.append(model)
    finally:
        torch.multiprocessing.set_start_method(before, force=True)
    assert_same_state(*models)


def sets_to_send():
    waves = [torch.rand(400) - 0.5, torch.rand(300) - 0.5]
    said = [Utterance("a", name, wave, "", ()) for name, wave in zip("xy", waves, strict=True)]
    rows = [torch.arange(20), torch.arange(30)]
    clips = [torch.zeros(4, 2, 2, dtype=torch.int64)]
    yield TensorImages(torch.zeros(3, 3, 8, 8, dtype=torch.uint8))
    yield CodeMaps(torch.arange(12).view(3, 2, 2))
    yield SoundWindows(said, ("x", "y"), 16)
    yield Windows(rows, 4, SpokenCodes)
    yield VideoWindows(clips, [torch.tensor([0, 1, 2])], 3)


@pytest.mark.parametrize("images", list(sets_to_send()), ids=lambda data: type(data).__name__)
def test_every_data_set_can_be_sent_to_another_process(images):
    sent = pickle.loads(pickle.dumps(images))
    torch.testing.assert_close(sent.__getitems__([0, 1]), images.__getitems__([0, 1]))
