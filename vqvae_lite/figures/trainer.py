"""A VQ-VAE of the plane that the reader trains in the page: data, first weights, figure."""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from vqvae_lite.figures.learning import PER_UNIT, draw_codebook, pack_places
from vqvae_lite.figures.page import InteractiveFigure
from vqvae_lite.figures.plots import COLORS


def plane_data(count: int = 240, seed: int = 0) -> dict[str, Tensor]:
    """Three sets of points to train on: two rings, two half moons, six blobs.

    Args:
        count: points of each.
        seed: of their noise.

    Returns:
        by name, float64 (count, 2), each within 2 of the middle.
    """
    generator = torch.Generator().manual_seed(seed)

    def noise(size: float) -> Tensor:
        return size * torch.randn(count, 2, dtype=torch.float64, generator=generator)

    def on_circle(turns: Tensor) -> Tensor:
        angle = 2 * math.pi * turns
        return torch.stack([angle.cos(), angle.sin()], 1)

    place, odd = torch.arange(count), torch.arange(count) % 2
    turns = torch.rand(count, dtype=torch.float64, generator=generator)
    rings = torch.where(odd[:, None] == 1, 0.7, 1.6) * on_circle(turns) + noise(0.06)
    shift = torch.tensor([0.5, 0.25], dtype=torch.float64)
    moon = on_circle(turns / 2) - shift
    moons = torch.where(odd[:, None] == 1, moon, -moon) + noise(0.08)
    blobs = 1.5 * on_circle((place % 6).double() / 6) + noise(0.15)
    return {"rings": rings, "moons": moons, "blobs": blobs}


def first_model(seed: int, hidden: int, codes: int) -> tuple[nn.Sequential, nn.Sequential, Tensor]:
    """Encoder, decoder and codebook with which the page begins, in float64.

    The weights are uniform, within PyTorch's bounds for layers and within 1 / K for the codebook,
    and drawn as the page draws them.

    Args:
        seed: a whole number.
        hidden: units between the two layers of each.
        codes: K.

    Returns:
        two networks, of 2 numbers to 2, and (K, 2).
    """
    draws = _numbers(seed)

    def uniform(*shape: int, bound: float) -> Tensor:
        values = [(2 * next(draws) - 1) * bound for _ in range(math.prod(shape))]
        return torch.tensor(values, dtype=torch.float64).view(shape)

    def network() -> nn.Sequential:
        layers = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 2)).double()
        wide, narrow = 2**-0.5, hidden**-0.5
        shapes = [((hidden, 2), wide), ((hidden,), wide), ((2, hidden), narrow), ((2,), narrow)]
        with torch.no_grad():
            for parameter, (shape, bound) in zip(layers.parameters(), shapes, strict=True):
                parameter.copy_(uniform(*shape, bound=bound))
        return layers

    return network(), network(), uniform(codes, 2, bound=1 / codes)


def _numbers(seed: int):
    """Numbers in [0, 1), as `VQ.tiny.random` of the page gives them (mulberry32)."""
    a, whole = seed % 2**32, 2**32
    while True:
        a = (a + 0x6D2B79F5) % whole
        t = ((a ^ (a >> 15)) * (1 | a)) % whole
        t ^= (t + ((t ^ (t >> 7)) * (61 | t))) % whole
        yield ((t ^ (t >> 14)) % whole) / whole


def train_in_page(
    data: Mapping[str, Tensor], *, seed: int = 3, hidden: int = 16, codes: int = 16
) -> InteractiveFigure:
    """A VQ-VAE that trains in the page: settings to choose, gradients to forget, codes to watch.

    Args:
        data: sets of points to choose from, by name, each (N, 2) within 2 of the middle.
        seed: of the first weights; the reader may choose another.
        hidden: units between the layers of encoder and decoder.
        codes: K to begin with, from 2 to 32.

    Raises:
        ValueError: there is no set, one is not of the shape (N, 2), or `codes` is out of range.
    """
    if not data or any(points.ndim != 2 or points.shape[1] != 2 for points in data.values()):
        shapes = {name: tuple(points.shape) for name, points in data.items()}
        raise ValueError(f"data must hold sets of points, each of the shape (N, 2), got {shapes}")
    if not 2 <= codes <= 32:
        raise ValueError(f"codes must be from 2 to 32, got {codes}")
    return InteractiveFigure(
        "trainer",
        {
            "unit": PER_UNIT,
            "sets": {name: pack_places(points) for name, points in data.items()},
            "seed": seed,
            "hidden": hidden,
            "codes": codes,
        },
        title="A VQ-VAE that trains in the page",
        description=(
            f"Points of the plane ({', '.join(data)}, or the reader's own) on the left, with what "
            "the model makes of them; outputs of the encoder and codes on the right. Buttons train "
            "it step by step or let it run; sliders and switches choose the codes, beta, how the "
            "codebook learns, and which gradients are forgotten."
        ),
        still=_still(next(iter(data.values())), seed, hidden, codes),
        height=1180,
        click="#step",
        key="#codes|ArrowRight",
        uses=("tinyvqvae", "planeplot"),
    )


@torch.no_grad()
def _still(points: Tensor, seed: int, hidden: int, codes: int):
    encoder, decoder, codebook = first_model(seed, hidden, codes)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.7))
    left.scatter(*points.double().T, s=4, color="0.45")
    left.scatter(*decoder(codebook).T, s=40, color=COLORS["blue"], marker="s", edgecolor="white")
    left.set(xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), aspect="equal", title="data, and codes decoded")
    outputs = encoder(points.double())
    limit = 1.2 * outputs.abs().max().item()
    draw_codebook(right, outputs, codebook, limit=limit).set_title("latents before training")
    return figure
