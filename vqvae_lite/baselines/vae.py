"""The VAE with a diagonal Gaussian posterior: the continuous model of section 4.1."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vqvae_lite.checks import check_images, check_positive_int, check_real, config_or_default
from vqvae_lite.images import exact_uint8, to_float
from vqvae_lite.likelihoods import Bound, get_likelihood, negative_log_likelihood
from vqvae_lite.modules import evaluating, with_float64
from vqvae_lite.networks import NetworkConfig, map_size


@dataclass(frozen=True)
class VAEConfig(NetworkConfig):
    """What a `VAE` is made from: the attributes of `NetworkConfig`, and these.

    Network and likelihood are those of the paper's comparison.

    Attributes:
        latent_channels: Gaussian latents at each position.
        likelihood: a name of `likelihoods.LIKELIHOODS`.
        kl_weight: of the KL divergence in the loss; 1 is the ELBO, others trade rate against
            distortion (Higgins et al. 2017).
    """

    latent_channels: int = 32
    likelihood: str = "categorical"
    kl_weight: float = 1.0


class VAEOutput(NamedTuple):
    """What a `VAE` returns; the losses are scalars, means over all sub-pixels, in nats.

    Attributes:
        reconstruction: the likelihood's parameters, (B, C * parameters_per_value, H, W).
        reconstruction_loss: -log p(x | z) for one z from the posterior.
        kl: the divergence of the posterior from the prior.
        loss: reconstruction_loss + kl_weight * kl; minus the ELBO where the weight is 1.
    """

    reconstruction: Tensor
    reconstruction_loss: Tensor
    kl: Tensor
    loss: Tensor


class VAE(nn.Module):
    """The encoder and decoder of `VQVAE` around Gaussian latents (Kingma and Welling 2014).

    Args:
        config: see `VAEConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "vae"  # what checkpoints call it

    def __init__(self, config: VAEConfig | None = None):
        super().__init__()
        config = config_or_default(config, VAEConfig)
        check_positive_int(latent_channels=config.latent_channels)
        check_real(kl_weight=config.kl_weight)
        if not 0 <= config.kl_weight < math.inf:
            raise ValueError(f"kl_weight must be finite and at least 0, got {config.kl_weight}")
        self.config = config
        self.likelihood = get_likelihood(config.likelihood)
        self.encoder = config.encoder(2 * config.latent_channels)
        parameters = config.in_channels * self.likelihood.parameters_per_value
        self.decoder = config.decoder(config.latent_channels, parameters)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of q(z | x), each float32 (B, latents, h, w).

        Args:
            x: float (B, C, H, W) in [-1, 1], H and W divisible by 2 ** num_halvings.

        Raises:
            TypeError, ValueError: for another dtype, rank, channel count or size.
        """
        check_images(x, self.config.in_channels, self.config.num_halvings)
        return split_posterior(self.encoder(x))

    def forward(self, x: Tensor) -> VAEOutput:
        """One sample's negative ELBO and its parts.

        Args:
            x: float (B, C, H, W), 8-bit values mapped to [-1, 1]. The noise comes from torch's
                default generator.

        Raises:
            TypeError, ValueError: for another dtype, rank, channel count or size, or values that
                are not 8-bit.
        """
        mean, log_variance = self.posterior(x)
        z = shift_noise(mean, log_variance, torch.randn_like(mean))
        reconstruction = self.decoder(z)
        nats = -self.likelihood(reconstruction).log_prob(exact_uint8(x)).mean()
        kl = gaussian_kl(mean, log_variance).mean() / x[0].numel()
        return VAEOutput(reconstruction, nats, kl, nats + self.config.kl_weight * kl)

    def noise(self, images: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        """Standard normal noise for `samples` latents of one image: (samples, latents, h, w).

        Args:
            images: whose height and width count.
            samples: how many.
            generator: on the CPU.
        """
        size = map_size(images, self.config.num_halvings)
        shape = (samples, self.config.latent_channels, *size)
        return torch.randn(shape, generator=generator)

    @torch.no_grad()
    def bound(self, images: Tensor, noise: Tensor) -> tuple[Bound, Tensor]:
        """The ELBO in its parts, and the importance-weighted bound (Burda et al. 2016).

        Args:
            images: uint8 (B, C, H, W).
            noise: standard normal (B, samples, latents, h, w).

        Returns:
            The parts, the reconstruction being the mean over the samples and the KL divergence
            in closed form; and float64 (B,): minus the logarithm of the mean over the samples of
            p(x, z) / q(z | x), nats. With one sample it is an estimate of the ELBO too.

        Raises:
            TypeError, ValueError: the images are not uint8 of a fitting size.
        """
        with evaluating(self):
            mean, log_variance = self.posterior(to_float(images))
            nats, log_ratio = [], []
            for index in range(noise.shape[1]):
                epsilon = noise[:, index]
                z = shift_noise(mean, log_variance, epsilon)
                nats.append(negative_log_likelihood(self.likelihood, self.decoder(z), images))
                # log p(z) - log q(z | x): the constants of the two normal densities cancel.
                ratio = 0.5 * (epsilon.square() + log_variance - z.square())
                log_ratio.append(with_float64(ratio).flatten(1).sum(1, dtype=torch.float64))
        nats = torch.stack(nats)
        log_weights = torch.stack(log_ratio) - nats
        importance = math.log(len(nats)) - log_weights.logsumexp(0)
        kl = with_float64(gaussian_kl(mean, log_variance)).double()
        return Bound(nats.mean(0), kl), importance

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """The likelihood's mean, (B, C, H, W) in [-1, 1], for latents (B, latents, h, w)."""
        with evaluating(self):
            return self.likelihood(self.decoder(z)).mean()


def split_posterior(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and logarithm of the variance, float32 (B, latents, ...), from twice the channels."""
    mean, log_variance = parameters.float().chunk(2, dim=1)
    # Beyond these a step of the optimizer could overflow exp; no posterior comes near them.
    return mean, log_variance.clamp(-20, 10)


def shift_noise(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """A draw from N(mean, variance), made of standard normal noise; all of one shape."""
    return mean + (0.5 * log_variance).exp() * noise


def kl_of_each(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of each latent, in nats, of the shape of the arguments.

    Kingma and Welling 2014, appendix B: (mean^2 + variance - 1 - log variance) / 2.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The sum of `kl_of_each` over all but the first dimension: (B,)."""
    return kl_of_each(mean, log_variance).flatten(1).sum(1)
