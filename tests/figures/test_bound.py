"""The figure of the bound's two parts: what its page holds, and what a reader does with it."""

import base64
import json
import math
import re

import pytest

from vqvae_lite.figures.bound import BoundPoint, explore_bound

CODES, CODEBOOKS = (8, 32, 128, 512), (1, 2, 4)
REFERENCES = {"VAE": (3.6104, 0.9196), "VIMCO, one sample": (5.2, 0.19)}
LATENTS, VALUES = 64, 3072


def point(K, C, **changes):
    """A reconstruction that falls ever more slowly, so that the least total is in the middle."""
    bits = LATENTS * C * math.log2(K)
    reconstruction = 3.7 + 2.3 * math.exp(-bits / 650) + 0.02 * C / math.log2(K)
    return BoundPoint(K, C, reconstruction, bits / VALUES, 0.8 * bits / VALUES)._replace(**changes)


POINTS = [point(K, C) for C in CODEBOOKS for K in CODES]


def figure(points=POINTS, references=REFERENCES, **changes):
    settings = {"latents": LATENTS, "values": VALUES, "start": (512, 2)}
    return explore_bound(points, references, **(settings | changes))


def data_in(page):
    return json.loads(re.search(r'id="data">(.*?)</script', page)[1])


def sums(sentence):
    """The numbers of a sentence: positions, C, K, bits, prior, reconstruction, total, difference
    from the reference.
    """
    parts = re.fullmatch(
        r"(\d+) positions \u00d7 (\d+) codebooks? \u00d7 log\u2082 (\d+) = ([\d,.]+) bits for the "
        r"code, ([\d.]+) bits per dimension; reconstruction ([\d.]+); together ([\d.]+): "
        r"(?:([\d.]+) (more|less) than|as much as) the VAE\.",
        sentence,
    ).groups()
    *numbers, difference, side = (part and part.replace(",", "") for part in parts)
    sign = {"more": 1, "less": -1, None: 0}[side]
    return [float(number) for number in numbers] + [sign * float(difference or 0)]


def expect(sentence, point, latents=LATENTS, values=VALUES):
    """The sentence must tell the point as measured, and its sums must hold as written."""
    positions, C, K, bits, prior, reconstruction, total, difference = sums(sentence)
    assert (positions, K, C) == (latents, point.num_codes, point.num_codebooks)
    assert bits == pytest.approx(latents * C * math.log2(K), abs=0.051)
    assert prior == pytest.approx(bits / values, abs=0.00055)
    assert reconstruction == pytest.approx(point.reconstruction, abs=0.00051)
    assert total == pytest.approx(reconstruction + prior, abs=1e-9)
    assert difference == pytest.approx(total - 3.610 - 0.920, abs=1e-9)


def test_page_holds_every_point_and_its_arithmetic():
    data = data_in(figure(POINTS[::-1]).page)  # in any order
    assert (data["codes"], data["codebooks"]) == (list(CODES), list(CODEBOOKS))
    assert data["chosen"] == [3, 1]
    entries = [entry for line in data["lines"] for entry in line]
    for entry, wanted in zip(entries, POINTS, strict=True):
        assert entry["reconstruction"] == pytest.approx(wanted.reconstruction, abs=0.00051)
        assert entry["latents"] == pytest.approx(wanted.prior, abs=0.00051)
        assert entry["saved"] == pytest.approx(wanted.prior - wanted.frequencies, abs=0.0011)
        expect(entry["sentence"], wanted)
    assert data["references"][0] == {"name": "VAE", "reconstruction": 3.61, "latents": 0.92}
    signs = {math.copysign(1, sums(entry["sentence"])[-1]) for entry in entries}
    assert signs == {1, -1}  # both "more" and "less" were there to be wrong


@pytest.mark.parametrize(
    ("reconstruction", "words"),
    [
        (4.155, r"together 4\.530: as much as the VAE\."),
        (4.154, r"together 4\.529: 0\.001 less than the VAE\."),
        (4.156, r"together 4\.531: 0\.001 more than the VAE\."),
    ],
)
def test_sentence_compares_with_the_first_reference(reconstruction, words):
    points = [*POINTS[:7], point(512, 2, reconstruction=reconstruction), *POINTS[8:]]
    assert re.search(words, repr(figure(points)))


def test_bits_need_not_be_whole():
    points = [point(K, 1) for K in (10, 100)]
    assert "\u00d7 log\u2082 100 = 425.2 bits" in repr(figure(points, start=(100, 1)))


def test_ticks_reach_around_everything():
    data = data_in(figure(references={"VAE": (3.2, 1.3), "other": (6.4, 0.1)}).page)
    total, latents, reconstruction = data["ticks"].values()
    assert total[0] == latents[0] == 0
    assert total[-1] >= 6.5
    assert latents[-1] >= 1.3
    assert reconstruction[0] <= 3.2
    assert reconstruction[-1] >= 6.4


def test_frequencies_that_cost_more_save_nothing():
    points = [point(K, 1, frequencies=0.5) for K in CODES]
    data = data_in(figure(points, start=(8, 1)).page)
    assert [entry["saved"] for entry in data["lines"][0]] == [0, 0, 0, 0]


def test_same_figure_every_time_with_a_picture_and_words():
    first, second = (figure()._repr_mimebundle_() for _ in range(2))
    assert first == second
    assert base64.b64decode(first["image/png"]).startswith(b"\x89PNG")
    assert "other models: VAE; VIMCO, one sample." in first["text/plain"]
    sentence = first["text/plain"].split("For K = 512, C = 2: ")[1]
    expect(sentence, point(512, 2))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (POINTS[:-1], r"K, C = \(512, 4\) is missing"),
        ([*POINTS, POINTS[0]], r"K, C = \(8, 1\) is there twice"),
        (POINTS[:1], "leave a choice, got 1"),
        ([], "leave a choice, got 0"),
        ([*POINTS[1:], point(8, 1, num_codes=0)], "num_codes must be at least 1"),
        ([*POINTS[1:], point(8, 1, reconstruction=math.nan)], "K = 8, C = 1 must be finite"),
        ([*POINTS[1:], point(8, 1, frequencies=-0.1)], "K = 8, C = 1 must be finite and not neg"),
        ([*POINTS[1:], point(8, 1, prior=0.0640)], "C = 1 must be 0.0625, 64 positions in 3072"),
    ],
)
def test_points_that_make_no_grid_or_no_sense_are_refused(points, message):
    with pytest.raises(ValueError, match=message):
        figure(points)


def test_prior_may_be_rounded():
    entry = data_in(figure([*POINTS[1:], point(8, 1, prior=0.0634)]).page)["lines"][0][0]
    expect(entry["sentence"], point(8, 1))


def test_other_arguments_are_checked():
    with pytest.raises(ValueError, match="must be 0.1250, 128 positions"):
        figure(latents=128)
    with pytest.raises(TypeError, match="values must be an int"):
        figure(values=3072.0)
    with pytest.raises(ValueError, match="references must name a model"):
        figure(references={})
    with pytest.raises(ValueError, match="parts of VAE must be finite"):
        figure(references={"VAE": (math.inf, 0.5)})
    with pytest.raises(ValueError, match=r"start must be \(K, C\) of a point, got \(2, 512\)"):
        figure(start=(2, 512))


class Page:
    """The figure alone on a page of its own, and everything that went wrong on it."""

    def __init__(self, browser, folder, width):
        file = folder / "figure.html"
        file.write_text(figure().page, encoding="utf-8")
        self.trouble = []
        self.context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
        self.context.set_default_timeout(120_000)  # a busy machine is slow, not wrong
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.goto(file.as_uri())

    def expect(self, K, C):
        """All parts of the page must show this choice."""
        pressed = self.page.locator('button[aria-pressed="true"]').all_inner_texts()
        assert pressed == [str(K), str(C)]
        sentence = self.page.locator("#sentence").inner_text()
        expect(sentence, point(K, C))
        prior, reconstruction, total = sums(sentence)[4:7]
        state = self.page.locator("html").get_attribute("data-state")
        assert state == f"K {K}; C {C}; total {total:.3f}"
        texts = self.page.locator("svg[role=img]").first.locator("text").all_text_contents()
        more = total - float(texts[3].rpartition("= ")[2])
        sign = "\u2212" if more < 0 else "+"
        assert texts[:2] == [
            "VQ-VAE",
            f"{reconstruction:.3f} + {prior:.3f} = {total:.3f} ({sign}{abs(more):.3f})",
        ]
        assert self.page.locator(".tag-text").text_content() == f"{total:.3f}"
        ring, dot = (
            self.page.locator(selector).evaluate(
                "e => [e.getAttribute('cx'), e.getAttribute('cy')]"
            )
            for selector in (".ring", f"#point-{K}-{C}")
        )
        assert ring == dot


@pytest.fixture
def show(chromium, tmp_path):
    pages = []

    def go(width=720):
        pages.append(Page(chromium, tmp_path, width))
        return pages[-1]

    yield go
    for page in pages:
        page.context.close()
        assert page.trouble == []


def test_page_opens_with_the_start(show):
    show().expect(512, 2)


def test_buttons_choose_and_the_sentence_is_spoken(show):
    page = show()
    for K, C in [(8, 1), (32, 4), (512, 4), (128, 2)]:
        page.page.locator(f"#K-{K}").click()
        page.page.locator(f"#C-{C}").click()
        page.expect(K, C)
    sentence = page.page.locator("#sentence").inner_text()
    page.page.wait_for_function(
        "text => document.querySelector('[aria-live]').textContent === text", arg=sentence
    )


def test_arrow_keys_choose_within_a_row_that_is_one_stop_of_tab(show):
    page = show()
    keys = page.page.keyboard
    keys.press("Tab")
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp"):
        keys.press(key)
    page.expect(32, 2)
    keys.press("Tab")
    keys.press("ArrowRight")
    page.expect(32, 4)
    assert page.page.evaluate("document.activeElement.id") == "C-4"


def test_a_click_on_the_plane_chooses_the_nearest_point(show):
    page = show()
    page.page.locator("#point-8-4").click()
    page.expect(8, 4)
    box = page.page.locator("#point-32-1").bounding_box()
    page.page.mouse.click(box["x"] - 9, box["y"] + 4)  # beside it
    page.expect(32, 1)
    box = page.page.locator(".plane").bounding_box()
    page.page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 0.3 * box["height"])
    page.expect(32, 1)  # nothing was near


GEOMETRY = """() => {
  const number = (node, name) => Number(node.getAttribute(name));
  const bars = [...document.querySelectorAll("svg[role=img]")[0].querySelectorAll("rect")];
  const line = document.querySelector(".iso.chosen");
  return {
    bars: bars.map((bar) => [number(bar, "x"), number(bar, "width")]),
    line: ["x1", "y1", "x2", "y2"].map((name) => number(line, name)),
    points: [...document.querySelectorAll(".dot")]
      .map((dot) => ["cx", "cy"].map((name) => number(dot, name))),
  };
}"""


def test_drawings_are_to_scale(show):
    page = show()
    drawn = page.page.evaluate(GEOMETRY)
    (start, reconstruction), (middle, kept), (edge, prior) = drawn["bars"][:3]
    chosen = point(512, 2)
    assert start + reconstruction == pytest.approx(middle) == pytest.approx(edge)
    assert prior / reconstruction == pytest.approx(chosen.prior / chosen.reconstruction, rel=1e-3)
    assert kept / prior == pytest.approx(0.8, abs=0.01)

    # Two points give the scales of the plane, and these the rest.
    (x1, y1), (x2, y2) = drawn["points"][0], drawn["points"][-1]
    first, last = POINTS[0], POINTS[-1]
    unit_x = (x2 - x1) / (last.prior - first.prior)
    unit_y = (y2 - y1) / (last.reconstruction - first.reconstruction)
    for (x, y), wanted in zip(drawn["points"], POINTS, strict=True):
        assert x == pytest.approx(x1 + unit_x * (wanted.prior - first.prior), abs=0.5)
        height = wanted.reconstruction - first.reconstruction
        assert y == pytest.approx(y1 + unit_y * height, abs=0.5)
    # On the dashed line prior and reconstruction add up to the total everywhere.
    left, top, right, bottom = drawn["line"]
    x, y = drawn["points"][POINTS.index(chosen)]
    assert (right - left) / unit_x + (bottom - top) / unit_y == pytest.approx(0, abs=2e-3)
    assert (x - left) / unit_x + (y - top) / unit_y == pytest.approx(0, abs=2e-3)


PLACES = """() => {
  const places = [];
  const [codes, codebooks] = [...document.querySelectorAll(".choice")]
    .map((row) => [...row.querySelectorAll("button")]);
  for (const K of codes) {
    for (const C of codebooks) {
      K.click();
      C.click();
      const top = document.querySelector(".plane").getBoundingClientRect().y;
      places.push([top, document.documentElement.scrollWidth].join());
    }
  }
  return [...new Set(places)];
}"""


# At 400 and 600 pixels the sentences differ by a line.
@pytest.mark.parametrize("width", [358, 400, 600, 720])
def test_nothing_moves_or_leaves_the_page_whatever_is_chosen(show, width):
    (place,) = show(width).page.evaluate(PLACES)
    assert place.endswith(f",{width}")


def test_selectors_for_the_books_tests_change_the_figure(show):
    page = show()
    root = page.page.locator("html")
    states = [root.get_attribute("data-state")]
    page.page.locator(root.get_attribute("data-test-click")).first.click()
    states.append(root.get_attribute("data-state"))
    selector, _, key = root.get_attribute("data-test-key").rpartition("|")
    page.page.locator(selector).first.focus()
    page.page.keyboard.press(key)
    states.append(root.get_attribute("data-state"))
    assert len(set(states)) == 3
