"""The splits of data sets, and the files of a kind below a folder."""

from collections.abc import Sequence
from pathlib import Path

SPLITS = ("train", "validation", "test")  # of every data set here that has some


def check_split(split: str) -> None:
    """Raises ValueError unless a split has one of the names of `SPLITS`."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}")


def visible_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files with one of these suffixes in a folder and the folders in it, in order.

    None counts whose name, or folder below `folder`, starts with a dot.
    """
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in suffixes
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
