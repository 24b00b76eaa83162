"""The figure of the KL term's weight: what its page holds, and what a reader does with it."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from vqvae_lite.figures.klweight import Measure, WeightPoint, explore_weight

RANDOM = np.random.default_rng(0)
NAMES = ("0", "1", "10")


def pictures(count=3, size=16):
    """Each of one colour: a WebP loses nothing of such pictures that a test has to see."""
    colors = RANDOM.integers(0, 256, (count, 3, 1, 1), dtype=np.uint8)
    return np.broadcast_to(colors, (count, 3, size, size)).copy()


FRAMES = pictures()
POINTS = [WeightPoint(name, pictures(), pictures(), f"At {name}.") for name in NAMES]
MEASURES = [
    Measure("error", [0.25, 0.5, 1], ["25%", "50%", "100%"], (0, 1), real=0.0, real_text="0%"),
    Measure("nats", [None, 100, 1], ["\u2013", "100", "1"], (1, 10_000), log=True),
]


def figure(points=POINTS, measures=MEASURES, **changes):
    return explore_weight(FRAMES, points, measures, **changes)


def data_in(page):
    return json.loads(re.search(r'id="data">(.*?)</script', page)[1])


def pixels(address):
    kind, _, text = address.partition(",")
    assert kind == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_page_holds_every_picture():
    data = data_in(figure().page)
    found = [data["originals"]]
    found += [point[kind] for point in data["points"] for kind in ("reconstructions", "samples")]
    given = [FRAMES]
    given += [part for point in POINTS for part in (point.reconstructions, point.samples)]
    for address, wanted in zip(found, given, strict=True):
        row = pixels(address)
        assert row.shape == (16, 48, 3)
        for number, picture in enumerate(wanted):
            found = row[:, 16 * number : 16 * number + 16].astype(int)
            assert np.abs(found - picture.transpose(1, 2, 0)).mean() <= 6


def test_places_on_both_kinds_of_scale():
    error, nats = data_in(figure().page)["measures"]
    assert error["places"] == [0.25, 0.5, 1]
    assert (error["real"], error["realText"]) == (0, "0%")
    assert nats["places"] == [None, 0.5, 0]
    assert nats["real"] is None


def test_same_figure_every_time_with_a_picture_and_words():
    first, second = (figure(start=1)._repr_mimebundle_() for _ in range(2))
    assert first == second
    assert base64.b64decode(first["image/png"]).startswith(b"\x89PNG")
    assert first["text/plain"].endswith("At the weight 1: error 50%; nats 100.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": POINTS[:1]}, "points must be at least two"),
        ({"start": 3}, "start must be the number of a point"),
        ({"points": [*POINTS[:2], POINTS[2]._replace(samples=pictures(2))]}, "the weight 10"),
        ({"measures": [MEASURES[0]._replace(values=[0, 1])]}, "3 values"),
        ({"measures": [MEASURES[0]._replace(texts=["0"])]}, "3 values and texts"),
        ({"measures": [MEASURES[0]._replace(values=[0, 1, 2])]}, "must lie in"),
        ({"measures": [MEASURES[0]._replace(limits=(1, 1))]}, "limits"),
        ({"measures": [MEASURES[1]._replace(limits=(0, 1))]}, "above 0 if log"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        figure(**changes)


def test_pictures_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        explore_weight(
            FRAMES.astype(float),
            [p._replace(reconstructions=FRAMES / 1, samples=FRAMES / 1) for p in POINTS],
            MEASURES,
        )


@pytest.fixture
def page(chromium, tmp_path):
    file = tmp_path / "figure.html"
    file.write_text(figure().page, encoding="utf-8")
    page = chromium.new_page(viewport={"width": 760, "height": 800})
    page.goto(file.as_uri())
    yield page
    page.close()


def state(page):
    return page.evaluate("document.documentElement.dataset.state")


def test_slider_buttons_and_keys_choose_the_weight(page):
    samples = page.locator("img.strip").nth(2)
    data = data_in(figure().page)
    assert state(page) == "weight 0; 25%; \u2013"
    assert page.locator("#less").is_disabled()
    page.locator("#more").click()
    assert state(page) == "weight 1; 50%; 100"
    assert samples.get_attribute("src") == data["points"][1]["samples"]
    page.locator("#weight").focus()
    page.keyboard.press("ArrowRight")
    assert state(page) == "weight 10; 100%; 1"
    assert page.locator("#more").is_disabled()
    assert page.locator(".sentence").inner_text() == "At 10."
    page.locator("#less").click()
    assert page.locator("#weight").input_value() == "1"


def test_a_measure_that_is_not_there_has_no_dot(page):
    dots = page.locator("circle.chosen")
    assert dots.nth(0).get_attribute("visibility") is None
    assert dots.nth(1).get_attribute("visibility") == "hidden"
    page.locator("#more").click()
    assert dots.nth(1).get_attribute("visibility") is None
    assert page.locator("svg.track").nth(0).get_attribute("aria-label") == (
        "error: 50%; real frames: 0%"
    )
