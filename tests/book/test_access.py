"""axe-core finds nothing on any page of the built book, nor in the figures in it: wide and on a
phone, in the light and in the dark. It comes with `npm install`; without it nothing is looked at.
"""

import pytest

from built import HTML, PAGES, ROOT, built  # noqa: F401  (the fixture that wants a fresh book)

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = {"wide": (1280, 900), "phone": (390, 844)}  # CSS pixels
# MathJax's own elements are left out: thousands of them a page, all in the colour of the text.
LOOKED_AT = {
    "page": {"exclude": [["mjx-container"], ["iframe"]]},
    "figure": {"include": [["html"]]},
}
# The dark has the same elements in other colours.
RULES = {"light": {}, "dark": {"runOnly": {"type": "rule", "values": ["color-contrast"]}}}
RUN = """async ([where, rules]) => {
  const found = await axe.run(where, {...rules, resultTypes: ["violations"], elementRef: false});
  return found.violations.flatMap(({id, nodes}) => nodes.map(
    ({target, failureSummary}) => `${id}: ${target.join(" ")}: ${failureSummary}`));
}"""


@pytest.fixture(scope="module")
def axe():
    """The script that looks at a page."""
    if not AXE.exists():
        pytest.skip("no node_modules/axe-core: run `npm install` where Node is there")
    return AXE.read_text(encoding="utf-8")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", [*PAGES, "search", "genindex"])
def test_axe_finds_nothing(chromium, axe, name, view):
    width, height = VIEWS[view]
    context = chromium.new_context(viewport={"width": width, "height": height}, offline=True)
    context.set_default_timeout(300_000)
    page = context.new_page()
    page.goto((HTML / f"{name}.html").as_uri(), wait_until="load")
    page.evaluate("window.MathJax && MathJax.startup.promise.then(() => 0)")
    page.add_style_tag(content="* { transition: none !important; }")  # no colours on their way
    figures = page.query_selector_all("iframe.vq-interactive")
    found = []
    for frame in [None, *figures]:
        kind, document = "page", page
        if frame:
            frame.scroll_into_view_if_needed()  # a browser lets frames out of sight rest
            kind, document = "figure", frame.content_frame()
        document.wait_for_load_state()
        document.evaluate(axe)
        for theme, rules in RULES.items():
            page.emulate_media(color_scheme=theme)
            themed = "theme => document.documentElement.dataset.theme === theme"
            document.wait_for_function(themed, arg=theme, polling=100)
            found += document.evaluate(RUN, [LOOKED_AT[kind], rules])
    context.close()
    assert found == []
