"""VIMCO: categorical latents trained with many samples (Mnih and Rezende 2016; section 4.1)."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vqvae_lite.checks import check_images, check_positive_int, config_or_default
from vqvae_lite.images import exact_uint8, to_float
from vqvae_lite.likelihoods import Bound, get_likelihood, negative_log_likelihood
from vqvae_lite.modules import evaluating, with_float64
from vqvae_lite.networks import NetworkConfig, map_size

# Samples with less than this share of the weight change no float32 sum: they need no gradient.
_LEAST_WEIGHT = 1e-8


@dataclass(frozen=True)
class VIMCOConfig(NetworkConfig):
    """What a `VIMCO` is made from: the attributes of `NetworkConfig`, and these.

    Network, latents and likelihood are those of the paper's comparison.

    Attributes:
        num_codes: K, values of each latent.
        code_dim: D, of the vector that the decoder sees for a value.
        num_codebooks: latents at each position.
        likelihood: a name of `likelihoods.LIKELIHOODS`.
        samples: of the bound, 50 in the paper.
        chunk: how many samples, over all images, are decoded at a time: memory, not results.
    """

    num_codes: int = 512
    code_dim: int = 64
    num_codebooks: int = 1
    likelihood: str = "categorical"
    samples: int = 50
    chunk: int = 128


class VIMCOOutput(NamedTuple):
    """What a `VIMCO` returns; scalars, means over all sub-pixels, in nats.

    Attributes:
        reconstruction_loss: -log p(x | z), mean over the samples.
        kl: of the posterior from the uniform prior.
        loss: minus the multi-sample bound. Its gradient is VIMCO's estimate.
    """

    reconstruction_loss: Tensor
    kl: Tensor
    loss: Tensor


class VIMCO(nn.Module):
    """The encoder and decoder of `VQVAE` around categorical latents with a uniform prior.

    The encoder gives K logits for each latent, a sample is drawn from each, and the decoder sees
    the vectors of the sampled values, as in the VQ-VAE.

    Args:
        config: see `VIMCOConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "vimco"  # what checkpoints call it

    def __init__(self, config: VIMCOConfig | None = None):
        super().__init__()
        config = config_or_default(config, VIMCOConfig)
        check_positive_int(
            num_codes=config.num_codes,
            code_dim=config.code_dim,
            num_codebooks=config.num_codebooks,
            samples=config.samples,
            chunk=config.chunk,
        )
        if config.samples < 2:
            raise ValueError("samples must be at least 2: each is judged by the others; got 1")
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
        return self.decoder(vectors.movedim(-1, 2).flatten(1, 2))

    def forward(self, x: Tensor) -> VIMCOOutput:
        """Minus the multi-sample bound, with VIMCO's gradient.

        Args:
            x: float (B, C, H, W), 8-bit values mapped to [-1, 1]. The samples come from torch's
                default generator.

        Raises:
            TypeError, ValueError: for another dtype, rank, channel count or size, or values that
                are not 8-bit.
        """
        images = exact_uint8(x)
        log_q = self.posterior(x)
        shape = (len(x), self.config.samples, *log_q.shape[1:-1])
        codes = sample_codes(log_q.detach(), torch.rand(shape, device=x.device))
        with torch.no_grad():
            log_p = self._log_p(images, codes)
        log_prior = uniform_log_prob(log_q)
        log_q_codes = _log_q_of(codes, log_q)
        log_weights = log_p + log_prior - log_q_codes.detach()

        bound = log_weights.logsumexp(1) - math.log(self.config.samples)
        shares = log_weights.softmax(1)
        signals = leave_one_out(log_weights)
        needed = (shares > _LEAST_WEIGHT).nonzero(as_tuple=True)
        decoded = self._log_p_with_gradient(images, codes, needed)
        gradient = ((signals - shares) * log_q_codes).sum() + (shares[needed] * decoded).sum()
        # The value of the bound, and the gradient of the estimate.
        loss = -(bound.sum() + gradient - gradient.detach()) / x.numel()

        kl = uniform_kl(log_q.detach()).sum() / x.numel()
        return VIMCOOutput(-log_p.mean(1).sum() / x.numel(), kl, loss)

    def _log_p(self, images: Tensor, codes: Tensor) -> Tensor:
        """Log p(x | codes), float32 (B, samples), a chunk of the samples at a time."""
        flat = codes.flatten(0, 1)
        rows = torch.arange(len(images), device=codes.device)
        rows = rows.repeat_interleave(codes.shape[1])
        parts = [
            self._of_pairs(images[row], part)
            for row, part in zip(
                rows.split(self.config.chunk), flat.split(self.config.chunk), strict=True
            )
        ]
        return torch.cat(parts).view(codes.shape[:2])

    def _log_p_with_gradient(
        self, images: Tensor, codes: Tensor, needed: tuple[Tensor, ...]
    ) -> Tensor:
        """Log p(x | codes) of the pairs (image, sample) that are needed, (pairs,).

        Each chunk's activations are computed again in the backward pass, so that those of one
        chunk at a time are in memory.
        """
        chunk = self.config.chunk
        parts = [
            checkpoint(self._of_pairs, images[row], codes[row, sample], use_reentrant=False)
            for row, sample in zip(needed[0].split(chunk), needed[1].split(chunk), strict=True)
        ]
        return torch.cat(parts)

    def _of_pairs(self, images: Tensor, codes: Tensor) -> Tensor:
        return self.likelihood(self.parameters_of(codes)).log_prob(images).flatten(1).sum(1)

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
        log_q_codes = _log_q_of(codes.to(log_q.device), log_q)
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


def _log_q_of(codes: Tensor, log_q: Tensor) -> Tensor:
    """Log q(z | x) of whole samples: (B, samples)."""
    # Samples side by side in the last dimension: nothing of samples x K numbers is made.
    return log_q.gather(-1, codes.movedim(1, -1)).flatten(1, -2).sum(1)


def leave_one_out(log_weights: Tensor) -> Tensor:
    """VIMCO's learning signal of each sample (equations 10 and 11 of Mnih and Rezende 2016).

    How much the bound gains from a sample's weight beside what it would be had that sample the
    geometric mean of the others.

    Args:
        log_weights: (B, samples), log p(x, z) - log q(z | x); at least 2 samples.

    Returns:
        (B, samples), in nats.
    """
    samples = log_weights.shape[1]
    total = log_weights.logsumexp(1, keepdim=True)
    others = (log_weights.sum(1, keepdim=True) - log_weights) / (samples - 1)
    # Row j holds the weights with the j-th replaced.
    replaced = torch.where(
        torch.eye(samples, dtype=torch.bool, device=log_weights.device),
        others[:, :, None],
        log_weights[:, None, :],
    )
    return total - replaced.logsumexp(2)
