"""Films side by side, which one button plays together."""

import base64
import io
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from vqvae_lite.checks import check_positive_int
from vqvae_lite.figures.page import InteractiveFigure
from vqvae_lite.figures.plots import bare
from vqvae_lite.images import check_uint8

_QUALITY = 45  # of the AVIF files in the page: about 33 dB, and half a kilobyte a frame of 84 x 84
_BLOCK = 16  # pixels that AVIF codes together


def play_films(
    films: Mapping[str, Tensor],
    *,
    seen: int,
    scenes: Sequence[str] = ("the only one",),
    title: str = "Films side by side",
) -> InteractiveFigure:
    """Films of the same length beside one another, with one button and one slider for all.

    Args:
        films: by name, uint8 (S, T, 3, height, width), all of one shape.
        seen: how many of the T frames were seen, and not imagined; the next one is "+1".
        scenes: S names, to choose one by its button.
        title: what a screen reader calls the figure.

    Raises:
        TypeError: a film that is not uint8.
        ValueError: no films, films of several shapes, or not as many scenes as they have.
    """
    check_positive_int(seen=seen)
    shapes = {name: tuple(film.shape) for name, film in films.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"films must be at least one, and all of one shape, got {shapes}")
    for film in films.values():
        check_uint8(film)
    shape = next(iter(shapes.values()))
    if len(shape) != 5 or shape[2] != 3 or shape[0] != len(scenes) or seen > shape[1]:
        raise ValueError(
            f"films must be (S, T, 3, height, width) with S = {len(scenes)} scenes and T at least "
            f"seen = {seen}, got {shape}"
        )
    _, count, _, height, width = shape
    return InteractiveFigure(
        "films",
        {
            "names": list(films),
            "scenes": list(scenes),
            "frames": count,
            "seen": seen,
            "size": [height, width],
            "step": _padded(height),
            "strips": [[_strip(scene) for scene in film] for film in films.values()],
        },
        title=title,
        description=(
            f"{len(films)} films of {count} frames beside one another: {', '.join(films)}. One "
            f"button plays them together. The first {seen} frames were seen."
        ),
        still=_still(films, seen),
        height=420,
        click="#play",
        key="#frame|ArrowLeft",
    )


def _padded(side: int) -> int:
    return -(-side // _BLOCK) * _BLOCK


def _strip(film: Tensor) -> str:
    """The frames of a film one below another, AVIF as base64; (T, 3, height, width).

    Each is made larger by copies of its last row and column, so that no block of the file holds
    pixels of two frames.
    """
    height, width = film.shape[2:]
    more = (0, _padded(width) - width, 0, _padded(height) - height)
    strip = F.pad(film.float(), more, mode="replicate").to(torch.uint8)
    pixels = strip.permute(0, 2, 3, 1).flatten(0, 1).cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "AVIF", quality=_QUALITY)
    return base64.b64encode(file.getvalue()).decode()


def _still(films: Mapping[str, Tensor], seen: int) -> Figure:
    """Of the first scene: a frame in the middle of those imagined, and the last, film by film."""
    count = next(iter(films.values())).shape[1]
    shown = sorted({(seen + count) // 2 - 1, count - 1})
    size = (0.65 * len(films) + 0.3, 0.68 * len(shown) + 0.2)
    figure, axes = plt.subplots(len(shown), len(films), figsize=size, squeeze=False)
    for row, frame in zip(axes, shown, strict=True):
        for axis, film in zip(row, films.values(), strict=True):
            bare(axis).imshow(film[0, frame].permute(1, 2, 0).cpu().numpy())
        row[0].set_ylabel(f"+{frame - seen + 1}" if frame >= seen else "seen", fontsize=7)
    for axis, name in zip(axes[0], films, strict=True):
        axis.set_title(name, fontsize=7, loc="center")
    return figure
