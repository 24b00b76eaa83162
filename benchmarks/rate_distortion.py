"""Where the bits go: VQ-VAEs by capacity, width of a code and beta, and VAEs by KL weight.

All on the frames of `data/maze` made 32 pixels wide, with one encoder, decoder, likelihood, batch
and number of steps, in bits per dimension of the validation and the test mazes, means of three
seeds. The VAE of weight 1 and the VQ-VAE of two codebooks of 512 have the settings of
`likelihood.py maze`. A run that was stopped goes on with the models that are missing.

    python benchmarks/rate_distortion.py --run runs/rate_distortion
"""

import argparse
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

from record import over_seeds, run

from vqvae_lite import train
from vqvae_lite.baselines.bits import evaluate_bits
from vqvae_lite.encoding import encode_images
from vqvae_lite.models import new_model
from vqvae_lite.priors.nats import CodeFrequencies
from vqvae_lite.recipes.images import load_images
from vqvae_lite.recipes.profiles import get_recipe

STEPS, LAST_STEPS = 8000, 2000  # the last ones at a tenth of the step size
SHARED = [
    "size=32",
    "width=32",
    "likelihood=logistic",
    "batch_size=16",
    "learning_rate=2e-3",
    f"steps={STEPS}",
]
VQVAE = ["restart_below=0.1", "decay=0.99"]
# A code's width, by the number of codebooks: narrow, and so much the same for all. What the width
# does is looked at by itself, below.
CODE_DIM = {1: 8, 2: 4, 4: 4}
CAPACITIES = [*product((1, 2, 4), (8, 64, 512)), (1, 2048)]  # codebooks, codes
WIDTHS = (8, 16)  # of a code, beside the 4 of the others with two codebooks
# Beside the 1 of all others. If the paper's terms are sums, its range has 0.001, not quite 0.0001.
BETAS = (0.0001, 0.001, 0.01, 0.1, 4.0, 16.0, 64.0)
KL_WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)
SEEDS = 3


def variants() -> dict[str, tuple[str, list[str]]]:
    """By name, the kind and the settings of each model."""

    def capacity(codes: int, books: int, width: int | None = None) -> list[str]:
        width = width or CODE_DIM[books]
        return [f"num_codes={codes}", f"num_codebooks={books}", f"code_dim={width}"]

    found = {}
    for books, codes in CAPACITIES:
        settings = [*VQVAE, *capacity(codes, books), "commitment=1"]
        found[f"vqvae K={codes} C={books}"] = "vqvae", settings
    for width in WIDTHS:
        settings = [*VQVAE, *capacity(512, 2, width), "commitment=1"]
        found[f"vqvae D={width}"] = "vqvae", settings
    for beta in BETAS:
        settings = [*VQVAE, *capacity(512, 2), f"commitment={beta}"]
        found[f"vqvae beta={beta}"] = "vqvae", settings
    for weight in KL_WEIGHTS:
        found[f"vae weight={weight}"] = "vae", ["latent_channels=32", f"kl_weight={weight}"]
    return found


def measure(kind: str, settings: list[str], seed: int) -> dict[str, dict[str, float]]:
    """Trains one model and measures it on both splits."""
    recipe = get_recipe("maze", "quick", kind=kind, settings=[*SHARED, *settings, f"seed={seed}"])
    model = new_model(kind, recipe.model, recipe.training.seed)
    images = load_images(recipe, "train")
    train(model, images, recipe.training)
    # At the full step size the weights still tremble: a model's figures would depend on the moment.
    rate = recipe.training.learning_rate / 10
    train(model, images, replace(recipe.training, steps=LAST_STEPS, learning_rate=rate))
    if kind == "vqvae":
        codes = encode_images(model, images)
        frequencies = CodeFrequencies(codes, recipe.model.num_codes)
    figures = {}
    for split in ("validation", "test"):
        images = load_images(recipe, split)
        means = evaluate_bits(model, images).means()
        if kind == "vqvae":
            counted = evaluate_bits(model, images, prior=frequencies.log_prob)
            means["frequencies"] = counted.means()["prior"]
        figures[split] = {name: round(value, 5) for name, value in means.items()}
    return figures


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="the folder for what is measured so far")
    options = parser.parse_args()
    run = Path(options.run)
    run.mkdir(parents=True, exist_ok=True)
    each: dict[str, list[dict]] = {name: [] for name in variants()}
    for seed, (name, (kind, settings)) in product(range(SEEDS), variants().items()):
        file = run / f"{name.replace(' ', '_')}-{seed}.json"
        if not file.exists():
            file.write_text(json.dumps(measure(kind, settings, seed)), encoding="utf-8")
        each[name].append(json.loads(file.read_text(encoding="utf-8")))
        print(name, seed, each[name][-1]["validation"], flush=True)
    figures = {
        name: {"kind": kind, "settings": settings, **over_seeds(each[name]), "seeds": each[name]}
        for name, (kind, settings) in variants().items()
    }
    shared = {"steps": STEPS + LAST_STEPS, "at_a_tenth_of_the_rate": LAST_STEPS, "shared": SHARED}
    return "rate_distortion", {**shared, "models": figures}


if __name__ == "__main__":
    run(main)
