"""A map of codes that fills in, position by position: a page with prior and decoder in it."""

from typing import Any, cast

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from vqvae_lite.figures.codes import PAINTER, colors_of_codebook, decoder_data, layer_data, webp
from vqvae_lite.figures.page import InteractiveFigure, pack, pack_steps
from vqvae_lite.figures.plots import bare
from vqvae_lite.images import to_float, to_uint8
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import device_of
from vqvae_lite.priors.attention import HEAD_WIDTH, CausalAttention
from vqvae_lite.priors.pixelcnn import GatedPixelCNN


@torch.no_grad()
def explore_prior(
    model: VQVAE, prior: GatedPixelCNN, frames: Tensor, *, seed: int = 1, bits: int = 8
) -> InteractiveFigure:
    """A map of codes to watch as the prior fills it in, and to interfere with.

    The page holds the prior itself and the model's decoder. At any position it shows what the
    prior expects, given the codes before; where the reader chooses another code there, all that
    follows is drawn again. The upper half of a real frame may be given.

    Args:
        model: a model of colour images with one codebook.
        prior: over its codes, with one codebook and nothing to condition on. With 12 layers of
            width 32 and 8 bits a weight, beside a decoder of width 64, the page takes some 0.8 MB.
        frames: uint8 (N, 3, H, W), H and W multiples of 2 ** num_halvings: those that may be
            completed. A few suffice.
        seed: at least 0, of the first map that the page shows and of the one in its still. These
            two differ, for the page has its own way to roll dice.
        bits: of a weight of the prior in the page, 2 to 8. The decoder's have 8.

    Raises:
        TypeError: `frames` is no uint8 tensor.
        ValueError: frames that the model cannot encode; a model with several codebooks or other
            than three channels; a prior over other codes, or one with a label or a condition; a
            seed out of range.
    """
    colors = colors_of_codebook(model)
    if model.config.in_channels != 3:
        raise ValueError(f"model must have 3 channels, got {model.config.in_channels}")
    _check_prior(prior, model)
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed must be in [0, 2^31), got {seed}")
    device = device_of(model)
    codes = model.encode(to_float(frames).to(device)).cpu()
    rows, columns = codes.shape[1:]
    drawn = prior.sample((rows, columns), seed=seed, progress=False)[0]
    decoded = to_uint8(model.decode(drawn[None].to(device)))[0].cpu()
    return InteractiveFigure(
        "fillin",
        {
            "frames": webp(frames, lossless=False),
            "codes": pack(codes, "int16"),
            "colors": pack(colors, "uint8"),
            "decoder": decoder_data(model, bits=8),
            "prior": prior_data(prior, bits=bits),
            "seed": seed,
        },
        title="A map of codes that the prior fills in, to watch and to change",
        description=(
            f"A map of {columns} x {rows} codes, drawn one after another from the prior, and the "
            "picture that the decoder makes of it. At each position the page shows the codes that "
            "the prior expects there, given those before. Where another one is chosen, all that "
            "follows is drawn again."
        ),
        still=_still(colors[drawn.cpu()], decoded),
        height=900,
        click="#step",
        key="#map|ArrowLeft",
        uses=[*PAINTER, "dice", "prior", "codechoice"],
    )


def prior_data(prior: GatedPixelCNN, *, bits: int = 8) -> dict[str, Any]:
    """A prior as `web/prior.js` reads it, with weights of a few bits and biases of 32.

    The weights are whole steps, with a step of its own for each code and each output channel.

    Args:
        prior: with one codebook and no label.
        bits: of a weight, 2 to 8.
    """
    head, kernel = prior.head, (0, 2, 3, 1)  # kernels as (out, height, width, in)
    attention = {after: cast("CausalAttention", part) for after, part in prior.attention.items()}
    parts = ["vertical", "down", "horizontal", "out"]
    if prior.config.position_channels or prior.config.condition_channels:
        parts.append("condition")
    return {
        "reach": prior.layers[0].reach,
        "positions": prior.config.position_channels,
        "features": prior.config.condition_channels,
        "embedding": pack_steps(prior.embedding.weight.detach().cpu(), bits),
        "layers": [
            {part: layer_data(getattr(layer, part), kernel, bits) for part in parts}
            for layer in prior.layers
        ],
        "attention": {
            after: {
                "head": HEAD_WIDTH,
                "norm": {
                    "scale": pack(part.norm.weight.detach().cpu()),
                    "shift": pack(part.norm.bias.detach().cpu()),
                },
                "look": layer_data(part.look, (0, 1), bits),
                "out": layer_data(part.out, (0, 1), bits),
            }
            for after, part in attention.items()
        },
        "head": [
            layer_data(head.hidden, (0, 1), bits),
            {
                "weight": pack_steps(head.weight[0].T.detach().cpu(), bits),
                "bias": pack(head.bias[0, 0].detach().cpu()),
            },
        ],
    }


def _check_prior(prior: GatedPixelCNN, model: VQVAE) -> None:
    config = prior.config
    if config.num_codebooks != 1:
        raise ValueError(f"prior must have 1 codebook, got {config.num_codebooks}")
    if config.num_codes != model.config.num_codes:
        raise ValueError(
            f"prior must be over the model's {model.config.num_codes} codes, "
            f"got one over {config.num_codes}"
        )
    for name in ("num_classes", "condition_channels"):
        if getattr(config, name) is not None:
            raise ValueError(f"prior must have no {name}, got {getattr(config, name)}")


def _still(code_map: np.ndarray, decoded: Tensor) -> Figure:
    """The map (H, W, 3) after a third, two thirds and all of its rows, and the picture."""
    rows, columns, _ = code_map.shape
    figure, axes = plt.subplots(1, 4, figsize=(7, 2.1))
    for third, axis in enumerate(axes[:3], start=1):
        filled = rows * third // 3
        bare(axis).imshow(code_map)
        corner, empty = (-0.5, filled - 0.5), rows - filled
        axis.add_patch(Rectangle(corner, columns, empty, fc="white", ec="grey", hatch="////"))
        title = f"{filled * columns} of {rows * columns} codes"
        axis.set_title(title, fontsize=9.5, loc="center")
    bare(axes[3]).imshow(decoded.permute(1, 2, 0).numpy())
    axes[3].set_title("decoded from the codes", fontsize=9.5, loc="center")
    return figure
