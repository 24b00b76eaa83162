"""Categorical latents with a uniform prior, and what they cost: the same however they learn."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.checks import check_images, check_positive_int
from vqvae_lite.images import to_float
from vqvae_lite.likelihoods import Bound, get_likelihood, negative_log_likelihood
from vqvae_lite.modules import evaluating, with_float64
from vqvae_lite.networks import NetworkConfig, map_size


@dataclass(frozen=True)
class CategoricalConfig(NetworkConfig):
    """What all models with categorical latents have: the attributes of `NetworkConfig`, and these.

    Network, latents and likelihood are those of the paper's comparison.

    Attributes:
        num_codes: K, values of each latent.
        code_dim: D, of the vector that the decoder sees for a value.
        num_codebooks: latents at each position.
        likelihood: a name of `likelihoods.LIKELIHOODS`.
    """

    num_codes: int = 512
    code_dim: int = 64
    num_codebooks: int = 1
    likelihood: str = "categorical"


class CategoricalLatents(nn.Module):
    """The encoder and decoder of `VQVAE` around categorical latents with a uniform prior.

    The encoder gives K logits for each latent, a sample is drawn from each, and the decoder sees
    the vectors of the sampled values, as in the VQ-VAE. How they learn is up to the `forward` of a
    subclass.

    Args:
        config: see `CategoricalConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    def __init__(self, config: CategoricalConfig):
        super().__init__()
        check_positive_int(
            num_codes=config.num_codes,
            code_dim=config.code_dim,
            num_codebooks=config.num_codebooks,
        )
        self.config = config
        self.likelihood = get_likelihood(config.likelihood)
        self.encoder = config.encoder(config.num_codebooks * config.num_codes)
        parameters = config.in_channels * self.likelihood.parameters_per_value
        self.decoder = config.decoder(config.num_codebooks * config.code_dim, parameters)
        self.codebook = nn.Parameter(
            torch.randn(config.num_codebooks, config.num_codes, config.code_dim)
        )

    def posterior(self, x: Tensor) -> Tensor:
        """Log q(z | x) of every value of every latent: float32 (B, num_codebooks, h, w, K).

        Args:
            x: float (B, C, H, W) in [-1, 1], H and W divisible by 2 ** num_halvings.

        Raises:
            TypeError, ValueError: for another dtype, rank, channel count or size.
        """
        check_images(x, self.config.in_channels, self.config.num_halvings)
        logits = self.encoder(x).float().unflatten(1, (self.config.num_codebooks, -1))
        return logits.movedim(2, -1).log_softmax(-1)

    def parameters_of(self, codes: Tensor) -> Tensor:
        """The likelihood's parameters for codes, int64 (B, num_codebooks, h, w)."""
        offsets = torch.arange(self.config.num_codebooks, device=codes.device)
        rows = codes + self.config.num_codes * offsets[:, None, None]
        vectors = F.embedding(rows, self.codebook.flatten(0, 1))  # (B, C, h, w, D)
        return self.decode_vectors(vectors)

    def decode_vectors(self, vectors: Tensor) -> Tensor:
        """The likelihood's parameters for a vector a latent, (B, num_codebooks, h, w, D)."""
        return self.decoder(vectors.movedim(-1, 2).flatten(1, 2))

    def noise(self, images: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        """Uniform noise for `samples` latents of one image: (samples, num_codebooks, h, w).

        Args:
            images: whose height and width count.
            samples: how many.
            generator: on the CPU.
        """
        size = map_size(images, self.config.num_halvings)
        shape = (samples, self.config.num_codebooks, *size)
        return torch.rand(shape, generator=generator)

    @torch.no_grad()
    def bound(self, images: Tensor, noise: Tensor) -> tuple[Bound, Tensor]:
        """The one-sample bound in its parts, and the multi-sample bound.

        Args:
            images: uint8 (B, C, H, W).
            noise: uniform (B, samples, num_codebooks, h, w).

        Returns:
            The parts, the reconstruction being the mean over the samples and the KL divergence
            in closed form; and float64 (B,): minus the logarithm of the mean over the samples of
            p(x, z) / q(z | x), nats.

        Raises:
            TypeError, ValueError: the images are not uint8 of a fitting size.
        """
        with evaluating(self):
            log_q = self.posterior(to_float(images))
            codes = sample_codes(log_q, noise)
            nats = torch.stack(
                [
                    negative_log_likelihood(self.likelihood, self.parameters_of(part), images)
                    for part in codes.unbind(1)
                ]
            )
        log_q = with_float64(log_q).double()
        log_q_codes = log_q_of(codes.to(log_q.device), log_q)
        log_weights = uniform_log_prob(log_q) - log_q_codes.T - nats
        importance = math.log(len(nats)) - log_weights.logsumexp(0)
        return Bound(nats.mean(0), uniform_kl(log_q)), importance


def sample_codes(log_q: Tensor, noise: Tensor) -> Tensor:
    """Values drawn by the inverse of the cumulative distribution.

    Args:
        log_q: (B, num_codebooks, h, w, K), log-probabilities.
        noise: uniform in [0, 1), (B, samples, num_codebooks, h, w).

    Returns:
        int64, the shape of the noise.
    """
    cumulative = log_q.exp().cumsum(-1)
    # The last sum may round to just above or below 1.
    scaled = noise.movedim(1, -1).contiguous() * cumulative[..., -1:]
    drawn = torch.searchsorted(cumulative, scaled, right=True)
    return drawn.clamp_max(log_q.shape[-1] - 1).movedim(-1, 1)


def uniform_log_prob(log_q: Tensor) -> float:
    """Log p(z) of any values of an image's latents, -N log K, for log_q as in `sample_codes`."""
    return -log_q[0, ..., 0].numel() * math.log(log_q.shape[-1])


def uniform_kl(log_q: Tensor) -> Tensor:
    """KL(q || uniform) of all latents of an image: (B,), in nats; log_q as in `sample_codes`."""
    return -uniform_log_prob(log_q) - torch.special.entr(log_q.exp()).flatten(1).sum(1)


def log_q_of(codes: Tensor, log_q: Tensor) -> Tensor:
    """Log q(z | x) of whole samples, (B, samples), for codes and log_q as in `sample_codes`."""
    # Samples side by side in the last dimension: nothing of samples x K numbers is made.
    return log_q.gather(-1, codes.movedim(1, -1)).flatten(1, -2).sum(1)
