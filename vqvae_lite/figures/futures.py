"""A tree of imagined futures, one for each sequence of actions, and a page to walk through it."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from vqvae_lite.checks import check_positive_int
from vqvae_lite.figures.codes import PAINTER, colors_of_codebook, decoder_data
from vqvae_lite.figures.page import InteractiveFigure, pack, pack_codes
from vqvae_lite.figures.plots import bare
from vqvae_lite.images import to_uint8
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import device_of
from vqvae_lite.video.model import VideoPrior

_BITS = 8  # of the decoder's weights in the page


def imagine_tree(
    prior: VideoPrior,
    seen: Tensor,
    actions: Tensor,
    *,
    depth: int,
    frames: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
) -> Tensor:
    """What follows a few frames, for every sequence of `depth` choices among A actions.

    Args:
        prior: with actions.
        seen: int64 (T, h, w), the frames before the first choice.
        actions: int64 (T - 1,), what was done between them.
        depth: choices one after another.
        frames: drawn after each choice, the action repeated between them.
        temperature: see `GatedPixelCNN.sample`.
        top_k: see `GatedPixelCNN.sample`.
        seed: decides the tree.

    Returns:
        int64 (N, frames, h, w), N = A + A^2 + ... + A^depth: level after level, and within a level
        in the order of the choices, the first choice counting most.

    Raises:
        TypeError, ValueError: as `VideoPrior.sample`, or the prior knows no actions.
    """
    check_positive_int(depth=depth, frames=frames)
    count = prior.config.num_actions
    if count is None:
        raise ValueError("prior must know actions, got one with num_actions=None")
    codes, actions, levels = seen[None], actions[None], []
    for level in range(depth):
        chosen = torch.arange(count, device=codes.device).repeat(len(codes))
        codes, actions = codes.repeat_interleave(count, 0), actions.repeat_interleave(count, 0)
        actions = torch.cat([actions, chosen[:, None].expand(-1, frames)], 1)
        drawn = prior.sample(
            codes, frames, actions, temperature=temperature, top_k=top_k,
            seed=seed * 1_009 + level, progress=False,
        )  # fmt: skip
        codes = torch.cat([codes, drawn], 1)
        levels.append(drawn)
    return torch.cat(levels)


@torch.no_grad()
def explore_futures(
    model: VQVAE, seen: Tensor, futures: Tensor, names: Sequence[str]
) -> InteractiveFigure:
    """A film that goes on as the reader chooses, frame by frame out of codes.

    The page holds the codes of all futures and the decoder; it decodes what it shows.

    Args:
        model: of colour images with one codebook, whose codes they are.
        seen: int64 (T, h, w), as given to `imagine_tree`.
        futures: what that returned.
        names: of the actions, A of them, 2 to 9. Those called forward, left and right go by the
            arrow keys; all go by their numbers too.

    Raises:
        ValueError: futures that make no whole tree for so many actions, or as `colors_of_codebook`.
    """
    if not 2 <= len(names) <= 9:
        raise ValueError(f"names must be 2 to 9 actions, got {len(names)}")
    depth = _depth(len(futures), len(names))
    rows, columns = seen.shape[1:]
    device = device_of(model)
    colors = colors_of_codebook(model)
    return InteractiveFigure(
        "futures",
        {
            "seen": pack_codes(seen.cpu(), model.config.num_codes),
            "futures": pack_codes(futures.cpu(), model.config.num_codes),
            "depth": depth,
            "names": list(names),
            "colors": pack(colors, "uint8"),
            "decoder": decoder_data(model, bits=_BITS),
        },
        title="A film that goes on as you choose",
        description=(
            f"{len(seen)} frames that were seen, and what a dynamics model imagines after them for "
            f"every sequence of {depth} choices among {', '.join(names)}: {len(futures)} places, "
            f"{futures.shape[1]} frames each, all of them maps of {columns} x {rows} codes that "
            "the page decodes when they are reached."
        ),
        still=_still(model, seen.to(device), futures.to(device), names),
        height=640,
        click="#action-0",
        key="#film|1",
        uses=PAINTER,
    )


def _depth(count: int, actions: int) -> int:
    """How many levels a whole tree of so many nodes has."""
    depth, total = 0, 0
    while total < count:
        depth += 1
        total += actions**depth
    if total != count or not count:
        raise ValueError(
            f"futures must be A + A^2 + ... of A = {actions} actions, got {count} of them"
        )
    return depth


def _still(model: VQVAE, seen: Tensor, futures: Tensor, names: Sequence[str]) -> Figure:
    """The last frame seen, and the last imagined after one choice, each action in turn."""
    ends = torch.cat([seen[-1:], futures[: len(names), -1]])
    pictures = to_uint8(model.decode(ends)).cpu().permute(0, 2, 3, 1).numpy()
    figure, axes = plt.subplots(1, len(ends), figsize=(7, 2.1))
    titles = ["the last frame seen", *(f"after {name}" for name in names)]
    for axis, picture, title in zip(axes, pictures, titles, strict=True):
        bare(axis).imshow(picture)
        axis.set_title(title, fontsize=9.5, loc="center")
    return figure
