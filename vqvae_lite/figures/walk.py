"""A walk that goes on for as long as the reader likes: a page with a dynamics model in it."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from vqvae_lite.checks import (
    check_classes,
    check_codes,
    check_not_negative,
    check_positive_int,
    check_type,
)
from vqvae_lite.figures.codes import PAINTER, colors_of_codebook, decoder_data, layer_data
from vqvae_lite.figures.page import InteractiveFigure, pack, pack_codes, pack_steps
from vqvae_lite.figures.plots import bare
from vqvae_lite.figures.prior import prior_data
from vqvae_lite.images import to_uint8
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import device_of
from vqvae_lite.priors.pixelcnn import GatedPixelCNN
from vqvae_lite.video.model import VideoPrior

_BITS = 8  # of the decoder's weights in the page, and of the vectors of the actions
_AHEAD = 4  # frames of the still


@torch.no_grad()
def explore_walk(
    model: VQVAE,
    prior: VideoPrior,
    codes: Tensor,
    actions: Tensor,
    names: Sequence[str],
    *,
    seen: int = 6,
    seed: int = 0,
    bits: int = 8,
) -> InteractiveFigure:
    """A film that goes on as the reader walks: the page itself draws one frame after another.

    The page holds the dynamics model and the model's decoder (section 4.4 of the paper). From the
    first frames of a recorded walk on, each action of the reader's makes it draw the codes of the
    next frame and decode them. For as long as these are the actions of the recorded walk, it shows
    beside that what really came.

    Args:
        model: of colour images with one codebook.
        prior: over its codes, with actions, code by code. With 1.5 million weights of 6 bits,
            beside a decoder of width 64, the page takes some 2 MB.
        codes: integers in [0, K), (N, T, h, w): recorded walks to start from, N from 1 to 8.
        actions: integers in [0, A), (N, T - 1): what was done between their frames.
        names: of the A actions, 2 to 9. Those called forward, left and right go by the arrow keys;
            all go by their numbers too.
        seen: frames of a walk that the page starts from, 1 to T; the rest is what really came.
        seed: from 0 to 99, of the first film that the page shows and of its still. These two
            differ, for the page has its own way to roll dice.
        bits: of a weight of the prior in the page, 2 to 8. The decoder's have 8.

    Raises:
        TypeError: codes or actions that are no integers, or models of another kind.
        ValueError: codes or actions of another shape or range; a prior over other codes, without
            actions, for another number of them, or that draws all codes at once; `seen`, `seed` or
            `bits` out of range; or as `colors_of_codebook`.
    """
    check_type("model", model, VQVAE)
    check_type("prior", prior, VideoPrior)
    _check_prior(prior, model, names)
    _check_walks(prior, codes, actions, seen)
    check_not_negative(seed=seed)
    if seed > 99:
        raise ValueError(f"seed must be at most 99, got {seed}")
    colors = colors_of_codebook(model)
    count, length, rows, columns = codes.shape
    return InteractiveFigure(
        "walk",
        {
            "codes": pack_codes(codes.cpu(), model.config.num_codes),
            "actions": pack(actions.cpu(), "uint8"),
            "seen": seen,
            "seed": seed,
            "names": list(names),
            "colors": pack(colors, "uint8"),
            "decoder": decoder_data(model, bits=_BITS),
            "dynamics": video_data(prior, bits=bits),
        },
        title="A walk that is imagined as you go",
        description=(
            f"A dynamics model and a decoder that run in the page. From the first {seen} frames of "
            f"any of {count} recorded walks of {length} the reader goes on by "
            f"{', '.join(names)}, and every next frame is drawn as a map of {columns} x {rows} "
            "codes, one code after another, and decoded. Beside it stands what really came, while "
            "the reader's actions are those of the recorded walk."
        ),
        still=_still(model, prior, codes[0], actions[0], seen, seed),
        height=720,
        click="#action-0",
        key="#film|1",
        uses=[*PAINTER, "dice", "past", "prior", "dynamics"],
    )


def video_data(prior: VideoPrior, *, bits: int = 8) -> dict[str, Any]:
    """A dynamics model as `web/dynamics.js` reads it, with weights of a few bits.

    The weights are whole steps, with a step of its own for each code and each output channel; the
    vectors of the actions, which are few, have 8 bits at least, and biases 32.

    Args:
        prior: with actions and a PixelCNN: see `VideoConfig`.
        bits: of a weight, 2 to 8.

    Raises:
        ValueError: a prior without actions, one that draws all codes at once, or other bits.
    """
    frame = _pixelcnn_of(prior)
    if bits not in range(2, 9):
        raise ValueError(f"bits must be 2 to 8, got {bits!r}")
    past, kernel = prior.past, (0, 2, 3, 1)  # kernels as (out, height, width, in)
    blocks: list[Any] = list(past.blocks)
    tables: list[Any] = list(past.actions) if past.actions is not None else []
    return {
        "past": {
            "embedding": pack_steps(past.embedding.weight.detach().cpu(), bits),
            "mix": layer_data(past.mix, kernel, bits),
            "blocks": [
                {
                    "apart": block.spread.dilation[0],
                    "spread": layer_data(block.spread, kernel, bits),
                    "out": layer_data(block.out, kernel, bits),
                }
                for block in blocks
            ],
            "actions": [
                pack_steps(table.weight.detach().cpu(), max(bits, _BITS)) for table in tables
            ],
            "turns": list(prior.config.turns),
            "circle": prior.config.circle,
        },
        "frame": prior_data(frame, bits=bits),
    }


def _pixelcnn_of(prior: VideoPrior) -> GatedPixelCNN:
    """What draws a frame, of a prior that the page has the script for; a ValueError else."""
    if prior.config.num_actions is None:
        raise ValueError("prior must know actions, got one with num_actions=None")
    if not isinstance(prior.frame, GatedPixelCNN):
        raise ValueError("prior must draw code by code, got one with num_layers=0")
    return prior.frame


def _check_prior(prior: VideoPrior, model: VQVAE, names: Sequence[str]) -> None:
    _pixelcnn_of(prior)
    if not 2 <= len(names) <= 9:
        raise ValueError(f"names must be 2 to 9 actions, got {len(names)}")
    config = prior.config
    if config.num_codes != model.config.num_codes:
        raise ValueError(
            f"prior must be over the model's {model.config.num_codes} codes, "
            f"got one over {config.num_codes}"
        )
    if config.num_actions != len(names):
        raise ValueError(
            f"names must be those of the prior's {config.num_actions} actions, got {len(names)}"
        )


def _check_walks(prior: VideoPrior, codes: Tensor, actions: Tensor, seen: int) -> None:
    check_codes(codes, prior.config.num_codes)
    if codes.ndim != 4 or not codes.numel() or len(codes) > 8:
        raise ValueError(
            f"codes must have the shape (N, T, h, w), N from 1 to 8, got {tuple(codes.shape)}"
        )
    count, length = codes.shape[:2]
    check_classes("actions", actions, (count, length - 1), int(prior.config.num_actions or 0))
    check_positive_int(seen=seen)
    if seen > length:
        raise ValueError(f"seen must be at most {length}, the frames of a walk; got {seen}")


def _still(
    model: VQVAE, prior: VideoPrior, codes: Tensor, actions: Tensor, seen: int, seed: int
) -> Figure:
    """The last frame seen, what is imagined after it by the recorded actions, what really came."""
    device = device_of(prior)
    ahead = min(_AHEAD, len(codes) - seen)
    panels, titles = [codes[seen - 1]], ["the last frame seen"]
    if ahead:
        told = actions[None, : seen - 1 + ahead].to(device)
        film = prior.sample(codes[None, :seen].to(device), ahead, told, seed=seed, progress=False)
        panels += [film[0, 0].cpu(), film[0, -1].cpu(), codes[seen - 1 + ahead].cpu()]
        titles += ["imagined next", f"imagined, frame {ahead}", "what really came"]
    maps = torch.stack([panel.cpu() for panel in panels]).to(device_of(model))
    pictures = to_uint8(model.decode(maps)).cpu().permute(0, 2, 3, 1).numpy()
    figure, axes = plt.subplots(1, len(maps), figsize=(1.75 * len(maps), 2.1), squeeze=False)
    for axis, picture, title in zip(axes[0], pictures, titles, strict=True):
        bare(axis).imshow(picture)
        axis.set_title(title, fontsize=9.5, loc="center")
    return figure
