"""Draws the picture of the whole model, book/_static/model.png, from the shipped checkpoint.

python tools/draw_model.py
"""

import base64
import io
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Polygon

import notebooks

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vqvae_lite import load_checkpoint
from vqvae_lite.figures.codes import colors_of_codebook
from vqvae_lite.figures.plots import COLORS, style
from vqvae_lite.images import to_float, to_uint8
from vqvae_lite.maze import load_maze

ROOT = Path(__file__).resolve().parent.parent
FRAME = 35  # of the test mazes
SHOWN_CODES = 36  # of the codebook's 512


@torch.no_grad()
def main() -> None:
    style()
    model = load_checkpoint(ROOT / "checkpoints" / "maze").model
    frame = load_maze("test").frames[FRAME, None]
    codes = model.encode(to_float(frame))
    decoded = to_uint8(model.decode(codes))
    colors = colors_of_codebook(model)

    figure = plt.figure(figsize=(10, 3.7), layout="none")
    axis = figure.add_axes([0, 0, 1, 1])
    axis.set(xlim=(0, 100), ylim=(0, 37))
    axis.axis("off")
    picture(
        figure, frame[0].permute(1, 2, 0).numpy(), 1, "frame $x$\n$84 \\times 84 \\times 24$ bits"
    )
    network(axis, 20, 33, 8, 4, "encoder")
    picture(figure, colors[codes[0].numpy()], 42, "codes $z$\n$21 \\times 21 \\times 9$ bits")
    network(axis, 67, 80, 4, 8, "decoder")
    picture(figure, decoded[0].permute(1, 2, 0).numpy(), 82, "reconstruction $\\hat{x}$")
    codebook(figure, axis, colors)
    for start, end in [(17.6, 19.6), (33.4, 41.3), (59, 66.6), (80.4, 81.6)]:
        arrow(axis, (start, 20), (end, 20))
    axis.text(37.3, 21, "$z_e$", ha="center", fontsize=12)
    axis.text(62.8, 21, "$z_q$", ha="center", fontsize=12)
    axis.text(37.3, 17.3, "nearest\ncode", ha="center", va="top", fontsize=9)
    axis.text(62.8, 17.3, "look up", ha="center", va="top", fontsize=9)
    gradient = {"color": COLORS["vermilion"], "linestyle": (0, (4, 2))}
    arrow(axis, (62.8, 25), (37.3, 25), connectionstyle="arc3,rad=0.5", **gradient)
    axis.text(
        50, 33.2, "gradient, copied straight through", ha="center", fontsize=9,
        color=COLORS["vermilion"],
    )  # fmt: skip
    whole = io.BytesIO()
    figure.savefig(whole, dpi=160)
    png = notebooks.palette(base64.b64encode(whole.getvalue()).decode())
    (ROOT / "book" / "_static" / "model.png").write_bytes(base64.b64decode(png))


def picture(figure: plt.Figure, image: np.ndarray, left: float, label: str) -> None:
    """A square picture, 16 units wide, with a label below."""
    axis = figure.add_axes([left / 100, 12 / 37, 0.16, 16 / 37])
    axis.imshow(image)
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel(label, fontsize=10)


def network(axis: Axes, left: float, right: float, first: float, last: float, label: str) -> None:
    """A trapezium that narrows or widens."""
    corners = [(left, 20 - first), (left, 20 + first), (right, 20 + last), (right, 20 - last)]
    axis.add_patch(Polygon(corners, facecolor="#DCE9F2", edgecolor=COLORS["blue"], linewidth=1.5))
    axis.text((left + right) / 2, 20, label, ha="center", va="center", fontsize=12)


def codebook(figure: plt.Figure, axis: Axes, colors: np.ndarray) -> None:
    """A row of the codebook's codes below the map."""
    shown = colors[np.linspace(0, len(colors) - 1, SHOWN_CODES).astype(int)]
    strip = figure.add_axes([0.32, 2.6 / 37, 0.36, 2.2 / 37])
    strip.imshow(shown[None], aspect="auto")
    strip.set(xticks=[], yticks=[])
    axis.text(
        50, 0.6, f"codebook: {len(colors)} vectors $e_k$ ({SHOWN_CODES} shown)", ha="center",
        fontsize=9,
    )  # fmt: skip
    arrow(axis, (40, 5.2), (38, 12.6), color=COLORS["black"], linewidth=1)
    arrow(axis, (60, 5.2), (62, 14), color=COLORS["black"], linewidth=1)


def arrow(axis: Axes, start: tuple, end: tuple, **options) -> None:
    options = {"color": COLORS["black"], "linewidth": 1.6, **options}
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=13, **options))


if __name__ == "__main__":
    main()
