"""What the weight of a VAE's KL term does to its pictures, with the numbers beside them."""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from vqvae_lite.figures.page import InteractiveFigure, rounded
from vqvae_lite.figures.plots import bare


class WeightPoint(NamedTuple):
    """What a model that was trained with one weight makes.

    Attributes:
        name: the weight, as the page writes it.
        reconstructions: of the originals, (N, 3, H, W) uint8.
        samples: from the prior, (N, 3, H, W) uint8.
        sentence: what is to be seen, in a sentence or two.
    """

    name: str
    reconstructions: Any
    samples: Any
    sentence: str


class Measure(NamedTuple):
    """One number for each weight.

    Attributes:
        name: what is measured.
        values: one for each weight, from the lowest; None where there is none.
        texts: the same, as the page writes them.
        limits: the two ends of its scale; both above zero where it is logarithmic.
        log: whether the scale is logarithmic.
        real: the same measure of real pictures, a mark on the scale; None for no mark.
        real_text: that, as the page writes it.
    """

    name: str
    values: Sequence[float | None]
    texts: Sequence[str]
    limits: tuple[float, float]
    log: bool = False
    real: float | None = None
    real_text: str = ""


def explore_weight(
    originals: Any,
    points: Sequence[WeightPoint],
    measures: Sequence[Measure],
    *,
    start: int = 0,
) -> InteractiveFigure:
    """A slider over the weight: reconstructions, samples, and what was measured on both.

    Args:
        originals: (N, 3, H, W) uint8.
        points: one for each weight, from the lowest, at least two.
        measures: shown below the pictures, from the top.
        start: the number of the point that the page opens with.

    Raises:
        ValueError: fewer than two points, a measure with another number of values or texts or
            with a value outside its scale, `start` outside the points, or pictures of another
            shape or dtype.
    """
    if len(points) < 2:
        raise ValueError(f"points must be at least two, got {len(points)}")
    if not 0 <= start < len(points):
        raise ValueError(f"start must be the number of a point, got {start}")
    shape = np.shape(originals)
    for point in points:
        for pictures in (point.reconstructions, point.samples):
            if np.shape(pictures) != shape:
                raise ValueError(
                    f"pictures of the weight {point.name} must be {shape} as the originals are, "
                    f"got {np.shape(pictures)}"
                )
    data = {
        "count": shape[0],
        "originals": _strip(originals),
        "points": [
            {
                "name": point.name,
                "reconstructions": _strip(point.reconstructions),
                "samples": _strip(point.samples),
                "sentence": point.sentence,
            }
            for point in points
        ],
        "measures": [_scaled(measure, len(points)) for measure in measures],
        "start": start,
    }
    names = ", ".join(point.name for point in points)
    numbers = "; ".join(f"{measure.name} {measure.texts[start]}" for measure in measures)
    return InteractiveFigure(
        "klweight",
        data,
        title="The weight of the KL term",
        description=(
            f"A slider chooses the weight: {names}. Three rows of {shape[0]} pictures: held-out "
            "frames, their reconstructions, samples. Below them measures on scales, with a mark "
            f"for real frames. At the weight {points[start].name}: {numbers}."
        ),
        still=_still(originals, points),
        height=620,
        click="#more",
        key="#weight|ArrowRight",
    )


def _scaled(measure: Measure, count: int) -> dict[str, Any]:
    """A measure as the page has it: places between 0 and 1 on its scale, and texts."""
    if len(measure.values) != count or len(measure.texts) != count:
        raise ValueError(f"{measure.name!r} must have {count} values and texts, one a weight")
    low, high = measure.limits
    if not low < high or (measure.log and low <= 0):
        raise ValueError(f"limits of {measure.name!r} must rise, above 0 if log: {measure.limits}")

    def place(value: float | None) -> float | None:
        if value is None:
            return None
        if not low <= value <= high:
            raise ValueError(f"{measure.name!r} must lie in {measure.limits}, got {value}")
        if measure.log:
            return rounded(math.log(value / low) / math.log(high / low))
        return rounded((value - low) / (high - low))

    return {
        "name": measure.name,
        "places": [place(value) for value in measure.values],
        "texts": list(measure.texts),
        "real": place(measure.real),
        "realText": measure.real_text,
    }


def _strip(pictures: Any) -> str:
    """Pictures in a row, as the address of a WebP, off by what a PSNR of about 40 dB means."""
    array = np.asarray(pictures)
    if array.ndim != 4 or array.shape[1] != 3 or array.dtype != np.uint8:
        raise ValueError(
            f"pictures must be (N, 3, H, W) uint8, got {array.shape} of dtype {array.dtype}"
        )
    row = array.transpose(2, 0, 3, 1).reshape(array.shape[2], -1, 3)
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(row))
    picture.save(buffer, "WEBP", quality=95, method=6)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _still(originals: Any, points: Sequence[WeightPoint]) -> Figure:
    """Two rows a weight, on paper: reconstructions and samples, every second picture of many."""
    rows = [("held-out frames", originals)]
    for point in points:
        rows.append((f"weight {point.name}:\nreconstructions", point.reconstructions))
        rows.append(("samples", point.samples))
    every = 2 if len(originals) > 5 else 1
    figure, axes = plt.subplots(len(rows), 1, figsize=(4.2, 0.7 * len(rows)))
    for axis, (label, pictures) in zip(axes, rows, strict=True):
        array = np.asarray(pictures)[::every]
        axis.imshow(array.transpose(2, 0, 3, 1).reshape(array.shape[2], -1, 3))
        bare(axis).spines[:].set_visible(False)
        axis.set_ylabel(label, fontsize=7, rotation=0, ha="right", va="center")
    return figure
