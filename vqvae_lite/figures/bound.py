"""The two parts of a VQ-VAE's bound, in bits per dimension, against what its codes may cost.

-log2 p(x) <= -log2 p(x|z_q) + N log2 K: more codes, or more codebooks, make a better
reconstruction and a dearer code. The figure lets the reader choose, and shows which part wins.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from vqvae_lite.checks import check_positive_int
from vqvae_lite.figures.page import InteractiveFigure, rounded
from vqvae_lite.figures.plots import COLORS

# Each part is rounded to thousandths before parts are added, so that every sum on the page holds
# for the numbers that the reader sees.
_DIGITS = 3


class BoundPoint(NamedTuple):
    """One trained VQ-VAE, measured on held-out images.

    Attributes:
        num_codes: K, the codes of each codebook.
        num_codebooks: C, how many codebooks each position of the code map has.
        reconstruction: -log2 p(x|z_q), bits per dimension.
        prior: N log2 K, the cost of the codes under the uniform prior, bits per dimension.
        frequencies: their cost where each code costs what its frequency on the training set
            says, bits per dimension; at most about `prior`.
    """

    num_codes: int
    num_codebooks: int
    reconstruction: float
    prior: float
    frequencies: float


def explore_bound(
    points: Sequence[BoundPoint],
    references: Mapping[str, tuple[float, float]],
    *,
    latents: int,
    values: int,
    start: tuple[int, int],
) -> InteractiveFigure:
    """Both parts of the bound for a choice of K and C, as bars, as a point and as a sum.

    Args:
        points: one for every combination of some K and some C, in any order.
        references: other models under the same protocol, by name: (reconstruction, prior or KL),
            bits per dimension. The sentence compares the choice with the first.
        latents: positions of the code map, 64 for 8 x 8.
        values: dimensions of an image, its sub-pixels: 3072 for 32 x 32 in colour.
        start: (K, C) of the point that the page opens with.

    Raises:
        TypeError: `latents`, `values`, a K or a C is no integer.
        ValueError: one of these is below 1; a combination is missing or there twice, or there is
            only one; a prior is not `latents` C log2 K / `values`; there are no references; a
            number is negative, infinite or NaN; `start` is not among the points.
    """
    check_positive_int(latents=latents, values=values)
    if not references:
        raise ValueError("references must name a model to compare with, got none")
    grid = _grid(points)
    codes, codebooks = (sorted(set(numbers)) for numbers in zip(*grid, strict=True))
    if start not in grid:
        raise ValueError(f"start must be (K, C) of a point, got {start}")
    for point in points:
        _check_parts(f"the point K = {point.num_codes}, C = {point.num_codebooks}", point[2:])
        bits = _code_bits(point, latents)
        if abs(point.prior - bits / values) > 1e-3:
            raise ValueError(
                f"prior of K = {point.num_codes}, C = {point.num_codebooks} must be "
                f"{bits / values:.4f}, {latents} positions in {values} values, got {point.prior}"
            )
    others = []
    for name, parts in references.items():
        _check_parts(name, parts)
        reconstruction, cost = rounded(parts, _DIGITS)
        others.append({"name": name, "reconstruction": reconstruction, "latents": cost})
    # One list for each number of codebooks: the lines of the plane.
    lines = [[_entry(grid[K, C], latents, values, others[0]) for K in codes] for C in codebooks]
    data = {
        "codes": codes,
        "codebooks": codebooks,
        "lines": lines,
        "references": others,
        "chosen": [codes.index(start[0]), codebooks.index(start[1])],
        "ticks": _ticks([entry for line in lines for entry in line] + others),
    }
    return InteractiveFigure(
        "boundparts",
        data,
        title="The two parts of the bound, in bits per dimension",
        description=(
            f"Buttons choose K, {codes[0]} to {codes[-1]} codes, and C, {codebooks[0]} to "
            f"{codebooks[-1]} codebooks. Bars show what reconstruction and code cost, and what "
            f"they cost other models: {'; '.join(references)}. A plane shows one against the other "
            f"for all choices. For K = {start[0]}, C = {start[1]}: {_chosen(data)['sentence']}"
        ),
        still=_still(data),
        height=600,
        click='button[aria-pressed="false"]',
        key='button[aria-pressed="false"]|Enter',
    )


def _grid(points: Sequence[BoundPoint]) -> dict[tuple[int, int], BoundPoint]:
    """The points by (K, C), if they are all combinations of their K and their C."""
    grid: dict[tuple[int, int], BoundPoint] = {}
    for point in points:
        check_positive_int(num_codes=point.num_codes, num_codebooks=point.num_codebooks)
        if point[:2] in grid:
            raise ValueError(f"points must differ, K, C = {point[:2]} is there twice")
        grid[point[:2]] = point
    if len(grid) < 2:
        raise ValueError(f"points must leave a choice, got {len(grid)} of them")
    missing = [(K, C) for K, _ in grid for _, C in grid if (K, C) not in grid]
    if missing:
        raise ValueError(f"points must hold every combination, K, C = {missing[0]} is missing")
    return grid


def _check_parts(whose: str, parts: Sequence[float]) -> None:
    if not all(math.isfinite(part) and part >= 0 for part in parts):
        raise ValueError(f"the parts of {whose} must be finite and not negative, got {parts}")


def _code_bits(point: BoundPoint, latents: int) -> float:
    return latents * point.num_codebooks * math.log2(point.num_codes)


def _entry(point: BoundPoint, latents: int, values: int, other: dict[str, Any]) -> dict[str, Any]:
    """A point as the page has it, with its arithmetic in words."""
    bits = _code_bits(point, latents)
    parts = (point.reconstruction, bits / values, point.frequencies)
    reconstruction, prior, frequencies = rounded(parts, _DIGITS)
    total = reconstruction + prior
    difference = round(total - other["reconstruction"] - other["latents"], _DIGITS)
    comparison = (
        f"{abs(difference):.{_DIGITS}f} {'more' if difference > 0 else 'less'} than"
        if difference
        else "as much as"
    )
    books = f"{point.num_codebooks} codebook{'s' if point.num_codebooks > 1 else ''}"
    return {
        "reconstruction": reconstruction,
        "latents": prior,
        # On unlike images the frequencies may cost more than they save.
        "saved": max(0.0, round(prior - frequencies, _DIGITS)),
        "sentence": (
            f"{latents} positions \u00d7 {books} \u00d7 log\u2082 {point.num_codes} = "
            f"{f'{bits:,.1f}'.removesuffix('.0')} bits for the code, {prior:.{_DIGITS}f} bits per "
            f"dimension; reconstruction {reconstruction:.{_DIGITS}f}; together "
            f"{total:.{_DIGITS}f}: {comparison} the {other['name']}."
        ),
    }


def _ticks(entries: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Round numbers that reach around all entries, for the three axes."""
    costs = [entry["latents"] for entry in entries]
    reconstructions = [entry["reconstruction"] for entry in entries]
    totals = [sum(parts) for parts in zip(costs, reconstructions, strict=True)]
    places = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10])
    return {
        "total": rounded(MaxNLocator(8, steps=[1, 2, 5, 10]).tick_values(0, max(totals))),
        "latents": rounded(places.tick_values(0, max(costs))),
        "reconstruction": rounded(places.tick_values(min(reconstructions), max(reconstructions))),
    }


def _chosen(data: Mapping[str, Any]) -> dict[str, Any]:
    k, c = data["chosen"]
    return data["lines"][c][k]


def _still(data: Mapping[str, Any]) -> Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.8, 4.2), layout="constrained")
    _draw_bars(left, data)
    _draw_plane(right, data)
    words = _chosen(data)["sentence"].replace("dimension; ", "dimension;\n")
    figure.suptitle(words, fontsize=9)
    return figure


def _draw_bars(axis: Axes, data: Mapping[str, Any]) -> None:
    k, c = data["chosen"]
    name = f"VQ-VAE, K = {data['codes'][k]}, C = {data['codebooks'][c]}"
    rows = [{"name": name} | _chosen(data), *data["references"]]
    first, end = data["references"][0], data["ticks"]["total"][-1]
    goal = first["reconstruction"] + first["latents"]
    looks: dict[str, dict[str, Any]] = {
        "reconstruction": {"facecolor": COLORS["blue"]},
        "prior, or KL divergence": {"facecolor": COLORS["orange"]},
        "saved by code frequencies": {"facecolor": "white", "hatch": "//////"},
    }
    outline: dict[str, Any] = {"edgecolor": "black", "linewidth": 0.7}
    for place, row in enumerate(rows):
        reconstruction, cost, saved = row["reconstruction"], row["latents"], row.get("saved", 0)
        start = 0.0
        for width, look in zip((reconstruction, cost - saved, saved), looks.values(), strict=True):
            axis.barh(place, width, 0.4, start, **outline, **look)
            start += width
        axis.vlines(goal, place + 0.2, place + 0.34, color="black")
        axis.text(0, place - 0.27, row["name"], fontsize=8)
        sums = f"{reconstruction:.3f} + {cost:.3f} = {reconstruction + cost:.3f}"
        axis.text(end, place - 0.27, sums, fontsize=8, ha="right")
    axis.set(xlim=(0, end), ylim=(len(rows) - 0.6, -0.6), yticks=[], xlabel="bits per dimension")
    axis.spines[["left", "top", "right"]].set_visible(False)
    handles: list[Artist] = [Rectangle((0, 0), 1, 1, **outline, **look) for look in looks.values()]
    handles.append(Line2D([], [], color="black", marker="|", linestyle="none"))
    names = [*looks, f"total of the {first['name']}"]
    below: dict[str, Any] = {
        "loc": "upper center",
        "bbox_to_anchor": (0.5, -0.16),
        "frameon": False,
    }
    axis.legend(handles, names, fontsize=7.5, columnspacing=1, ncols=2, **below)


def _draw_plane(axis: Axes, data: Mapping[str, Any]) -> None:
    heights, end = data["ticks"]["reconstruction"], data["ticks"]["latents"][-1]
    row_chosen = data["chosen"][1]

    def name(text: str, place: tuple[float, float], offset: tuple[int, int], **look: Any) -> None:
        axis.annotate(text, place, offset, textcoords="offset points", fontsize=8, **look)

    total = heights[1]
    while total < heights[-1] + end:
        axis.axline((0, total), slope=-1, color="0.85", linewidth=0.8, zorder=0)
        total += heights[1] - heights[0]
    for row, line in enumerate(data["lines"]):
        places = [(entry["latents"], entry["reconstruction"]) for entry in line]
        chosen = row == row_chosen
        color, width = (COLORS["blue"], 2) if chosen else ("0.55", 1)
        axis.plot(*zip(*places, strict=True), "o-", markersize=4, color=color, linewidth=width)
        weight = "bold" if chosen else "normal"
        name(f"C = {data['codebooks'][row]}", places[0], (6, 4), weight=weight)
        for K, place in zip(data["codes"], places, strict=True) if chosen else []:
            name(str(K), place, (-6, -10), ha="right")
    for other in data["references"]:
        place = (other["latents"], other["reconstruction"])
        axis.plot(*place, "D", color=COLORS["vermilion"], markeredgecolor="black")
        side = 1 if place[0] < 0.55 * end else -1
        name(other["name"], place, (8 * side, -3), ha="left" if side > 0 else "right")
    chosen = _chosen(data)
    place = (chosen["latents"], chosen["reconstruction"])
    axis.plot(*place, "o", markersize=11, color="none", markeredgecolor="black")
    axis.axline((0, sum(place)), slope=-1, color="black", linestyle="--", linewidth=1)
    name(f"{sum(place):.3f}", (0, sum(place)), (4, 3), weight="bold")
    axis.set(xlim=(0, end), ylim=(heights[0], heights[-1]), yticks=heights)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set(xlabel="prior, or KL divergence, bits per dimension")
    axis.set(ylabel="reconstruction, bits per dimension")
    axis.set_title("Diagonals: the same total. The numbers are K.", fontsize=8)
