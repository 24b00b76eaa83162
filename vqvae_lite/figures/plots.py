"""How the book's still figures look, and the few pictures that several chapters draw."""

import sys
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

# Of all that is drawn in black: the book's pages put a light colour in its place where they are
# dark. What stands on a light ground of its own, such as a heat map, is "black" instead.
INK = "#1f2328"
# Okabe and Ito's palette, told apart by colour-blind readers too.
COLORS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "sky": "#56B4E9",
    "purple": "#CC79A7",
    "yellow": "#F0E442",
    "black": INK,
}


def style() -> None:
    """Sets matplotlib to the book's style: Okabe-Ito colours, quiet axes, figures as SVG.

    In a notebook figures are shown as SVG, on white; pictures in them keep their pixels, and the
    same figure gives the same text.
    """
    plt.rcParams.update(
        {
            "figure.figsize": (7.0, 4.0),
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.facecolor": "none",
            "xtick.color": INK,
            "ytick.color": INK,
            "patch.edgecolor": INK,
            "hatch.color": INK,
            "savefig.dpi": 110,
            "savefig.facecolor": "white",
            "axes.prop_cycle": cycler(color=list(COLORS.values())),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "font.family": "DejaVu Sans",
            "image.interpolation": "none",
            "image.cmap": "viridis",
            "svg.hashsalt": "vqvae",  # else the names in an SVG are drawn anew each time
        }
    )
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        # Comes with IPython, which scripts do without.
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))


def image_grid(
    images: Any,
    columns: int,
    *,
    titles: Sequence[str] = (),
    row_labels: Sequence[str] = (),
    size: float = 1.2,
) -> Figure:
    """Pictures in rows of `columns`, left to right, top to bottom.

    Args:
        images: (N, 3, H, W) uint8, a tensor or array.
        columns: pictures in a row.
        titles: one above each picture, in order; missing ones are blank.
        row_labels: one at the left of each row; missing ones are blank.
        size: the width of a picture in inches.

    Raises:
        ValueError: another shape or dtype, or `columns` below 1.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1] != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"images must be (N, 3, H, W) uint8, got {images.shape} of dtype {images.dtype}"
        )
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    rows = -(-len(images) // columns)
    height = size * images.shape[2] / images.shape[3] + (0.25 if titles else 0)
    figure, axes = plt.subplots(
        rows, columns, figsize=(size * columns, height * rows), squeeze=False
    )
    for axis in axes.flat:
        bare(axis)
        axis.spines[:].set_visible(False)
    for axis, image in zip(axes.flat, images, strict=False):
        axis.imshow(image.transpose(1, 2, 0))
    for axis, title in zip(axes.flat, titles, strict=False):
        axis.set_title(title, fontsize=9, loc="center")
    for axis, label in zip(axes[:, 0], row_labels, strict=False):
        axis.set_ylabel(label, fontsize=9)
    return figure


def bare(axis: Axes) -> Axes:
    """An axis without ticks, for pictures and maps that have no units."""
    axis.set_xticks([])
    axis.set_yticks([])
    return axis


def number_grid(
    axis: Axes, values: Any, *, title: str = "", digits: int = 1, outlined: Any = None
) -> Axes:
    """A small matrix with its numbers written in its cells, darker where they are larger.

    Args:
        axis: where to draw.
        values: (rows, columns), numbers.
        title: above the matrix.
        digits: decimal places written.
        outlined: (rows, columns) of bool, the cells to draw a frame around; None for none.
    """
    values = np.asarray(values)
    # Light enough for black numbers, and not transparent: what is behind may be dark.
    least = values.min()
    most = least + max(values.max() - least, 1e-9) / 0.55
    axis.imshow(values, cmap="Blues", vmin=least, vmax=most, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        text = f"{value:.{digits}f}".replace("-", "\u2212")
        axis.text(column, row, text, ha="center", va="center", fontsize=7, color="black")
    for row, column in np.argwhere(np.asarray(outlined)) if outlined is not None else []:
        frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, lw=1.6, ec="black")
        axis.add_patch(frame)
    axis.set_xticks(range(values.shape[1]))
    axis.set_yticks(range(values.shape[0]))
    axis.tick_params(length=0, labelsize=7)
    axis.spines[:].set_visible(False)
    axis.set_title(title, fontsize=8.5)
    return axis
