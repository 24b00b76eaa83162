"""The book's Markdown as plain Markdown, for notebooks outside the book (plain_notebooks.py).

Sphinx reads a cell as MyST, which has boxes, exercises, references and citations. Jupyter, Colab
and GitHub show such words as they stand. Here each becomes what all of them show; what is not known
here is refused, so that no chapter can come to hold a word that its copy does not show.
"""

import re
from collections.abc import Iterator

import pybtex.database

from plain_references import EQUATION, SECTION, Block, Book, Target, address, authors, blocks

CODE = r"(?s:(?<!`)(`{1,2})(?!`).+?(?<!`)\1(?!`))"
ROLE = re.compile(rf"{CODE}|\{{([\w:-]+)\}}`([^`]+)`")
NAMED = re.compile(r"(?s)(.*\S)\s*<([^<>]+)>")
BOXES = {"admonition", "note", "tip", "warning", "important", "hint", "seealso", "caution"}
SOLUTION = "<details>\n<summary>{}</summary>\n\n{}\n\n</details>"
# What would be left of MyST.
LEFT = re.compile(
    r"""(?mx)
    \{[\w:.-]+\}`                  # a role
    | ^\s*(?:`{3,}|:{3,})\{         # a directive
    | ^\s*:\w[\w-]*:(?:[ ]|$)       # its option, or a field
    | ^\([\w-]+\)=                 # a label
    | \$\$[ \t]*\([\w-]+\)[ \t]*$  # that of an equation
    | \{\{[ ]?\w+[ ]?\}\}           # a substitution
    | ^:[ ]                         # a definition
    """
)


class Converter:
    """Converts the cells of one chapter, one after another.

    Attributes:
        solving: Whether the cells that follow belong to the solution of an exercise.
        cited: The sources that were cited so far, by key.
    """

    def __init__(self, book: Book, chapter: str):
        self.book, self.chapter = book, chapter
        self.solving = False
        self.cited: dict[str, pybtex.database.Entry] = {}
        self.solution = ""  # what its fold is called
        self.captions: list[str] = []  # of figures in a solution, to be folded with its text

    def cells(self, text: str) -> Iterator[str]:
        """The plain Markdown cells that one Markdown cell becomes.

        An exercise and a solution begin a cell of their own; the text of a solution is folded.

        Raises:
            ValueError: A role, box or reference is not known, or a fence is not closed.
        """
        pieces, self.captions = self.captions, []
        for block in blocks(text):
            if block.name in {"exercise", "solution-start", "solution-end"}:
                yield from self.joined(pieces)
                pieces = []
            if block.name == "solution-start":
                self.solving = True
                self.solution = f"Solution to {self.target(block.argument).text.lower()}"
            elif block.name == "solution-end":
                self.solving = False
            elif block.name == "exercise":
                target = self.target(block.options["label"])
                title = f"{target.text}: {target.title}" if target.title else target.text
                pieces.append(f"### {title}\n\n{self.text(block.body)}")
            else:
                pieces.append(self.piece(block))
        yield from self.joined(pieces)

    def joined(self, pieces: list[str]) -> Iterator[str]:
        """One cell of what has been gathered, folded where it solves something."""
        text = "\n\n".join(piece.strip("\n") for piece in pieces).strip()
        if text:
            yield SOLUTION.format(self.solution, text) if self.solving else text

    def caption(self, figure: dict[str, str]) -> Iterator[str]:
        """The cell under a figure; in a solution its words wait for the text that follows."""
        text = f"**{self.target(figure['name']).text}.** {self.text(figure['caption'])}"
        if self.solving:
            self.captions.append(text)
        else:
            yield text

    def piece(self, block: Block) -> str:
        if block.code:
            return block.body
        if not block.name:
            return self.text(block.body)
        if block.name not in BOXES:
            raise ValueError(f"the directive {{{block.name}}} has no plain form in {__file__}")
        title = block.argument or block.name.capitalize()
        body = self.text(block.body)
        if "dropdown" in block.options.get("class", ""):
            return SOLUTION.format(title, body)
        return re.sub(r"(?m)^", "> ", f"**{title}**\n\n{body}").replace("> \n", ">\n")

    def text(self, text: str) -> str:
        """Text with its references, citations and numbered equations in plain Markdown."""
        text = SECTION.sub("", text)
        text = EQUATION.sub(self.numbered, text)
        text = ROLE.sub(lambda m: self.role(m[2], m[3]) if m[2] else m[0], text)
        if left := LEFT.search(re.sub(CODE, "`", text)):
            raise ValueError(f"{left[0]!r} has no plain form in {__file__}: {text[:200]!r}")
        return text

    def numbered(self, match: re.Match) -> str:
        """The end of an equation, with its number."""
        before = f"{match[1]}\n" if match[1] else ""
        return f"{before}\\tag{{{self.target(match[2]).text.strip('()')}}}\n$$"

    def role(self, role: str, content: str) -> str:
        """What a word with a role becomes."""
        if role in ("cite:p", "cite:t"):
            return self.citation(role, [key.strip() for key in content.split(",")])
        named = NAMED.fullmatch(content)
        text, name = (named[1], named[2]) if named else ("", content)
        if role == "doc":
            return self.page(name, text)
        if role in ("eq", "numref", "ref"):
            target = self.target(name)
            words = text or target.text
            same = target.chapter == self.chapter
            return words if same else f"[{words}]({target.chapter}.ipynb)"
        if role == "term":
            return text or name
        raise ValueError(f"the role {{{role}}} has no plain form in {__file__}")

    def page(self, name: str, text: str) -> str:
        """A link to another page of the book: to its copy, where it is a notebook."""
        if name not in self.book.titles:
            raise ValueError(f"no page {name!r} in the book")
        file = f"{name}.ipynb" if name in self.book.chapters else f"../book/{name}.md"
        return f"[{text or self.book.titles[name]}]({file})"

    def citation(self, role: str, keys: list[str]) -> str:
        """Authors and year, linked to where the source can be read."""
        found = []
        for key in keys:
            if key not in self.book.sources:
                raise ValueError(f"no source {key!r} in the bibliography")
            source = self.cited[key] = self.book.sources[key]
            year, url = (source.fields or {})["year"], address(source)
            text = (
                f"{authors(source)} ({year})" if role == "cite:t" else f"{authors(source)}, {year}"
            )
            found.append(f"[{text}]({url})" if url else text)
        return ", ".join(found) if role == "cite:t" else f"({'; '.join(found)})"

    def target(self, label: str) -> Target:
        if label not in self.book.targets:
            raise ValueError(f"nothing in the book has the label {label!r}")
        return self.book.targets[label]
