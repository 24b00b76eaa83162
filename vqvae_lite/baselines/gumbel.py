"""Gumbel-softmax: categorical latents trained through samples that are only nearly one-hot.

Source: Jang, Gu and Poole, "Categorical Reparameterization with Gumbel-Softmax" (ICLR 2017), and
Maddison, Mnih and Teh, "The Concrete Distribution" (ICLR 2017), who found it at the same time.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vqvae_lite.baselines.categorical import (
    CategoricalConfig,
    CategoricalLatents,
    sample_codes,
    uniform_kl,
)
from vqvae_lite.checks import check_positive_int, check_real, config_or_default
from vqvae_lite.images import exact_uint8

# Less likely values cost no float32 sum anything, and -p log p has no gradient where p rounds to 0.
_LEAST_LOG_Q = -80.0


@dataclass(frozen=True)
class GumbelConfig(CategoricalConfig):
    """What a `GumbelSoftmax` is made from: the attributes of `CategoricalConfig`, and these.

    Attributes:
        temperature: of the relaxed samples when training starts.
        least_temperature: which it falls to: the lower, the nearer are samples to one-hot, and the
            wider do gradients scatter.
        annealing_steps: training steps until then; it falls by the same factor in each.
    """

    temperature: float = 1.0
    least_temperature: float = 0.5
    annealing_steps: int = 100_000


class GumbelOutput(NamedTuple):
    """What a `GumbelSoftmax` returns; scalars, means over all sub-pixels, in nats.

    Attributes:
        reconstruction_loss: -log p(x | z) for one z, in training a relaxed one.
        kl: of the posterior from the uniform prior.
        loss: their sum: in eval mode minus the ELBO, in training that of the relaxed z.
    """

    reconstruction_loss: Tensor
    kl: Tensor
    loss: Tensor


class GumbelSoftmax(CategoricalLatents):
    """Categorical latents that learn by gradient, as the Gaussian ones of a `VAE` do.

    In training the decoder sees not the vector of one value, but a mean of all of them, weighted
    by a relaxed sample; in eval mode, and by `bound`, values are drawn: what is measured is the
    model with discrete latents.

    Args:
        config: see `GumbelConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "gumbel"  # what checkpoints call it

    config: GumbelConfig
    steps: Tensor

    def __init__(self, config: GumbelConfig | None = None):
        config = config_or_default(config, GumbelConfig)
        check_positive_int(annealing_steps=config.annealing_steps)
        first, least = config.temperature, config.least_temperature
        check_real(temperature=first, least_temperature=least)
        if not 0 < first < math.inf:
            raise ValueError(f"temperature must be finite and above 0, got {first}")
        if not 0 < least <= first:
            raise ValueError(
                f"least_temperature must be above 0 and at most temperature ({first}), got {least}"
            )
        super().__init__(config)
        # Training steps so far; an integer, which no cast to half precision rounds.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def temperature(self) -> Tensor:
        """That of the next training step, float32, a scalar."""
        first, least = self.config.temperature, self.config.least_temperature
        return first * (least / first) ** (self.steps / self.config.annealing_steps).clamp(max=1)

    def forward(self, x: Tensor) -> GumbelOutput:
        """One sample's negative ELBO and its parts.

        Args:
            x: float (B, C, H, W), 8-bit values mapped to [-1, 1]. The noise comes from torch's
                default generator.

        Raises:
            TypeError, ValueError: for another dtype, rank, channel count or size, or values that
                are not 8-bit.
        """
        images = exact_uint8(x)
        log_q = self.posterior(x)
        if self.training:
            noise = torch.rand(log_q.shape, device=x.device)
            parameters = self.decode_vectors(
                self._mean_vectors(relaxed_one_hot(log_q, noise, self.temperature))
            )
            self.steps += 1
        else:
            noise = torch.rand((len(x), 1, *log_q.shape[1:-1]), device=x.device)
            parameters = self.parameters_of(sample_codes(log_q.detach(), noise)[:, 0])
        nats = -self.likelihood(parameters).log_prob(images).mean()
        kl = uniform_kl(log_q.clamp_min(_LEAST_LOG_Q)).sum() / x.numel()
        return GumbelOutput(nats, kl, nats + kl)

    def _mean_vectors(self, weights: Tensor) -> Tensor:
        """The codebook's vectors, weighted by (B, num_codebooks, h, w, K): D takes K's place."""
        with torch.autocast(weights.device.type, enabled=False):
            mean = torch.einsum("bnhwk,nkd->bnhwd", weights, self.codebook.float())
        return mean.to(self.codebook.dtype)


def relaxed_one_hot(log_q: Tensor, noise: Tensor, temperature: Tensor | float) -> Tensor:
    """A sample of the Gumbel-softmax distribution (equation 2 of Jang et al. 2017).

    Its largest entry is where a draw from q would be; the others vanish as the temperature falls.

    Args:
        log_q: (..., K), log-probabilities, or any logits.
        noise: uniform in [0, 1), of that shape.
        temperature: above 0.

    Returns:
        (..., K), each at least 0, their sum 1.
    """
    gumbel = -(-noise.log()).log()
    return ((log_q + gumbel) / temperature).softmax(-1)
