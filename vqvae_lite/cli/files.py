"""What commands share: what they may read, and where they write."""

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vqvae_lite.checkpoints import Checkpoint, last_checkpoint
from vqvae_lite.files import lacking, remove, remove_empty
from vqvae_lite.model import VQVAE
from vqvae_lite.models import load_checkpoint


def to_resume(run: str | Path, wanted: bool) -> Checkpoint | None:
    """The checkpoint of a run to go on from, None for a run that starts.

    Raises:
        ValueError: the run has checkpoints, and to go on is not wanted: two runs would mix.
        FileNotFoundError: to go on is wanted, and there is no checkpoint.
    """
    last = last_checkpoint(run)
    if not wanted and last is not None:
        raise ValueError(f"{run} holds {last.name} already: add --resume, or name another run")
    return load_checkpoint(run) if wanted else None


def new_files(folder: str | Path, names: Sequence[str], suffix: str) -> list[Path]:
    """A path for each name, all inside the folder, none there already, no two the same.

    Raises:
        ValueError: a name leads out of the folder, two are the same, or one is the folder of
            another.
        FileExistsError: one is there.
        OSError: one cannot be, as where it is too long.
    """
    folder = Path(folder)
    targets = [folder / f"{name}{suffix}" for name in names]
    taken, parents = set(), set()
    for target in map(str, targets):
        if target in taken:
            raise ValueError(f"two would be written to {target}: their names must differ")
        taken.add(target)
        parents.add(os.path.dirname(target))
    # By their folders, of which there are few: to resolve a path takes longer than to write it.
    inside = folder.resolve()
    for parent in map(Path, parents):
        if not parent.resolve().is_relative_to(inside):
            raise ValueError(f"a name leads out of {folder}: {parent}")
        while parent != folder and parent != parent.parent:
            if str(parent) in taken:
                raise ValueError(f"{parent} would be a file, and a folder of others")
            parent = parent.parent
    if folder.exists():
        for target in targets:
            if os.path.lexists(target):
                raise FileExistsError(f"{target} is there already; name an empty folder")
    return targets


@contextmanager
def all_or_none(targets: Sequence[Path]) -> Iterator[None]:
    """Takes new files, and the folders made for them, away again where not all were written.

    So a command that failed, or was stopped, can be run again as it was.

    Args:
        targets: from `new_files`.
    """
    made = lacking({target.parent for target in targets})
    try:
        yield
    except BaseException:
        for target in targets:
            remove(target)
        remove_empty(made)
        raise


def check_no_split(options: Namespace) -> None:
    """Raises ValueError where a split was asked of a folder that has none."""
    if options.split is not None:
        raise ValueError(f"--split is of a recipe's data or of mazes: {options.folder} has none")


def check_vqvae(checkpoint: Checkpoint) -> None:
    """Raises ValueError unless a checkpoint holds a VQ-VAE."""
    if not isinstance(checkpoint.model, VQVAE):
        kind = type(checkpoint.model).__name__
        raise ValueError(f"{checkpoint.path} holds a {kind}: only a VQ-VAE has codes of images")
