"""What `latent_priors.py` measures of a model and its prior, whatever its latents are."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from binned_autoencoder import of_all
from fitted_gaussian import FittedGaussian
from latent_pixelcnn import LatentPixelCNN
from torch import Tensor, nn

from vqvae_lite import VAE, GatedPixelCNN, sample
from vqvae_lite.baselines.autoencoder import Autoencoder
from vqvae_lite.baselines.vae import shift_noise
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages, to_float, to_uint8
from vqvae_lite.likelihoods import bits_per_dim, negative_log_likelihood
from vqvae_lite.metrics import psnr

SHRINKAGE = (0.0, 0.03, 0.1, 0.3, 1.0)  # of the fitted Gaussian; 1: no two latents correlated
Bits = dict[str, float | None]


class Way(NamedTuple):
    """One of the models that are compared.

    Attributes:
        bits: of the test frames, bits per dimension: "reconstruction", "latents", "sum".
        psnr: of the reconstructions, dB; for the VAE from the posterior's mean.
        reconstructions: of the test frames, uint8 (N, 3, 32, 32).
        draw: gives so many samples, as uint8 pictures, for a seed.
    """

    bits: Bits
    psnr: float | None
    reconstructions: Tensor | None
    draw: Callable[[int, int], Tensor]


def in_bits(reconstruction: Tensor, latents: Tensor, values: int) -> Bits:
    """Means over the frames, from nats a frame to bits per dimension."""
    nats = (reconstruction, latents)
    parts = [bits_per_dim(part.double().mean().item(), values) for part in nats]
    return {"reconstruction": parts[0], "latents": parts[1], "sum": sum(parts)}


def with_codes(model: nn.Module, prior: nn.Module, frames: Tensor) -> Way:
    """A model with discrete latents and a PixelCNN as the prior over them."""
    nats = of_all(lambda batch: tuple(model.bound(batch, prior.log_prob)), frames)
    codes = encode_images(model, TensorImages(frames))
    reconstructions = of_all(lambda part: to_uint8(model.decode(part)), codes)
    side = codes.shape[-2:]

    def draw(count: int, seed: int) -> Tensor:
        return to_uint8(model.decode(sample(prior, side, batch=count, seed=seed, progress=False)))

    decibels = psnr(reconstructions, frames).mean().item()
    return Way(in_bits(*nats, frames[0].numel()), decibels, reconstructions, draw)


def unbinned(model: Autoencoder, frames: Tensor) -> dict[str, float]:
    """Bits per dimension and PSNR of the autoencoder with its latents as they are."""

    def one(batch: Tensor) -> tuple[Tensor, Tensor]:
        parameters = model.decoder(model.latents(to_float(batch)))
        nats = negative_log_likelihood(model.likelihood, parameters, batch)
        return nats, to_uint8(model.likelihood(parameters).mean())

    nats, reconstructions = of_all(one, frames)
    bits = bits_per_dim(nats.mean().item(), frames[0].numel())
    return {"reconstruction": bits, "psnr": psnr(reconstructions, frames).mean().item()}


def posteriors(model: VAE, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Means and logarithms of the variances, (N, C, h, w) each."""
    return of_all(lambda batch: model.posterior(to_float(batch)), frames)


def with_gaussian(model: VAE, frames: Tensor, cost: Callable, draw: Callable) -> Way:
    """The VAE under a prior over its latents.

    Args:
        model: the VAE.
        frames: to measure it on.
        cost: of means, logarithms of variances and one z ~ q, in nats, (N,): log q - log p, or its
            mean over all z, the KL divergence, where that is known.
        draw: so many latents for a seed.
    """
    means, log_variances = posteriors(model, frames)
    noise = torch.randn(means.shape, generator=torch.Generator().manual_seed(0))
    z = shift_noise(means, log_variances, noise)
    nats = [
        negative_log_likelihood(model.likelihood, model.decoder(part), batch)
        for part, batch in zip(z.split(64), frames.split(64), strict=True)
    ]
    reconstructions = of_all(lambda part: to_uint8(model.decode(part)), means)
    decibels = psnr(reconstructions, frames).mean().item()
    bits = in_bits(torch.cat(nats), cost(means, log_variances, z), frames[0].numel())
    return Way(bits, decibels, reconstructions, lambda *which: to_uint8(model.decode(draw(*which))))


def cost_under(prior: LatentPixelCNN) -> Callable:
    """Log q(z | x) - log p(z) for one z a frame, in nats: an estimate of the KL divergence."""

    def cost(means: Tensor, log_variances: Tensor, z: Tensor) -> Tensor:
        prior.eval()
        noise = (z - means) * (-0.5 * log_variances).exp()
        log_q = torch.distributions.Normal(0.0, 1.0).log_prob(noise) - 0.5 * log_variances
        return log_q.flatten(1).sum(1) - of_all(lambda part: prior(part).log_prob, z)

    return cost


def fitted(model: VAE, train_frames: Tensor, validation_frames: Tensor) -> tuple[Callable, float]:
    """The fitted Gaussian, and the shrinkage that the validation mazes choose."""
    known, held_out = (posteriors(model, frames) for frames in (train_frames, validation_frames))
    gaussian = FittedGaussian(*known)
    costs = {}
    for share in SHRINKAGE:
        gaussian.shrink(share)
        costs[share] = gaussian.kl(*held_out).mean().item()
    best = min(costs, key=costs.get)
    gaussian.shrink(best)
    return gaussian, best


def with_pixels(model: GatedPixelCNN, frames: Tensor) -> Way:
    """A PixelCNN over the values of the pixels themselves: there are no latents."""
    nats = of_all(lambda batch: -model.log_prob(batch), frames)
    bits = bits_per_dim(nats.double().mean().item(), frames[0].numel())

    def draw(count: int, seed: int) -> Tensor:
        side = frames.shape[-2:]
        return sample(model, side, batch=count, seed=seed, progress=False).to(torch.uint8)

    return Way({"reconstruction": None, "latents": None, "sum": bits}, None, None, draw)
