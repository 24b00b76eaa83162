"""Every way that `latent_priors.py` compares, by its name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from binned_autoencoder import refitted, train_binned
from other_ways import latent_prior, pixel_prior, variant
from sampled_ways import (
    Way,
    cost_under,
    fitted,
    with_codes,
    with_gaussian,
    with_pixels,
)
from torch import Tensor, nn

from vqvae_lite.baselines.vae import gaussian_kl
from vqvae_lite.images import TensorImages
from vqvae_lite.models import load_checkpoint
from vqvae_lite.networks import map_size
from vqvae_lite.recipes.priors import load_prior

SEEDS = 3  # of every model and prior


class Ways:
    """Every way by its name: trained where it is not there yet, and given for a seed.

    Args:
        run: the folder for what is trained here.
        likelihood: the run of `likelihood.py`.
        frames: of the training, validation and test mazes, uint8 (N, 3, 32, 32).
    """

    def __init__(self, run: Path, likelihood: Path, frames: dict[str, Tensor]):
        self.run, self.given, self.frames = run, likelihood, frames
        self.images, self.test = TensorImages(frames["train"]), frames["test"]
        self.ways: dict[str, Callable[[int], Way]] = {
            "VQ-VAE, PixelCNN": lambda seed: self.of_codes(self.vqvae(seed)),
            "FSQ, PixelCNN": lambda seed: self.of_codes(variant(run, "fsq", seed)),
            "VAE, its prior": self.vae_alone,
            "VAE, fitted Gaussian": self.vae_fitted,
            "VAE, PixelCNN": self.vae_pixelcnn,
            "autoencoder, PixelCNN": lambda seed: self.of_codes(self.binned(seed)),
            "autoencoder, refitted": self.refitted,
            "VQ-VAE of 36 bits, PixelCNN": lambda seed: self.of_codes(
                variant(run, "vqvae-4", seed)
            ),
            "pixels, PixelCNN": self.pixels,
        }

    def of_codes(self, models: tuple[nn.Module, nn.Module]) -> Way:
        return with_codes(*models, self.test)

    def vqvae(self, seed: int) -> tuple[nn.Module, nn.Module]:
        model = load_checkpoint(self.given / f"vqvae-{seed}").model
        return model, load_prior(self.given / f"prior-{seed}", model).model

    def vae(self, seed: int) -> nn.Module:
        return load_checkpoint(self.given / f"vae-{seed}").model

    def vae_alone(self, seed: int) -> Way:
        model = self.vae(seed)
        shape = self.map_of(model)

        def standard(count: int, seed: int) -> Tensor:
            generator = torch.Generator().manual_seed(seed)
            return torch.randn(count, model.config.latent_channels, *shape, generator=generator)

        return with_gaussian(model, self.test, lambda m, v, _: gaussian_kl(m, v), standard)

    def vae_fitted(self, seed: int) -> Way:
        model = self.vae(seed)
        gaussian, _ = fitted(model, self.frames["train"], self.frames["validation"])
        return with_gaussian(model, self.test, lambda m, v, _: gaussian.kl(m, v), gaussian.sample)

    def vae_pixelcnn(self, seed: int) -> Way:
        model = self.vae(seed)
        prior = latent_prior(self.run, model, self.images, seed)
        draw = partial(prior.sample, self.map_of(model))
        return with_gaussian(model, self.test, cost_under(prior), draw)

    def map_of(self, model: nn.Module) -> tuple[int, int]:
        return map_size(self.test, model.config.num_halvings)

    def pixels(self, seed: int) -> Way:
        return with_pixels(pixel_prior(self.run, self.images, seed), self.test)

    def binned(self, seed: int) -> tuple[nn.Module, nn.Module]:
        model = train_binned(self.run, self.images, seed).model
        return model, load_prior(self.run / f"binned-prior-{seed}", model).model

    def refitted(self, seed: int) -> Way:
        _, prior = self.binned(seed)
        return self.of_codes((refitted(self.run, self.images, seed), prior))
