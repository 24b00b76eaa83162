"""Still figures on the built pages: their ink follows the theme, and a press enlarges them."""

import io

import numpy as np
import pytest
from PIL import Image

import plots
from built import HTML, built  # noqa: F401  (the fixture that wants a fresh book)
from vqvae_lite.figures.page import _WEB as WEB
from vqvae_lite.figures.plots import COLORS, INK

PAGE = "book/01_quantizer"
STILL = "article .cell_output button.vq-still"
SMALLEST = 9  # CSS pixels that a letter should have, on a phone after a press
LETTERS = 9 * 4 / 3  # CSS pixels of the plots' smaller letters, 9 points, in an SVG's own size


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["wide", "phone"])
def page(request, chromium):
    width, height = request.param
    context = chromium.new_context(viewport={"width": width, "height": height}, offline=True)
    page = context.new_page()
    page.goto((HTML / f"{PAGE}.html").as_uri(), wait_until="load")
    yield page
    context.close()


def pixels(element):
    """A screenshot of an element, (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("RGB")).astype(int)


def theme(page, name):
    page.evaluate("name => { document.documentElement.dataset.theme = name; }", name)
    dark = "#dark" if name == "dark" else ""
    page.wait_for_function(
        f"dark => document.querySelector('{STILL} img').src.endsWith(`.svg${{dark}}`)", arg=dark
    )
    page.evaluate(f"document.querySelector('{STILL} img').decode()")


def test_ink_and_colors_are_those_of_the_package():
    assert plots.INK == INK
    for name in ("blue", "vermilion", "green"):
        assert plots.LIGHTER[name][0] == COLORS[name].lower()
        assert f"--{name}: {plots.LIGHTER[name][1]}" in (WEB / "common.css").read_text()


def test_a_figure_of_another_maker_is_refused():
    with pytest.raises(ValueError, match="matplotlib's style sheet"):
        plots.on_a_page("<svg xmlns='http://www.w3.org/2000/svg'/>")


def test_ground_and_ink_follow_the_theme(page):
    """In the dark a figure's ground is as dark as the page's, and its writing is light."""
    figure = page.locator(STILL).first
    grounds = []
    for name in ("light", "dark", "light"):
        theme(page, name)
        seen = pixels(figure)
        ground = seen[2, 2]
        grounds.append(ground.sum())
        distance = np.abs(seen - ground).sum(2)
        assert distance.max() > 400, name
        assert (distance > 400).mean() > 0.001, name
    assert grounds[0] == grounds[2] > 700
    assert grounds[1] < 150


def test_a_press_enlarges_a_figure_and_escape_brings_the_page_back(page):
    figure = page.locator(STILL).first
    dialog = page.locator("dialog.vq-enlarged")
    assert figure.locator("img").get_attribute("alt")
    for way in ("click", "Enter"):
        before = figure.bounding_box()["width"]
        if way == "click":
            figure.click()
        else:
            figure.focus()
            page.keyboard.press(way)
        assert dialog.evaluate("e => e.open")
        large = dialog.locator("img")
        alt = figure.locator("img").get_attribute("alt")
        assert large.get_attribute("alt") == alt
        assert large.bounding_box()["width"] > 1.2 * before
        natural = large.evaluate("e => e.naturalWidth")
        assert LETTERS * large.bounding_box()["width"] / natural >= SMALLEST
        page.keyboard.press("Escape")
        assert not dialog.evaluate("e => e.open")
        assert figure.evaluate("e => e === document.activeElement")


def test_close_and_a_press_beside_the_figure_end_it_and_the_figure_itself_does_not(page):
    dialog = page.locator("dialog.vq-enlarged")
    for end in ("text=Close", None):
        page.locator(STILL).first.click()
        dialog.locator("img").click(position={"x": 5, "y": 5})
        assert dialog.evaluate("e => e.open")
        if end:
            dialog.locator(end).click()
        else:
            page.mouse.click(1, 1)
        assert not dialog.evaluate("e => e.open")


def test_every_figure_can_be_enlarged(page):
    figures = page.locator("article .cell_output img").count()
    assert figures == page.locator(STILL).count() > 5
