"""What a reader's browser loads for a page, compressed, is little; figures load when reached."""

import pytest

import weigh
from built import HTML, PAGES, built  # noqa: F401  (the fixture that wants a fresh book)

MOST = 900e3  # bytes


@pytest.fixture(scope="module")
def address():
    with weigh.server(HTML) as address:
        yield address


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light(chromium, address, name):
    files = weigh.weigh(chromium, address, HTML, f"{name}.html").files
    assert f"{name}.html" in files
    assert any(path.endswith("book.css") for path in files)
    heaviest = sorted(files.items(), key=lambda item: -item[1])[:5]
    assert sum(files.values()) <= MOST, f"the heaviest files: {heaviest}"


def test_figures_load_when_they_are_reached(chromium, address):
    page = chromium.new_page()
    page.goto(f"{address}book/03_images.html", wait_until="load")
    frame = page.query_selector("iframe.vq-interactive")
    assert frame.content_frame().url in ("", "about:blank")
    frame.scroll_into_view_if_needed()
    page.frame_locator("iframe.vq-interactive").locator("#figure > *").first.wait_for()
    assert "/figures/" in frame.content_frame().url
    page.close()
