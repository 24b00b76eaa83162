"""What every notebook of the book keeps to: stored whole, clean, described, and checked."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
IGNORED = "nbval-ignore-output"


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell):
    return "".join(cell["source"])


def tags(cell):
    return cell["metadata"].get("tags", [])


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def prose(notebook):
    return "\n\n".join(source(c) for c in notebook["cells"] if c["cell_type"] == "markdown")


def outputs(notebook):
    return [(cell, output) for cell in code_cells(notebook) for output in cell["outputs"]]


def texts(output):
    """Every piece of text that an output shows, html and tracebacks included."""
    pieces = [output.get("text", ""), *output.get("traceback", [])]
    pieces += [v for kind, v in output.get("data", {}).items() if not kind.startswith("image/")]
    return ["".join(piece) for piece in pieces if isinstance(piece, (str, list))]


def plain_texts(output):
    pieces = [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
    return ["".join(piece) for piece in pieces]


def imports(notebook):
    """The statements that import from the package."""
    for cell in code_cells(notebook):
        try:
            tree = ast.parse(source(cell))
        except SyntaxError:  # a magic
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "vqvae_lite":
                yield ast.unparse(node)


def asserts(cell):
    """Whether a cell contains an assertion of its own (not in a function that it only defines)."""
    # Magics are no Python; a cell with one checks nothing.
    try:
        tree = ast.parse(source(cell))
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Assert) for node in ast.walk(tree))


def test_small(path):
    # Sounds; rows of frames, and the decoder of a tree of films.
    larger = {"07_speech": 2.5e6, "08_video": 4e6}
    assert path.stat().st_size < larger.get(path.stem, 1.5e6)


def test_kernel_is_python3(notebook):
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


def test_first_code_cell_finds_the_checkout(notebook):
    cell = code_cells(notebook)[0]
    template = (ROOT / "book" / "first_cell.py").read_text(encoding="utf-8").strip()
    assert source(cell) == template, "run tools/set_repository.py"
    assert tags(cell) == ["bootstrap", "hide-input"]
    assert cell["outputs"] == []


def test_what_is_imported_from_the_package_is_there(notebook):
    for statement in imports(notebook):
        exec(statement, {})


def test_executed_in_order(notebook):
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "run tools/notebooks.py"


def test_outputs_stored(notebook):
    assert sum(bool(cell["outputs"]) for cell in code_cells(notebook)) >= 3


def test_no_errors_nor_stderr(notebook):
    for cell, output in outputs(notebook):
        assert output["output_type"] != "error", source(cell)
        assert output.get("name") != "stderr", source(cell)


def test_no_widgets_stored(notebook):
    assert "widgets" not in notebook["metadata"]
    assert "application/vnd.jupyter.widget" not in json.dumps(notebook)


def pictures(output):
    """The kinds of picture that an output has."""
    return {kind for kind in output.get("data", {}) if kind.startswith("image/")}


def test_figures_are_svg_but_the_stills_of_interactive_ones(notebook):
    for cell, output in outputs(notebook):
        still = "vq-interactive" in "".join(output.get("data", {}).get("text/html", ""))
        assert pictures(output) <= {"image/png" if still else "image/svg+xml"}, source(cell)


def test_no_paths_of_one_machine(notebook):
    shown = [source(cell) for cell in notebook["cells"]]
    shown += [text for _, output in outputs(notebook) for text in texts(output)]
    path = re.compile(
        r"(?<![\w.])/(home|root|tmp|work|Users|mnt|content(?!/drive\b))/"
        r"|\b[A-Z]:\\|site-packages"
    )
    for text in shown:
        assert not path.search(text), path.search(text)


def test_no_addresses_in_memory(notebook):
    for cell, output in outputs(notebook):
        for text in texts(output):
            assert not re.search(r"\bat 0x[0-9a-f]{6,}", text), source(cell)


def test_printed_numbers_are_rounded(notebook):
    for cell, output in outputs(notebook):
        for text in plain_texts(output):
            assert not re.search(r"\d\.\d{7,}", text), f"{source(cell)}\n---\n{text}"


def test_figures_have_alt_text_and_caption(notebook):
    for cell, output in outputs(notebook):
        data = output.get("data", {})
        if pictures(output) or "vq-interactive" in "".join(data.get("text/html", "")):
            described = cell["metadata"].get("mystnb", {})
            alt = described.get("image", {}).get("alt", "")
            assert len(alt) >= 40, f"alt text {alt!r} of\n{source(cell)}"
            figure = described.get("figure", {})
            assert figure.get("caption"), f"no caption: {source(cell)}"
            assert figure.get("name"), f"no name: {source(cell)}"


def test_one_figure_per_described_cell(notebook):
    """Alt text, caption and name are a cell's: a second picture would carry them too."""
    for cell in code_cells(notebook):
        assert sum(bool(pictures(output)) for output in cell["outputs"]) <= 1, source(cell)


def test_interactive_figures_have_a_picture_too(notebook):
    for cell, output in outputs(notebook):
        data = output.get("data", {})
        if "vq-interactive" in "".join(data.get("text/html", "")):
            assert {"image/png", "text/plain"} <= set(data), source(cell)


def test_more_checks_than_ignored_outputs(notebook):
    cells = code_cells(notebook)
    ignored = sum(IGNORED in tags(cell) for cell in cells)
    checking = sum(IGNORED not in tags(cell) and asserts(cell) for cell in cells)
    assert checking > ignored


def test_the_proof_is_folded_away(notebook):
    for cell in code_cells(notebook):
        folded = {"hide-input", "hide-cell"} & set(tags(cell))
        assert folded or not asserts(cell), f"a visible assertion in\n{source(cell)}"
        if "check" in tags(cell):
            assert cell["metadata"]["mystnb"]["code_prompt_show"] == "Check"


def test_nothing_is_skipped(notebook):
    skipping = {"nbval-skip", "nbval-raises-exception", "raises-exception", "skip-execution"}
    for cell in code_cells(notebook):
        assert not skipping & set(tags(cell)), source(cell)
        assert not re.search(r"(?im)^\s*#\s*(nbval|pytest)[_-]", source(cell)), source(cell)


def test_opening(notebook):
    opening = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            break
        opening.append(source(cell))
    text = "\n\n".join(opening)
    assert text.startswith("# ")
    listings = r"(?ms)^```\w+\n.*?^```"
    assert len(re.findall(r"(?m)^# ", re.sub(listings, "", prose(notebook)))) == 1
    for words in ("You will learn", "You need", "Time"):
        assert f"**{words}" in text, f"the opening has no **{words}**"


@pytest.mark.parametrize("heading", ["Summary", "Exercises", "Further reading"])
def test_closing(notebook, heading):
    assert re.search(rf"(?m)^##+ {heading}\b", prose(notebook))


def test_exercises_have_solutions_that_ran(notebook):
    """Three or more, each with a solution in a drop-down that holds or precedes a cell."""
    exercises, solutions, ran, current = [], {}, {}, None
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            if current:
                ran[current] = True
            continue
        text = source(cell)
        pattern = r"(?m)^[`:]{3,}\{(exercise|solution)(?:-start)?\}[ \t]*(.*)\n((?:[ \t]*:.*\n)*)"
        for kind, name, options in re.findall(pattern, text):
            if kind == "exercise":
                label = re.search(r":label:\s*(\S+)", options)
                assert label, f"an exercise has no label:\n{text}"
                exercises.append(label[1])
                current = None
            else:
                assert re.search(r":class:.*\bdropdown\b", options), f"{name}: no drop-down"
                solutions[name.strip()] = True
                current = name.strip()
    assert len(exercises) >= 3
    assert len(set(exercises)) == len(exercises)
    assert set(exercises) == set(solutions)
    assert set(exercises) == set(ran), "a solution without an executed cell"
