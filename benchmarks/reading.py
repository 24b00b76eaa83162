"""Images read from a folder, and a folder listed, beside torchvision's ImageFolder and os.walk.

Frames of the mazes, enlarged to 256 x 256 as JPEG, are read at 128 x 128, one after another in one
process; `ImageFolder` resizes as it does unasked (bilinear) and as `FolderImages` does (Lanczos).
The outputs are compared first: a JPEG decoded at half its size is not the same to the bit. All run
in turn, so that a change of the machine's speed meets each; quoted is the median over the rounds.

    python benchmarks/reading.py
"""

import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import torch
from record import run, without_options
from PIL import Image
from torchvision.datasets import ImageFolder
from torchvision.transforms import InterpolationMode, v2

from vqvae_lite.files import visible_files
from vqvae_lite.images import FolderImages
from vqvae_lite.maze import load_maze

COUNT, LARGE, SIZE = 400, 256, 128
LISTED, IN_EACH = 100_000, 1000
ROUNDS = 5


def image_folder(path: Path, interpolation: InterpolationMode) -> ImageFolder:
    steps = [v2.Resize(SIZE, interpolation), v2.CenterCrop(SIZE), v2.PILToTensor()]
    return ImageFolder(str(path), v2.Compose(steps))


def seconds(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def in_turn(ways: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """The seconds of each way in each round; what the first call sets up is done before."""
    for do in ways.values():
        do()
    rounds = [{name: seconds(do) for name, do in ways.items()} for _ in range(ROUNDS)]
    return {name: [times[name] for times in rounds] for name in ways}


def ratio(times: dict[str, list[float]], other: str, ours: str) -> float:
    """How many times faster ours is, within each round."""
    pairs = zip(times[other], times[ours], strict=True)
    return round(statistics.median(a / b for a, b in pairs), 2)


def reading(folder: Path) -> dict:
    (folder / "all").mkdir()
    for index, frame in enumerate(load_maze("test").frames[:COUNT]):
        image = Image.fromarray(frame.permute(1, 2, 0).numpy())
        image = image.resize((LARGE, LARGE), Image.Resampling.BICUBIC)
        image.save(folder / "all" / f"{index:04}.jpg", quality=90)
    ours = FolderImages(folder, SIZE)
    lanczos = image_folder(folder, InterpolationMode.LANCZOS)
    bilinear = image_folder(folder, InterpolationMode.BILINEAR)
    errors = [(ours[i].float() - lanczos[i][0].float()).square().mean() for i in range(COUNT)]
    decibels = (10 * (255**2 / torch.stack(errors)).log10()).mean().item()
    assert decibels > 35, f"the images differ: {decibels:.1f} dB"

    def all_of(images: FolderImages | ImageFolder) -> Callable[[], object]:
        return lambda: [images[index] for index in range(COUNT)]

    ways = {"ours": ours, "imagefolder": bilinear, "imagefolder_lanczos": lanczos}
    times = in_turn({name: all_of(images) for name, images in ways.items()})
    return {
        "images_a_second": {
            name: round(COUNT / statistics.median(some)) for name, some in times.items()
        },
        "times_faster_than_imagefolder": ratio(times, "imagefolder", "ours"),
        "times_faster_than_imagefolder_lanczos": ratio(times, "imagefolder_lanczos", "ours"),
        "decibels_to_imagefolder_lanczos": round(decibels, 1),
    }


def listing(folder: Path) -> dict:
    for index in range(LISTED):
        if index % IN_EACH == 0:
            (part := folder / f"part_{index // IN_EACH:04}").mkdir()
        (part / f"image_{index}.png").touch()

    def walk() -> list[str]:
        return sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)

    def ours() -> object:
        return visible_files(folder, (".png",))

    def old() -> list[Path]:
        return sorted(file for file in folder.rglob("*") if file.suffix in (".png",))

    assert {str(file) for file in ours()} == set(walk())
    times = in_turn({"ours": ours, "os_walk": walk, "sorted_paths": old})
    kept = {}
    for name, do in {"ours": ours, "os_walk": walk, "sorted_paths": old}.items():
        tracemalloc.start()
        found = do()
        kept[name] = round(tracemalloc.get_traced_memory()[0] / LISTED)
        tracemalloc.stop()
        del found
    return {
        "seconds": {name: round(statistics.median(some), 2) for name, some in times.items()},
        "times_faster_than_sorted_paths": ratio(times, "sorted_paths", "ours"),
        "bytes_a_file": kept,
    }


def main() -> tuple[str, dict]:
    without_options(__doc__)
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        read, listed = reading(Path(first)), listing(Path(second))
    print(read, listed, sep="\n")
    return "reading", {
        "images": COUNT,
        "pixels": [LARGE, SIZE],
        "reading": read,
        "files": LISTED,
        "listing": listed,
    }


if __name__ == "__main__":
    run(main)
