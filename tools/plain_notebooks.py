"""Copies of the book's notebooks for Jupyter, Colab and GitHub, which know no MyST: notebooks/.

    python tools/plain_notebooks.py            # makes all copies again, of the stored notebooks
    python tools/plain_notebooks.py --check    # changes nothing; status 1 where one is out of date

`make notebooks` makes them too. A copy has the same code. Its Markdown is plain: references are
words and links, boxes are quotes, the words of a solution are folded. Code that the book folds, and
that of solutions, is folded in JupyterLab and in Colab. Of the outputs only short texts are there,
so that a copy is small; running it brings the figures.
"""

import argparse
import sys
from pathlib import Path

import nbformat

import notebook_file
from plain_markdown import Converter
from plain_references import bibliography, book

ROOT = notebook_file.ROOT
COPIES = ROOT / "notebooks"
SHORT = 1500  # characters of an output
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # JupyterLab; Colab
HIDDEN = {"jupyter": {"outputs_hidden": True, "source_hidden": True}, "cellView": "form"}
NOTE = """\
*{part} of [The VQ-VAE, step by step]({url}), made for Jupyter and Colab from
[book/{name}](../book/{name}), where changes belong. Run the cells to see the figures.
[Open in Colab](https://colab.research.google.com/github/{slug}/blob/main/notebooks/{name})*"""


def copy_of(path: Path) -> str:
    """The text of the copy of one notebook.

    Raises:
        ValueError: Its Markdown has something that plain_markdown.py does not know.
    """
    notebook = nbformat.read(path, as_version=4)
    convert = Converter(book(), path.stem)
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cells += map(nbformat.v4.new_markdown_cell, convert.cells(cell.source))
            continue
        if "bootstrap" in cell.metadata.get("tags", []):
            cells.append(nbformat.v4.new_markdown_cell(note(path)))
        cells.append(code_cell(cell, convert.solving))
        if figure := cell.metadata.get("mystnb", {}).get("figure"):
            cells += map(nbformat.v4.new_markdown_cell, convert.caption(figure))
    if convert.cited:
        text = f"## References\n\n{bibliography(convert.cited)}"
        cells.append(nbformat.v4.new_markdown_cell(text))
    copy = nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)
    copy.nbformat_minor = notebook.nbformat_minor
    notebook_file.name_cells(copy)
    return notebook_file.text_of(copy)


def note(path: Path) -> str:
    """Says what the copy is, and where it comes from."""
    url = notebook_file.address()
    slug = url.removeprefix("https://github.com/")
    number = book().chapters[path.stem]
    part = f"Chapter {number}" if number else "The prologue"
    return NOTE.format(part=part, url=url, slug=slug, name=path.name).replace("\n", " ")


def code_cell(cell: nbformat.NotebookNode, solving: bool) -> nbformat.NotebookNode:
    """The same code, folded as in the book, with its short outputs alone."""
    tags = cell.metadata.get("tags", [])
    metadata = FOLDED if "hide-input" in tags else {}
    if solving or "hide-cell" in tags:
        metadata = HIDDEN
    outputs = [output for output in map(short, cell.outputs) if output]
    count = cell.execution_count if len(outputs) == len(cell.outputs) else None
    return nbformat.v4.new_code_cell(
        cell.source, metadata=metadata, outputs=outputs, execution_count=count
    )


def short(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """An output with what a copy keeps of it; None where that is nothing."""
    if output.output_type == "stream":
        return output if len(output.text) <= SHORT else None
    text = output.get("data", {}).get("text/plain", "<")
    pictures = any(kind.startswith("image/") for kind in output.data)
    if text.startswith("<") or pictures or len(text) > SHORT:
        return None  # a figure, a sound: its text only names its kind
    data = {kind: value for kind, value in output.data.items() if len(value) <= SHORT}
    return nbformat.v4.new_output("display_data", data)


def make(check: bool = False) -> list[Path]:
    """Makes all copies, and takes away those of notebooks that are gone; returns what differed."""
    texts: dict[Path, str] = {}
    for name in book().chapters:
        source = ROOT / "book" / f"{name}.ipynb"
        try:
            texts[COPIES / source.name] = copy_of(source)
        except ValueError as error:
            raise ValueError(f"{source.name}: {error}") from error
    gone = [path for path in COPIES.glob("*.ipynb") if path not in texts]
    different = [p for p, text in texts.items() if not p.exists() or p.read_text("utf-8") != text]
    if not check:
        COPIES.mkdir(exist_ok=True)
        for path in different:
            path.write_text(texts[path], encoding="utf-8", newline="\n")
        for path in gone:
            path.unlink()
    return different + gone


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say which are out of date")
    check = parser.parse_args().check
    different = make(check)
    for path in different:
        print(f"{path.relative_to(ROOT)}: {'out of date' if check else 'made'}")
    return int(check and bool(different))


if __name__ == "__main__":
    sys.exit(main())
