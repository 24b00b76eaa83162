"""The VQ-VAE of the frames and all that stands on its codes, one after another, on one GPU.

First the VQ-VAE alone; then, side by side, each in a process of its own, a prior over its codes,
three second stages that differ by their seed, a dynamics model, and one that draws all codes at
once. What is trained is what `vqvae-lite train` and `second_stage.py` train, by the same loss and
optimizer and with three step sizes, but by steps that are replayed (`graph_step.py`), and for as
long as the clock says: seven tenths of a model's time at 1e-3, two at 3e-4, one at 1e-4.

    make data FRAMES=33600  # prints the folder
    python benchmarks/chain.py --run runs/chain --folder ~/.cache/vqvae_lite/maze-33600

The prior's first step is smaller, 5e-4: at 1e-3 it lost within a thousand steps what it had
learned. Validation figures are printed, and kept in the checkpoints.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from record import run
from graph_step import GraphStep
from second_stage import BATCH, SEEDS, SETTINGS
from torch import Tensor, nn

from vqvae_lite import evaluate
from vqvae_lite.checkpoints import save_checkpoint, step_path
from vqvae_lite.data import find
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages
from vqvae_lite.maze import ACTIONS, load_maze
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.modules import fingerprint
from vqvae_lite.priors.nats import nats_per_code
from vqvae_lite.recipes.images import mirror_and_prepare
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import Recipe
from vqvae_lite.secondstage.swap import measure_latent_use
from vqvae_lite.video.evaluation import nats_per_video_code

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
BASE_SHARE = 0.4  # of the time, for the VQ-VAE that all others wait for
RATES = ((1.0, 0.7), (0.3, 0.9), (0.1, 1.0))  # of the first step size, until that share of the time
BASE = ("width=64", "code_dim=8", "restart_below=0.1", "batch_size=64", "mirrored=true")
PRIOR = (
    "width=128", "num_layers=12", "position_channels=16", "attention_every=3", "dropout=0.1",
    "batch_size=64",
)  # fmt: skip
VIDEO = (
    "history=4", "width=104", "pixelcnn_width=56", "num_layers=8", "dropout=0.05", "own_draws=0.3",
    "batch_size=16", "window=8",
)  # fmt: skip
HELD_OUT = 560  # validation frames, four walks, as in the book's set: more would take time
MIRRORED_ACTION = (0, 2, 1)  # forward, left, right: left is right in a mirror
ON_CODES = ("prior", "video", "video_at_once", *(f"second_stage_{seed}" for seed in range(SEEDS)))


class Job(NamedTuple):
    """A model to be trained.

    Attributes:
        model: as it begins.
        batch: the examples of some numbers: see `GraphStep`.
        examples: how many.
        batch_size: a step.
        rate: the first step size.
        measure: what is printed of the model after each step size.
        details: for the checkpoint, after so many steps.
        begin: changes the first weights, when the codes are there.
    """

    model: nn.Module
    batch: Callable[[Tensor], Any]
    examples: int
    batch_size: int
    rate: float
    measure: Callable[[Any], dict]
    details: Callable[[int], dict]
    begin: Callable[[], None] = lambda: None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="the folder for the runs")
    parser.add_argument("--folder", help="a larger set of mazes; default: the book's")
    parser.add_argument("--minutes", type=float, default=10.0, help="in all; default: 10")
    parser.add_argument("--small", action="store_true", help="tiny models, to try it on a CPU")
    parser.add_argument("--only", choices=("base", *ON_CODES), help=argparse.SUPPRESS)
    parser.add_argument("--end", type=float, help=argparse.SUPPRESS)  # of all, in time.time()
    options = parser.parse_args()
    if options.only:
        train_one(options)
        return
    start, seconds = time.time(), 60 * options.minutes
    processes = [start_one("base", options, start + BASE_SHARE * seconds)]
    # They make themselves ready while the VQ-VAE is trained, and wait for its codes.
    processes += [start_one(name, options, start + seconds) for name in ON_CODES]
    failed = processes[0].wait()
    if failed:
        for process in processes:
            process.kill()
        sys.exit("the VQ-VAE could not be trained")
    encode_all(options)
    codes = [process.wait() for process in processes]
    if any(codes):
        sys.exit("not all models could be trained")


def start_one(name: str, options: argparse.Namespace, end: float) -> subprocess.Popen:
    """A process that trains one of the models until a time."""
    command = [sys.executable, __file__, "--run", str(options.run), "--only", name]
    command += ["--end", str(end)] + (["--folder", options.folder] if options.folder else [])
    return subprocess.Popen(command + ["--small"] * options.small)


def train_one(options: argparse.Namespace) -> None:
    """Trains one model, measures it after each step size, and stores it."""
    name, folder = options.only, options.run / options.only
    job = base_job(options) if name == "base" else on_codes(name, options)
    step = GraphStep(
        job.model, job.batch, job.examples, job.batch_size, device=DEVICE,
        compile=DEVICE.type == "cuda",
    )  # fmt: skip
    if name != "base":
        while not codes_path(options).exists():
            time.sleep(0.2)
    begin = time.time()
    step.restart(job.begin)
    for rate, share in RATES:
        step.run(job.rate * rate, begin + share * (options.end - begin))
        measured = job.measure(job.model)
        line = {"model": name, "steps": step.steps, "rate": job.rate * rate, **measured}
        print(json.dumps(line), flush=True)
        details = {**job.details(step.steps), "history": step.history, "validation": measured}
        save_checkpoint(step_path(folder, step.steps), job.model, step=step.steps, details=details)


def base_job(options: argparse.Namespace) -> Job:
    """The VQ-VAE, on frames that lie on the device."""
    recipe = get_recipe("maze", "paper-ema", [*BASE, *small(options)], folder=options.folder)
    frames = load_maze("train", options.folder).frames.to(DEVICE)
    held_out = TensorImages(load_maze("validation", options.folder).frames[:HELD_OUT])
    return Job(
        new_model("vqvae", recipe.model, 0),
        lambda numbers: mirror_and_prepare(frames.index_select(0, numbers)),
        len(frames),
        recipe.training.batch_size,
        1e-3,
        lambda model: {key: evaluate(model, held_out)._asdict()[key] for key in ("psnr", "ssim")},
        with_recipe(recipe),
    )


def on_codes(name: str, options: argparse.Namespace) -> Job:
    """A model of codes: of noise while it is made ready, of the frames from `begin` on."""
    actions = actions_of(options.folder)
    maps = torch.zeros(2 * actions.shape[0] * (actions.shape[1] + 1), 21, 21, dtype=torch.int16)
    maps = maps.random_(512).to(DEVICE)
    found: dict[str, Any] = {}  # the codes, from `begin` on

    def begin() -> None:
        found.update(torch.load(codes_path(options)))
        maps.copy_(torch.cat([found["train"], found["mirrored"]]))
        if name.startswith("video"):
            model.start_from(base_of(options).quantizer.codebook.detach().to(DEVICE))

    def chosen(numbers: Tensor) -> Tensor:
        return maps.index_select(0, numbers).long()

    coder = new_model("vqvae", get_recipe("maze", "paper-ema", [*BASE, *small(options)]).model, 0)
    if name == "prior":
        recipe = get_recipe("prior", "paper", [*PRIOR, *small(options)], codes_of=coder)
        model = new_model("pixelcnn", recipe.model, 0)
        return Job(
            model, chosen, len(maps), recipe.training.batch_size, 5e-4,
            lambda model: {"nats_per_code": nats_per_code(model, found["validation"].long())},
            with_recipe(recipe, found), begin,
        )  # fmt: skip
    if name.startswith("second_stage"):
        seed = int(name[-1])
        settings = replace(SETTINGS, width=16) if options.small else SETTINGS
        model = new_model("pixelvqvae", settings, seed)

        def measure(model: nn.Module) -> dict:
            use = measure_latent_use(model, found["validation"].long())
            return {"nats": use.nats, "swap_rise": use.swap_rise}

        return Job(
            model, chosen, len(maps), BATCH, 1e-3, measure,
            lambda steps: {"codes_of": found["codes_of"]}, begin,
        )  # fmt: skip
    more = ["num_layers=0"] if name == "video_at_once" else []
    recipe = get_recipe(
        "video", "paper", [*VIDEO, *more, *small(options)], codes_of=coder, num_actions=3,
        folder=options.folder,
    )  # fmt: skip
    model = new_model("video", recipe.model, 0)
    both = torch.cat([actions, torch.tensor(MIRRORED_ACTION)[actions]]).to(DEVICE)
    steps, window = both.shape[1], recipe.data.window
    starts = steps + 2 - window  # windows in a film

    def windows(numbers: Tensor) -> tuple[Tensor, Tensor]:
        film, start = numbers // starts, numbers % starts
        frames = (film * (steps + 1) + start)[:, None] + torch.arange(window, device=DEVICE)
        done = (film * steps + start)[:, None] + torch.arange(window - 1, device=DEVICE)
        return maps[frames].long(), both.flatten()[done]

    def measure_video(model: Any) -> dict:
        films = list(found["validation"].long().view(-1, steps + 1, 21, 21))
        walks = actions_of(options.folder, "validation")
        return {"nats_per_code": nats_per_video_code(model, films, list(walks[: len(films)]))}

    return Job(
        model, windows, len(both) * starts, recipe.training.batch_size, 1e-3, measure_video,
        with_recipe(recipe, found, actions=list(ACTIONS)), begin,
    )  # fmt: skip


def encode_all(options: argparse.Namespace) -> None:
    """The codes of all frames for those that wait for them."""
    model = base_of(options).to(DEVICE)
    train = load_maze("train", options.folder).frames
    held_out = load_maze("validation", options.folder).frames[:HELD_OUT]
    sets = {"train": train, "mirrored": train.flip(-1), "validation": held_out}
    codes: dict[str, Any] = {"codes_of": fingerprint(model)}
    for name, frames in sets.items():
        codes[name] = encode_images(model, TensorImages(frames), 256).short()
    partial = codes_path(options).with_suffix(".partial")
    torch.save(codes, partial)
    partial.rename(codes_path(options))


def actions_of(folder: str | None, split: str = "train") -> Tensor:
    """What was done in the walks of a split: int64 (walks, frames - 1)."""
    folder = Path(folder).expanduser() if folder else find("data/maze")
    walks = json.loads((folder / "maze.json").read_text(encoding="utf-8"))["splits"][split]
    with np.load(folder / "walks.npz") as stored:
        actions = torch.from_numpy(stored["actions"][walks].astype("int64"))
    return actions[:, :-1]  # the last one leads to no frame


def base_of(options: argparse.Namespace) -> Any:
    return load_checkpoint(options.run / "base").model


def codes_path(options: argparse.Namespace) -> Path:
    return options.run / "codes.pt"


def small(options: argparse.Namespace) -> list[str]:
    return ["width=16", "batch_size=2"] if options.small else []


def with_recipe(
    recipe: Recipe, codes: dict[str, Any] | None = None, **more: Any
) -> Callable[[int], dict]:
    """The details of a checkpoint: its recipe, and of a model of codes whose they are."""

    def details(steps: int) -> dict:
        data, maps = recipe.data, {}
        if codes is not None:
            data, maps = replace(data, codes_of=codes["codes_of"]), {"map": [21, 21]}
        training = replace(recipe.training, steps=steps, precision="bfloat16")
        return {"recipe": replace(recipe, training=training, data=data).to_json(), **maps, **more}

    return details


if __name__ == "__main__":
    run(main)
