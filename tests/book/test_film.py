"""The README's moving picture can be made again from the built page."""

import numpy as np
from PIL import Image

import film_figure
from built import built  # noqa: F401  (the fixture that wants a fresh book)


def red_pixels(picture):
    """How many pixels of the decoded picture, right of the map, are red."""
    box = [round(side * film_figure.SMALLER) for side in (345, 57, 664, 372)]
    red, green, blue = np.asarray(picture.crop(box), dtype=int).transpose(2, 0, 1)
    return int(((red > 100) & (green < red / 2) & (blue < red / 2)).sum())


def test_the_figure_is_filmed_while_it_is_painted_on(chromium, tmp_path, monkeypatch):
    rows = ["." * 21] * 6 + [".####" + "." * 16] * 2
    monkeypatch.setattr(film_figure, "LETTERS", "\n".join(rows))
    made = film_figure.film(chromium)
    before, *_, after = made.pictures[-10:]
    assert red_pixels(before) < 20
    assert red_pixels(after) > 100
    made.save(tmp_path / "film.webp")
    with Image.open(tmp_path / "film.webp") as picture:
        assert picture.size == after.size
        assert picture.n_frames >= 8
