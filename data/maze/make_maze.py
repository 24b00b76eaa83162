"""Make the maze data: walk random mazes, encode the walks, check them, put them in place.

    python data/maze/make_maze.py                          the shipped data, into data/maze
    python data/maze/make_maze.py --frames 50000 --mazes 256 --out FOLDER     more of the same

Needs vizdoom (in requirements-dev.txt). `load_maze(split, root=FOLDER)` reads the result.
"""

import argparse
import hashlib
import io
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import vizdoom
from maze_walk import GAMMA, PUSHES, SIZE, TICS, Walk, record_walk
from PIL import Image, features
from PIL import __version__ as pillow_version

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # the checkout, so that this runs without an install

from vqvae_lite.maze import ACTIONS, read_frames  # noqa: E402

MAZES = 32
FRAMES = 4480
FLOOR = 36.0  # dB: the mean fidelity of a set may not be lower
# One sequence a maze. A single thread, since libaom's bytes may depend on their number.
ENCODER = {
    "quality": 72,
    "subsampling": "4:4:4",
    "speed": 6,
    "max_threads": 1,
    "advanced": {"tune": "psnr"},
}


def split_mazes(num_mazes: int) -> dict[str, list[int]]:
    """Of each eight mazes in a row six train, one validates and one tests.

    So a larger set only adds to each split of a smaller one, and moves no maze between them.
    """
    kinds = ["train"] * 6 + ["validation", "test"]
    splits: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for number in range(num_mazes):
        splits[kinds[number % 8]].append(number)
    return splits


def encode(frames: np.ndarray) -> bytes:
    """An AVIF sequence of uint8 frames (frames, height, width, 3)."""
    first, *rest = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    first.save(buffer, "AVIF", save_all=True, append_images=rest, **ENCODER)
    return buffer.getvalue()


def measure_fidelity(frames: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """PSNR of each frame in dB, float64 (frames,), from uint8 (frames, height, width, 3)."""
    error = np.square(frames.astype(np.float64) - decoded).mean(axis=(1, 2, 3))
    return 10 * np.log10(255**2 / np.maximum(error, 1e-10))


def hash_frames(walk: Walk) -> str:
    """SHA-256 of the lossless frames."""
    return hashlib.sha256(walk.frames.tobytes()).hexdigest()


def make(num_mazes: int, length: int, out: Path) -> dict:
    """Make `num_mazes` walks of `length` frames in the folder `out`; return the summary.

    Everything is made in a folder beside the result and moved when complete, the summary last,
    so that a run that breaks off leaves no half-written set that looks whole.
    """
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".making-", dir=out))
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
    actions, poses, fidelity, hashes, samples = [], [], [], [], []
    for number in range(num_mazes):
        walk = record_walk(seed=number, num_frames=length)
        path = folder / f"maze_{number:03d}.avif"
        path.write_bytes(encode(walk.frames))
        decoded = read_frames(path)
        fidelity.append(measure_fidelity(walk.frames, decoded))
        hashes.append(hash_frames(walk))
        actions.append(walk.actions)
        poses.append(walk.poses)
        samples.append(decoded[np.linspace(0, length - 1, 4).astype(int)])
        print(
            f"maze {number + 1}/{num_mazes}: {length} frames, {path.stat().st_size / 1e3:.0f} kB, "
            f"{fidelity[-1].mean():.2f} dB",
            flush=True,
        )
    mean = float(np.mean(fidelity))
    if mean < FLOOR:
        raise SystemExit(f"mean fidelity {mean:.2f} dB is below {FLOOR} dB: raise the quality")
    np.savez_compressed(folder / "walks.npz", actions=np.stack(actions), poses=np.stack(poses))
    _draw_contact_sheet(samples[:MAZES]).save(folder / "contact_sheet.jpg", quality=75)
    summary = {
        "frames_per_maze": length,
        "frame_size": [SIZE, SIZE],
        "splits": split_mazes(num_mazes),
        "actions": list(ACTIONS),
        "push_and_turn_per_tic": [PUSHES[k] for k in range(len(ACTIONS))],
        "tics_per_action": TICS,
        "gamma": GAMMA,
        "encoder": ENCODER,
        "fidelity_db": {"mean": round(mean, 3), "min": round(float(np.min(fidelity)), 3)},
        "made_with": {
            "vizdoom": vizdoom.__version__,
            "pillow": pillow_version,
            "libavif": features.version("avif"),
        },
        "sha256_of_lossless_frames": hashes,
    }
    (folder / "maze.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def _draw_contact_sheet(samples: list[np.ndarray]) -> Image.Image:
    """Four frames a maze side by side, four mazes a row."""
    strips = [np.concatenate(list(strip), axis=1) for strip in samples]
    strips += [np.zeros_like(strips[0])] * (-len(strips) % 4)
    rows = [np.concatenate(strips[k : k + 4], axis=1) for k in range(0, len(strips), 4)]
    return Image.fromarray(np.concatenate(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=FRAMES, help="in all (default %(default)s)")
    parser.add_argument("--mazes", type=int, default=MAZES, help="default %(default)s")
    parser.add_argument("--out", type=Path, help="folder (default data/maze for the shipped set)")
    given = parser.parse_args()
    if given.mazes < 8:
        parser.error(f"--mazes must be at least 8, one for each split; got {given.mazes}")
    if given.frames < 2 * given.mazes:
        parser.error(f"--frames must be at least two a maze; got {given.frames}")
    is_shipped = (given.frames, given.mazes) == (FRAMES, MAZES)
    if given.out is None and not is_shipped:
        parser.error("another number of frames or mazes needs --out, a folder of its own")
    out = given.out or HERE
    summary = make(given.mazes, -(-given.frames // given.mazes), out)
    size = sum(path.stat().st_size for path in out.iterdir() if path.is_file())
    fidelity = summary["fidelity_db"]
    print(
        f"{given.mazes * summary['frames_per_maze']} frames in {out}: {size / 1e6:.2f} MB, "
        f"fidelity {fidelity['mean']:.2f} dB (least {fidelity['min']:.2f})"
    )


if __name__ == "__main__":
    main()
