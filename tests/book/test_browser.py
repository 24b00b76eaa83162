"""The built book in a headless Chromium, opened as files, with no network: it shows its mathematics
and its figures react, on a wide screen and on a phone, in the light and the dark theme.
"""

import re

import pytest

from built import HTML, PAGES, built  # noqa: F401  (the fixture that wants a fresh book)

VIEWS = {  # width and height in CSS pixels, and the colours that the reader's system prefers
    "wide": (1280, 900, "light"),
    "phone": (390, 844, "light"),
    "dark": (1280, 900, "dark"),
}
PATIENCE = 120_000  # ms; a busy machine is slow, not wrong
# What the theme says on every page, that is not ours and harms nothing.
HARMLESS = (
    "Got invalid theme mode: . Resetting to auto.",  # the theme, on anybody's first visit
)


class Visit:
    """A page opened from its file with no network, and all that went wrong on it."""

    def __init__(self, chromium, name, width, height, scheme):
        self.scheme = scheme
        self.context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, offline=True
        )
        self.context.set_default_timeout(PATIENCE)
        self.trouble = []
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.note(f"exception: {error}"))
        self.page.on("console", self.hear)
        self.page.on("request", self.watch)
        self.page.on("requestfailed", lambda request: self.note(f"failed: {request.url}"))
        self.page.goto((HTML / f"{name}.html").as_uri(), wait_until="load")
        self.page.evaluate("window.MathJax && MathJax.startup.promise.then(() => 0)")

    def hear(self, message):
        if message.type in ("error", "warning"):
            self.note(f"console: {message.text} ({message.location['url']})")

    def watch(self, request):
        if not request.url.startswith(("file:", "data:", "blob:", "about:")):
            self.note(f"asks the network for {request.url}")

    def note(self, text):
        if not any(harmless in text for harmless in HARMLESS):
            self.trouble.append(text)

    def figures(self):
        """The title and the document of each interactive figure, scrolled into view."""
        for element in self.page.query_selector_all("iframe.vq-interactive"):
            element.scroll_into_view_if_needed()
            frame = element.content_frame()
            frame.wait_for_load_state()
            yield element.get_attribute("title"), frame


@pytest.fixture(
    scope="module", params=[(name, view) for name in PAGES for view in VIEWS], ids="-".join
)
def visit(request, chromium):
    """Each page in each view, opened once for all the tests."""
    name, view = request.param
    visit = Visit(chromium, name, *VIEWS[view])
    yield visit
    visit.context.close()


# What reaches beyond its own box: of equations the formula, since their box scrolls by itself.
CUT = """() => [...document.querySelectorAll(
    '.bd-article :is(pre, div.math > mjx-container, table, img, iframe, figure, h1, h2, h3, h4)'
)].filter((element) => {
    if (!element.offsetParent || element.closest('details:not([open]), div.vq-table')) return false;
    const box = element.closest('.bd-article').getBoundingClientRect();
    if (element.tagName === 'TABLE' && getComputedStyle(element).overflowX === 'auto') return false;
    return element.scrollWidth > element.clientWidth + 1
        || element.getBoundingClientRect().right > box.right + 1;
}).map((element) => `${element.tagName}: ${element.textContent.slice(0, 80)}`)"""


def test_nothing_is_cut(visit):
    """Neither code nor output, equation or figure; a wide table scrolls in a frame of its own."""
    assert visit.page.evaluate(CUT) == []


def test_mathematics_is_typeset(visit):
    formulas = visit.page.locator(".math")
    assert visit.page.locator(".math mjx-container").count() == formulas.count()
    assert visit.page.locator("mjx-merror, [data-mjx-error]").count() == 0
    for text in formulas.all_inner_texts():
        assert not re.search(r"\\[(\[]|\\begin", text)


def test_figures_react(visit):
    for title, frame in visit.figures():
        root = frame.locator("html")
        selector = root.get_attribute("data-test-click")
        before = root.get_attribute("data-state")
        frame.locator(selector).first.click()
        before = changed(frame, before, f"{title}: a click on {selector} changed nothing")
        selector, _, key = root.get_attribute("data-test-key").rpartition("|")
        element = frame.locator(selector).first
        element.focus()
        focused = element.evaluate("e => e === document.activeElement")
        assert focused, f"{title}: {selector} takes no keyboard focus"
        frame.page.keyboard.press(key)
        changed(frame, before, f"{title}: {key} on {selector} changed nothing")


def changed(frame, before, message):
    """The figure's new state."""
    different = "before => document.documentElement.dataset.state !== before"
    try:
        frame.wait_for_function(different, arg=before, timeout=20_000)
    except Exception as error:
        raise AssertionError(message) from error
    return frame.locator("html").get_attribute("data-state")


def test_page_scrolls_only_down(visit):
    assert sideways(visit.page) <= 1
    for title, frame in visit.figures():
        assert sideways(frame) <= 1, title


def sideways(page):
    """By how many pixels a page is wider than what shows it."""
    root = "document.documentElement"
    return page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")


# How well text can be told from what is behind it: 1 to 21, WCAG asks for 4.5. What has no
# background of its own lies on white.
CONTRAST = """selector => {
  const element = document.querySelector(selector);
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = rgb => rgb.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let behind = [255, 255, 255];
  for (let e = element; e; e = e.parentElement) {
    const color = parse(getComputedStyle(e).backgroundColor);
    if (color.length === 3 || color[3] === 1) { behind = color; break; }
  }
  const [low, high] = [parse(getComputedStyle(element).color), behind]
    .map(luminance).sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}"""


def test_text_and_figures_can_be_read(visit):
    assert visit.page.locator("html").get_attribute("data-theme") == visit.scheme
    assert visit.page.evaluate(CONTRAST, "article p, article h1") >= 4.5
    for title, frame in visit.figures():
        assert frame.evaluate(CONTRAST, "body") >= 4.5, title
    for picture in visit.page.locator("article .cell_output img").all():
        background = picture.evaluate("e => getComputedStyle(e).backgroundColor")
        assert background == "rgba(0, 0, 0, 0)"
        address = picture.get_attribute("src")
        assert address.endswith(".svg#dark" if visit.scheme == "dark" else ".svg")


def test_nothing_went_wrong(visit):
    """Last: no error on the console, no exception, no request that failed or left the book."""
    assert visit.trouble == []
