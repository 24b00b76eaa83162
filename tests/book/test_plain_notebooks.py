"""The copies of the notebooks for Jupyter, Colab and GitHub: plain, small, and true to the book."""

import json
import re
import subprocess
import sys

import nbformat
import pybtex.database
import pytest

import notebooks
import plain_notebooks
import plain_references
from plain_markdown import Converter
from plain_references import Book, Target, blocks

ROOT = plain_notebooks.ROOT
SOURCES = sorted((ROOT / "book").glob("*.ipynb"))
MYST = {
    "a role": r"\{[\w:.-]+\}`",
    "a directive": r"(?m)^[ >]*(?:`{3,}|:{3,}) *\{",
    "an option": r"(?m)^[ >]*:[\w-]+:",
    "a label": r"(?m)^\([\w-]+\)=",
    "a labelled equation": r"(?m)\$\$ *\([\w-]+\) *$",
}


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def chapter(request):
    """A notebook of the book, and its copy."""
    copy = plain_notebooks.COPIES / request.param.name
    return nbformat.read(request.param, as_version=4), nbformat.read(copy, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_copies_are_those_of_the_stored_notebooks():
    """Made in another process, so that no order of sets or dicts of this one can hide."""
    command = [sys.executable, "tools/plain_notebooks.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    told = result.stdout + result.stderr
    assert result.returncode == 0, f"{told}\nrun: python tools/plain_notebooks.py"
    assert {path.name for path in plain_notebooks.COPIES.iterdir()} == {p.name for p in SOURCES}


def test_copies_are_made_after_notebooks_have_run(monkeypatch):
    done = []
    monkeypatch.setattr(notebooks, "run", lambda path, seconds: done.append(path.name) or 0.0)
    monkeypatch.setattr(plain_notebooks, "make", lambda: done.append("copies"))
    monkeypatch.setattr(notebooks.notebook_file, "make_font_cache", lambda: None)
    monkeypatch.setattr(sys, "argv", ["notebooks.py", str(SOURCES[0])])
    assert notebooks.main() == 0
    assert done == [SOURCES[0].name, "copies"]


@pytest.mark.parametrize("what", MYST)
def test_no_myst_is_left(chapter, what):
    assert not re.findall(MYST[what], prose(chapter[1]))


def test_the_code_is_the_same(chapter):
    source, copy = chapter
    assert [cell.source for cell in code(copy)] == [cell.source for cell in code(source)]


def test_copies_are_small_and_valid():
    for path in plain_notebooks.COPIES.glob("*.ipynb"):
        assert path.stat().st_size < 220_000, path
        text = path.read_text(encoding="utf-8")
        nbformat.validate(nbformat.reads(text, as_version=4))
        assert json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n" == text
        assert not re.search(r"image/png|<iframe|<audio|<img", text)


def test_code_is_folded_where_the_book_folds_it(chapter):
    source, copy = chapter
    solving = False
    wanted = []
    for cell in source.cells:
        if cell.cell_type == "markdown":
            for name in re.findall(r"\{solution-(start|end)\}", cell.source):
                solving = name == "start"
        else:
            wanted.append(solving or "hide-input" in cell.metadata.get("tags", []))
    folded = [cell.metadata.get("jupyter", {}).get("source_hidden", False) for cell in code(copy)]
    assert folded == wanted
    assert folded == [cell.metadata.get("cellView") == "form" for cell in code(copy)]


def test_all_is_there_that_can_be_referred_to(chapter):
    source, copy = chapter
    text = prose(copy)
    for kind, words in (("exercise", r"(?m)^### Exercise "), ("solution-start", "<details>")):
        count = len(re.findall(rf"\{{{kind}\}}", prose(source)))
        assert count <= len(re.findall(words, text)), kind
    for cell in code(source):
        if figure := cell.metadata.get("mystnb", {}).get("figure"):
            assert f"**{plain_references.book().targets[figure['name']].text}.**" in text
    assert text.count("<details>") == text.count("</details>")
    assert text.count(r"\tag{") == len(re.findall(r"(?m)\$\$ *\([\w-]+\) *$", prose(source)))


def test_every_formula_is_closed(chapter):
    for cell in chapter[1].cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"(?s)```.*?```|`[^`]*`|\\\$", "", cell.source)
            assert text.count("$") % 2 == 0, cell.source


@pytest.fixture
def convert():
    """A function that gives the plain cells of Markdown in chapter 2 of a book of two."""
    sources = pybtex.database.parse_string(
        """
        @article{one, author={van den Oord, A{\\"a}ron}, title={T}, journal={J}, year=2017,
                 url={https://a.b/c}}
        @article{two, author={Lee, A and Kim, B}, title={T}, journal={J}, year=2018,
                 note={arXiv:1234.56789}}
        @article{three, author={Lee, A and Kim, B and Park, C}, title={T}, journal={J}, year=2019}
        """,
        "bibtex",
    )
    targets = {
        "fig-a": Target("01_a", "Figure 1.1"),
        "ex-a": Target("02_b", "Exercise 2.1", "Why?"),
        "eq-a": Target("02_b", "(2.1)"),
        "sec-a": Target("02_b", "The heading"),
    }
    titles = {"01_a": "First", "02_b": "Second", "glossary": "Words"}
    book = Book({"01_a": 1, "02_b": 2}, titles, targets, dict(sources.entries))

    def cells(*texts):
        converter = Converter(book, "02_b")
        return [cell for text in texts for cell in converter.cells(text)]

    return cells


@pytest.mark.parametrize(
    ("myst", "plain"),
    [
        ("see {numref}`fig-a`", "see [Figure 1.1](01_a.ipynb)"),
        ("by {eq}`eq-a`", "by (2.1)"),
        ("{ref}`ex-a`, {ref}`an\nexercise <ex-a>`", "Exercise 2.1, an\nexercise"),
        ("{doc}`01_a`, {doc}`that <glossary>`", "[First](01_a.ipynb), [that](../book/glossary.md)"),
        ("{term}`code`", "code"),
        ("(sec-a)=\n## The heading\n\n{ref}`sec-a`", "## The heading\n\nThe heading"),
        ("$$\nx = 1\n$$ (eq-a)", "$$\nx = 1\n\\tag{2.1}\n$$"),
        ("$$ x = 1 $$ (eq-a)", "$$ x = 1 \n\\tag{2.1}\n$$"),
        ("```{note}\nText.\n\nMore.\n```", "> **Note**\n>\n> Text.\n>\n> More."),
        (":::{admonition} Say\n:class: tip\nText.\n:::", "> **Say**\n>\n> Text."),
        (
            "```{admonition} Say\n:class: dropdown\nText.\n```",
            "<details>\n<summary>Say</summary>\n\nText.\n\n</details>",
        ),
        ("`{x}` and `y`, ``{ref}`x` ``", "`{x}` and `y`, ``{ref}`x` ``"),
        ("```python\n{ref}`not-a-label`\n```", "```python\n{ref}`not-a-label`\n```"),
    ],
)
def test_myst_becomes_plain(convert, myst, plain):
    assert convert(myst) == [plain]


def test_citations_link_to_where_the_source_can_be_read(convert):
    (text,) = convert("{cite:t}`one` and others {cite:p}`two,three`.")
    assert text == (
        "[van den Oord (2017)](https://a.b/c) and others "
        "([Lee and Kim, 2018](https://arxiv.org/abs/1234.56789); Lee et al., 2019)."
    )


def test_a_solution_is_folded_over_several_cells(convert):
    exercise = "```{exercise} Why?\n:label: ex-a\nAsk.\n```"
    start = f"{exercise}\n\n```{{solution-start}} ex-a\n:class: dropdown\n```\n\nSay."
    fold = "<details>\n<summary>Solution to exercise 2.1</summary>\n\n{}\n\n</details>"
    assert convert(start, "More.", "```{solution-end}\n```\n\nOn.") == [
        "### Exercise 2.1: Why?\n\nAsk.",
        fold.format("Say."),
        fold.format("More."),
        "On.",
    ]


@pytest.mark.parametrize(
    ("myst", "message"),
    [
        ("{abbr}`x`", r"the role \{abbr\}"),
        ("```{figure} a.png\n```", r"the directive \{figure\}"),
        ("{ref}`nowhere`", "label 'nowhere'"),
        ("{cite:p}`nowhere`", "no source 'nowhere'"),
        ("{doc}`nowhere`", "no page 'nowhere'"),
        ("```{note}\nText.", "never closed"),
        ("  ```{note}\n  Text.\n  ```", "has no plain form"),
        ("A {{ word }}.", "has no plain form"),
    ],
)
def test_what_has_no_plain_form_is_refused(convert, myst, message):
    with pytest.raises(ValueError, match=message):
        convert(myst)


def test_blocks_put_together_are_the_text():
    text = "A.\n\n```python\n1\n```\n\n:::{note}\n:class: x\nB.\n:::\n\nC."
    kinds = [(block.name, block.code, block.body.strip()) for block in blocks(text)]
    assert kinds == [
        ("", False, "A."),
        ("", True, "```python\n1\n```"),
        ("note", False, "B."),
        ("", False, "C."),
    ]
