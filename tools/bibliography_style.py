"""A Sphinx extension: the bibliography in the order and with the labels that a reader looks for.

A label is what the text cites: the authors and the year. Where one year has several papers of the
same authors, references.bib has a letter after it (`year = {2016a}`); a test asks for it.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.richtext import Text
from pybtex.style.formatting.plain import Style as Plain
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting import BaseSortingStyle
from sphinx.application import Sphinx

NAME = "as_cited"  # of the style: {bibliography} takes it from `bibtex_default_style`
# Letters that no accent makes, and where they stand in an English alphabet.
LETTERS = str.maketrans({"Ł": "L", "ł": "l", "Ø": "O", "ø": "o", "Æ": "Ae", "æ": "ae", "ß": "ss"})


def names_of(entry: Entry) -> list[str]:
    """The family names of the authors, or of the editors, as they are printed."""
    persons = entry.persons.get("author") or entry.persons.get("editor") or []
    return [str(Text.from_latex(" ".join(p.prelast_names + p.last_names))) for p in persons]


def label_of(entry: Entry) -> str:
    """Authors and year: "van den Oord et al., 2016a"."""
    first, *others = names_of(entry)
    more = {0: "", 1: f" and {others[0]}" if others else ""}.get(len(others), " et al.")
    return f"{first}{more}, {entry.fields['year']}"


def plain(label: str) -> str:
    """A label in the letters from a to z: Łańcucki stands under L."""
    letters = unicodedata.normalize("NFD", label.translate(LETTERS))
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).lower()


class Labels(BaseLabelStyle):
    def format_labels(self, entries: Iterable[Entry]) -> Iterator[str]:
        return map(label_of, entries)


class Order(BaseSortingStyle):
    def sorting_key(self, entry: Entry) -> str:
        return plain(label_of(entry))


class Style(Plain):
    default_label_style = Labels
    default_sorting_style = Order


def setup(app: Sphinx) -> dict[str, Any]:
    """Registers the style; called by Sphinx."""
    register_plugin("pybtex.style.formatting", NAME, Style, force=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
