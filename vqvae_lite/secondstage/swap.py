"""Does a decoder listen to its latents? Measured by giving it those of another image."""

from typing import NamedTuple

import torch
from torch import Tensor

from vqvae_lite.modules import device_of, evaluating, with_float64
from vqvae_lite.secondstage.pixelvae import PixelVAE
from vqvae_lite.secondstage.pixelvqvae import PixelVQVAE

IN_USE = 0.1  # nats a map that a latent must be worth to count as in use


class LatentUse(NamedTuple):
    """What the latents do, as means over maps, in nats a map.

    Attributes:
        nats: -log p(x | z), each map with its own latents.
        cost: of the latents: the KL divergence, or N log K.
        swapped: -log p(x | z') with all the latents of another map.
    """

    nats: float
    cost: float
    swapped: float

    @property
    def swap_rise(self) -> float:
        """By how much a swap raises the negative log-likelihood, as a share of it."""
        return self.swapped / self.nats - 1


class Swap(NamedTuple):
    """Maps in a random order, each beside the latents of the next, the last beside the first's.

    Attributes:
        maps: integers (N, rows, columns).
        own: latents (N, num_latents, dim).
        other: those of another map.
        cost: of the latents, nats a map, (N,).
    """

    maps: Tensor
    own: Tensor
    other: Tensor
    cost: Tensor


@torch.no_grad()
def measure_latent_use(
    model: PixelVAE | PixelVQVAE, maps: Tensor, *, seed: int = 0, batch_size: int = 64
) -> LatentUse:
    """What maps cost with their own latents and with those of others.

    Each map is measured with its own latents once, and gives them away once.

    Args:
        model: on any device; measured in eval mode and given back in the mode it was in.
        maps: integers (N, rows, columns), at least 2 of them.
        seed: of who gets whose latents, and of what a VAE draws.
        batch_size: how many maps at a time.

    Raises:
        TypeError, ValueError: as the model, or there are fewer than 2 maps.
    """
    swap = _swap(model, maps, seed, batch_size)
    own, other = (_mean_nats(model, swap.maps, z, batch_size) for z in (swap.own, swap.other))
    return LatentUse(own, with_float64(swap.cost).double().mean().item(), other)


@torch.no_grad()
def rise_by_latent(
    model: PixelVAE | PixelVQVAE, maps: Tensor, *, seed: int = 0, batch_size: int = 64
) -> Tensor:
    """What it costs to swap one latent and leave the others: float64 (num_latents,), nats a map.

    Args:
        model: as for `measure_latent_use`.
        maps: as for `measure_latent_use`.
        seed: as for `measure_latent_use`.
        batch_size: as for `measure_latent_use`.

    Raises:
        TypeError, ValueError: as `measure_latent_use`.
    """
    swap = _swap(model, maps, seed, batch_size)
    nats = []
    for index in range(swap.own.shape[1]):
        z = swap.own.clone()
        z[:, index] = swap.other[:, index]
        nats.append(_mean_nats(model, swap.maps, z, batch_size))
    rises = torch.tensor(nats, dtype=torch.float64)
    return rises - _mean_nats(model, swap.maps, swap.own, batch_size)


def share_in_use(rises: Tensor) -> float:
    """The share of latents whose own swap costs more than 0.1 nats; of `rise_by_latent`."""
    return (rises > IN_USE).double().mean().item()


def _swap(model: PixelVAE | PixelVQVAE, maps: Tensor, seed: int, batch_size: int) -> Swap:
    if len(maps) < 2:
        raise ValueError(f"a swap needs at least 2 maps, got {len(maps)}")
    generator = torch.Generator().manual_seed(seed)
    maps = maps[torch.randperm(len(maps), generator=generator)]
    maps = maps.to(device_of(model))
    inferred = [model.infer(batch, generator) for batch in maps.split(batch_size)]
    own, cost = (torch.cat(parts) for parts in zip(*inferred, strict=True))
    return Swap(maps, own, own.roll(-1, 0), cost)


def _mean_nats(model: PixelVAE | PixelVQVAE, maps: Tensor, z: Tensor, batch_size: int) -> float:
    pairs = zip(maps.split(batch_size), z.split(batch_size), strict=True)
    with evaluating(model):
        nats = torch.cat(
            [-with_float64(model.decoder(batch, some)).double() for batch, some in pairs]
        )
    return nats.mean().item()
