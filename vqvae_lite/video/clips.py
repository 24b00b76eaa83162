"""Clips of film: frames in order, with what was done between them. The mazes' walks, or a folder's.

A clip in a folder is a folder of images, in the order of their names, numbers in them as numbers;
or an animated GIF, WebP, AVIF or PNG. What was done stands beside it in a text file, `walk.txt` for
`walk` or `walk.gif`: whole numbers from 0, one for each step from a frame to the next, spaces or
lines between them.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from vqvae_lite.data.pictures import IMAGE_SUFFIXES, read_film, read_image
from vqvae_lite.files import entries, reading, visible_files, writing
from vqvae_lite.images import shrink
from vqvae_lite.maze import ACTIONS, SIZE, Maze, holds_mazes, load_maze

FILM_SUFFIXES = (".apng", ".avif", ".gif", ".png", ".webp")
MAX_ACTIONS = 1000  # different ones: each has its own row of weights in a model


class Clip(NamedTuple):
    """One film.

    Attributes:
        name: of the clip: that of its folder, or of its file without the suffix.
        frames: uint8 (T, 3, size, size), T at least 2.
        actions: int64 (T - 1,), from 0: what was done between two frames; None where unknown.
    """

    name: str
    frames: Tensor
    actions: Tensor | None


class MazeClips:
    """The walks of a split of the mazes, one after another; decoded when the first is asked for.

    Args:
        split: "train", "validation" or "test".
        size: pixels along each side, at most 84.
        root: the folder of the mazes; by default those that ship with the book.

    Attributes:
        actions: their names.

    Raises:
        ValueError: for a size that cannot be had.
        FileNotFoundError, ValueError: on reading, as `load_maze`.
    """

    actions: tuple[str, ...] = ACTIONS

    def __init__(self, split: str, size: int = SIZE, root: str | Path | None = None):
        if not 0 < size <= SIZE:
            raise ValueError(f"size of the mazes' frames must be at most {SIZE}, got {size}")
        self.split, self.size, self.root = split, size, root

    @cached_property
    def maze(self) -> Maze:
        """The whole split."""
        return load_maze(self.split, self.root)

    def __len__(self) -> int:
        return len(self.maze.maze.unique())

    def __iter__(self) -> Iterator[Clip]:
        for number in self.maze.maze.unique().tolist():
            chosen = self.maze.maze == number
            frames = self.maze.frames[chosen]
            frames = frames if self.size == SIZE else shrink(frames, self.size)
            # The last action of a walk leads to no frame.
            yield Clip(f"maze_{number:03}", frames, self.maze.actions[chosen][:-1].long())


class FolderClips:
    """The clips in a folder, in the order of their names, read as they are asked for.

    Args:
        path: the folder.
        size: pixels along each side: frames are fitted as by `FolderImages`.

    Attributes:
        actions: names of the actions, "0", "1" and so on; None where no clip has any.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no clip or two of one name, only some of its clips have actions, or a
            list of them cannot be read; on reading, as `read_clip`.
        PermissionError: a folder or a file may not be read.
    """

    def __init__(self, path: str | Path, size: int):
        path = Path(path).expanduser()
        if not path.is_dir():
            raise FileNotFoundError(f"path must be a folder of clips; there is none at {path}")
        self.size = size
        self.paths = [Path(entry) for entry in entries(path) if _may_be_clip(Path(entry))]
        if not self.paths:
            raise ValueError(
                f"path must hold clips, each a folder of images or a file "
                f"({', '.join(FILM_SUFFIXES)}); none found in {path}"
            )
        named: dict[str, Path] = {}
        for clip in self.paths:
            if (other := named.setdefault(_name_of(clip), clip)) != clip:
                raise ValueError(f"{other} and {clip} are both the clip {_name_of(clip)!r}")
        listed = {path: _actions_of(path) for path in self.paths}
        missing = [path for path, actions in listed.items() if actions is None]
        if missing and len(missing) < len(self.paths):
            raise ValueError(
                f"either all clips have actions or none has: there is no "
                f"{_actions_file(missing[0])}"
            )
        self.actions = None
        if not missing:
            highest = max(int(actions.max()) for actions in listed.values() if actions is not None)
            self.actions = tuple(str(number) for number in range(highest + 1))

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Clip]:
        for path in self.paths:
            yield read_clip(path, self.size)


Clips = MazeClips | FolderClips


def open_clips(folder: str | Path | None, split: str, size: int) -> Clips:
    """The mazes that ship with the book, another set of mazes, or a folder of clips.

    Args:
        folder: None for the first; see `holds_mazes`.
        split: of mazes; a folder of clips has none.
        size: pixels along each side.
    """
    if folder is None or holds_mazes(folder):
        return MazeClips(split, size, folder)
    return FolderClips(folder, size)


def read_clip(path: str | Path, size: int) -> Clip:
    """Reads one clip, with its actions where there are some beside it.

    Args:
        path: a folder of images, or a file.
        size: pixels along each side.

    Raises:
        FileNotFoundError: there is nothing.
        PermissionError: something may not be read.
        ValueError: frames or actions cannot be read, there are fewer than 2 frames, or not one
            action for each step between them; names the file.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        files = visible_files(path, IMAGE_SUFFIXES, inside=False)
        frames = [read_image(file, size) for file in files]
    else:
        frames = read_film(path, size)
    if len(frames) < 2:
        raise ValueError(f"{path} must hold at least 2 frames, got {len(frames)}")
    actions = _actions_of(path)
    if actions is not None and len(actions) != len(frames) - 1:
        raise ValueError(
            f"{_actions_file(path)} must hold {len(frames) - 1} actions, one for each step between "
            f"{len(frames)} frames; got {len(actions)}"
        )
    return Clip(_name_of(path), torch.stack(frames), actions)


def write_film(path: str | Path, frames: Tensor, rate: float = 12.0) -> None:
    """Writes frames as an animated WebP without loss, which `read_clip` reads again.

    Args:
        path: ends in .webp. The folders above are made.
        frames: uint8 (T, 3, H, W).
        rate: frames a second.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    first, *rest = [Image.fromarray(frame) for frame in frames.permute(0, 2, 3, 1).cpu().numpy()]
    with writing(Path(path)) as partial:
        first.save(
            partial,
            format="WebP",
            save_all=True,
            append_images=rest,
            duration=round(1000 / rate),
            loop=0,
            lossless=True,
        )


def action_numbers(text: str, names: Sequence[str]) -> Tensor:
    """Actions by name or number, commas between them: "forward,left,left" to int64 (n,).

    Raises:
        ValueError: one is neither the name nor the number of an action.
    """
    numbers = {str(number): number for number in range(len(names))}
    numbers |= {name: number for number, name in enumerate(names)}
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in numbers:
            raise ValueError(f"an action must be one of {', '.join(names)}; got {word!r}")
    return torch.tensor([numbers[word] for word in words])


def _may_be_clip(path: Path) -> bool:
    if path.is_dir():
        return len(visible_files(path, IMAGE_SUFFIXES, inside=False)) > 0
    return path.suffix.lower() in FILM_SUFFIXES


def _name_of(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _actions_file(path: Path) -> Path:
    return path.with_name(f"{_name_of(path)}.txt")


def _actions_of(path: Path) -> Tensor | None:
    file = _actions_file(path)
    if not file.exists():
        return None
    with reading(file, "a list of actions"):
        numbers = [int(word) for word in file.read_text(encoding="utf-8-sig").split()]
        if not numbers or min(numbers) < 0 or max(numbers) >= MAX_ACTIONS:
            raise ValueError(f"it must hold whole numbers from 0 to {MAX_ACTIONS - 1}")
        return torch.tensor(numbers)
