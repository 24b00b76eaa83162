"""A VAE whose decoder is a PixelCNN: the model that posterior collapse is known from.

Source: Gulrajani et al., "PixelVAE" (ICLR 2017), and for the collapse Bowman et al., "Generating
Sentences from a Continuous Space" (CoNLL 2016).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vqvae_lite.baselines.vae import kl_of_each, shift_noise, split_posterior
from vqvae_lite.checks import check_positive_int, check_real, config_or_default
from vqvae_lite.distributed import sum_over_processes, world_size
from vqvae_lite.modules import FullPrecision, evaluating
from vqvae_lite.secondstage.maps import Latents, MapConfig, MapDecoder, MapEncoder


@dataclass(frozen=True)
class PixelVAEConfig(MapConfig):
    """What a `PixelVAE` is made from: the attributes of `MapConfig`, and these.

    Attributes:
        num_latents: Gaussian latents of a map.
        warmup_steps: the weight of the KL divergence grows from 0 to 1 over so many training
            steps (Bowman et al. 2016); 0: it is 1 from the start.
        free_nats: the KL divergence that each latent has for nothing (free bits: Kingma et al.
            2016, appendix C.8), as a mean over the batch.
    """

    num_latents: int = 32
    warmup_steps: int = 0
    free_nats: float = 0.0


class PixelVAEOutput(NamedTuple):
    """What a `PixelVAE` returns, all of them scalars, means over the batch.

    Attributes:
        nats: -log p(x | z) of a map, for one z from the posterior.
        kl: the divergence of the posterior from the prior, nats a map.
        loss: what training minimises, in nats a value of the map: minus the ELBO, but for the
            warm-up and the free nats.
    """

    nats: Tensor
    kl: Tensor
    loss: Tensor


class PixelVAE(FullPrecision):
    """Gaussian latents, and a decoder that could do without them.

    Args:
        config: see `PixelVAEConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "pixelvae"  # what checkpoints call it

    steps: Tensor

    def __init__(self, config: PixelVAEConfig | None = None):
        super().__init__()
        self.config = config = config_or_default(config, PixelVAEConfig)
        check_positive_int(num_latents=config.num_latents)
        check_real(free_nats=config.free_nats)
        if not 0 <= config.free_nats < math.inf:
            raise ValueError(f"free_nats must be finite and at least 0, got {config.free_nats}")
        if config.warmup_steps:
            check_positive_int(warmup_steps=config.warmup_steps)
        self.encoder = MapEncoder(config, 2 * config.num_latents)
        self.decoder = MapDecoder(config, config.num_latents)
        self.register_buffer("steps", torch.zeros(()))  # training steps so far, for the warm-up

    def posterior(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of q(z | x), each float32 (B, num_latents).

        Args:
            maps: integers in [0, num_values), (B, rows, columns).

        Raises:
            TypeError, ValueError: for another dtype, shape or range.
        """
        return split_posterior(self.encoder(maps))

    def forward(self, maps: Tensor) -> PixelVAEOutput:
        """One sample's loss and its parts; the noise comes from torch's default generator.

        Args:
            maps: as for `posterior`.

        Raises:
            TypeError, ValueError: as `posterior`.
        """
        mean, log_variance = self.posterior(maps)
        z = shift_noise(mean, log_variance, torch.randn_like(mean))
        nats = -self.decoder(maps, z[..., None]).mean()
        kl = kl_of_each(mean, log_variance).mean(0)
        if self.training:
            # What is free is a mean over the batch, and the batch may be that of several processes.
            kl = sum_over_processes(kl) / world_size()
        if self.training and self.config.warmup_steps:
            weight = (self.steps / self.config.warmup_steps).clamp(max=1)
            self.steps += 1
        else:
            weight = 1
        paid = kl.clamp(min=self.config.free_nats) if self.config.free_nats else kl
        loss = (nats + weight * paid.sum()) / maps[0].numel()
        return PixelVAEOutput(nats, kl.sum(), loss)

    @torch.no_grad()
    def infer(self, maps: Tensor, generator: torch.Generator | None = None) -> Latents:
        """A draw from the posterior, (B, num_latents, 1), and the KL divergence; in eval mode.

        Args:
            maps: as for `posterior`.
            generator: of the noise, on the CPU; None is torch's default.

        Raises:
            TypeError, ValueError: as `posterior`.
        """
        with evaluating(self):
            mean, log_variance = self.posterior(maps)
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        z = shift_noise(mean, log_variance, noise)
        return Latents(z[..., None], kl_of_each(mean, log_variance).sum(1))
