"""Trains what `latent_priors.py` measures beside the models of `likelihood.py` and the binned ones.

A VQ-VAE with another quantizer or more codebooks, and the PixelCNN over its codes; a PixelCNN over
a VAE's latents; one over pixels. Each is trained where it is not there yet.
"""

from dataclasses import replace
from pathlib import Path

import finite_scalar  # noqa: F401 - it makes "fsq" the name of a quantizer
import torch
from binned_autoencoder import LAST_STEPS, STEPS
from latent_pixelcnn import LatentPixelCNN, LatentPixelCNNConfig, Posteriors, drawn
from likelihood import OWN, PRIOR, SHARED, train_model, with_seed
from sampled_ways import posteriors
from stages import finish_prior
from torch import Tensor, nn

from vqvae_lite import VAE, GatedPixelCNN, PixelCNNConfig, TrainingConfig, train
from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.images import TensorImages
from vqvae_lite.models import MODELS, load_checkpoint, new_model
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.training import ALONE

# Codes of 18 bits a position as the VQ-VAE's: six numbers of eight levels. And of 36 bits.
VARIANTS = {
    "fsq": ["quantizer=fsq", "num_codebooks=6", "num_codes=8", "code_dim=1"],
    "vqvae-4": [*OWN["vqvae", "quick"], "num_codebooks=4"],
}
# Of the prior over the VAE's latents: that of the priors over codes, `likelihood.PRIOR`.
LATENT_TRAINING = TrainingConfig(steps=1000, batch_size=32, learning_rate=1e-3)
# Over pixels: as much of a processor's time as the VQ-VAE and its prior take together.
PIXELS = PixelCNNConfig(num_codes=256, num_codebooks=3, width=32, num_layers=6, kernel_size=5)
PIXEL_TRAINING = TrainingConfig(steps=1300, batch_size=8, learning_rate=1e-3)
PIXEL_LAST_STEPS = 260  # at a tenth of the step size


def variant(run: Path, name: str, seed: int) -> tuple[nn.Module, nn.Module]:
    """A VQ-VAE of `VARIANTS` and the prior over its codes."""
    shared = [*SHARED["quick"], "width=32", f"steps={STEPS}", "checkpoint_every=2000"]
    recipe = with_seed(
        get_recipe("maze", "quick", kind="vqvae", settings=[*shared, *VARIANTS[name]]), seed
    )
    train_model(recipe, run / f"{name}-{seed}", ALONE, LAST_STEPS)
    checkpoint = load_checkpoint(run / f"{name}-{seed}")
    recipe = get_recipe("prior", "quick", PRIOR["quick"], codes_of=checkpoint.model)
    finish_prior(run / f"{name}-prior-{seed}", checkpoint, with_seed(recipe, seed), ALONE)
    return checkpoint.model, load_checkpoint(run / f"{name}-prior-{seed}").model


def latent_prior(run: Path, model: VAE, images: TensorImages, seed: int) -> LatentPixelCNN:
    """A PixelCNN over a VAE's latents; the VAE stands still, as other models under their priors."""
    path = run / f"vae-prior-{seed}"
    models = {**MODELS, LatentPixelCNN.kind: (LatentPixelCNNConfig, LatentPixelCNN)}
    if not path.exists():
        config = LatentPixelCNNConfig(model.config.latent_channels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            prior = LatentPixelCNN(config)
        data = Posteriors(torch.stack(posteriors(model, images.images), 1))
        training = replace(LATENT_TRAINING, seed=seed)
        train(prior, data, training, prepare=drawn, progress=False)
        save_checkpoint(path, prior, step=training.steps)
    return load_checkpoint(path, models).model


def pixel_prior(run: Path, images: TensorImages, seed: int) -> GatedPixelCNN:
    """A PixelCNN over pixels: 256 codes, three at each position."""
    path = run / f"pixels-{seed}"
    if not path.exists():
        model = new_model("pixelcnn", PIXELS, seed)
        steps, rate = PIXEL_TRAINING.steps - PIXEL_LAST_STEPS, PIXEL_TRAINING.learning_rate
        for stage in (
            replace(PIXEL_TRAINING, steps=steps, seed=seed),
            replace(PIXEL_TRAINING, steps=PIXEL_LAST_STEPS, learning_rate=rate / 10, seed=seed + 1),
        ):
            train(model, images, stage, prepare=Tensor.long, progress=False)
        save_checkpoint(path, model, step=PIXEL_TRAINING.steps)
    return load_checkpoint(path).model
