"""A copy of one notebook in an empty folder finds all that it reads: tools/anywhere.py."""

import ast
from pathlib import Path

import nbformat
import pytest

import anywhere
from cell_limits import stored_seconds

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))

pytestmark = pytest.mark.slow


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def lookups(path):
    """The calls of `find`, and of a chapter's own `results`, whose argument is written out."""
    for cell in code_cells(path):
        for node in ast.walk(ast.parse(cell.source)):
            called = isinstance(node, ast.Call) and getattr(node.func, "id", None)
            if called in ("find", "results") and isinstance(node.args[0], ast.Constant):
                yield ast.unparse(node)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of a repository of the working tree."""
    return anywhere.make_repository(tmp_path_factory.mktemp("repository") / "book.git")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, address):
    """A folder in which the first cell has been run, as where a second notebook is opened."""
    folder = tmp_path_factory.mktemp("alone")
    notebook = anywhere.alone(NOTEBOOKS[0], address)
    notebook.cells = [next(cell for cell in notebook.cells if cell.cell_type == "code")]
    anywhere.execute(notebook, folder)
    return folder


@pytest.fixture(autouse=True)
def nothing_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("VQVAE_LITE_DATA", str(tmp_path / "nothing"))


def test_the_first_cell_fetches_what_is_read_and_no_more(folder):
    (fetched,) = folder.iterdir()
    names = {path.name for path in fetched.iterdir()}
    assert {"vqvae_lite", "data", "checkpoints", "benchmarks", "requirements.txt"} <= names
    assert not {".git", "book", "tests"} & names
    assert anywhere.size(fetched) < 60e6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_begins_and_finds_its_files(path, address, folder):
    notebook = anywhere.alone(path, address)
    first, setup = [cell for cell in notebook.cells if cell.cell_type == "code"][:2]
    found = nbformat.v4.new_code_cell("\n".join(lookups(path)))
    notebook.cells = [first, setup, found]
    anywhere.execute(notebook, folder)


def test_a_whole_chapter_runs(address, tmp_path):
    """The one that takes the least time among those that read files."""
    paths = [path for path in NOTEBOOKS if any(lookups(path))]
    quickest = min(paths, key=lambda path: sum(stored_seconds(cell) for cell in code_cells(path)))
    anywhere.execute(anywhere.alone(quickest, address), tmp_path)
