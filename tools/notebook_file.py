"""Notebook files: the first code cell, the same in all, what is stored, and the names of cells."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "book" / "first_cell.py"
TAGS = ["bootstrap", "hide-input"]
KEPT = ("tags", "mystnb", "vqvae")  # metadata of a cell
METADATA = {  # of a notebook
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
WIDGET = "application/vnd.jupyter.widget-view+json"


def source() -> str:
    """What the cell says."""
    return TEMPLATE.read_text(encoding="utf-8").strip()


def address() -> str:
    """Of the repository, as the cell says it."""
    return re.search('(?m)^REPOSITORY = "(.*)"$', source())[1]


def make_font_cache() -> None:
    """Lets matplotlib look for fonts now: on its first import it says so on a slow machine."""
    command = [sys.executable, "-c", "import matplotlib.font_manager"]
    subprocess.run(command, stderr=subprocess.DEVNULL)


def put(notebook: nbformat.NotebookNode, text: str) -> bool:
    """Sets the cell tagged `bootstrap`, or puts one before the first code cell.

    Returns whether anything changed.
    """
    for cell in notebook.cells:
        if "bootstrap" in cell.metadata.get("tags", []):
            changed = cell.source != text or cell.metadata.tags != TAGS
            cell.source, cell.metadata.tags = text, TAGS
            return changed
    kinds = [cell.cell_type for cell in notebook.cells]
    place = kinds.index("code") if "code" in kinds else len(kinds)
    cell = nbformat.v4.new_code_cell(text, metadata={"tags": TAGS})
    notebook.cells.insert(place, cell)
    return True


def strip(notebook: nbformat.NotebookNode) -> None:
    """Takes away what a notebook is not stored with, and what editors write into it; no outputs."""
    name_cells(notebook)
    notebook.nbformat_minor = 5
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in KEPT}
        cell.pop("attachments", None)


def text_of(notebook: nbformat.NotebookNode) -> str:
    """The text of a notebook's file."""
    return nbformat.writes(notebook) + "\n"


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Stores a notebook at one blow, so that an interruption leaves the old file."""
    partial = path.with_suffix(".partial")
    partial.write_text(text_of(notebook), encoding="utf-8", newline="\n")
    os.replace(partial, path)


def name_cells(notebook: nbformat.NotebookNode) -> None:
    """Derives each cell's id from what it says, so that an id never changes for its own sake."""
    seen: set[str] = set()
    for cell in notebook.cells:
        base = hashlib.sha256(f"{cell.cell_type}:{cell.source}".encode()).hexdigest()
        name, again = base[:8], 0
        while name in seen:
            again += 1
            name = f"{base[:8]}-{again}"
        seen.add(name)
        cell.id = name
