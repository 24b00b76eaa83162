"""Two processes end where one does: every model, its codebook, its norms and its records."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from test_files import holder
from test_modes import SETTINGS
from vqvae_lite.distributed import JointBatchNorm, Place, check_joint, memory_of, processes
from vqvae_lite.models import MODELS as ALL_MODELS
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.priors.pixelcnn import PixelCNNConfig
from vqvae_lite.training import TrainingConfig, prepare_images, train

ROOT = Path(__file__).resolve().parents[1]
ALONE = Place(0, 1, torch.device("cpu"))
CONFIG = TrainingConfig(steps=4, batch_size=4, learning_rate=1e-2, precision="float32")
MODELS = {
    **{name: config for name, config in SETTINGS.items() if name in ALL_MODELS},
    "by gradient": replace(SETTINGS["vqvae"], decay=None),
    "pixelcnn": PixelCNNConfig(num_codes=7, width=8, num_layers=2),
    # The KL divergence of some latents is above what is free, that of others below.
    "pixelvae": replace(SETTINGS["pixelvae"], free_nats=0.01),
    "soundvqvae": replace(SETTINGS["soundvqvae"], restart_below=0.1),
}


class Loss(NamedTuple):
    loss: Tensor


class Drawing(nn.Module):
    """Draws a number in each step, and keeps it."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.drawn: list[float] = []

    def forward(self, x: Tensor) -> Loss:
        self.drawn.append(torch.randn(()).item())
        return Loss(self.weight * x.mean())


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


class Pairs(Dataset):
    def __init__(self, first: Tensor, second: Tensor):
        self.pair = Pair(first, second)

    def __len__(self) -> int:
        return len(self.pair.first)

    def __getitems__(self, indices: Sequence[int]) -> Pair:
        return Pair(*(part[indices] for part in self.pair))


def first_of(pair: Pair) -> Tensor:
    return prepare_images(pair.first)


def data_of(name: str) -> tuple[Pairs, object]:
    """Ten examples, and how a batch of them becomes what a model takes."""
    generator = torch.Generator().manual_seed(3)

    def draw(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=generator)

    second = draw(2, 10)
    if name in ("vqvae", "by gradient", "vae", "vimco", "gumbel", "autoencoder"):
        squares = draw(256, 10, 3, 2, 2).repeat_interleave(8, 2).repeat_interleave(8, 3)
        return Pairs(squares.to(torch.uint8), second), first_of
    if name in ("pixelvae", "pixelvqvae"):
        return Pairs(draw(9, 10, 6, 6), second), lambda pair: pair.first
    if name == "pixelcnn":
        return Pairs(draw(7, 10, 4, 4), second), lambda pair: pair.first
    if name == "video":
        return Pairs(draw(7, 10, 4, 3, 3), draw(2, 10, 3)), tuple
    if name == "cepstralvqvae":
        frames = torch.randn(10, 8, 5, generator=generator).cumsum(1)
        return Pairs(frames, second), tuple
    levels = draw(256, 10, 80).to(torch.uint8) if name == "soundvqvae" else draw(7, 10, 20)
    return Pairs(levels, second), tuple


def train_all(place: Place, run: str | None = None) -> dict:
    """The state and the records of each model after four steps without any chance in them."""
    results = {}
    for name, config in MODELS.items():
        if hasattr(config, "dropout"):
            config = replace(config, dropout=0.0)
        kind = name if name in ALL_MODELS else "vqvae"
        model = new_model(kind, config, seed=place.rank)  # what rank 0 begins with counts
        data, prepare = data_of(name)
        kept = run if name == "vqvae" else None
        records = train(model, data, CONFIG, place=place, run=kept, prepare=prepare, progress=False)
        results[name] = model.state_dict(), [tuple(record) for record in records]
    model = Drawing()
    train(model, data_of("vqvae")[0], CONFIG, place=place, prepare=first_of, progress=False)
    results["drawn"] = model.drawn
    # The norm of a batch of which one process has 3 rows and the other 5.
    norm, rows = JointBatchNorm(2), torch.linspace(-1, 3, 16).square().view(8, 2)
    own = rows.split([3, 5])[place.rank] if place.world > 1 else rows
    results["normed"] = norm(own), norm.running_mean, norm.running_var
    return results


def without_chance(change: Callable) -> None:
    """One number takes the place of all draws; Adam does not make much of gradients of 1e-9."""
    change(torch, "randn_like", lambda like: torch.zeros_like(like))  # a name that can be compiled
    change(torch, "rand", lambda shape, **options: torch.full(shape, 0.3, **options))
    change(torch.optim, "Adam", partial(torch.optim.Adam, eps=1e-3))


SCRIPT = """
import sys, torch
sys.path[:0] = [{root!r}, {tests!r}]
torch.set_num_threads(1)
import test_distributed as t
from vqvae_lite.distributed import processes
t.without_chance(setattr)
with processes("cpu") as place:
    torch.save(t.train_all(place, {folder!r} + "/run"), {folder!r} + f"/{{place.rank}}.pt")
"""


@pytest.fixture(scope="module")
def alone() -> dict:
    """What one process ends with."""
    with pytest.MonkeyPatch.context() as patch:
        without_chance(patch.setattr)
        return train_all(ALONE)


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> list:
    """What each of two processes ends with, and the folder of their run."""
    folder = tmp_path_factory.mktemp("two")
    script = folder / "two.py"
    tests = str(Path(__file__).parent)
    script.write_text(SCRIPT.format(root=str(ROOT), tests=tests, folder=str(folder)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*command, str(script)], check=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    return [*(torch.load(folder / f"{rank}.pt") for rank in range(2)), folder / "run"]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_two_processes_end_where_one_does(name, alone, together):
    (first, records), (second, others) = (results[name] for results in together[:2])
    for key, value in first.items():
        assert torch.equal(value, second[key]), key
    assert records == others
    state, expected = alone[name]
    for key, value in state.items():
        torch.testing.assert_close(first[key], value, atol=1e-5, rtol=1e-5, msg=key)
    for (step, means), (_, wanted) in zip(records, expected, strict=True):
        assert means == pytest.approx(wanted, rel=1e-5), step


@pytest.mark.slow
def test_each_process_draws_for_itself_and_anew_in_each_step(alone, together):
    first, second = (results["drawn"] for results in together[:2])
    assert first == alone["drawn"]
    assert len({*first, *second}) == 2 * CONFIG.steps


@pytest.mark.slow
def test_a_norm_of_unequal_shares_is_that_of_the_whole(alone, together):
    (first, *counted), (second, *_) = (results["normed"] for results in together[:2])
    whole, *expected = alone["normed"]
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(counted, expected)


@pytest.mark.slow
def test_the_first_process_keeps_the_checkpoints(together):
    assert [entry.name for entry in together[2].iterdir()] == ["step-00000004"]
    checkpoint = load_checkpoint(together[2])
    state, records = together[0]["vqvae"]
    for key, value in checkpoint.model.state_dict().items():
        assert torch.equal(value, state[key]), key
    assert [tuple(record) for record in checkpoint.config["history"]] == records


ILL = """
import os, sys, torch
import test_distributed as t
from vqvae_lite.distributed import entered_by_first, processes
from vqvae_lite.files import locked
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.run import train_by
case, folder = sys.argv[1:]

class Ill(torch.nn.Module):  # in one process, from its third step on; or while it is computed
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.steps = 0
    def forward(self, x):
        self.steps += 1
        ill = self.steps == 3 and place.rank == 1
        if ill and case == "raises":
            raise ValueError("z_e contains NaN")
        return t.Loss(self.weight * x.mean() * (float("nan") if ill else 1.0))

with processes("cpu") as place:
    try:
        if case == "locked":
            with entered_by_first(place, locked(folder, "trained in")):
                pass
        elif case == "share":
            train_by(get_recipe("folder", "quick", ["batch_size=5"], folder="none"), folder, place)
        else:
            t.train(Ill(), t.data_of("vqvae")[0], t.CONFIG, place=place, prepare=t.first_of,
                    progress=False)
    except Exception as error:
        said = f"{place.rank}: {type(error).__name__}: {error}".splitlines()[0]
        os.write(1, f"{said}\\n".encode())  # in one piece: both write to one pipe
"""


def end_of_two(case: str, folder: Path) -> tuple[list[str], str]:
    """What each of two processes says in the end, and what they say on the way."""
    (folder / "ill.py").write_text(ILL)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    done = subprocess.run(
        [*command, str(folder / "ill.py"), case, str(folder)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
    )
    return sorted(done.stdout.splitlines()), done.stderr


@pytest.mark.slow
def test_a_loss_that_is_nan_in_one_process_ends_them_all(tmp_path):
    said, warned = end_of_two("nan", tmp_path)
    assert said == [
        "0: TrainingError: step 3: the loss of another process is not finite",
        "1: TrainingError: step 3: the loss is nan",
    ]
    assert "Warning" not in warned


@pytest.mark.slow
def test_an_error_in_one_process_keeps_none_waiting(tmp_path):
    said, _ = end_of_two("raises", tmp_path)
    assert said[1] == "1: TrainingError: step 3: z_e contains NaN"
    assert said[0].startswith("0: ")


@pytest.mark.slow
def test_what_the_first_process_is_refused_the_others_are_told(tmp_path):
    other = holder(tmp_path)
    try:
        said, _ = end_of_two("locked", tmp_path)
    finally:
        other.kill()
        other.communicate()
    refused = f"BlockingIOError: {tmp_path} is being trained in by another process"
    assert said == [f"0: {refused}", f"1: {refused}"]


@pytest.mark.slow
def test_whether_a_batch_divides_is_asked_before_data_are_read(tmp_path):
    said, _ = end_of_two("share", tmp_path)
    assert said == [
        f"{rank}: ValueError: batch_size 5 does not divide among 2 processes" for rank in range(2)
    ]


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    asked = pytest.raises(ValueError, match="'cuda:7' was asked for, but there are 2 CUDA GPUs")
    with asked, processes("cuda:7"):
        pass


def test_the_memory_of_a_cpu_is_no_more_than_the_machines(monkeypatch):
    whole = memory_of(torch.device("cpu"))
    if whole is None:
        pytest.skip("this system does not say")
    assert 2**28 < whole <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**20, resource.RLIM_INFINITY))
    assert memory_of(torch.device("cpu")) == 2**20
    monkeypatch.delattr(os, "sysconf")  # as on Windows
    assert memory_of(torch.device("cpu")) is None


class Normed(nn.Module):
    """Somebody else's model, with a norm of torch's own."""

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 3), norm)


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(3), nn.BatchNorm2d(3).eval(), nn.LazyBatchNorm1d()]
)
def test_a_norm_that_would_see_one_share_alone_is_refused_by_name(norm):
    model, place = Normed(norm).eval(), Place(0, 2, torch.device("cpu"))
    with pytest.raises(
        ValueError, match=r"'layers.1', a \w*BatchNorm.*take distributed.JointBatch"
    ):
        train(model, data_of("vqvae")[0], CONFIG, place=place)
    assert not model.training, "nothing was begun"
    check_joint(Normed(JointBatchNorm(3)))
    check_joint(Normed(nn.SyncBatchNorm(3)))
    check_joint(Normed(nn.InstanceNorm1d(3)))


@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 7)])
def test_alone_a_joint_norm_is_that_of_torch_to_the_bit(shape):
    ours, torchs = JointBatchNorm(3), nn.BatchNorm1d(3, affine=False)
    assert ours.state_dict().keys() == torchs.state_dict().keys()
    for _ in range(3):
        x = torch.randn(shape)
        assert torch.equal(ours(x), torchs(x))
    assert ours.half().running_var.dtype == torch.float32, "what is counted keeps its precision"
    ours.eval(), torchs.eval()
    assert torch.equal(ours(x), torchs(x))
    for key, value in ours.state_dict().items():
        assert torch.equal(value, torchs.state_dict()[key]), key


@pytest.mark.parametrize("asked", [None, "cuda", "cuda:0"])
def test_alone_on_a_gpu_the_device_is_one_that_torch_can_set(asked, monkeypatch):
    """As on a machine with one GPU: `torch.cuda.set_device` takes no device without a number."""
    chosen = []

    def set_device(device):
        chosen.append(torch.cuda._utils._get_device_index(device))

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", set_device)
    with processes(asked) as place:
        assert place == Place(0, 1, torch.device("cuda", 0))
    assert chosen == [0]
