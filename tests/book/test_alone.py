"""Each figure of the built book in a window of its own, as a file: it is large, and it reacts."""

import pytest

import weigh
from built import HTML, built  # noqa: F401  (the fixture that wants a fresh book)

WIDE, HIGH = 1600, 1000
FILLED = """() => {
  const {left, right, bottom} = document.querySelector("main").getBoundingClientRect();
  const {height} = document.querySelector("button").getBoundingClientRect();
  const scale = height / document.querySelector("button").offsetHeight;
  return [(right - left) / scale, Math.max((right - left) / innerWidth, bottom / innerHeight)];
}"""


def figures():
    """The files of the figures, and the click on each that the book's own test makes."""
    files = sorted((HTML / "figures").glob("*.html"))
    assert len(files) >= 7
    return files


@pytest.fixture
def context(chromium):
    context = chromium.new_context(viewport={"width": WIDE, "height": HIGH}, offline=True)
    yield context
    context.close()


def clicked(document):
    """What the figure says of itself before and after its click."""
    root = document.locator("html")
    selector = root.get_attribute("data-test-click")
    document.wait_for_function("() => document.documentElement.dataset.state")
    before = root.get_attribute("data-state")
    document.locator(selector).first.click()
    different = "before => document.documentElement.dataset.state !== before"
    document.wait_for_function(different, arg=before, timeout=60_000)
    return before, root.get_attribute("data-state")


def test_figures_fill_a_window_and_react(context):
    for file in figures():
        trouble = []
        page = context.new_page()
        page.on("pageerror", lambda error, trouble=trouble: trouble.append(str(error)))
        page.goto(file.as_uri())
        assert page.title(), file.name
        before, after = clicked(page)
        assert before != after
        wide, filled = page.evaluate(FILLED)
        assert wide < 761, f"{file.name} is laid out as in the book"
        assert filled > 0.95, file.name
        assert not trouble, file.name
        page.close()


def test_the_link_under_a_figure_opens_it_and_it_does_what_it_does_in_the_page(context):
    page = context.new_page()
    page.goto((HTML / "book" / "01_quantizer.html").as_uri())
    frame = page.query_selector("iframe.vq-interactive")
    frame.scroll_into_view_if_needed()
    inside = clicked(frame.content_frame())
    page.locator("p.vq-links a").first.click()
    page.wait_for_url("**/figures/fig-plane.html")
    assert clicked(page) == inside


def test_the_other_link_saves_it_as_one_file_that_works(context, tmp_path):
    page = context.new_page()
    with weigh.server(HTML) as address:
        context.set_offline(False)
        page.goto(f"{address}book/01_quantizer.html")
        with page.expect_download() as download:
            # Not with the mouse: figures that load meanwhile move the link away from under it.
            page.locator("p.vq-links a").last.evaluate("link => link.click()")
        saved = tmp_path / download.value.suggested_filename
        download.value.save_as(saved)
        context.set_offline(True)
    assert saved.name == "fig-plane.html"
    page.goto(saved.as_uri())
    before, after = clicked(page)
    assert before != after


PRINTED = """() => {
  const figures = [...document.querySelectorAll("article figure, article iframe")];
  return [getComputedStyle(document.body).printColorAdjust,
    ...new Set(figures.map((figure) => getComputedStyle(figure).breakInside))];
}"""


def test_printed_figures_stay_whole_and_keep_their_colours(context):
    page = context.new_page()
    page.goto((HTML / "book" / "01_quantizer.html").as_uri())
    page.emulate_media(media="print")
    assert page.evaluate(PRINTED) == ["exact", "avoid"]
    assert page.locator("p.vq-links").first.is_hidden()
    frame = page.query_selector("iframe.vq-interactive").content_frame()
    frame.wait_for_selector("#figure > svg, #figure > div", state="attached")
    assert frame.evaluate("getComputedStyle(document.body).printColorAdjust") == "exact"
