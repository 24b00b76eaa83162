"""The page of notation and terms: names are in the code, chapters have what they are named for."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
CHAPTERS = {path.name: path for path in sorted((ROOT / "book").glob("*.ipynb"))}


def table(heading):
    """The rows of the table under a heading, as lists of cells."""
    lines = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    return rows[2:]


def prose(name):
    cells = json.loads(CHAPTERS[name].read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


PROSE = {name: prose(name) for name in CHAPTERS}


def mathematics(text):
    blocks = re.findall(r"(?s)```\{math\}(.*?)```|\$\$(.*?)\$\$|\$([^$\n]+)\$", text)
    return " ".join(part for found in blocks for part in found)


def linked(cell):
    number, file = re.fullmatch(r"\[(\d)\]\((\S+)\)", cell).groups()
    assert file.startswith(f"{int(number):02}_")
    return file


def names_in_code():
    names = set()
    for path in (ROOT / "vqvae_lite").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names |= {getattr(node, field, None) for field in ("id", "attr", "arg", "name")}
    return names


def test_names_of_the_notation_are_in_the_code():
    named = {name for row in table("Notation") for name in re.findall(r"`(\w+)`", row[2])}
    assert len(named) >= 12
    assert named <= names_in_code()


@pytest.mark.parametrize("row", table("Notation"), ids=lambda row: row[0])
def test_symbols_are_first_used_where_the_page_says(row):
    symbol = re.escape(row[0].strip("$"))
    where = [
        name
        for name in CHAPTERS
        if re.search(rf"(?<![A-Za-z\\_]){symbol}(?![A-Za-z_])", mathematics(PROSE[name]))
    ]
    assert where[0] == linked(row[4])


@pytest.mark.parametrize("row", table("Terms"), ids=lambda row: row[0])
def test_terms_are_in_the_chapter_that_the_page_names(row):
    term, korean, line, chapter = row
    words = [term, *re.findall(r"\*(.+?)\*", line)]
    text = PROSE[linked(chapter)].lower()
    assert any(word.lower() in text for word in words)
    assert re.search("[가-힣]", korean)
    assert line


def test_no_term_is_there_twice():
    terms = [row[0].lower() for row in table("Terms")]
    assert len(terms) == len(set(terms))
