"""The quantizer in the plane: codes of two dimensions, their Voronoi cells, and what goes where."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vqvae_lite.figures.page import InteractiveFigure, rounded
from vqvae_lite.figures.plots import COLORS, number_grid

# In the order of `web/plane.js`, so that a code has one colour in the still and in the page.
_TINTS = [COLORS[name] for name in ("blue", "orange", "green", "purple", "sky", "vermilion")]
_TINTS += [COLORS["yellow"], "#5b6470"]


def voronoi_cells(codebook: Any, limit: float = 3.0) -> list[np.ndarray]:
    """The part of a square that is nearer to each code than to any other.

    Each cell is the square, cut once for each other code by the border between the two. A point
    p lies on a's side of the border between a and b where 2 (b - a).p <= |b|^2 - |a|^2.

    Args:
        codebook: (K, 2), the codes.
        limit: the square reaches from -limit to limit on both axes.

    Returns:
        K polygons, each of shape (corners, 2), counter-clockwise. A cell outside the square has no
        corners, nor has one of two codes in the same place: the lower index takes all.

    Raises:
        ValueError: another shape.
    """
    codebook = np.asarray(codebook, dtype=np.float64)
    if codebook.ndim != 2 or codebook.shape[1] != 2:
        raise ValueError(f"codebook must have the shape (K, 2), got {codebook.shape}")
    cells = []
    for k, a in enumerate(codebook):
        polygon = limit * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        for b in np.delete(codebook, k, axis=0):
            polygon = _clip(polygon, 2 * (b - a), b @ b - a @ a)
        covered = (codebook[:k] == a).all(axis=1).any()
        cells.append(np.empty((0, 2)) if covered else polygon)
    return cells


def _clip(polygon: np.ndarray, normal: np.ndarray, offset: float) -> np.ndarray:
    """The part of a convex polygon where normal.p <= offset (Sutherland and Hodgman)."""
    side = polygon @ normal - offset
    corners = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if side[i] <= 0:
            corners.append(polygon[i])
        if side[i] * side[j] < 0:
            share = side[i] / (side[i] - side[j])
            corners.append(polygon[i] + share * (polygon[j] - polygon[i]))
    return np.array(corners).reshape(-1, 2)


def draw_codes(axis: Axes, codebook: Any, *, cells: bool = True, limit: float = 3.0) -> Axes:
    """Draws the codes as numbered squares, on their Voronoi cells unless `cells` is False.

    Args:
        axis: where to draw; gets its limits and labels too.
        codebook: (K, 2).
        cells: whether to draw the cells.
        limit: the square shown reaches from -limit to limit on both axes.
    """
    codebook = np.asarray(codebook)
    if cells:
        for k, polygon in enumerate(voronoi_cells(codebook, limit)):
            axis.fill(*polygon.T, facecolor=_TINTS[k % len(_TINTS)], alpha=0.16, zorder=0)
            axis.fill(*polygon.T, facecolor="none", edgecolor="0.45", linewidth=0.8, zorder=1)
    box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "black"}
    for k, (x, y) in enumerate(codebook):
        axis.text(
            x,
            y,
            str(k),
            bbox=box,
            color="black",
            fontsize=9,
            weight="bold",
            ha="center",
            va="center",
            zorder=4,
        )
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axis.set(xlabel="first component", ylabel="second component")
    return axis


def draw_outputs(axis: Axes, outputs: Any, *, chosen: int | None = None) -> Axes:
    """Draws encoder outputs as dots, the chosen one larger and orange.

    Args:
        axis: where to draw.
        outputs: (N, 2).
        chosen: which of them, or None.
    """
    outputs = np.asarray(outputs)
    axis.scatter(*outputs.T, s=26, color=COLORS["black"], zorder=5)
    if chosen is not None:
        orange = {"color": COLORS["orange"], "edgecolor": "black"}
        axis.scatter(*outputs[chosen], s=70, zorder=6, **orange)
    return axis


def draw_target(axis: Axes, target: Any) -> Axes:
    """Draws what the decoder would like to get, (2,), as a star."""
    axis.scatter(*target, s=170, marker="*", color=COLORS["yellow"], edgecolor="black", zorder=6)
    return axis


def draw_arrows(axis: Axes, starts: Any, moves: Any, *, color: str, label: str = "") -> Axes:
    """Draws an arrow from each start, as long as its move.

    Args:
        axis: where to draw.
        starts: (N, 2), where the arrows begin.
        moves: (N, 2), what they add.
        color: of all arrows.
        label: their entry in the legend.
    """
    starts, moves = np.asarray(starts), np.asarray(moves)
    axis.quiver(
        *starts.T,
        *moves.T,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.007,
        color=color,
        label=label,
        zorder=3,
    )
    return axis


def explore_plane(
    codebook: Any,
    outputs: Any,
    target: Any,
    *,
    shape: tuple[int, int],
    chosen: int = 0,
    limit: float = 3.0,
) -> InteractiveFigure:
    """Encoder outputs and codes to drag, with the six steps for the chosen output.

    Args:
        codebook: (K, 2), at most eight codes, for there are eight colours.
        outputs: (H * W, 2), the encoder outputs z_e, row by row of their map.
        target: (2,), what the decoder would like to get: the loss is half the squared distance
            from z_q to it.
        shape: (H, W) of the map of outputs.
        chosen: the output that the page opens with.
        limit: the square shown reaches from -limit to limit on both axes.

    Raises:
        ValueError: too many codes, or another number of outputs than the map has positions.
    """
    codebook, outputs, target = (np.asarray(a) for a in (codebook, outputs, target))
    if len(codebook) > len(_TINTS):
        raise ValueError(f"codebook must hold at most {len(_TINTS)} codes, got {len(codebook)}")
    if len(outputs) != shape[0] * shape[1]:
        raise ValueError(f"outputs must fill the map {shape}, got {len(outputs)} of them")
    codes = ((outputs[:, None] - codebook) ** 2).sum(-1).argmin(1)
    downhill = (target - codebook[codes[chosen]]) / 2

    still, axis = plt.subplots(figsize=(5, 5))
    draw_codes(axis, codebook, limit=limit)
    draw_outputs(axis, outputs, chosen=chosen)
    draw_target(axis, target)
    axis.plot(*np.stack([outputs[chosen], codebook[codes[chosen]]]).T, "k--", linewidth=1, zorder=2)
    starts = np.stack([codebook[codes[chosen]], outputs[chosen]])
    draw_arrows(axis, starts, np.stack([downhill, downhill]), color="black")

    return InteractiveFigure(
        "plane",
        {
            "codebook": rounded(codebook),
            "outputs": rounded(outputs),
            "target": rounded(target),
            "map": list(shape),
            "chosen": chosen,
            "limit": limit,
        },
        title="Encoder outputs and codes in the plane, to drag",
        description=(
            f"A plane with {len(codebook)} numbered codes, their Voronoi cells and {len(outputs)} "
            "encoder outputs. Dragging any of them updates cells, codes, distances, the six steps "
            "of the quantizer and the straight-through arrow."
        ),
        still=still,
        height=720,
        click="#output-0",
        key="#code-0|ArrowRight",
    )


def draw_steps(z_e: Any, distances: Any, codes: Any, z_q: Any) -> Figure:
    """The tensors of the six steps with their numbers, from z_e at the top left to z_q.

    Args:
        z_e: (1, 2, H, W).
        distances: (H * W, K).
        codes: (H, W).
        z_q: (1, 2, H, W).
    """
    z_e, distances, codes, z_q = (np.asarray(a) for a in (z_e, distances, codes, z_q))
    nearest = np.arange(distances.shape[1]) == codes.reshape(-1, 1)
    figure = plt.figure(figsize=(7, 5.4))
    upper, lower = figure.subfigures(2, 1, height_ratios=[3, 1.15], squeeze=False).flat
    axes = upper.subplot_mosaic(
        [["e0", "rows", "distances"], ["e1", "rows", "distances"]], width_ratios=[4, 2, 8]
    ) | lower.subplot_mosaic([["codes", "q0", "q1"]])

    number_grid(axes["rows"], z_e[0].reshape(2, -1).T, title="1: rows")
    axes["rows"].set(xlabel="channel", ylabel="row of the list")
    number_grid(axes["distances"], distances, title="2: squared distances", outlined=nearest)
    axes["distances"].set(xlabel="code")
    number_grid(axes["codes"], codes, title="3: codes (as a map)", digits=0)
    for channel in range(2):
        number_grid(axes[f"e{channel}"], z_e[0, channel], title=f"z_e, channel {channel}")
        number_grid(axes[f"q{channel}"], z_q[0, channel], title=f"4, 5: z_q, channel {channel}")
    for name in ("e0", "e1", "codes", "q0", "q1"):
        axes[name].set(xlabel="column", ylabel="row")
    return figure
