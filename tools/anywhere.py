"""Runs notebooks as one who has nothing but the file: each alone, in a folder that was empty.

    python tools/anywhere.py                          # every notebook of the book
    python tools/anywhere.py book/01_quantizer.ipynb

The first cell fetches the book from a repository made of the working tree, and all that follows has
to be found in what it fetched. Nothing is stored; the exit status is 1 if a notebook fails.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import notebook_file
from notebook_file import ROOT

# At the end of each notebook: the package that it used is the one that was fetched.
PROOF = """import pathlib, vqvae_lite
assert pathlib.Path({folder!r}) in pathlib.Path(vqvae_lite.__file__).parents, vqvae_lite.__file__"""


def make_repository(folder: Path) -> str:
    """A repository of one commit, the working tree as it is; gives its address."""
    git = ["git", f"--git-dir={folder}", f"--work-tree={ROOT}", "-c", "user.name=anywhere"]
    git += ["-c", "user.email=anywhere@localhost"]
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["config", "uploadpack.allowFilter", "true"],
        ["config", "uploadpack.allowAnySHA1InWant", "true"],
        ["add", "--all"],
        ["commit", "--quiet", "--no-verify", "--message=the working tree"],
    ):
        subprocess.run([*git, *command], check=True, cwd=ROOT)
    return folder.as_uri()


def alone(path: Path, address: str) -> nbformat.NotebookNode:
    """A notebook whose first cell fetches the book from the address."""
    notebook = nbformat.read(path, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    before = f'REPOSITORY = "{notebook_file.address()}"'
    assert before in first.source, f"{path}: its first cell is not book/first_cell.py"
    first.source = first.source.replace(before, f'REPOSITORY = "{address}"')
    return notebook


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Runs all cells of a notebook in a folder, and one that tells whose package that was."""
    notebook.cells.append(nbformat.v4.new_code_cell(PROOF.format(folder=str(folder))))
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=1200, kernel_name="python3", resources=resources).execute()


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", nargs="*", type=Path, help="default: every book/*.ipynb")
    paths = parser.parse_args().notebook or sorted((ROOT / "book").glob("*.ipynb"))
    failed = 0
    with tempfile.TemporaryDirectory() as place:
        address = make_repository(Path(place, "book.git"))
        os.environ["VQVAE_LITE_DATA"] = str(Path(place, "nothing"))  # nor the cache
        for path in paths:
            folder = Path(place, path.stem)
            folder.mkdir()
            print(f"{path.name}: ", end="", flush=True)
            start = time.perf_counter()
            try:
                execute(alone(path, address), folder)
            except CellExecutionError as error:
                print(f"failed\n{error}")
                failed = 1
                continue
            minutes = (time.perf_counter() - start) / 60
            print(f"{minutes:.1f} min, {size(folder) / 1e6:.0f} MB fetched", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
