"""What one GPU shows in eight minutes, with nothing to download: `make gpu`.

Three parts, each with its share of the time: the tests that compare a GPU with the CPU; how many
times faster than their yardsticks the quantizer and the samplers are there; and the paper's three
models (section 4.1: 8 x 8 x 10 latents, the 256-way softmax, batches of 128, in bfloat16) for as
many steps as there is time, on CIFAR-10 where it lies in VQVAE_LITE_DATA, else on the maze frames.
Results and checkpoints are written as they come, and a second call goes on from them.

    python benchmarks/gpu.py

With `--device cpu --out FOLDER` the same in miniature, which tests it.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from record import RESULTS, ROOT, commit, machine, run, write_result
from gpu_ratios import RATIOS, measure_ratios
from likelihood import OWN, PAPER, SAMPLES, SHARED
from stages import last_of
from torch.utils.data import Dataset, Subset

from vqvae_lite import evaluate_bits
from vqvae_lite.checks import size_of
from vqvae_lite.distributed import Place, processes
from vqvae_lite.images import load_cifar10
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.recipes.images import load_images, preparation, training_images
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import Recipe
from vqvae_lite.training import TrainingError, train

# Of all the time: until when a part may begin something. What one leaves over falls to the next.
CHECKS_UNTIL, RATIOS_UNTIL = 0.3, 0.45
TRAINING = 0.75  # of a model's time; the rest measures it on held-out images
WARM_UP, TRIAL = 2, 8  # steps of the first two rounds: one compiles, the other tells the speed
ROUNDS = 4  # in the time after these, with a checkpoint after each
FIRST_IMAGES = 64
SMALL = ["width=8", "batch_size=2"]
SMALL_OWN = {
    "vae": ["latent_channels=2"],
    "vqvae": ["num_codebooks=2", "num_codes=8", "code_dim=4"],
    "vimco": ["num_codebooks=2", "num_codes=8", "code_dim=4", "samples=2"],
}


class Report:
    """What is known so far; written as it grows.

    Args:
        folders: for gpu.json; what an earlier call left in the first of them is kept where it
            still holds: checks and ratios of the same commit and machine, and what was trained.
        images: the name of their recipe.
    """

    def __init__(self, folders: list[Path], images: str):
        path, self.folders = folders[0] / "gpu.json", folders
        earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        # Now: where the results file is one of git's, writing it makes the checkout dirty.
        self.figures: dict[str, Any] = {"commit": commit(), "checks": {}, "ratios": {}}
        if (earlier.get("commit"), earlier.get("machine")) == (self.figures["commit"], machine()):
            self.figures |= {name: earlier[name] for name in ("checks", "ratios")}
        profile = earlier.get("profile", {})
        if profile.get("images") != images:
            profile = {"images": images, "paper": PAPER, "models": {}}
        self.figures["profile"] = profile

    def write(self) -> None:
        for folder in self.folders:
            write_result("gpu", self.figures, folder)

    def failed(self) -> bool:
        entries = [*self.figures["ratios"].values(), *self.figures["profile"]["models"].values()]
        return bool(self.figures["checks"].get("failed")) or any("error" in e for e in entries)


def main(arguments: list[str] | None = None) -> None:
    start = time.time()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=460.0, help="in all; default: 460")
    parser.add_argument("--device", default="cuda", help="cpu: in miniature; default: cuda")
    parser.add_argument(
        "--out", type=Path, help="for all files; default: benchmarks/results and runs/gpu"
    )
    options = parser.parse_args(arguments)
    small = options.device == "cpu"
    if small and not options.out:
        parser.error("--device cpu is for trying it out: it needs --out")
    if not small and not torch.cuda.is_available():
        sys.exit("no GPU that PyTorch can use: nothing was measured")
    folder = options.out or ROOT / "runs" / "gpu"
    images = "maze" if small or not has_cifar10() else "cifar10"
    report = Report([folder] if options.out else [folder, RESULTS], images)

    def until(share: float) -> float:
        return start + share * options.seconds

    with processes(options.device) as place:
        check(report, folder, until(CHECKS_UNTIL))
        for name in RATIOS:
            compare(report, name, small, place, until(RATIOS_UNTIL))
        for number, kind in enumerate(PAPER):
            now = time.time()
            end = now + (until(1) - now) / (len(PAPER) - number)
            recipe, samples = recipe_of(kind, images, small), 2 if small else SAMPLES
            learn(report, recipe, folder / images / kind, place, samples, end)
    print(f"written to {report.folders[-1] / 'gpu.json'}")
    if report.failed():
        sys.exit("not all of it went well: see there")


def has_cifar10() -> bool:
    """Whether it is there; nothing is fetched."""
    try:
        load_cifar10("test", download=False)
    except (FileNotFoundError, ImportError):
        return False
    return True


def check(report: Report, run: Path, end: float) -> None:
    """tests/test_gpu.py, in a process that can be ended; what has passed before is left out."""
    found, seconds = report.figures["checks"], end - time.time()
    if found.get("finished"):
        print("checks: done before")
        return
    if seconds <= 0:
        print("checks: time is up")
        return
    passed, finished = found.get("passed", []), True
    # conftest.py is about the book, and needs what a machine with a GPU may not have.
    command = [sys.executable, "-m", "pytest", "-v", "--noconftest", "-p", "no:cacheprovider"]
    command += ["tests/test_gpu.py", *(f"--deselect={name}" for name in passed)]
    run.mkdir(parents=True, exist_ok=True)
    output = run / "checks.txt"
    with output.open("w", encoding="utf-8") as file:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        try:
            code = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=file, stderr=file, timeout=seconds
            ).returncode
            finished = code in (0, 5)  # all passed, or nothing was left to run
        except subprocess.TimeoutExpired:
            code, finished = None, False
    lines = output.read_text(encoding="utf-8", errors="replace")
    outcomes = re.findall(r"(?m)^(tests/\S+::.+?) (PASSED|FAILED|ERROR|SKIPPED)", lines)
    named = {word: [name for name, outcome in outcomes if outcome == word] for _, word in outcomes}
    failed = named.get("FAILED", []) + named.get("ERROR", [])
    if code not in (None, 0, 5) and not failed:
        failed.append(f"pytest ended with {code}: see {output.name}")
    report.figures["checks"] = {
        "passed": passed + named.get("PASSED", []),
        "failed": failed,
        "skipped": len(named.get("SKIPPED", [])),
        "finished": finished,
    }
    report.write()
    counts = report.figures["checks"]
    ended = ", then time was up" if code is None else ""
    told = f"{len(counts['passed'])} passed, {len(failed)} failed, {counts['skipped']} skipped"
    print(f"checks: {told}{ended}", flush=True)


def compare(report: Report, name: str, small: bool, place: Place, end: float) -> None:
    """One of the benchmarks that compare, on the device."""
    if report.figures["ratios"].get(name, {"error": ""}).get("error") is None:
        print(f"{name}: done before")
        return
    if time.time() >= end:
        print(f"{name}: time is up")
        return
    if name == "quantizer" and not find_spec("vector_quantize_pytorch"):
        print("quantizer: its yardstick, vector-quantize-pytorch, is not installed")
        return
    try:
        figures = measure_ratios(name, place.device, small)
    except (AssertionError, RuntimeError) as error:
        figures = {"error": first_line(error)}
    report.figures["ratios"][name] = figures
    report.write()
    print(f"{name}: {figures}", flush=True)


def recipe_of(kind: str, images: str, small: bool) -> Recipe:
    """One of the three models as `likelihood.py` has it, in half precision.

    VIMCO is not compiled: how many of its samples need a gradient differs from step to step, and
    each number of them would be compiled anew.
    """
    settings = [*SHARED["paper"], *OWN[kind, "paper"], "precision=bfloat16"]
    settings += [*SMALL, *SMALL_OWN[kind]] if small else []
    settings += ["compile=true"] if kind != "vimco" and not small else []
    return get_recipe(images, "paper", settings, kind=kind)


def learn(
    report: Report, recipe: Recipe, run: Path, place: Place, samples: int, end: float
) -> None:
    """Trains a model for most of the time until the end, and measures it in the rest."""
    if time.time() >= end:
        print(f"{recipe.kind}: time is up")
        return
    entry = report.figures["profile"]["models"].setdefault(recipe.kind, {})
    entry.pop("error", None)
    try:
        now = time.time()
        train_until(report, entry, recipe, run, place, now + TRAINING * (end - now))
        model = load_checkpoint(run).model.to(place.device)
        samples = 1 if recipe.kind == "vqvae" else samples
        bits = bits_until(model, load_images(recipe, "test"), samples, end)
        entry["bits"] = {"step": entry["step"], "samples": samples, **bits}
    except RuntimeError as error:  # no memory, or a loss that is no number: the others go on
        entry["error"] = first_line(error)
    report.write()
    print(f"{recipe.kind}: {entry}", flush=True)


def train_until(
    report: Report, entry: dict, recipe: Recipe, run: Path, place: Place, end: float
) -> None:
    """Rounds of steps until a time, each from the checkpoint of the one before.

    A round has no more steps than the one before lets expect to be done in time. The first is
    short, for the first step compiles; and so is the second, which tells how long a step takes.
    """
    resume = last_of(run)
    if not resume:
        entry.clear()
    model = resume.model if resume else new_model(recipe.kind, recipe.model, recipe.training.seed)
    images, training, steps, rounds = training_images(recipe), recipe.training, WARM_UP, 0
    while steps and (not rounds or time.time() < end):
        first, begin = resume.config["step"] if resume else 0, time.time()
        # A checkpoint comes at the last step alone.
        stage = replace(training, steps=first + steps, checkpoint_every=first + steps)
        details = {"recipe": replace(recipe, training=stage).to_json()}
        try:
            history = train(
                model, images, stage, place=place, run=run, details=details, resume=resume,
                prepare=preparation(recipe), progress=False,
            )  # fmt: skip
        except RuntimeError as error:
            if not training.compile or rounds or isinstance(error, TrainingError):
                raise
            training = replace(training, compile=False)
            entry["why_not_compiled"] = first_line(error)
            continue
        seconds, rounds = time.time() - begin, rounds + 1
        entry |= {
            "commit": report.figures["commit"],
            "step": first + steps,
            "seconds": round(entry.get("seconds", 0) + seconds, 1),
            "batch_size": stage.batch_size,
            "precision": stage.precision,
            "compiled": stage.compile,
            "training": history[-1].means,
        }
        if rounds > 1:  # the first of a call compiles
            entry["images_a_second"] = round(steps * stage.batch_size / seconds, 1)
        report.write()
        resume = last_of(run)
        fits = int(steps * (end - time.time()) / seconds)
        steps = TRIAL if rounds == 1 else fits // max(1, ROUNDS + 2 - rounds)


def bits_until(model: Any, images: Dataset, samples: int, end: float) -> dict:
    """Bits per dimension: of some held-out images, then of as many as there is time for."""
    total = size_of(images, "measure")
    count = min(FIRST_IMAGES, total)
    while True:
        begin = time.time()
        # From all over the set: a maze's frames lie beside each other.
        chosen = Subset(images, [number * total // count for number in range(count)])
        figures = {"images": count, **evaluate_bits(model, chosen, samples=samples).means()}
        seconds, left = time.time() - begin, end - time.time()
        more = min(total, int(0.8 * count * left / seconds))
        if more < 2 * count:
            return figures
        count = more


def first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


if __name__ == "__main__":
    run(main)
