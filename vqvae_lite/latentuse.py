"""Does a decoder listen to its latents? Measured by giving it those of another image."""

from typing import NamedTuple

import torch
from torch import Tensor

from vqvae_lite.pixelvae import PixelVAE
from vqvae_lite.pixelvqvae import PixelVQVAE

IN_USE = 0.1  # nats a map that a latent must be worth to count as in use


class LatentUse(NamedTuple):
    """What the latents do, as means over maps, in nats a map.

    Attributes:
        nats: -log p(x | z), each map with its own latents.
        cost: of the latents: the KL divergence, or N log K.
        swapped: -log p(x | z') with all the latents of another map.
        one_swapped: the same with one latent from the other map and the rest its own, for each
            latent in turn: (num_latents,).
    """

    nats: float
    cost: float
    swapped: float
    one_swapped: Tensor

    @property
    def swap_rise(self) -> float:
        """By how much a swap raises the negative log-likelihood, as a share of it."""
        return self.swapped / self.nats - 1

    @property
    def share_in_use(self) -> float:
        """The share of latents whose own swap costs more than 0.1 nats."""
        return (self.one_swapped - self.nats > IN_USE).double().mean().item()


@torch.no_grad()
def measure_latent_use(
    model: PixelVAE | PixelVQVAE, maps: Tensor, *, seed: int = 0, batch_size: int = 64
) -> LatentUse:
    """Costs of maps under their own latents and under those of others.

    The maps are put in a random order; each gets the latents of the next, the last those of the
    first. So every map is measured with its own latents once and gives them away once.

    Args:
        model: on any device; measured in eval mode and given back in the mode it was in.
        maps: integers (N, rows, columns), at least 2 of them.
        seed: of the order, and of what a VAE draws.
        batch_size: how many maps at a time.

    Raises:
        TypeError, ValueError: as the model, or there are fewer than 2 maps.
    """
    if len(maps) < 2:
        raise ValueError(f"a swap needs at least 2 maps, got {len(maps)}")
    generator = torch.Generator().manual_seed(seed)
    maps = maps[torch.randperm(len(maps), generator=generator)]
    maps = maps.to(next(model.parameters()).device)
    was_training = model.training
    model.eval()
    inferred = [model.infer(batch, generator) for batch in maps.split(batch_size)]
    own = torch.cat([latents.z for latents in inferred])
    other = own.roll(-1, 0)

    def mean_nats(z: Tensor) -> float:
        pairs = zip(maps.split(batch_size), z.split(batch_size), strict=True)
        nats = [-model.decoder(batch, some).double() for batch, some in pairs]
        return torch.cat(nats).mean().item()

    one_swapped = []
    for index in range(own.shape[1]):
        z = own.clone()
        z[:, index] = other[:, index]
        one_swapped.append(mean_nats(z))
    result = LatentUse(
        mean_nats(own),
        torch.cat([latents.cost for latents in inferred]).double().mean().item(),
        mean_nats(other),
        torch.tensor(one_swapped, dtype=torch.float64),
    )
    model.train(was_training)
    return result
