"""Posterior collapse to cause by hand: two pixels that are always equal, a VAE and a VQ-VAE."""

import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from vqvae_lite.figures.page import InteractiveFigure
from vqvae_lite.figures.plots import COLORS

_NOISE = torch.linspace(-6, 6, 121, dtype=torch.float64)
_WEIGHT = (-0.5 * _NOISE.square()).softmax(0)


def two_bit_loss(
    mu: Tensor, log_sigma: Tensor, a: Tensor, *, kl: float = 1.0, sees: float = 1.0
) -> Tensor:
    """The loss of a VAE on two pixels that are always equal, in nats.

    The posterior of a white picture is N(mu, sigma^2), that of a black one N(-mu, sigma^2), the
    prior N(0, 1); the decoder gives the odds of white as exp(a z).

    Args:
        mu: float64; of any shape that broadcasts with the next two.
        log_sigma: float64.
        a: float64.
        kl: the weight of the KL divergence.
        sees: how much of the first pixel the decoder sees at the second, in [0, 1].
    """
    sigma = log_sigma.exp()
    z = mu[..., None] + sigma[..., None] * _NOISE
    doubt = (torch.nn.functional.softplus(-a[..., None] * z) * _WEIGHT).sum(-1)
    price = 0.5 * (mu.square() + sigma.square() - 1) - log_sigma
    return kl * price + (2 - sees) * doubt


def collapse_by_hand(
    *, kl: float = 1.0, sees: float = 0.0, start: float = 0.3
) -> InteractiveFigure:
    """The surface of that loss, the path of training on it, and a VQ-VAE with two codes beside it.

    Args:
        kl: the weight of the KL term to begin with, in [0, 2].
        sees: how much the decoder sees, in [0, 1].
        start: the encoder's mu before training, in [0, 2].

    Raises:
        ValueError: a number is out of its range.
    """
    for name, value, most in (("kl", kl, 2), ("sees", sees, 1), ("start", start, 2)):
        if not 0 <= value <= most:
            raise ValueError(f"{name} must be in [0, {most}], got {value}")
    return InteractiveFigure(
        "collapse",
        {"kl": kl, "sees": sees, "start": start},
        title="Posterior collapse, to cause by hand",
        description=(
            "The loss of a VAE on two equal pixels as a surface over mu and sigma of its "
            "posterior, with the path of its training. Sliders choose the weight of the KL term, "
            "how much the decoder sees of the first pixel, and where the encoder starts. Curves "
            "show the loss and what the latent knows, beside those of a VQ-VAE."
        ),
        still=_still(kl, sees),
        height=660,
        click="#end",
        key="#kl|ArrowRight",
        uses=("planeplot", "twobits"),
    )


def _still(kl: float, sees: float):
    mu = torch.linspace(0, 3, 121, dtype=torch.float64)
    log_sigma = torch.linspace(math.log(0.15), math.log(2.2), 121, dtype=torch.float64)
    across, up = torch.meshgrid(mu, log_sigma, indexing="xy")
    best_decoder = 2 * across * (-2 * up).exp()
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
    for axis, seen in zip(axes, (sees, 1.0), strict=True):
        loss = two_bit_loss(across, up, best_decoder, kl=kl, sees=seen)
        axis.contourf(mu, log_sigma.exp(), loss, levels=24, cmap="Blues_r")
        row, column = divmod(int(loss.argmin()), len(mu))
        silent = (2 - seen) * math.log(2)
        speaks = loss.min().item() < silent - 1e-4
        best = (mu[column].item(), log_sigma[row].exp().item()) if speaks else (0.0, 1.0)
        axis.plot(*best, "*", color=COLORS["yellow"], markersize=14, clip_on=False)
        axis.set(xlabel="mu, where white lies", yscale="log", title=f"the decoder sees {seen:.0%}")
        axis.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
        axis.minorticks_off()
    axes[0].set_ylabel("sigma, how blurred")
    return figure
