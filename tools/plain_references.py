"""What the chapters refer to: their figures, equations and exercises by number, and their sources.

For plain_markdown.py. The numbers are those of the built book: the chapter's, a point, the place in
the chapter.
"""

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pybtex.database
import yaml
from pybtex.plugin import find_plugin

import notebook_file

ROOT = notebook_file.ROOT
FENCE = re.compile(r"^(`{3,}|:{3,})(?:\{([\w:-]+)\})?[ \t]*(.*)$")
OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*)$")
EQUATION = re.compile(r"(?m)^(.*?)\$\$[ \t]*\(([\w-]+)\)[ \t]*$")
SECTION = re.compile(r"(?m)^\(([\w-]+)\)=[ \t]*\n+(?=#+ +(.*))")
ARXIV = re.compile(r"arXiv[: ]+(\d{4}\.\d{4,5})")
TITLE = re.compile(r"(?m)^# +(.+)$")


@dataclass
class Block:
    """A piece of a Markdown cell: text, code, or a directive, such as a box or an exercise."""

    name: str  # of the directive; "" for text and code, whose `body` is what stands in the cell
    argument: str = ""
    options: dict[str, str] = field(default_factory=dict)
    body: str = ""
    code: bool = False


@dataclass
class Target:
    """What a label names: the chapter that it is in, and what a reference to it says."""

    chapter: str  # the notebook's name, without a suffix
    text: str
    title: str = ""


@dataclass
class Book:
    """All that one chapter may refer to."""

    chapters: dict[str, int]  # the numbers of the notebooks, by name
    titles: dict[str, str]  # of all pages, by name
    targets: dict[str, Target]  # by label
    sources: dict[str, pybtex.database.Entry]  # by key


def blocks(text: str) -> list[Block]:
    """Cuts the source of a Markdown cell into text, code and directives.

    Raises:
        ValueError: A fence is not closed.
    """
    found, lines = [], text.split("\n")
    start = place = 0
    while place < len(lines):
        opening = FENCE.match(lines[place])
        if not opening or (opening[1][0] == ":" and not opening[2]):
            place += 1
            continue
        found.append(Block("", body="\n".join(lines[start:place])))
        fence, name, argument = opening.groups()
        try:
            end = lines.index(fence, place + 1)
        except ValueError:
            raise ValueError(f"{lines[place]!r} is never closed, expected {fence!r}") from None
        inner = lines[place + 1 : end]
        if name:
            options = {}
            while inner and (option := OPTION.match(inner[0])):
                options[option[1]] = option[2]
                inner = inner[1:]
            found.append(Block(name, argument, options, "\n".join(inner).strip()))
        else:
            found.append(Block("", body="\n".join(lines[place : end + 1]), code=True))
        start = place = end + 1
    found.append(Block("", body="\n".join(lines[start:])))
    return [block for block in found if block.name or block.body.strip()]


def numbered_chapters() -> dict[str, int]:
    """The notebooks of _toc.yml in their order, with the numbers that the book gives them.

    One in a part without numbers, such as the prologue, has the number 0.
    """
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    found, last = {}, 0
    for part in parts:
        for page in part["chapters"]:
            last += (numbered := part.get("numbered", True))
            if (ROOT / f"{page['file']}.ipynb").exists():
                found[Path(page["file"]).name] = last if numbered else 0
    return found


def targets_of(notebook: nbformat.NotebookNode, chapter: str, number: int) -> dict[str, Target]:
    """What a notebook has labels for."""
    found: dict[str, Target] = {}
    before = f"{number}." if number else ""
    # Those without a chapter's number are counted on from the first page's.
    figures = 0 if number else (ROOT / "book" / "index.md").read_text("utf-8").count("```{figure}")
    equations = exercises = 0
    for cell in notebook.cells:
        figure = cell.metadata.get("mystnb", {}).get("figure")
        if cell.cell_type == "code" and figure:
            figures += 1
            found[figure["name"]] = Target(chapter, f"Figure {before}{figures}")
        if cell.cell_type != "markdown":
            continue
        for block in blocks(cell.source):
            if block.name == "exercise":
                exercises += 1
                text = f"Exercise {before}{exercises}"
                found[block.options["label"]] = Target(chapter, text, block.argument)
            if block.name or block.code:
                continue
            for _, label in EQUATION.findall(block.body):
                equations += 1
                found[label] = Target(chapter, f"({before}{equations})")
            for label, heading in SECTION.findall(block.body):
                found[label] = Target(chapter, heading)
    return found


@functools.cache
def book() -> Book:
    """The whole book, read once."""
    chapters, titles, targets = numbered_chapters(), {}, {}
    for page in sorted((ROOT / "book").glob("*.md")):
        titles[page.stem] = title_of(page.read_text(encoding="utf-8"), page.stem)
    for chapter, number in chapters.items():
        notebook = nbformat.read(ROOT / "book" / f"{chapter}.ipynb", as_version=4)
        titles[chapter] = title_of(notebook.cells[0].source, chapter)
        targets |= targets_of(notebook, chapter, number)
    sources = pybtex.database.parse_file(str(ROOT / "book" / "references.bib"))
    return Book(chapters, titles, targets, dict(sources.entries))


def title_of(text: str, name: str) -> str:
    """The heading of a page; its name where it has none."""
    title = TITLE.search(text)
    return title[1] if title else name


def authors(source: pybtex.database.Entry) -> str:
    """Who wrote a source, as one says it in a sentence: "Huh et al."."""
    names = [
        " ".join(map(str, (*person.rich_prelast_names, *person.rich_last_names)))
        for person in (source.persons or {})["author"]
    ]
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)


def address(source: pybtex.database.Entry) -> str | None:
    """Where a source can be read; None where that is not known."""
    fields = source.fields or {}
    if "doi" in fields:
        return f"https://doi.org/{fields['doi']}"
    arxiv = ARXIV.search(" ".join(fields.values()))
    return fields.get("url") or (f"https://arxiv.org/abs/{arxiv[1]}" if arxiv else None)


def bibliography(sources: dict[str, pybtex.database.Entry]) -> str:
    """A list of sources in Markdown, in the style of the book's bibliography."""
    style = find_plugin("pybtex.style.formatting", "plain")()
    backend = find_plugin("pybtex.backends", "markdown")()
    formatted = style.format_bibliography(pybtex.database.BibliographyData(sources))
    text = [entry.text.render(backend) for entry in formatted]
    lines = "\n".join(f"- {' '.join(entry.split())}" for entry in text)
    # pybtex escapes all punctuation, of which `\(` would begin a formula in Jupyter.
    return re.sub(r"\\([^\w\s*])", r"\1", lines)
