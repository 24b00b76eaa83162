"""What all pages of figures do by themselves: fill a window of their own, follow a page around."""

import pytest
import torch

from vqvae_lite.codebook import nearest_codes
from vqvae_lite.figures.plane import explore_plane

CODES = torch.tensor([[1.5, 1.0], [-1.5, 0.5], [0.5, -1.5]])
OUTPUTS = torch.tensor([[1.0, 0.2], [-0.7, 0.1], [0.1, -0.4], [2.0, 2.0]])
BUTTON = 34  # px, its height in the book
BODY = """() => {
  const {left, right, top, bottom} = document.body.getBoundingClientRect();
  return {left, right, top, bottom, wide: innerWidth, high: innerHeight};
}"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    file = tmp_path_factory.mktemp("alone") / "figure.html"
    page = explore_plane(CODES, OUTPUTS, torch.tensor([1.0, -0.5]), shape=(2, 2)).page
    file.write_text(page, encoding="utf-8")
    return file


@pytest.fixture
def opened(chromium):
    pages = []

    def go(file, width, height, **options):
        viewport = {"width": width, "height": height}
        pages.append(chromium.new_page(viewport=viewport, offline=True, **options))
        pages[-1].goto(file.as_uri())
        return pages[-1]

    yield go
    for page in pages:
        page.close()


def settled(page):
    """Where the figure is once its size follows the window."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    return page.evaluate(BODY)


@pytest.mark.parametrize(("width", "height"), [(1800, 1100), (1544, 3000)])
def test_alone_a_figure_is_as_large_as_its_window_lets_it(opened, file, width, height):
    page = opened(file, width, height)
    box = settled(page)
    assert max((box["right"] - box["left"]) / width, box["bottom"] / height) > 0.99
    assert box["left"] == pytest.approx(width - box["right"], abs=1), "in the middle"
    assert box["right"] <= width
    assert box["bottom"] <= height
    assert page.locator("h1").bounding_box()["height"] > 10
    # All of it is larger, words and buttons too.
    assert page.locator("#step").bounding_box()["height"] > 1.25 * BUTTON
    page.set_viewport_size({"width": 800, "height": 900})
    box = settled(page)
    assert box["right"] <= 800


def test_alone_in_a_small_window_it_is_as_in_the_book(opened, file):
    page = opened(file, 390, 600)
    box = settled(page)
    assert box["right"] - box["left"] == 390
    assert page.locator("#step").bounding_box()["height"] == pytest.approx(BUTTON, abs=2)
    assert box["bottom"] > 600, "and the page scrolls"


def test_alone_a_mouse_drags_what_it_points_at(opened, file):
    page = opened(file, 1800, 1100)
    settled(page)
    middles = []
    for handle in ("#output-1", "#code-0"):
        box = page.locator(handle).bounding_box()
        middles.append((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))
    page.mouse.move(*middles[0])
    page.mouse.down()
    page.mouse.move(*middles[1], steps=4)
    page.mouse.up()
    outputs = OUTPUTS.clone()
    outputs[1] = CODES[0]
    assert nearest_codes(OUTPUTS, CODES)[1] != 0
    codes = [int(text) for text in page.locator(".map button").all_inner_texts()]
    assert codes == nearest_codes(outputs, CODES).tolist()


AROUND = """<!doctype html><html data-theme="dark"><iframe src="figure.html" width="700"></iframe>
<script>
onmessage = ({source, data}) => {
  const frame = document.querySelector("iframe");
  if (source !== frame.contentWindow) return;
  frame.style.height = data.vqHeight + "px";
  source.postMessage({vqTheme: document.documentElement.dataset.theme}, "*");
};
</script></html>"""


def test_in_a_page_that_it_may_not_read_a_figure_tells_its_height_and_is_told_the_theme(
    opened, file
):
    around = file.with_name("around.html")
    around.write_text(AROUND, encoding="utf-8")
    page = opened(around, 800, 900, color_scheme="light")
    frame = page.query_selector("iframe").content_frame()
    frame.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    assert frame.evaluate("() => { try { return !parent.document; } catch { return true; } }")
    assert frame.locator("h1").bounding_box()["height"] <= 1, "the page around has a title for it"
    inside = frame.evaluate("document.body.getBoundingClientRect().height")
    page.wait_for_function(
        "height => Math.abs(document.querySelector('iframe').clientHeight - height) < 2",
        arg=inside,
    )
