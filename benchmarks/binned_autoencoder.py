"""Trains what `latent_priors.py` measures: autoencoders with bins, and the priors over them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from likelihood import PRIOR, SHARED, train_model, with_seed
from stages import finish_prior
from torch import Tensor, nn

from vqvae_lite import train
from vqvae_lite.baselines.autoencoder import Autoencoder, AutoencoderConfig, AutoencoderOutput
from vqvae_lite.checkpoints import Checkpoint, save_checkpoint
from vqvae_lite.images import TensorImages, exact_uint8, to_float
from vqvae_lite.models import load_checkpoint
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import Recipe
from vqvae_lite.training import ALONE

REFIT_STEPS = 2000  # of the decoder on binned latents, in the variant, at a tenth of the step size
CHANNELS, BINS = 6, 8  # 18 bits a position, as the VQ-VAE has
STEPS, LAST_STEPS = 10_000, 2000  # those of `checkpoints/likelihood`


def autoencoder_recipe() -> Recipe:
    """That of `checkpoints/likelihood`, with an autoencoder in place of the VAE."""
    settings = [*SHARED["quick"], "width=32", f"steps={STEPS}", "checkpoint_every=2000"]
    recipe = get_recipe("maze", "quick", kind="vae", settings=settings)
    shape = {name: getattr(recipe.model, name) for name in ("width", "likelihood")}
    model = AutoencoderConfig(**shape, num_codebooks=CHANNELS, num_codes=BINS)
    return replace(recipe, kind="autoencoder", model=model)


class DecoderOnBins(nn.Module):
    """An autoencoder whose decoder learns from the binned latents; the rest stands still."""

    def __init__(self, model: Autoencoder):
        super().__init__()
        self.model = model
        self.config = model.config

    def forward(self, x: Tensor) -> AutoencoderOutput:
        parameters = self.model.decoder(self.model.lookup(self.model.encode(x)))
        loss = -self.model.likelihood(parameters).log_prob(exact_uint8(x)).mean()
        return AutoencoderOutput(parameters, loss)


def refitted(run: Path, images: TensorImages, seed: int) -> Autoencoder:
    """The variant of what `train_binned` made; trained where it is not there yet."""
    path = run / f"refitted-{seed}"
    if not path.exists():
        model = load_checkpoint(run / f"binned-{seed}").model
        recipe = with_seed(autoencoder_recipe(), seed)
        rate = recipe.training.learning_rate / 10
        training = replace(recipe.training, steps=REFIT_STEPS, learning_rate=rate)
        train(DecoderOnBins(model), images, training, progress=False)
        save_checkpoint(path, model, step=STEPS + REFIT_STEPS, details={"recipe": recipe.to_json()})
    return load_checkpoint(path).model


def train_binned(run: Path, images: TensorImages, seed: int) -> Checkpoint:
    """An autoencoder with bins, and a prior over them; trained where it is not there yet."""
    binned = run / f"binned-{seed}"
    if not binned.exists():
        recipe = with_seed(autoencoder_recipe(), seed)
        trained = run / f"autoencoder-{seed}"
        train_model(recipe, trained, ALONE, LAST_STEPS)
        model = load_checkpoint(trained).model
        model.fit_bins(of_all(lambda batch: model.latents(to_float(batch)), images.images))
        save_checkpoint(binned, model, step=STEPS, details={"recipe": recipe.to_json()})
    checkpoint = load_checkpoint(binned)
    recipe = get_recipe("prior", "quick", PRIOR["quick"], codes_of=checkpoint.model)
    finish_prior(run / f"binned-prior-{seed}", checkpoint, with_seed(recipe, seed), ALONE)
    return checkpoint


@torch.no_grad()
def of_all(function: Callable, inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
    """What a function gives for batches of the inputs, put together; it may be several tensors."""
    parts = [function(batch) for batch in inputs.split(64)]
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))
