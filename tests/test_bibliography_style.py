"""The bibliography: labels that the text cites, in the order in which one looks for them."""

from pathlib import Path

from pybtex.database import parse_file, parse_string

import bibliography_style

ROOT = Path(__file__).resolve().parent.parent
ENTRIES = parse_file(str(ROOT / "book" / "references.bib")).entries


def entry(author, year="2017"):
    text = f"@misc{{key, author = {{{author}}}, year = {{{year}}}}}"
    return parse_string(text, "bibtex").entries["key"]


def test_a_label_is_what_the_text_cites():
    labels = [
        bibliography_style.label_of(entry(author))
        for author in (
            "van den Oord, Aaron and Vinyals, Oriol and Kavukcuoglu, Koray",
            'Jones, A. and M{\\"u}ller, B.',
            "{{ITU-T}}",
        )
    ]
    assert labels == ["van den Oord et al., 2017", "Jones and Müller, 2017", "ITU-T, 2017"]


def test_no_two_entries_have_one_label():
    labels = [bibliography_style.label_of(entry) for entry in ENTRIES.values()]
    assert len(labels) == len(ENTRIES) > 50
    assert len(set(labels)) == len(labels), "a letter after the year tells them apart"


def test_the_order_is_a_persons():
    order = bibliography_style.Order().sort(ENTRIES.values())
    labels = [bibliography_style.label_of(entry) for entry in order]
    assert [label for label in labels if label.startswith(("ITU", "Łań", "Lin", "van"))] == [
        "ITU-T, 1988",
        "Łańcucki et al., 2020",
        "Linde et al., 1980",
        "van den Oord et al., 2016a",
        "van den Oord et al., 2016b",
        "van den Oord et al., 2016c",
        "van den Oord et al., 2017",
    ]
