"""Make the maze data: walk random mazes, encode the walks, check them, put them in place.

    python data/maze/make_maze.py                   the shipped data again, into data/maze
    python data/maze/make_maze.py --frames 50000    more of the same, into a folder of its own

Needs vizdoom (in requirements-dev.txt).
"""

import argparse
import hashlib
import io
import json
import math
import os
import platform
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import vizdoom
from maze_walk import GAMMA, PUSHES, SIZE, TICS, Walk, record_walk
from PIL import Image, features
from PIL import __version__ as pillow_version

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # the checkout, so that this runs without an install

from vqvae_lite.data.pictures import read_frames  # noqa: E402
from vqvae_lite.images import data_root  # noqa: E402
from vqvae_lite.maze import ACTIONS  # noqa: E402

FRAMES = 4480  # of the shipped set
LENGTH = 140  # frames a maze
FIDELITY = 36.1  # dB: the mean over each maze is at least this
SHOWN_MAZES = 32  # on the contact sheet, at most
FIRST_QUALITY = 70  # of the encoder, of 100; raised where a maze's fidelity needs more
# A single thread, since libaom's bytes may depend on their number.
ENCODER = {
    "subsampling": "4:4:4",
    "speed": 6,
    "max_threads": 1,
    "advanced": {"tune": "psnr"},
}


class MadeMaze(NamedTuple):
    """What is left of a walk once its frames are on disk; fidelity in dB, one value a frame."""

    actions: np.ndarray
    poses: np.ndarray
    quality: int
    fidelity: np.ndarray
    sha256: str
    samples: np.ndarray


def split_mazes(num_mazes: int) -> dict[str, list[int]]:
    """Of each eight mazes in a row six train, one validates and one tests.

    So a larger set only adds to each split of a smaller one, and moves no maze between them.
    """
    kinds = ["train"] * 6 + ["validation", "test"]
    splits: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for number in range(num_mazes):
        splits[kinds[number % 8]].append(number)
    return splits


def encode(frames: np.ndarray, quality: int) -> bytes:
    """An AVIF sequence of uint8 frames (frames, height, width, 3)."""
    first, *rest = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    first.save(buffer, "AVIF", save_all=True, append_images=rest, quality=quality, **ENCODER)
    return _clear_dates(buffer.getvalue())


def measure_fidelity(frames: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """PSNR of each frame in dB, float64 (frames,), from uint8 (frames, height, width, 3)."""
    error = np.square(frames.astype(np.float64) - decoded).mean(axis=(1, 2, 3))
    return 10 * np.log10(255**2 / np.maximum(error, 1e-10))


def hash_frames(walk: Walk) -> str:
    """SHA-256 of the lossless frames, in hexadecimal."""
    return hashlib.sha256(walk.frames.tobytes()).hexdigest()


def make(num_mazes: int, length: int, out: Path) -> dict:
    """Make `num_mazes` walks of `length` frames in the folder `out`; return the summary.

    Everything is made in a folder beside the result and moved when complete, the summary last,
    so that a run that breaks off leaves no half-written set that looks whole.
    """
    folder = out / ".making"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)
    try:
        summary = _make_files(num_mazes, length, folder)
        (out / "maze.json").unlink(missing_ok=True)
        for stale in out.glob("maze_*.avif"):
            stale.unlink()
        for path in sorted(folder.iterdir(), key=lambda path: path.name == "maze.json"):
            path.replace(out / path.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return summary


def _make_files(num_mazes: int, length: int, folder: Path) -> dict:
    mazes = []
    # Each maze depends on its number alone, so they can be made in any order and side by side.
    # Threads do: the game runs in a process of its own, and the encoder holds no lock of Python's.
    with ThreadPoolExecutor(min(os.cpu_count() or 1, num_mazes)) as pool:
        for maze in pool.map(partial(_make_maze, length=length, folder=folder), range(num_mazes)):
            mazes.append(maze)
            print(f"maze {len(mazes)}/{num_mazes}: {maze.fidelity.mean():.2f} dB", flush=True)
    fidelity = np.stack([maze.fidelity for maze in mazes])
    np.savez_compressed(
        folder / "walks.npz",
        actions=np.stack([maze.actions for maze in mazes]),
        poses=np.stack([maze.poses for maze in mazes]),
    )
    sheet = _draw_contact_sheet([maze.samples for maze in mazes[:SHOWN_MAZES]])
    sheet.save(folder / "contact_sheet.jpg", quality=75)
    summary = {
        "frames_per_maze": length,
        "frame_size": [SIZE, SIZE],
        "splits": split_mazes(num_mazes),
        "actions": list(ACTIONS),
        "push_and_turn_per_tic": [PUSHES[k] for k in range(len(ACTIONS))],
        "tics_per_action": TICS,
        "gamma": GAMMA,
        "encoder": ENCODER,
        "quality_of_each_maze": [maze.quality for maze in mazes],
        "made_with": {
            "vizdoom": vizdoom.__version__,
            "pillow": pillow_version,
            "libavif": features.version("avif"),
            "platform": f"{platform.system()} {platform.machine()}",
        },
        "fidelity_db": {
            "mean": round(float(fidelity.mean()), 2),
            "min": round(float(fidelity.min()), 2),
            "mean_of_each_maze": fidelity.mean(axis=1).round(2).tolist(),
        },
        "sha256_of_lossless_frames": [maze.sha256 for maze in mazes],
    }
    text = json.dumps(summary, indent=1) + "\n"
    (folder / "maze.json").write_text(text, encoding="utf-8", newline="\n")
    return summary


def _make_maze(number: int, length: int, folder: Path) -> MadeMaze:
    walk = record_walk(seed=number, num_frames=length)
    path = folder / f"maze_{number:03d}.avif"
    for quality in range(FIRST_QUALITY, 101):
        path.write_bytes(encode(walk.frames, quality))
        decoded = read_frames(path)
        fidelity = measure_fidelity(walk.frames, decoded)
        if fidelity.mean() >= FIDELITY:
            break
    samples = decoded[np.linspace(0, length - 1, 4).astype(int)]
    return MadeMaze(walk.actions, walk.poses, quality, fidelity, hash_frames(walk), samples)


def _clear_dates(sequence: bytes) -> bytes:
    """Zero the times of writing in an AVIF sequence, so that the same frames give the same bytes.

    They stand in the boxes mvhd, tkhd and mdhd of the header: after the name a byte of version
    (1: 64-bit times) and three of flags, then the times of creation and of modification.
    """
    header = bytearray(sequence[: sequence.index(b"mdat")])
    for name in (b"mvhd", b"tkhd", b"mdhd"):
        start = header.index(name) + 4
        if header[start] != 1:
            raise RuntimeError(f"box {name.decode()} has another version than 1: {header[start]}")
        header[start + 4 : start + 20] = bytes(16)
    return bytes(header) + sequence[len(header) :]


def _draw_contact_sheet(samples: list[np.ndarray]) -> Image.Image:
    """Four frames a maze side by side, four mazes a row."""
    strips = [np.concatenate(list(strip), axis=1) for strip in samples]
    strips += [np.zeros_like(strips[0])] * (-len(strips) % 4)
    rows = [np.concatenate(strips[k : k + 4], axis=1) for k in range(0, len(strips), 4)]
    return Image.fromarray(np.concatenate(rows))


def main() -> None:
    """Read the command line and make the set that it asks for."""
    parser = argparse.ArgumentParser(description="Make the maze data.")
    parser.add_argument(
        "--frames", type=int, default=FRAMES, help="how many in all (default %(default)s)"
    )
    parser.add_argument(
        "--mazes", type=int, help=f"how many (default: one for every {LENGTH} frames)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder; by default data/maze for the shipped set, for another number of frames "
        "maze-FRAMES under VQVAE_LITE_DATA or ~/.cache/vqvae_lite",
    )
    given = parser.parse_args()
    mazes = max(8, math.ceil(given.frames / LENGTH)) if given.mazes is None else given.mazes
    if mazes < 8:
        parser.error(f"--mazes must be at least 8, so that no split is empty; got {mazes}")
    if given.frames < 2 * mazes:
        parser.error(f"--frames must be at least {2 * mazes}, two a maze; got {given.frames}")
    length = math.ceil(given.frames / mazes)
    is_shipped = given.frames == FRAMES and length == LENGTH
    out = given.out or (HERE if is_shipped else data_root() / f"maze-{given.frames}")

    fidelity = make(mazes, length, out)["fidelity_db"]
    size = sum(path.stat().st_size for path in out.iterdir() if path.is_file())
    print(
        f"{mazes * length} frames of {mazes} mazes, {size / 1e6:.2f} MB, fidelity "
        f"{fidelity['mean']} dB (least {fidelity['min']}).\n"
        f"Read them with load_maze(split{'' if out == HERE else f', root={str(out)!r}'})."
    )


if __name__ == "__main__":
    main()
