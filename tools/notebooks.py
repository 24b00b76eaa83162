"""Runs notebooks in place, stores them clean, and copies them plain: `make notebooks`.

    python tools/notebooks.py                        # every notebook of the book
    python tools/notebooks.py book/01_quantizer.ipynb
    python tools/plain_notebooks.py                  # runs nothing, only makes the plain copies

A notebook is written only when all its cells ran: after an error, with something on stderr that is
no progress bar, or with a widget or progress bar in a cell whose output the tests compare, the old
file stays and the exit status is 1. Stored are the outputs, never
widgets, versions of Python or random cell ids, so that a second run on the same machine changes
nothing but what a cell computes. Each cell keeps the whole seconds that it took, from which the
tests know how long it may take (cell_limits.py); they stay while a new run gives about that limit.
"""

import argparse
import base64
import io
import math
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from PIL import Image

import notebook_file
import plain_notebooks
from cell_limits import limit_of, stored_seconds

IGNORED = "nbval-ignore-output"
PLACES = re.compile(r'(?<= d=")[^"]*|(?<=translate\()[^)]*|(?<= [xy]=")[^"]*')
POINTS = re.compile(r'(<g clip-path="[^"]*")>((?:<use [^>]*/>){2,})</g>')
STYLE = re.compile(r' style="([^"]*)"')
OPACITY = re.compile(r"(?<!-)\bopacity")
DIGITS = re.compile(r"(\.\d)\d+")
PICTURE = re.compile(r'data:image/png;base64,([^"]+)')
PROGRESS = re.compile(r"\r|\d+%\||\d+it \[|^\s*$")


class NotStoredError(Exception):
    """What keeps a notebook from being stored."""


def run(path: Path, seconds: float) -> float:
    """Executes one notebook and stores it; returns the minutes it took."""
    notebook = nbformat.read(path, as_version=4)
    notebook_file.put(notebook, notebook_file.source())
    started, seconds_of = {}, {}
    start = time.perf_counter()
    client = NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=lambda cell_index, **_: started.update({cell_index: time.perf_counter()}),
        on_cell_executed=lambda cell_index, **_: seconds_of.update(
            {cell_index: time.perf_counter() - started[cell_index]}
        ),
    )
    try:
        client.execute()
    except CellTimeoutError:
        raise NotStoredError(f"a cell took more than {seconds:.0f} s") from None
    except DeadKernelError:
        raise NotStoredError("the kernel died (out of memory?)") from None
    except CellExecutionError as error:
        raise NotStoredError(f"a cell failed\n{error}") from None
    minutes = (time.perf_counter() - start) / 60
    for index, took in seconds_of.items():
        note_seconds(notebook.cells[index], took)
    clean(notebook)
    notebook_file.write(notebook, path)
    return minutes


def note_seconds(cell: nbformat.NotebookNode, took: float) -> None:
    """Stores what a cell took, rounded up, unless what is stored gives about the same limit."""
    old, new = stored_seconds(cell), math.ceil(took)
    if old is None or not limit_of(old) / 2 <= limit_of(new) <= 2 * limit_of(old):
        cell.metadata["vqvae"] = {"seconds": new}


def clean(notebook: nbformat.NotebookNode) -> None:
    """Takes out of an executed notebook what should not be stored."""
    notebook_file.strip(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if keep(output, cell)]


def keep(output: nbformat.NotebookNode, cell: nbformat.NotebookNode) -> bool:
    """Whether an output is stored: no widget, no progress bar; any other stderr is refused."""
    data, stderr = output.get("data", {}), output.get("name") == "stderr"
    if stderr and not all(map(PROGRESS.search, output.text.split("\n"))):
        raise NotStoredError(f"a cell writes to stderr\n{cell.source}\n---\n{output.text}")
    passing = stderr or notebook_file.WIDGET in data
    # The tests compare what comes out with what is stored: here the two would always differ.
    if passing and IGNORED not in cell.metadata.get("tags", []):
        raise NotStoredError(f"a widget or progress bar without the tag {IGNORED}\n{cell.source}")
    if data:
        output.metadata = {}
    if "image/svg+xml" in data:
        data["image/svg+xml"] = smaller(data["image/svg+xml"])
    if "image/png" in data:
        data["image/png"] = palette(data["image/png"])
    return not passing


def smaller(svg: str) -> str:
    """A figure in few bytes and lines: places to a tenth of a point, its photographs as AVIF.

    The colours of photographs are then off by a PSNR of about 40 dB, which is below what the eye
    makes out at that size and far below the differences that such figures show. What has no more
    than 256 colours, such as a heat map, stays as it is.
    """
    svg = PLACES.sub(lambda places: DIGITS.sub(r"\1", " ".join(places[0].split())), svg)
    svg = PICTURE.sub(lambda picture: photograph(picture[1]), svg)
    svg = re.sub(r">\s+<", "><", svg)
    return POINTS.sub(with_one_style, svg)


def with_one_style(points: re.Match) -> str:
    """A group of points; where all have one style that means the same there, the group has it.

    The opacity of a group is not that of its parts.
    """
    styles = STYLE.findall(points[2])
    if len(styles) < points[2].count("<use ") or len(set(styles)) > 1 or OPACITY.search(styles[0]):
        return points[0]
    return f'{points[1]} style="{styles[0]}">{STYLE.sub("", points[2])}</g>'


def photograph(png: str) -> str:
    """The address of a picture that holds itself: AVIF for one of many colours."""
    image = opened(png)
    if image is None or image.getcolors(256) is not None:
        return f"data:image/png;base64,{palette(png)}"
    return f"data:image/avif;base64,{encoded(image, 'AVIF', quality=90, subsampling='4:4:4')}"


def palette(png: str) -> str:
    """A PNG in base64 with a palette of 256 colours fitted to it, where that is shorter."""
    image = opened(png)
    if image is None:
        return png
    image = image.quantize(256, dither=Image.Dither.NONE, kmeans=2)
    return min(encoded(image, "PNG", optimize=True), "".join(png.split()), key=len)


def opened(png: str) -> Image.Image | None:
    """A picture of base64 in RGB; None where it is in part transparent."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    return image.convert("RGB") if image.getextrema()[3] == (255, 255) else None


def encoded(image: Image.Image, kind: str, **options) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", nargs="*", type=Path, help="default: every book/*.ipynb")
    parser.add_argument("--timeout", type=float, default=600, help="seconds a cell may take")
    arguments = parser.parse_args()
    notebook_file.make_font_cache()
    failed = 0
    for path in arguments.notebook or sorted((notebook_file.ROOT / "book").glob("*.ipynb")):
        print(f"{path.name}: ", end="", flush=True)
        try:
            minutes = run(path.resolve(), arguments.timeout)
            print(f"{minutes:.1f} min, {path.stat().st_size / 1e6:.2f} MB")
        except (NotStoredError, FileNotFoundError) as error:
            print(f"not stored: {error}")
            failed = 1
    try:
        plain_notebooks.make()
    except ValueError as error:
        print(f"no plain copies: {error}")
        failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
