"""What commands share: what they may read, and where they write."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from vqvae_lite.checkpoints import Checkpoint, last_checkpoint
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
        ValueError: a name leads out of the folder, or two are the same.
        FileExistsError: one is there.
    """
    folder = Path(folder)
    targets = [folder / f"{name}{suffix}" for name in names]
    for target in targets:
        if not target.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"a name leads out of {folder}: {target}")
        if target.exists():
            raise FileExistsError(f"{target} is there already; name an empty folder")
    if len(set(targets)) < len(targets):
        twice = next(target for target in targets if targets.count(target) > 1)
        raise ValueError(f"two would be written to {twice}: their names must differ")
    return targets


def check_no_split(options: Namespace) -> None:
    """Raises ValueError where a split was asked of a folder that has none."""
    if options.split is not None:
        raise ValueError(f"--split is of a recipe's data or of mazes: {options.folder} has none")


def check_vqvae(checkpoint: Checkpoint) -> None:
    """Raises ValueError unless a checkpoint holds a VQ-VAE."""
    if not isinstance(checkpoint.model, VQVAE):
        kind = type(checkpoint.model).__name__
        raise ValueError(f"{checkpoint.path} holds a {kind}: only a VQ-VAE has codes of images")
