"""What each step costs that makes a file of codes of a folder of pictures, a picture at a time.

One process on one thread lists files, reads pictures of 256 pixels, encodes them with the
checkpoint of the mazes, and writes and reads files of codes. What files of 20,000 and of 200,000
maps add to the memory is measured in a process for each, on Linux: its peak above what it had. The
figures for a billion pictures are these, times a billion: extrapolated, not measured.

    python benchmarks/scale.py
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from record import ROOT, run
from PIL import Image
from torch import Tensor

from vqvae_lite.codefile import ImageCodes, read_codes, write_codes
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import FolderImages, TensorImages, read_image
from vqvae_lite.maze import load_maze
from vqvae_lite.models import load_checkpoint

FILES, PICTURES, MAPS = 100_000, 256, (20_000, 200_000)
BILLION = 10**9
SECONDS_AN_HOUR = 3600


def main() -> tuple[str, dict] | None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", type=int, help=argparse.SUPPRESS)  # in a process of their own
    maps = parser.parse_args().maps
    torch.set_num_threads(1)
    if maps:
        print(json.dumps(of_maps(maps)))
        return None
    frames = load_maze("test").frames[:PICTURES]
    with tempfile.TemporaryDirectory() as folder:
        figures = {
            "scan": scan(Path(folder, "many")),
            "read": read(Path(folder, "pictures"), frames),
        }
    model = load_checkpoint(ROOT / "checkpoints" / "maze").model
    seconds = timed(lambda: encode_images(model, TensorImages(frames)))
    figures["encode"] = {"pictures": PICTURES, "microseconds": seconds / PICTURES * 1e6}
    figures["maps"] = {
        str(count): json.loads(
            subprocess.run(
                [sys.executable, __file__, "--maps", str(count)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for count in MAPS
    }
    largest = figures["maps"][str(MAPS[-1])]
    steps = {name: figures[name]["microseconds"] for name in ("scan", "read", "encode")}
    steps |= {"write": largest["write_microseconds"], "read again": largest["read_microseconds"]}
    figures["extrapolated_to_a_billion"] = {
        "core_hours": {
            name: microseconds * BILLION / 1e6 / SECONDS_AN_HOUR
            for name, microseconds in steps.items()
        },
        "gigabytes": largest["bytes"] * BILLION / 1e9,
    }
    return "scale", figures


def timed(work, rounds: int = 3) -> float:
    """The seconds of the quickest of some rounds: what else a machine does makes none quicker."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def scan(folder: Path) -> dict:
    """Listing empty files, a thousand in a folder."""
    for number in range(FILES):
        file = folder / f"{number // 1000:03}" / f"{number:06}.jpg"
        if number % 1000 == 0:
            file.parent.mkdir(parents=True)
        file.touch()
    return {
        "files": FILES,
        "microseconds": timed(lambda: FolderImages(folder, 84)) / FILES * 1e6,
    }


def read(folder: Path, frames: Tensor) -> dict:
    """Reading JPEG of 256 pixels as pictures of 84."""
    folder.mkdir()
    files = [folder / f"{number}.jpg" for number in range(len(frames))]
    for file, frame in zip(files, frames, strict=True):
        Image.fromarray(frame.permute(1, 2, 0).numpy()).resize((256, 256)).save(file, quality=90)
    seconds = timed(lambda: [read_image(file, 84) for file in files])
    return {"pictures": len(files), "microseconds": seconds / len(files) * 1e6}


def of_maps(count: int) -> dict:
    """Writing and reading a file of so many maps of 21x21 codes of 512."""
    generator = torch.Generator().manual_seed(0)
    maps = list(torch.randint(512, (64, 21, 21), generator=generator))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.codes")
        before, start = memory("VmRSS"), time.perf_counter()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
        size = write_codes(path, parts(maps, count))
        wrote, written = time.perf_counter() - start, memory("VmHWM")
        start = time.perf_counter()
        codes = read_codes(path, ImageCodes).codes
        for first in range(0, count, 64):
            codes[first : first + 64]
        read_in = time.perf_counter() - start
    return {
        "bytes": size / count,
        "write_microseconds": wrote / count * 1e6,
        "write_megabytes": written - before,
        "read_microseconds": read_in / count * 1e6,
        "read_megabytes": memory("VmHWM") - before,
    }


def parts(maps: list[Tensor], count: int) -> Iterator[ImageCodes]:
    for first in range(0, count, len(maps)):
        here = maps[: count - first]
        names = [f"{number:09}.jpg" for number in range(first, first + len(here))]
        yield ImageCodes(here, 512, names, "0123456789ab")


def memory(what: str) -> float:
    """Megabytes that this process has ("VmRSS"), or had at most ("VmHWM")."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    run(main)
