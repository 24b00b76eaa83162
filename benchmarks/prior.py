"""A prior over a VQ-VAE's codes measured on held-out images: nats a code, and the bits it saves.

python benchmarks/prior.py checkpoints/maze checkpoints/prior prior
"""

import argparse
import math
from dataclasses import asdict

from record import run

from vqvae_lite.encoding import encode_images
from vqvae_lite.likelihoods import bits_per_dim
from vqvae_lite.models import load_checkpoint
from vqvae_lite.priors.nats import CodeFrequencies, nats_per_code
from vqvae_lite.recipes.images import load_images, training_images
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.recipes.recipe import recipe_of


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vqvae", help="a checkpoint or run folder, of a recipe with splits")
    parser.add_argument("prior", help="a checkpoint or run folder of `train prior`")
    parser.add_argument("name", help="of the results file")
    options = parser.parse_args()
    vqvae = load_checkpoint(options.vqvae)
    prior = load_prior(options.prior, vqvae.model)
    recipe, num_codes = recipe_of(vqvae), vqvae.model.config.num_codes
    frequencies = CodeFrequencies(encode_images(vqvae.model, training_images(recipe)), num_codes)
    figures = {
        "settings": asdict(prior.model.config),
        "parameters": sum(parameter.numel() for parameter in prior.model.parameters()),
        "step": prior.config["step"],
        "uniform_nats_per_code": round(math.log(num_codes), 5),
    }
    for split in ("validation", "test"):
        images = load_images(recipe, split)
        codes = encode_images(vqvae.model, images)
        nats = nats_per_code(prior.model, codes)
        saved = (math.log(num_codes) - nats) * codes[0].numel()
        figures[split] = {
            "images": len(images),
            "nats_per_code": round(nats, 5),
            "frequencies_nats_per_code": round(nats_per_code(frequencies, codes), 5),
            "bits_saved_per_image": round(saved / math.log(2), 2),
            "bits_per_image": round(nats * codes[0].numel() / math.log(2), 2),
            "bits_per_dim_saved": round(bits_per_dim(saved, images[0].numel()), 5),
        }
        print(split, figures[split])
    return options.name, figures


if __name__ == "__main__":
    run(main)
