"""Where data lie: the folder of each data set, and the files of a kind below a folder."""

import os
from collections.abc import Sequence
from pathlib import Path

SPLITS = ("train", "validation", "test")  # of every data set here that has some


def data_root() -> Path:
    """The folder that downloads go to: VQVAE_LITE_DATA, by default ~/.cache/vqvae_lite."""
    return Path(os.environ.get("VQVAE_LITE_DATA") or "~/.cache/vqvae_lite").expanduser()


def check_split(split: str) -> None:
    """Raises ValueError unless a split has one of the names of `SPLITS`."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}")


def find_data(name: str, checkout: Path, root: str | Path | None) -> Path:
    """The folder of a data set that ships with the book: the first that holds NAME.json.

    Args:
        name: of the data set, "maze" or "speech". Its summary is written last: where it stands,
            all the rest does.
        checkout: the checkout that may hold it, in data/NAME.
        root: the one folder to look in; None looks in the checkout and under `data_root()`.

    Raises:
        FileNotFoundError: it is in none of them; the message says where to get it.
    """
    places = (
        [Path(root).expanduser()]
        if root is not None
        else [checkout / "data" / name, data_root() / name]
    )
    for folder in places:
        if (folder / f"{name}.json").is_file():
            return folder
    looked = " and ".join(str(folder / f"{name}.json") for folder in places)
    raise FileNotFoundError(
        f"no {name} data: looked for {looked}. The data ships with the book's repository in "
        f"data/{name}: run inside a clone of it, pass root=FOLDER, or make the data with "
        f"`python data/{name}/make_{name}.py --out FOLDER`"
    )


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
