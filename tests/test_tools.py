"""The tools that store notebooks, set the repository's address and keep .venv."""

import json

import nbformat
import pytest

import environment
import notebook_file
import notebooks
import set_repository

v4 = nbformat.v4


@pytest.fixture
def stored(tmp_path):
    """Stores a notebook of the given code cells, as an author's editor would."""

    def store(*sources):
        path = tmp_path / "chapter.ipynb"
        cells = [v4.new_markdown_cell("# Title"), *map(v4.new_code_cell, sources)]
        nbformat.write(v4.new_notebook(cells=cells, metadata={"vscode": {"theme": "x"}}), path)
        return path

    return store


@pytest.fixture
def no_bootstrap(monkeypatch):
    """The first cell does nothing: a notebook in a folder of its own would fetch the book."""
    monkeypatch.setattr(notebook_file, "source", lambda: "pass")


@pytest.mark.usefixtures("no_bootstrap")
def test_run_stores_outputs_and_nothing_of_the_machine(stored):
    path = stored(
        "import sys\nprint('a', end='')\nsys.stdout.flush()\nprint('b')",
        "import ipywidgets\nipywidgets.IntSlider()",
        "print('\\r 50%|####    |', file=sys.stderr)",
    )
    notebooks.run(path, seconds=60)
    first = path.read_bytes()
    stored_notebook = json.loads(first)
    outputs = [c["outputs"] for c in stored_notebook["cells"] if c["cell_type"] == "code"]
    assert [len(each) for each in outputs] == [0, 1, 0, 0]
    assert outputs[1][0]["text"] == ["ab\n"]
    assert set(stored_notebook["metadata"]) == {"kernelspec", "language_info"}
    notebooks.run(path, seconds=60)
    assert path.read_bytes() == first


@pytest.mark.usefixtures("no_bootstrap")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import warnings\nwarnings.warn('careful')", "stderr"),
        ("import time\ntime.sleep(60)", "more than 3 s"),
    ],
)
def test_run_refuses_and_keeps_the_old_file(stored, source, message):
    path = stored(source)
    before = path.read_bytes()
    with pytest.raises(notebooks.NotStoredError, match=message):
        notebooks.run(path, seconds=3)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_cell_names_follow_what_the_cells_say():
    def names(*sources):
        notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in sources])
        notebook_file.name_cells(notebook)
        return [cell.id for cell in notebook.cells]

    assert len(set(names("a", "b", "a"))) == 3
    assert names("new", "a", "b", "a")[1:] == names("a", "b", "a")


def test_first_cell_is_put_once():
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# T"), v4.new_code_cell("1")])
    assert notebook_file.put(notebook, "old")
    assert notebook_file.put(notebook, "new")
    assert not notebook_file.put(notebook, "new")
    assert [cell.source for cell in notebook.cells] == ["# T", "new", "1"]


@pytest.mark.parametrize(
    ("text", "derived"),
    [
        ('REPOSITORY = "https://github.com/a/b"', 'REPOSITORY = "https://github.com/Me/my.book"'),
        ("git clone https://github.com/a/b\n", "git clone https://github.com/Me/my.book\n"),
        (
            "[![](https://github.com/a/b/actions/workflows/book.yml/badge.svg)]",
            "[![](https://github.com/Me/my.book/actions/workflows/book.yml/badge.svg)]",
        ),
        (
            "https://colab.research.google.com/github/a/b/blob/main/book/x.ipynb",
            "https://colab.research.google.com/github/Me/my.book/blob/main/book/x.ipynb",
        ),
        ("https://a.github.io/b/", "https://me.github.io/my.book/"),
        ("https://github.com/other/project", "https://github.com/other/project"),
    ],
)
def test_address_is_derived_in_known_forms_only(text, derived):
    assert set_repository.derive(text, "Me", "my.book") == derived


@pytest.mark.parametrize(
    ("version", "suits"),
    [(None, False), ((3, 9), False), ((3, 10), True), ((3, 13), True), ((3, 14), False)],
)
def test_pythons_that_will_do(version, suits):
    assert environment.suits(version) is suits


def test_environment_is_known_by_its_requirements(tmp_path, monkeypatch):
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt"):
        (tmp_path / name).write_text("torch\n")
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "x"\n\n[tool.pytest.ini_options]\n')
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    before = environment.record((3, 12))
    project.write_text(project.read_text() + "[tool.ruff]\n")
    assert environment.record((3, 12)) == before
    (tmp_path / "constraints.txt").write_text("torch==2.15.0\n")
    assert environment.record((3, 12)) != before
    assert environment.record((3, 13)) != environment.record((3, 12))
