"""Tables of results: a real table on the page, aligned columns of text where there is no page."""

import html
from collections.abc import Collection, Sequence
from typing import Any

# What a notebook needs to show one; the book's own style sheet refines it.
_STYLE = "border-collapse:collapse;margin:0.6em 0"
_CELL = "padding:0.15em 0.7em;text-align:"
_TEXT_GAP = "  "
_NONE, _MINUS = "\u2013", "\u2212"  # a dash; a minus sign as wide as a plus


class Table:
    """Rows of words and numbers under a header, with a caption.

    As the last value of a notebook cell it shows itself: `text/html` is a table in a frame that
    scrolls by itself where the page is too narrow, `text/plain` the same in aligned columns.
    Columns of numbers stand to the right; the first column names the rows.

    Args:
        columns: the header, one text a column; it carries the unit.
        rows: as many values each. Numbers are written by `formats`, None as a dash.
        caption: what the table shows, in a sentence.
        formats: of each column, such as ".2f", "+,d" or ".0%"; one text for all, or one a column,
            "" for as it is.
        marked: cells (row, column), from 0, that the text speaks of: the best, the odd.
        note: what the marks mean, below the table; needed where there are marks.

    Raises:
        ValueError: a column has no name, a row or `formats` has another length than the header,
            there are no rows, a mark lies outside, or marks are not explained.
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        caption: str,
        formats: str | Sequence[str] = "",
        marked: Collection[tuple[int, int]] = (),
        note: str = "",
    ):
        if not all(columns):
            raise ValueError(f"columns must each have a name, got {list(columns)}")
        specs = [formats] * len(columns) if isinstance(formats, str) else list(formats)
        if len(specs) != len(columns):
            raise ValueError(f"formats must be {len(columns)}, one a column; got {len(specs)}")
        if not rows:
            raise ValueError("rows must hold at least one row, got none")
        for number, row in enumerate(rows):
            if len(row) != len(columns):
                raise ValueError(f"row {number} must have {len(columns)} values, got {len(row)}")
        for row, column in marked:
            if not (0 <= row < len(rows) and 0 <= column < len(columns)):
                raise ValueError(
                    f"marked must lie in {len(rows)} rows and {len(columns)} columns, "
                    f"got {(row, column)}"
                )
        if marked and not note:
            raise ValueError("note must say what the marks mean")
        self._columns, self._caption, self._note = list(columns), caption, note
        self._marked = set(marked)
        self._cells = [
            [_written(value, spec) for value, spec in zip(row, specs, strict=True)] for row in rows
        ]
        self._right = [
            any(_is_number(row[column]) for row in rows) for column in range(len(columns))
        ]

    def __repr__(self) -> str:
        marks = [
            [f"*{cell}" if (row, column) in self._marked else cell for column, cell in pairs]
            for row, pairs in enumerate(map(enumerate, self._cells))
        ]
        widths = [max(map(len, column)) for column in zip(self._columns, *marks, strict=True)]
        lines = [
            _TEXT_GAP.join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(row, widths, self._right, strict=True)
            ).rstrip()
            for row in (self._columns, *marks)
        ]
        note = [f"* {self._note}"] if self._note else []
        return "\n".join([self._caption, *lines, *note])

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self._html(), "text/plain": repr(self)}

    def _html(self) -> str:
        sides = ["right" if right else "left" for right in self._right]
        header = "".join(
            f'<th scope="col" style="{_CELL}{side}">{html.escape(name)}</th>'
            for name, side in zip(self._columns, sides, strict=True)
        )
        rows = [
            "".join(self._cell(row, column, side) for column, side in enumerate(sides))
            for row in range(len(self._cells))
        ]
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        note = ""
        if self._note:
            note = f'<p class="vq-note"><mark>Marked</mark>: {html.escape(self._note)}</p>'
        caption = html.escape(self._caption)
        return (
            f'<div class="vq-table" role="group" tabindex="0" aria-label="{caption}" '
            f'style="overflow-x:auto"><table style="{_STYLE}">'
            f'<caption style="text-align:left">{caption}</caption>'
            f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>{note}</div>"
        )

    def _cell(self, row: int, column: int, side: str) -> str:
        text = html.escape(self._cells[row][column])
        if (row, column) in self._marked:
            text = f"<mark>{text}</mark>"
        if column == 0:
            return f'<th scope="row" style="{_CELL}{side};font-weight:normal">{text}</th>'
        return f'<td style="{_CELL}{side};font-variant-numeric:tabular-nums">{text}</td>'


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, bool)


def _written(value: Any, spec: str) -> str:
    """A value as the table shows it."""
    if value is None:
        return _NONE
    if not _is_number(value):
        return str(value)
    number = value.item() if hasattr(value, "item") else value
    return format(number, spec).replace("-", _MINUS)
