"""Tables: what a page and a line of text show, and what is refused."""

from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from vqvae_lite.figures.table import Table


class Cells(HTMLParser):
    """The rows of a table, with what is marked in them."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.marked, self.caption, self.tags = [], [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        self.tags.pop()

    def handle_data(self, data):
        if "caption" in self.tags:
            self.caption += data
        elif "td" in self.tags or "th" in self.tags:
            self.rows[-1].append(data)
            if "mark" in self.tags:
                self.marked.append(data)


def test_the_page_and_the_text_say_the_same():
    table = Table(
        ["model", "PSNR (dB)", "share"],
        [["VQ-VAE <3", 27.9432, 0.5], ["none", None, np.float32(-0.25)]],
        caption="How good & how often",
        formats=["", ".2f", "+.0%"],
        marked=[(0, 1)],
        note="the best",
    )
    shown = table._repr_mimebundle_()
    cells = Cells(shown["text/html"])
    rows = [["VQ-VAE <3", "27.94", "+50%"], ["none", "\u2013", "\u221225%"]]
    assert cells.rows == [["model", "PSNR (dB)", "share"], *rows]
    assert cells.caption == "How good & how often"
    assert cells.marked == ["27.94"]
    assert shown["text/plain"] == "\n".join(
        [
            "How good & how often",
            "model      PSNR (dB)  share",
            "VQ-VAE <3     *27.94   +50%",
            "none               \u2013   \u221225%",
            "* the best",
        ]
    )


def test_numbers_of_any_library_are_numbers():
    rows = [[torch.tensor(2.0), np.int64(3), 4, True, "5"]]
    table = Table(["a", "b", "c", "d", "e"], rows, caption="", formats=".1f")
    assert repr(table).splitlines()[2] == "2.0  3.0  4.0  True  5"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rows": [[1]]}, "row 0 must have 2 values, got 1"),
        ({"rows": []}, "at least one row"),
        ({"columns": ["", "b"]}, r"must each have a name, got \['', 'b'\]"),
        ({"formats": [".1f"]}, "formats must be 2, one a column; got 1"),
        ({"marked": [(1, 0)], "note": "x"}, r"1 rows and 2 columns, got \(1, 0\)"),
        ({"marked": [(0, 0)]}, "note must say"),
    ],
)
def test_what_does_not_fit_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        Table(**{"columns": ["a", "b"], "rows": [[1, 2]], "caption": "", **given})
