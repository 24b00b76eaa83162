"""Where the book's own files lie: in a clone, in a folder that one names, or in the cache.

Each of these places is laid out as the repository is: data/maze, checkpoints/maze, benchmarks/
results. Nothing here imports PyTorch, so that looking for a file takes no time.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

_CHECKOUT = Path(__file__).resolve().parents[2]  # where this is one; else it is site-packages
_CACHE = "~/.cache/vqvae_lite"  # on every system: one line of the README then holds for all
# What `vqvae-lite data get NAME` fetches, by the folders that are in it.
ARCHIVES = {
    "maze": "data/maze",
    "speech": "data/speech",
    "checkpoints": "checkpoints",
    "results": "benchmarks/results",
}


def find(name: str) -> Path:
    """A file or folder of the book, wherever it is.

    The first of these that has it: the folder that VQVAE_LITE_DATA names; the working folder or
    the nearest of its parents that is a clone of the repository; the clone that this package was
    imported from; the cache, ~/.cache/vqvae_lite.

    Args:
        name: as the repository has it, with "/": "data/maze", "checkpoints/maze" or
            "benchmarks/results/prior.json". Outside of a clone a data set may also stand without
            the "data/".

    Raises:
        ValueError: the name is absolute or leads upwards.
        FileNotFoundError: it is nowhere; the message has the command that fetches it.
    """
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise ValueError(f"name must be a path inside the repository, as data/maze; got {name!r}")
    looked = []
    for place in _places():
        for path in (place / parts, place / name.removeprefix("data/")):
            if path.exists():
                return path
        looked.append(str(place))
    raise FileNotFoundError(f"{name} is not here: {_remedy(name)} (looked in {', '.join(looked)})")


def find_data(name: str, root: str | Path | None = None) -> Path:
    """The folder of a data set that belongs to the book.

    Args:
        name: "maze" or "speech".
        root: the one folder to look in; None: as `find`.

    Raises:
        FileNotFoundError: it is not there; the message has the command that fetches it.
    """
    # The summary is written last: where it stands, all the rest does.
    if root is None:
        return find(f"data/{name}/{name}.json").parent
    folder = Path(root).expanduser()
    if not (folder / f"{name}.json").is_file():
        raise FileNotFoundError(
            f"no {name} data: root is {folder}, which has no {name}.json; without root they are "
            f"looked for, or fetched: vqvae-lite data get {name}"
        )
    return folder


def data_root() -> Path:
    """The folder that downloads go to: VQVAE_LITE_DATA, by default ~/.cache/vqvae_lite."""
    return Path(os.environ.get("VQVAE_LITE_DATA") or _CACHE).expanduser()


@contextmanager
def looking_in(folder: str | Path | None) -> Iterator[None]:
    """For a while, also in processes that are started, VQVAE_LITE_DATA names a folder.

    Args:
        folder: what --data says; None changes nothing.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is a data set itself, which would not be found.
    """
    if folder is None:
        yield
        return
    folder = Path(folder).expanduser().absolute()
    if not folder.is_dir():
        raise FileNotFoundError(f"--data must name a folder, there is none at {folder}")
    if (folder / f"{folder.name}.json").is_file():
        raise ValueError(f"--data must name {folder.parent}, which has {folder.name} in it")
    before = os.environ.get("VQVAE_LITE_DATA")
    os.environ["VQVAE_LITE_DATA"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("VQVAE_LITE_DATA")
        if before is not None:
            os.environ["VQVAE_LITE_DATA"] = before


def _places() -> list[Path]:
    """The folders to look in, in order, each once."""
    own = [data_root()] if os.environ.get("VQVAE_LITE_DATA") else []
    return list(dict.fromkeys([*own, *_clones(), Path(_CACHE).expanduser()]))


def _clones() -> Iterator[Path]:
    """The clone around the working folder, and the one that this package is part of."""
    here = Path.cwd()
    yield from [folder for folder in (here, *here.parents) if _is_clone(folder)][:1]
    if _is_clone(_CHECKOUT):
        yield _CHECKOUT


def _is_clone(folder: Path) -> bool:
    # The second file too: site-packages has the package, and perhaps somebody's folder "data".
    return all((folder / file).is_file() for file in ("vqvae_lite/__init__.py", "pyproject.toml"))


def _remedy(name: str) -> str:
    for archive, folder in ARCHIVES.items():
        if PurePosixPath(name).is_relative_to(folder):
            return f"`vqvae-lite data get {archive}` fetches it"
    return "it is in a clone of the repository alone"
