"""The maze data set: first-person walks through random mazes, with actions and poses.

It stands in for the DeepMind Lab frames of the paper (sections 4.2 and 4.4). `data/maze/README.md`
says what it is and how it was made.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vqvae_lite.checks import check_split
from vqvae_lite.data.pictures import read_frames
from vqvae_lite.data.places import find_data
from vqvae_lite.files import reading

ACTIONS = ("forward", "left", "right")
SIZE = 84  # pixels along each side of a frame

_SUMMARY = "maze.json"  # written last: where it stands, all the rest does
_REMEDY = "remove that folder, and `vqvae-lite data get maze` fetches it again"


class Maze(NamedTuple):
    """N frames in the order of the walks, with what belongs to each.

    Frames of one maze are neighbours and form one unbroken walk, so `maze` is the episode too.

    Attributes:
        frames: uint8 (N, 3, 84, 84), RGB.
        actions: uint8 (N,), an index into `ACTIONS`: what was done between frame t and frame
            t + 1 of the same maze. The last action of a walk leads to no frame.
        poses: float32 (N, 3), x and y in map units (a cell of the maze is 128 wide) and the angle
            in degrees, in [0, 360), which grows when turning left.
        maze: int64 (N,), the number of the maze. No maze is in two splits.
    """

    frames: torch.Tensor
    actions: torch.Tensor
    poses: torch.Tensor
    maze: torch.Tensor


def load_maze(split: str, root: str | Path | None = None) -> Maze:
    """Read one split of the maze data; decodes that split alone.

    Args:
        split: "train", "validation" or "test".
        root: the folder with the data; by default it is looked for, as `data.find` does.

    Raises:
        ValueError: the split has another name, or a file holds something else than it should.
        FileNotFoundError: the data, or one of its files, is not there.
    """
    check_split(split)
    folder = find_data("maze", root)
    length, ids, actions, poses = _read_walks(folder, split)
    frames = torch.empty((len(ids), length, 3, SIZE, SIZE), dtype=torch.uint8)
    for walk, number in zip(frames, ids, strict=True):
        path = folder / f"maze_{number:03d}.avif"
        decoded = _decode(path)
        if decoded.shape != (length, SIZE, SIZE, 3):
            raise ValueError(
                f"{path} should hold {length} frames of {SIZE}x{SIZE}; it holds "
                f"{len(decoded)} of {decoded.shape[2]}x{decoded.shape[1]}"
            )
        walk.copy_(torch.from_numpy(decoded).permute(0, 3, 1, 2))
    return Maze(
        frames=frames.flatten(0, 1),
        actions=torch.from_numpy(actions[ids]).flatten(),
        poses=torch.from_numpy(poses[ids]).flatten(0, 1),
        maze=torch.tensor(ids).repeat_interleave(length),
    )


def holds_mazes(folder: str | Path) -> bool:
    """Whether a folder is a set of mazes, not one of somebody's own images or clips."""
    return (Path(folder).expanduser() / _SUMMARY).is_file()


def _decode(path: Path) -> np.ndarray:
    try:
        return read_frames(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing; {_REMEDY}") from None
    except ValueError as error:
        raise ValueError(f"{error}; AVIF needs Pillow 11.3 or newer; {_REMEDY}") from error


def _read_walks(folder: Path, split: str) -> tuple[int, list[int], np.ndarray, np.ndarray]:
    """Frames a maze, the mazes of the split; actions (mazes, frames), poses (mazes, frames, 3)."""
    path, what = folder / _SUMMARY, "what make_maze.py wrote"
    try:
        with reading(path, what):
            summary = json.loads(path.read_text(encoding="utf-8-sig"))
            length, ids = summary["frames_per_maze"], summary["splits"][split]
            if not all(type(number) is int and number >= 0 for number in (length, *ids)):
                raise ValueError("it must hold whole numbers")
        path = folder / "walks.npz"
        with reading(path, what), path.open("rb") as file, np.load(file) as walks:
            actions, poses = walks["actions"], walks["poses"]
            if not ids or actions.shape != (len(poses), length) or max(ids) >= len(poses):
                raise ValueError(
                    f"it holds actions of the shape {actions.shape}; {len(ids)} mazes of {length} "
                    f"frames expected, up to number {max(ids, default=0)}"
                )
            if poses.shape != (*actions.shape, 3):
                raise ValueError(f"it holds poses of the shape {poses.shape}")
            return length, ids, actions, poses
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing; {_REMEDY}") from None
    except ValueError as error:
        raise ValueError(f"{error}; {_REMEDY}") from error
