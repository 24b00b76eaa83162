"""The first cell of every notebook: what it fetches and installs, and how it gives up."""

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import notebook_file

ROOT = Path(__file__).resolve().parents[2]
# What Colab has of what the book asks for, by its freeze of August 2026; and its Python.
COLAB = {
    "torch": "2.11.0", "torchvision": "0.26.0", "numpy": "2.1.3", "matplotlib": "3.10.0",
    "pillow": "11.3.0", "ipywidgets": "7.7.1", "ipython": "7.34.0", "ipykernel": "6.17.1",
}  # fmt: skip
COLAB_PYTHON = "3.13"


def cell(repository):
    """The first cell, of another repository."""
    return notebook_file.source().replace(notebook_file.address(), repository)


def error_of(source, folder):
    """What a notebook in a folder shows of the error in a cell."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook, kernel_name="python3", allow_errors=True, resources=resources
    ).execute()
    (error,) = [o for o in notebook.cells[0].outputs if o.output_type == "error"]
    assert not [o for o in notebook.cells[0].outputs if o.get("name") == "stderr"]
    return error.traceback


@pytest.mark.slow
def test_what_cannot_be_fetched_is_said_in_one_line(tmp_path):
    repository = (tmp_path / "nowhere").as_uri()
    (tmp_path / "here").mkdir()
    (line,) = error_of(cell(repository), tmp_path / "here")
    assert line.startswith("With git and a network, run this cell again; or open it in a clone of ")
    assert "\n" not in line
    assert repository in line
    assert "fatal: " in line, "git's own reason"
    assert not list((tmp_path / "here").iterdir()), "nothing half fetched stays"


@pytest.mark.slow
def test_without_git_too(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    (line,) = error_of(cell("https://example.org/book"), tmp_path)
    assert "With git and a network" in line
    assert line.count("\n") == 0


@pytest.fixture
def run_cell(monkeypatch):
    """Runs the cell in the checkout with some packages missing; gives pip's commands and files."""

    def run(missing, installed, fails=""):
        find, commands = importlib.util.find_spec, []
        distributions = [SimpleNamespace(metadata={"Name": n}, version=v) for n, v in installed]

        def pip(command, **_options):
            parts = [str(part) for part in command]
            files = [part for option, part in pairwise(parts) if option == "--constraint"]
            commands.append((parts, [Path(file).read_text(encoding="utf-8") for file in files]))
            if fails:
                raise subprocess.CalledProcessError(1, parts, stderr=fails)

        monkeypatch.chdir(ROOT / "book")
        # Other tests may have put the checkout there already; the cell is to find it by itself.
        paths = [path for path in sys.path if path not in ("", str(ROOT))]
        monkeypatch.setattr(sys, "path", paths)
        monkeypatch.setenv("PYTHONPATH", "elsewhere")
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name in missing else find(name)
        )
        monkeypatch.setattr(importlib.metadata, "distributions", lambda: distributions)
        monkeypatch.setattr(subprocess, "run", pip)
        exec(compile(notebook_file.source(), "first cell", "exec"), {})
        return commands

    return run


def test_where_all_is_there_nothing_is_done(run_cell, capsys):
    assert run_cell((), COLAB.items()) == []
    assert capsys.readouterr().out == ""
    assert sys.path.count(str(ROOT)) == 1
    assert os.environ["PYTHONPATH"] == os.pathsep.join([str(ROOT), "elsewhere"])


def test_what_is_missing_is_installed_beside_what_is_there(run_cell, capsys):
    installed = [
        ("torch", "2.11.0+cu128"),
        ("odd", "not a version"),
        (None, "1"),
        ("numpy", "2.1.3"),
    ]
    ((command, (ranges, kept)),) = run_cell(("praatio", "PIL"), installed)
    assert command[-2:] == ["pillow", "praatio"]
    assert kept.split() == ["torch==2.11.0+cu128", "numpy==2.1.3"]
    assert ranges == (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert capsys.readouterr().out == "Installing what is missing: pillow praatio\n"


def test_what_pip_cannot_install_is_said_in_one_line(run_cell):
    with pytest.raises(Exception, match="run this cell again: pip install praatio") as caught:
        run_cell(("praatio",), [], fails="a long story\nERROR: no matching distribution\n")
    (line,) = caught.value._render_traceback_()
    assert line.endswith("(ERROR: no matching distribution)")


@pytest.mark.parametrize("name", COLAB)
def test_what_colab_has_is_in_the_ranges(name):
    """What is asked for is what it has, or is not asked for: nothing there is replaced.

    (That pyproject.toml has the ranges of requirements.txt tests/test_project.py holds.)
    """
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines = [line.partition("#")[0].strip() for line in lines]
    ranges = {r.name: r.specifier for r in map(Requirement, filter(None, lines))}
    assert ranges.get(name, SpecifierSet()).contains(COLAB[name])
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pythons = re.search('(?m)^requires-python = "(.*)"$', project)[1]
    assert SpecifierSet(pythons).contains(COLAB_PYTHON)
