"""The figures of the built book react to a click and a key in Firefox, where it is installed."""

import pytest

import firefox as browsers
from built import HTML, PAGES, built  # noqa: F401  (the fixture that wants a fresh book)

STATE = "return document.documentElement?.dataset.state"
CHANGED = "const now = document.documentElement.dataset.state; return now !== arguments[0] && now"
NAMED = "return document.documentElement.getAttribute(arguments[0])"


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    program = browsers.find()
    if not program:
        pytest.skip("no Firefox found")
    firefox = browsers.Firefox(program, tmp_path_factory.mktemp("firefox"))
    yield firefox
    firefox.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_figures_react(firefox, name):
    firefox.do("Navigate", url=(HTML / f"{name}.html").as_uri())
    for index in range(firefox.run("return document.querySelectorAll('.vq-interactive').length")):
        frame = firefox.run(
            "const frame = document.querySelectorAll('.vq-interactive')[arguments[0]];"
            "frame.scrollIntoView(); return frame",
            index,
        )
        firefox.do("SwitchToFrame", element=frame[browsers.ELEMENT])
        before = firefox.wait(STATE)
        firefox.click(firefox.run(NAMED, "data-test-click"))
        before = firefox.wait(CHANGED, before)
        selector, _, key = firefox.run(NAMED, "data-test-key").rpartition("|")
        firefox.run("document.querySelector(arguments[0]).focus()", selector)
        firefox.press(key)
        firefox.wait(CHANGED, before)
        firefox.do("SwitchToFrame")
