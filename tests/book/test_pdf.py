"""The book as one PDF: made of a small selection of its pages."""

import re

import pytest

import pdf
from built import HTML, PAGES, built  # noqa: F401  (the fixture that wants a fresh book)

SELECTION = ["book/02_losses", "book/results", "book/bibliography"]
BASE = "https://a.github.io/b/"


@pytest.mark.slow
def test_all_pages_are_printed_in_their_order():
    assert set(pdf.all_pages()) == set(PAGES)
    assert len(pdf.all_pages()) == len(PAGES)
    assert pdf.all_pages()[:9] == PAGES[:9]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["book/03_images", "book/07_speech"])
def test_figures_that_move_are_printed_as_their_stills(name):
    page = pdf.read(HTML / f"{name}.html")
    titles = [frame["title"] for frame in page.select("iframe.vq-interactive")]
    article = pdf.article_of(page, name, [name], BASE)
    pictures = article.select("img.still")
    assert titles
    assert [picture["alt"] for picture in pictures] == titles
    assert all(picture["src"].startswith("data:image/png;base64,iVBOR") for picture in pictures)
    assert not article.select("iframe, script, button")
    assert all(details.has_attr("open") for details in article.select("details"))


@pytest.mark.parametrize(
    ("href", "address"),
    [
        ("#sec", "#book-a--sec"),
        ("b.html", "#book-b"),
        ("b.html#sec", "#book-b--sec"),
        ("../book/b.html", "#book-b"),
        ("c.html#sec", f"{BASE}book/c.html#sec"),
        ("../_downloads/x.json", f"{BASE}_downloads/x.json"),
        ("https://example.org/b.html", "https://example.org/b.html"),
    ],
)
def test_links_lead_into_the_pdf_or_to_the_published_book(href, address):
    assert pdf.address_of(href, "book/a", ["book/a", "book/b"], BASE) == address


def test_a_selection_is_printed(chromium):
    printed = pdf.print_pages(SELECTION, chromium)
    places = pdf.starts(printed)
    begins = [places[pdf.anchor(name)] for name in SELECTION]
    assert begins[0] == 2, "after the contents"
    assert begins == sorted(set(begins))
    assert begins[1] - begins[0] >= 15, "a chapter"
    assert begins[-1] <= pdf.count(printed)
    assert pdf.count(printed) == len(re.findall(rb"/Type\s*/Page\s", printed))
    assert b"file://" not in printed
    assert not (HTML / "book" / pdf.WHOLE).exists()
