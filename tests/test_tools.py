"""The tools that store notebooks, set the repository's address and keep .venv."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
import torch
from safetensors.torch import load_file, save_file

import cell_limits
import environment
import installing
import notebook_file
import notebooks
import set_repository
import shrink_checkpoint
from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.priors.pixelcnn import PixelCNNConfig

v4 = nbformat.v4


@pytest.fixture
def stored(tmp_path):
    """Stores a notebook of the given code cells, as an author's editor would."""

    def store(*sources, tags=()):
        path = tmp_path / "chapter.ipynb"
        metadata = {"tags": list(tags)}
        code = [v4.new_code_cell(source, metadata=metadata) for source in sources]
        cells = [v4.new_markdown_cell("# Title"), *code]
        nbformat.write(v4.new_notebook(cells=cells, metadata={"vscode": {"theme": "x"}}), path)
        return path

    return store


@pytest.fixture
def no_bootstrap(monkeypatch):
    """The first cell does nothing: a notebook in a folder of its own would fetch the book."""
    monkeypatch.setattr(notebook_file, "source", lambda: "pass")


@pytest.mark.slow
@pytest.mark.usefixtures("no_bootstrap")
def test_run_stores_outputs_and_nothing_of_the_machine(stored):
    path = stored(
        "import sys\nprint('a', end='')\nsys.stdout.flush()\nprint('b')",
        "import ipywidgets\nipywidgets.IntSlider()",
        "print('\\r 50%|####    |', file=sys.stderr)",
        tags=["nbval-ignore-output"],
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


@pytest.mark.slow
@pytest.mark.usefixtures("no_bootstrap")
def test_run_stores_what_each_cell_took(stored):
    path = stored("import time\ntime.sleep(1.2)", "1")
    notebooks.run(path, seconds=60)
    took = [cell_limits.stored_seconds(cell) for cell in nbformat.read(path, 4).cells]
    assert took[0] is None, "a heading"
    assert all(isinstance(seconds, int) for seconds in took[1:])
    assert took[2] >= 2


@pytest.mark.parametrize(
    ("old", "took", "new"),
    [(None, 0.2, 1), (1, 4, 1), (10, 5.1, 10), (20, 7, 7), (20, 40, 20), (20, 40.1, 41)],
)
def test_stored_seconds_stay_while_they_are_about_right(old, took, new):
    cell = v4.new_code_cell("1", metadata={} if old is None else {"vqvae": {"seconds": old}})
    notebooks.note_seconds(cell, took)
    assert cell.metadata["vqvae"] == {"seconds": new}


def test_a_cell_may_take_many_times_what_it_took():
    assert cell_limits.limit_of(1) == 120
    assert cell_limits.limit_of(60) == 1200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "told"),
    [(1, "its limit is 2 s (1 s when it was stored)"), (None, "its limit is 3 s (no stored time)")],
)
def test_a_cell_beyond_its_limit_is_named(tmp_path, seconds, told):
    slow = v4.new_code_cell("import time\ntime.sleep(60)")
    if seconds:
        slow.metadata["vqvae"] = {"seconds": seconds}
    cells = [v4.new_code_cell("1"), slow]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "chapter.ipynb")
    (tmp_path / "in_a_hurry.py").write_text(
        "import cell_limits\ncell_limits.TIMES, cell_limits.FLOOR = 2, 0\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "cell_limits", "-p", "in_a_hurry", "-q"]
    command += ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=3", "chapter.ipynb"]
    tools = str(notebook_file.ROOT / "tools")
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([tools, str(tmp_path)])}
    result = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert "1 failed, 1 passed" in result.stdout, result.stdout + result.stderr
    assert re.search(r"chapter.ipynb, cell 1: stopped after \d+ s", result.stdout)
    assert told in result.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("no_bootstrap")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import warnings\nwarnings.warn('careful')", "stderr"),
        ("import time\ntime.sleep(60)", "more than 3 s"),
        ("import ipywidgets\nipywidgets.IntSlider()", "without the tag nbval-ignore-output"),
        ("import sys\nprint('\\r 50%|##', file=sys.stderr)", "without the tag"),
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
        (
            "https://github.com/a/b/releases/latest/download/x.pdf",
            "https://github.com/Me/my.book/releases/latest/download/x.pdf",
        ),
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


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with requirements and no .venv, for environment.py to work in; Python is 3.12."""
    for name in environment.STAGES["all"]:
        (tmp_path / name).write_text("torch\n")
    venv = tmp_path / ".venv"
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    monkeypatch.setattr(environment, "VENV", str(venv))
    monkeypatch.setattr(environment, "RECORD", str(venv / "record.json"))
    monkeypatch.setattr(
        environment, "probe", lambda python: ((3, 12) if venv.exists() else None, python)
    )
    monkeypatch.setattr(environment, "find_python", lambda asked: ((3, 12), "python3.12"))
    monkeypatch.setattr(environment, "tools", lambda: ["pip"])
    monkeypatch.delenv("PYTHON", raising=False)
    return tmp_path


@pytest.fixture
def make_environment(place, monkeypatch):
    """Calls environment.py; gives back its status and what was installed, by the list's name."""

    def call(*arguments, works=True, stopped=False):
        lists = []

        def follow(command, title, venv):
            if stopped and "-r" in command:
                raise KeyboardInterrupt
            if "-r" in command:
                lists.append(command[command.index("-r") + 1])
            elif "venv" in command:
                lists.append("new")
            return works

        monkeypatch.setattr(installing, "follow", follow)
        monkeypatch.setattr(sys, "argv", ["environment.py", *arguments])
        try:
            return environment.main(), lists
        except KeyboardInterrupt:
            return None, lists

    return call


BOOK, ALL = "requirements-book.txt", "requirements-dev.txt"


def test_a_second_call_does_nothing(make_environment):
    assert make_environment("book") == (0, ["new", BOOK])
    assert make_environment("book") == (0, [])
    assert make_environment() == (0, [ALL])
    assert make_environment() == (0, [])
    assert make_environment("book") == (0, [])


@pytest.mark.parametrize("stage", ["book", "all"])
def test_an_interrupted_environment_is_made_anew(make_environment, stage):
    full = {"book": BOOK, "all": ALL}[stage]
    assert make_environment(stage, stopped=True) == (None, ["new"])
    assert make_environment(stage) == (0, ["new", full])
    assert make_environment(stage) == (0, [])


def test_an_interrupted_second_stage_is_made_anew(make_environment):
    make_environment("book")
    assert make_environment(stopped=True) == (None, [])
    assert make_environment() == (0, ["new", ALL])


def test_a_failed_stage_leaves_the_first_and_is_tried_again(make_environment, capsys):
    make_environment("book")
    assert make_environment(works=False) == (1, [ALL])
    assert capsys.readouterr().out.endswith("failed; the next call tries again\n")
    assert make_environment("book") == (0, [])
    assert make_environment() == (0, [ALL])


@pytest.mark.parametrize(
    ("name", "book", "all_of_it"),
    [
        ("requirements-book.txt", [BOOK], [ALL]),
        ("constraints.txt", [BOOK], [ALL]),
        ("requirements.txt", [], [ALL]),
        ("pyproject.toml", [], [ALL]),
    ],
)
def test_what_has_changed_is_brought_up_to_date(place, make_environment, name, book, all_of_it):
    make_environment()
    (place / name).write_text("numpy\n")
    assert make_environment("book") == (0, book)
    assert make_environment() == (0, all_of_it)


def test_settings_of_the_tools_are_no_requirement(place, make_environment):
    make_environment()
    with (place / "pyproject.toml").open("a") as file:
        file.write("\n[tool.pytest.ini_options]\n[tool.ruff]\n")
    assert make_environment() == (0, [])


def test_an_unknown_stage_is_refused(make_environment, capsys):
    assert make_environment("bok") == (2, [])
    assert capsys.readouterr().out == ".venv: stage must be book or all, got bok\n"


def test_the_interpreter_is_where_each_system_has_it(monkeypatch):
    assert environment.python_of("a") == os.path.join("a", "bin", "python")
    monkeypatch.setattr(os, "name", "nt")
    assert environment.python_of("a") == os.path.join("a", "Scripts", "python.exe")


def test_progress_is_what_pip_says_and_what_is_in_place():
    there = {"pip"}
    progress = installing.Progress(lambda: set(there))
    said = []
    for line in (
        "Collecting torch>=2.4 (from -r requirements.txt (line 5))",
        "  Downloading torch-2.15.0-cp311-cp311-linux_x86_64.whl (820.3 MB)",
        "Requirement already satisfied: six",
        "Collecting numpy",
        "Installing collected packages: numpy, torch",
    ):
        progress.hear(line)
        said.append(str(progress))
    there.add("numpy")
    assert said == [
        "packages found: 1, torch",
        "packages found: 1, torch (820.3 MB)",
        "packages found: 1, torch (820.3 MB)",
        "packages found: 2, numpy",
        "0 of 2 packages in place",
    ]
    assert str(progress) == "1 of 2 packages in place"


def test_progress_is_what_uv_says():
    progress = installing.Progress(set)
    progress.hear("Downloading torch (820.3MiB)")
    assert str(progress) == "torch (820.3MiB)"
    progress.hear("Prepared 34 packages in 3.21s")
    assert str(progress) == "0 of 34 packages in place"


def python_that(program):
    return [sys.executable, "-c", program]


def test_what_installs_is_not_silent_where_no_line_can_move(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(installing, "EVERY", 0)
    program = "import time; print('Collecting torch', flush=True); time.sleep(1)"
    assert installing.follow(python_that(program), "installing", str(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ".venv: installing"
    assert re.fullmatch(r"\.venv: installing: packages found: 1, torch, \d s", lines[-1])


def test_what_fails_to_install_says_why(tmp_path, capsys):
    program = "print('ERROR: no such package'); raise SystemExit(1)"
    assert not installing.follow(python_that(program), "installing", str(tmp_path))
    assert capsys.readouterr().out.endswith("failed, 0 s\nERROR: no such package\n")
    assert not installing.follow([str(tmp_path / "absent")], "installing", str(tmp_path))
    assert "failed: " in capsys.readouterr().out


@pytest.fixture
def weights(tmp_path):
    """A checkpoint's folder with weights of several kinds, and a function that reads them back."""
    state = {
        "encoder.weight": torch.tensor([1 / 3, -2.0]),
        "encoder_other": torch.tensor([1 / 3]),
        "decoder.weight": torch.tensor([65504.0, 1e-9]),
        "quantizer.passes": torch.tensor(2049),
    }
    save_file(state, tmp_path / "model.safetensors")
    return tmp_path, state, lambda: load_file(tmp_path / "model.safetensors")


def test_a_checkpoint_is_rounded_to_half_precision_but_for_integers_and_what_is_kept(weights):
    path, state, read = weights
    before = (path / "model.safetensors").stat().st_size
    saved = shrink_checkpoint.shrink(path, keep=("encoder",))
    found = read()
    assert (path / "model.safetensors").stat().st_size == before - saved
    assert {name: value.dtype for name, value in found.items()} == {
        "encoder.weight": torch.float32,
        "encoder_other": torch.float16,
        "decoder.weight": torch.float16,
        "quantizer.passes": torch.int64,
    }
    for name, value in found.items():
        assert torch.equal(value, state[name].to(value.dtype))
    assert [file.name for file in path.iterdir()] == ["model.safetensors"]


def test_in_8_bits_each_row_has_its_own_scale_and_a_checkpoint_loads_as_before(tmp_path):
    model = new_model("pixelcnn", PixelCNNConfig(num_codes=7, width=8, num_layers=2), seed=0)
    torch.nn.init.normal_(model.head.weight)
    model.layers[0].vertical.weight.data[3] *= 1000
    model.layers[0].vertical.weight.data[4] = 0
    path = save_checkpoint(tmp_path / "run", model, step=1)
    whole = (path / "model.safetensors").stat().st_size
    assert shrink_checkpoint.shrink(path, bits=8) > 0.5 * whole
    again = (path / "model.safetensors").read_bytes()
    assert shrink_checkpoint.shrink(path, bits=8) == 0
    assert (path / "model.safetensors").read_bytes() == again, "what is in 8 bits stays"
    found = load_checkpoint(path).model.state_dict()
    for name, value in model.state_dict().items():
        assert found[name].dtype == torch.float32
        if value.ndim > 1:
            rows = value.flatten(1)
            apart = (found[name].flatten(1) - rows).abs().amax(1)
            assert (apart <= 0.5001 / 127 * rows.abs().amax(1)).all(), name
        else:
            assert torch.equal(found[name], value.half().float())


@pytest.mark.parametrize(
    ("name", "value", "keep", "message"),
    [
        ("decoder.weight", 7e4, (), "decoder.weight has values beyond 65504, or NaN"),
        ("decoder.weight", float("nan"), (), "decoder.weight has values beyond 65504, or NaN"),
        ("decoder.weight", 1.0, ("coder",), "no part 'coder', only .*'decoder', 'encoder'"),
    ],
)
def test_a_checkpoint_that_cannot_be_rounded_stays(weights, name, value, keep, message):
    path, state, _ = weights
    state[name] = torch.tensor([value])
    save_file(state, path / "model.safetensors")
    before = (path / "model.safetensors").read_bytes()
    with pytest.raises(ValueError, match=message):
        shrink_checkpoint.shrink(path, keep)
    assert (path / "model.safetensors").read_bytes() == before


@pytest.fixture
def record(monkeypatch, tmp_path):
    """The module that benchmarks share, which writes into a folder of its own here."""
    monkeypatch.setattr(sys, "path", [str(notebook_file.ROOT / "benchmarks"), *sys.path])
    module = importlib.import_module("record")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    return module


def test_a_benchmark_stores_the_command_that_makes_its_figures_again(record, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/some/where/benchmarks/speech.py", "my run", "--name", "x"])
    record.run(lambda: ("x", {"figure": 1}))
    written = json.loads((record.RESULTS / "x.json").read_text())
    assert written["command"] == "python benchmarks/speech.py 'my run' --name x"
    assert written["figure"] == 1
    assert set(written) == {"command", "commit", "machine", "figure"}
    assert "x.json" in capsys.readouterr().out


def test_a_benchmark_with_nothing_to_tell_writes_nothing(record):
    record.run(lambda: None)
    assert not record.RESULTS.exists()


def test_every_benchmark_runs_in_the_same_way():
    for path in (notebook_file.ROOT / "benchmarks").glob("*.py"):
        text = path.read_text()
        if "__main__" in text:
            assert text.endswith('if __name__ == "__main__":\n    run(main)\n'), path.name
            # "--help" says what it does, and does not do it.
            assert "ArgumentParser(" in text or "    without_options(__doc__)\n" in text, path.name
        assert path.name == "record.py" or "sys.path.insert(0, str(ROOT))" not in text, path.name


def test_a_stored_figure_has_places_to_a_tenth_of_a_point():
    svg = '<g transform="translate(34.834766 252.647801) scale(0.015625)">\n  <use x="41.46875"/>'
    stored = '<g transform="translate(34.8 252.6) scale(0.015625)"><use x="41.4"/>'
    assert notebooks.smaller(svg) == stored


def test_points_of_a_stored_figure_that_have_one_style_have_it_together():
    def of(*styles):
        uses = [f'<use x="{x}.0" style="{style}"/>' for x, style in enumerate(styles)]
        return f'<g clip-path="url(#c)">{"".join(uses)}</g>'

    blue, red, faint = (f"fill: {value}" for value in ("#00f", "#f00", "#00f; opacity: 0.5"))
    for style in (blue, "fill: #00f; fill-opacity: 0.5"):
        once = f'<g clip-path="url(#c)" style="{style}"><use x="0.0"/><use x="1.0"/></g>'
        assert notebooks.smaller(of(style, style)) == once
    for kept in (of(blue, red), of(faint, faint), of(blue)):
        assert notebooks.smaller(kept) == kept
