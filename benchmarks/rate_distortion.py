"""Where the bits go: VQ-VAEs of several capacities and betas, and VAEs of several KL weights.

All on the frames of `data/maze` made 32 pixels wide, with one encoder, decoder, likelihood, batch
and number of steps, in bits per dimension of the validation and the test mazes. A run that was
stopped goes on with the models that are missing.

    python benchmarks/rate_distortion.py --run runs/rate_distortion
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from record import run

from vqvae_lite import train
from vqvae_lite.baselines.bits import evaluate_bits
from vqvae_lite.encoding import encode_images
from vqvae_lite.models import new_model
from vqvae_lite.priors.nats import CodeFrequencies
from vqvae_lite.recipes.images import load_images
from vqvae_lite.recipes.profiles import get_recipe

STEPS, LAST_STEPS = 2000, 500  # the last ones at a tenth of the step size
SHARED = ["size=32", "width=32", "likelihood=logistic", "batch_size=32", f"steps={STEPS}"]
# The decoder sees 32 channels, whatever the number of codebooks.
CHANNELS = 32
CODES, CODEBOOKS = (8, 64, 512), (1, 2, 4)
BETAS = (0.1, 0.25, 0.5, 2.0)  # beside the 1 of all others
KL_WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)


def variants() -> dict[str, tuple[str, list[str]]]:
    """By name, the kind and the settings of each model."""
    vqvae = ["restart_below=0.1", "decay=0.99"]
    found = {}
    for num_codebooks in CODEBOOKS:
        for num_codes in CODES:
            capacity = [
                f"num_codes={num_codes}",
                f"num_codebooks={num_codebooks}",
                f"code_dim={CHANNELS // num_codebooks}",
            ]
            name = f"vqvae K={num_codes} C={num_codebooks}"
            found[name] = "vqvae", [*vqvae, *capacity, "commitment=1"]
    for beta in BETAS:
        capacity = ["num_codes=512", "num_codebooks=2", f"code_dim={CHANNELS // 2}"]
        found[f"vqvae beta={beta}"] = "vqvae", [*vqvae, *capacity, f"commitment={beta}"]
    for weight in KL_WEIGHTS:
        settings = [f"latent_channels={CHANNELS}", f"kl_weight={weight}"]
        found[f"vae weight={weight}"] = "vae", settings
    return found


def measure(kind: str, settings: list[str]) -> dict:
    """Trains one model and measures it."""
    recipe = get_recipe("maze", "quick", kind=kind, settings=[*SHARED, *settings])
    model = new_model(kind, recipe.model, recipe.training.seed)
    images = load_images(recipe, "train")
    train(model, images, recipe.training)
    # At the full step size the weights still tremble: a model's figures would depend on the moment.
    rate = recipe.training.learning_rate / 10
    train(model, images, replace(recipe.training, steps=LAST_STEPS, learning_rate=rate))
    if kind == "vqvae":
        codes = encode_images(model, images)
        frequencies = CodeFrequencies(codes, recipe.model.num_codes)
    figures = {"kind": kind, "settings": settings}
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
    figures = {}
    for name, (kind, settings) in variants().items():
        file = run / f"{name.replace(' ', '_')}.json"
        if not file.exists():
            file.write_text(json.dumps(measure(kind, settings)), encoding="utf-8")
        figures[name] = json.loads(file.read_text(encoding="utf-8"))
        print(name, figures[name]["validation"])
    shared = {"steps": STEPS + LAST_STEPS, "at_a_tenth_of_the_rate": LAST_STEPS, "shared": SHARED}
    return "rate_distortion", {**shared, "models": figures}


if __name__ == "__main__":
    run(main)
