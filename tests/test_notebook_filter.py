"""To git a notebook that an editor has run and saved has not changed; what has changed is seen."""

import subprocess
import sys

import nbformat
import pytest

import notebook_file
import notebook_filter

v4 = nbformat.v4
ANSWER = v4.new_output("stream", text="stored\n")


def notebook(*cells):
    """A notebook of text (a str) and code (a list of one str), as tools/notebooks.py stores it."""
    built, count = [], 0
    for cell in cells:
        if isinstance(cell, str):
            built.append(v4.new_markdown_cell(cell))
            continue
        count += 1
        metadata = {"vqvae": {"seconds": 1}, "mystnb": {"image": {"alt": "x"}}}
        built.append(
            v4.new_code_cell(cell[0], outputs=[ANSWER], execution_count=count, metadata=metadata)
        )
    stored = v4.new_notebook(cells=built)
    notebook_file.strip(stored)
    stored.cells[0].id = "by-hand"  # whoever edits the file's text leaves the ids
    return stored


def as_saved(stored):
    """The notebook after an editor has opened, run and saved it."""
    saved = nbformat.from_dict(stored)
    saved.metadata["language_info"] = {"name": "python", "version": "3.12.1", "mimetype": "x"}
    saved.metadata["kernelspec"] = {"display_name": "Python 3 (ipykernel)", "name": "python3"}
    saved.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    saved.metadata["colab"] = {"provenance": []}
    view = {notebook_file.WIDGET: {"model_id": "1"}, "text/plain": "VBox()"}
    for number, cell in enumerate(saved.cells):
        cell.id = f"editor{number}"
        cell.metadata["collapsed"] = False
        cell.metadata["jupyter"] = {"source_hidden": True}
        if cell.cell_type == "code":
            cell.execution_count = 70 + number
            again = v4.new_output("stream", text=f"again {number}\n")
            cell.outputs = [again, v4.new_output("display_data", view)]
    return saved


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A repository with a notebook, in which the filter is set up; gives its path and `git`."""
    monkeypatch.chdir(tmp_path)

    def git(*words):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    git("init", "--quiet")
    monkeypatch.setattr(sys, "argv", ["notebook_filter.py", "--install"])
    assert notebook_filter.main() == 0
    attributes = (notebook_file.ROOT / ".gitattributes").read_text(encoding="utf-8")
    (tmp_path / ".gitattributes").write_text(attributes)
    path = tmp_path / "chapter one.ipynb"
    notebook_file.write(notebook("# Title", ["1"], ["2"], "End."), path)
    git("add", "-A")
    git("commit", "--quiet", "-m", "first")
    return path, git


def test_a_notebook_that_was_run_and_saved_has_not_changed(clone):
    path, git = clone
    first = path.read_text(encoding="utf-8")
    for _ in range(2):
        nbformat.write(as_saved(nbformat.read(path, as_version=4)), path)
        assert path.read_text(encoding="utf-8") != first
        assert git("diff") == ""
        git("add", "-u")  # git compares sizes before it asks a filter
        assert git("status", "--porcelain") == ""
    assert git("show", f":{path.name}") == first


def test_changed_words_alone_are_seen(clone):
    path, git = clone
    saved = as_saved(nbformat.read(path, as_version=4))
    saved.cells[-1].source = "Another end."
    saved.cells.insert(1, v4.new_markdown_cell("New."))
    nbformat.write(saved, path)
    git("add", "-A")
    expected = notebook("# Title", "New.", ["1"], ["2"], "Another end.")
    assert git("show", f":{path.name}") == notebook_file.text_of(expected)


def test_outputs_from_the_first_changed_code_on_are_the_new_ones(clone):
    path, git = clone
    saved = as_saved(nbformat.read(path, as_version=4))
    saved.cells[2].source = "3"
    nbformat.write(saved, path)
    git("add", "-A")
    first, second = notebook_filter.code_cells(nbformat.reads(git("show", f":{path.name}"), 4))
    assert (first.outputs, first.execution_count) == ([ANSWER], 1)
    assert [output.text for output in second.outputs] == ["again 2\n"]
    assert second.execution_count == 72


def test_tags_and_captions_are_changes(clone):
    path, git = clone
    saved = as_saved(nbformat.read(path, as_version=4))
    saved.cells[1].metadata["tags"] = ["hide-input"]
    saved.cells[2].metadata["mystnb"]["image"]["alt"] = "y"
    nbformat.write(saved, path)
    git("add", "-A")
    found = nbformat.reads(git("show", f":{path.name}"), as_version=4)
    assert found.cells[1].metadata["tags"] == ["hide-input"]
    assert found.cells[2].metadata["mystnb"]["image"]["alt"] == "y"
    assert [cell.outputs for cell in notebook_filter.code_cells(found)] == [[ANSWER], [ANSWER]]


def test_what_make_notebooks_has_stored_passes(clone):
    path, git = clone
    again = nbformat.read(path, as_version=4)
    again.cells[1].outputs = [v4.new_output("stream", text="measured again\n")]
    notebook_file.write(again, path)
    git("add", "-A")
    assert git("show", f":{path.name}") == path.read_text(encoding="utf-8")


def test_folds_of_a_plain_copy_stay():
    copy = notebook(["1"])
    copy.cells[0].metadata["cellView"] = "form"
    text = notebook_file.text_of(copy)
    saved = as_saved(copy)
    del saved.cells[0].metadata["cellView"]
    assert notebook_filter.cleaned(nbformat.writes(saved), text) == text


@pytest.mark.parametrize("text", ["", "no notebook", "<<<<<<< a\n{}\n", "{}", "[1]"])
def test_what_is_no_notebook_passes(text):
    assert notebook_filter.cleaned(text, None) == text


def test_a_new_notebook_is_stripped():
    saved = as_saved(notebook("# T", ["1"]))
    found = nbformat.reads(notebook_filter.cleaned(nbformat.writes(saved), None), as_version=4)
    assert found.metadata == notebook_file.METADATA
    assert set(found.cells[1].metadata) == {"vqvae", "mystnb"}
    assert [output.text for output in found.cells[1].outputs] == ["again 1\n"]
