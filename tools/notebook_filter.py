"""A filter of git for notebooks: to run one in an editor and save it is no change.

    python tools/notebook_filter.py --install     # once in each clone

Git then looks at a notebook through this filter, in `git diff`, `git add` and `git commit`; the
file itself stays as the editor left it. (`git status` compares sizes first and may still name the
file; `git add -u` settles that, and stages what has really changed.) What JupyterLab, VS Code or
Colab add is taken away: their metadata, ids of their own, versions, the state of widgets. And as
long as the code is that of the stored notebook (the one in git's index), so are its outputs and
numbers; a new run would draw the same figures with other bytes, and trained numbers differ a
little each time. From the first changed code cell on, outputs are those that the editor saved. To
store new outputs of the same code, as after a change of the package, is the business of `make
notebooks`: what it has written passes unchanged.
"""

import argparse
import itertools
import subprocess
import sys
from pathlib import Path

import nbformat

import notebook_file


def cleaned(text: str, stored: str | None) -> str:
    """What git sees of a notebook.

    Args:
        text: The file, as an editor saved it.
        stored: The file in git's index; None where it is new.
    """
    notebook = read(text)
    if notebook is None or notebook.metadata == notebook_file.METADATA:
        return text  # no notebook; or as tools/notebooks.py stores one
    notebook_file.strip(notebook)
    old = read(stored) if stored else None
    keep_names(notebook, old)
    cells, old_cells = code_cells(notebook), code_cells(old)
    pairs = zip(cells, old_cells, strict=False)
    same = list(itertools.takewhile(lambda pair: pair[0].source == pair[1].source, pairs))
    for cell, before in same:
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
        folds = {k: v for k, v in before.metadata.items() if k not in notebook_file.KEPT}
        cell.metadata |= folds  # of a plain copy
    for cell in cells[len(same) :]:
        cell.outputs = [o for o in cell.outputs if notebook_file.WIDGET not in o.get("data", {})]
    return notebook_file.text_of(notebook)


def keep_names(notebook: nbformat.NotebookNode, old: nbformat.NotebookNode | None) -> None:
    """Gives cells that say what they said before the ids that they had."""
    names: dict[tuple[str, str], list[str]] = {}
    for cell in old.cells if old else []:
        names.setdefault((cell.cell_type, cell.source), []).append(cell.id)
    for cell in notebook.cells:
        if before := names.get((cell.cell_type, cell.source)):
            cell.id = before.pop(0)


def read(text: str) -> nbformat.NotebookNode | None:
    """A notebook; None for what is none, such as a file with marks of a merge."""
    try:
        return nbformat.reads(text, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, KeyError, AttributeError):
        return None


def code_cells(notebook: nbformat.NotebookNode | None) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"] if notebook else []


def in_index(path: str) -> str | None:
    """The file that git has stored."""
    command = ["git", "cat-file", "blob", f":{path}"]
    result = subprocess.run(command, capture_output=True)
    return result.stdout.decode() if result.returncode == 0 else None


def install() -> None:
    """Tells git of this clone what the `filter=notebook` of .gitattributes is."""
    words = [Path(sys.executable).as_posix(), Path(__file__).resolve().as_posix()]
    command = f'"{words[0]}" "{words[1]}" %f'
    subprocess.run(["git", "config", "filter.notebook.clean", command], check=True)
    print("git now looks at notebooks through tools/notebook_filter.py")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", help="of a notebook, which stands on the standard input")
    parser.add_argument("--install", action="store_true", help="let git of this clone use it")
    arguments = parser.parse_args()
    if arguments.install:
        install()
        return 0
    if not arguments.path:
        parser.error("neither a path, which git gives, nor --install")
    text = sys.stdin.buffer.read().decode()
    sys.stdout.buffer.write(cleaned(text, in_index(arguments.path)).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
