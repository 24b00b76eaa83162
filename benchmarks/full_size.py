"""What the recipes need in their profile "paper": memory, and time for a step, on a GPU.

The VQ-VAEs are those of "paper-ema", whose codebooks follow moving averages; those of "paper" learn
by gradient, and differ in nothing else.

Each is trained for some steps, first in the precision that the hardware is best at, then in
float32, which is what a GPU without bfloat16 takes. The hours are an estimate: all steps of the
recipe at the time of these few. Photographs and their codes are random numbers of the same size.

    python benchmarks/full_size.py
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from record import run
from likelihood import OWN, SHARED
from second_stage import SETTINGS

from vqvae_lite.data import find
from vqvae_lite.distributed import Place
from vqvae_lite.encoding import CodeMaps
from vqvae_lite.images import TensorImages
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.recipes.priors import map_data, row_data
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import Recipe, TrainingData
from vqvae_lite.recipes.sound import sound_data
from vqvae_lite.recipes.video import clip_data
from vqvae_lite.training import TrainingConfig, prepare_images, train

WARM_UP = 3  # steps that are not counted


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10, help="that are timed; default: 10")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("this measures on a GPU, and PyTorch sees none")
    place = Place(0, 1, torch.device("cuda"))
    runs = {}
    for name, (recipe, data) in recipes(place).items():
        runs[name] = measure(recipe, data(), options.steps, place)
        print(name, runs[name])
    return "full_size", {"steps_timed": options.steps, "runs": runs}


def recipes(place: Place) -> dict[str, tuple[Recipe, Callable[[], TrainingData]]]:
    """Each recipe, and what loads its data."""
    maze, speech = (load_checkpoint(find(f"checkpoints/{name}")) for name in ("maze", "speech"))
    found: dict[str, tuple[Recipe, Callable[[], TrainingData]]] = {}
    for name in ("maze", "cifar10"):
        recipe = get_recipe(name, "paper-ema")
        found[name] = recipe, lambda recipe=recipe: pictures(recipe.data.size)
    for kind in ("vae", "vqvae", "vimco"):
        settings = [*SHARED["paper"], *OWN[kind, "paper"]]
        settings += ["decay=0.99"] if kind == "vqvae" else []
        recipe = get_recipe("cifar10", "paper", settings, kind=kind)
        found[kind] = recipe, lambda: pictures(32)
    training = TrainingConfig(steps=100_000, batch_size=16, learning_rate=1e-3)
    recipe = replace(found["maze"][0], kind="pixelvqvae", model=SETTINGS, training=training)
    found["second stage"] = recipe, code_maps
    recipe = get_recipe("prior", "paper", codes_of=maze.model)
    found["prior"] = recipe, lambda recipe=recipe: map_data(recipe, maze, place)
    recipe = get_recipe("speech", "paper-ema")
    found["speech"] = recipe, lambda recipe=recipe: sound_data(recipe)
    recipe = get_recipe("prior", "paper", codes_of=speech.model)
    found["speech prior"] = recipe, lambda recipe=recipe: row_data(recipe, speech, place)
    recipe = get_recipe("video", "paper", codes_of=maze.model, num_actions=3)
    found["video"] = recipe, lambda recipe=recipe: clip_data(recipe, maze, place, "runs")
    return found


def pictures(size: int) -> TrainingData:
    """As many as the mazes have."""
    frames = torch.randint(0, 256, (3360, 3, size, size), dtype=torch.uint8)
    return TrainingData(TensorImages(frames), prepare_images, "random pictures", {})


def code_maps() -> TrainingData:
    """Maps of codes as chapter 3's model gives them."""
    codes = torch.randint(0, 512, (3360, 21, 21), dtype=torch.int16)
    return TrainingData(CodeMaps(codes), torch.Tensor.long, "random codes", {})


def measure(recipe: Recipe, data: TrainingData, steps: int, place: Place) -> dict[str, Any]:
    """Gigabytes and milliseconds of a step, in bfloat16 and in float32."""
    model = new_model(recipe.kind, recipe.model, recipe.training.seed)
    figures: dict[str, Any] = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": recipe.training.steps,
        "batch_size": recipe.training.batch_size,
    }
    for precision in ("bfloat16", "float32"):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        training = replace(recipe.training, precision=precision, workers=0)
        seconds = []
        for count in (WARM_UP, steps):
            start = time.perf_counter()
            train(
                model,
                data.dataset,
                replace(training, steps=count),
                place=place,
                prepare=data.prepare,
                progress=False,
            )
            seconds.append(time.perf_counter() - start)
        figures[precision] = {
            "gigabytes": round(torch.cuda.max_memory_reserved() / 1e9, 2),
            "milliseconds": round(1000 * seconds[1] / steps, 1),
            "hours": round(seconds[1] / steps * recipe.training.steps / 3600, 1),
        }
    return figures


if __name__ == "__main__":
    run(main)
