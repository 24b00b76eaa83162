"""VIMCO: categorical latents trained with many samples (Mnih and Rezende 2016; section 4.1)."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from vqvae_lite.baselines.categorical import (
    CategoricalConfig,
    CategoricalLatents,
    log_q_of,
    sample_codes,
    uniform_kl,
    uniform_log_prob,
)
from vqvae_lite.checks import check_positive_int, config_or_default
from vqvae_lite.images import exact_uint8

# Samples with less than this share of the weight change no float32 sum: they need no gradient.
_LEAST_WEIGHT = 1e-8


@dataclass(frozen=True)
class VIMCOConfig(CategoricalConfig):
    """What a `VIMCO` is made from: the attributes of `CategoricalConfig`, and these.

    Attributes:
        samples: of the bound, 50 in the paper.
        chunk: how many samples, over all images, are decoded at a time: memory, not results.
    """

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


class VIMCO(CategoricalLatents):
    """Categorical latents that learn from many samples of themselves, each judged by the others.

    Args:
        config: see `VIMCOConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "vimco"  # what checkpoints call it

    config: VIMCOConfig

    def __init__(self, config: VIMCOConfig | None = None):
        config = config_or_default(config, VIMCOConfig)
        check_positive_int(samples=config.samples, chunk=config.chunk)
        if config.samples < 2:
            raise ValueError("samples must be at least 2: each is judged by the others; got 1")
        super().__init__(config)

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
        log_q_codes = log_q_of(codes, log_q)
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
