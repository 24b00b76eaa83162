"""Phones with their times: a CSV table of them, or Praat's TextGrids."""

import csv
import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from vqvae_lite.checks import require
from vqvae_lite.files import reading

LABEL_COLUMNS = ("utterance", "speaker", "start", "end", "phone")


class Phone(NamedTuple):
    """One phone: start and end in seconds from the start of the utterance, and its symbol."""

    start: float
    end: float
    phone: str


def read_labels(
    path: str | Path, known: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], tuple[Phone, ...]]:
    """Read a CSV table of phones: (speaker, utterance) to its phones, in the order of time.

    Args:
        path: the table, with the columns utterance, speaker, start, end (seconds) and phone; packed
            by gzip where its name ends in .gz.
        known: (speaker, utterance) of all that it may name.

    Raises:
        FileNotFoundError: there is no such table.
        ValueError: it lacks a column, names what is not in `known`, or has a row whose times are
            no numbers with 0 <= start < end; names the line.
    """
    path, known = Path(path).expanduser(), set(known)
    phones: dict[tuple[str, str], list[Phone]] = {}
    opened = gzip.open if path.suffix == ".gz" else open
    with (
        reading(path, "a table of labels"),
        opened(path, "rt", newline="", encoding="utf-8-sig") as file,
    ):
        reader = csv.DictReader(file)
        if missing := [name for name in LABEL_COLUMNS if name not in (reader.fieldnames or ())]:
            raise ValueError(f"it must have the columns {', '.join(LABEL_COLUMNS)} and lacks "
                             f"{', '.join(missing)}")  # fmt: skip
        for row in reader:
            key = row["speaker"], row["utterance"]
            where = f"line {reader.line_num}"
            if key not in known:
                raise ValueError(f"{where}: there is no utterance {key[1]!r} of speaker {key[0]!r}")
            try:
                phone = Phone(float(row["start"]), float(row["end"]), row["phone"])
            except (TypeError, ValueError):
                raise ValueError(f"{where}: start and end must be seconds; got {row}") from None
            if not 0 <= phone.start < phone.end:
                raise ValueError(
                    f"{where}: 0 <= start < end expected; got {phone.start} to {phone.end}"
                )
            phones.setdefault(key, []).append(phone)
    return {key: tuple(sorted(some)) for key, some in phones.items()}


def read_textgrid(path: str | Path, tier: str = "phones") -> tuple[Phone, ...]:
    """The intervals of one tier of a Praat TextGrid that hold a label; () where no file is.

    Raises:
        ValueError: the file is broken, or has no such tier of intervals; names the file.
    """
    path = Path(path)
    if not path.exists():
        return ()
    textgrid = require("praatio.textgrid", "sound")
    with reading(path, "a TextGrid"):
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
        found = grid.getTier(tier) if tier in grid.tierNames else None
        if found is None or not isinstance(found, textgrid.IntervalTier):
            raise ValueError(
                f"it must have a tier of intervals {tier!r}; its tiers are "
                f"{', '.join(grid.tierNames) or 'none'}"
            )
        return tuple(Phone(entry.start, entry.end, entry.label) for entry in found.entries)
