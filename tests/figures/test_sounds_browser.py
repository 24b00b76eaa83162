"""The player of sounds in a headless browser: what is heard, from where, and how it changes."""

import re

import numpy as np
import pytest
import torch

from hearing import DEAF, LATE, MUTE, Visit
from vqvae_lite.figures.sounds import Sounds

RATE = 16000
TIME = torch.arange(2 * RATE) / RATE
WAVES = {
    "low": 0.5 * (2 * torch.pi * 200 * TIME).sin(),
    "high, <b>shorter</b>": 0.5 * (2 * torch.pi * 900 * TIME[: 3 * RATE // 2]).sin(),
    "rising": 0.5 * (2 * torch.pi * 300 * TIME * (1 + TIME)).sin(),
}
SOON = 0.03  # seconds after a click in which a sound begins

# Keeps what begins and ends, and how loud each is to become. The clock is the test's.
LISTEN = """
window.clock = 0;
window.sources = [];
const { connect } = AudioBufferSourceNode.prototype;
AudioBufferSourceNode.prototype.connect = function (gain) {
  this.to = gain;
  gain.of = sources.length;
  sources.push(this);
  this.loud = 0;
  gain.gain.of = this;
  return connect.call(this, gain);
};
AudioBufferSourceNode.prototype.start = function (when, offset) {
  Object.assign(this, { when, offset, stopped: false });
};
AudioBufferSourceNode.prototype.stop = function () { this.stopped = true; };
AudioParam.prototype.linearRampToValueAtTime = function (value, time) {
  Object.assign(this.of, { loud: value, until: time });
};
Object.defineProperty(BaseAudioContext.prototype, "currentTime", { get: () => window.clock });
Object.defineProperty(AudioContext.prototype, "outputLatency", { get: () => 0 });
"""
HEARD = """() => sources.filter(({ stopped }) => !stopped).map(
  ({ when, offset, loud, until, loop, buffer }) => ({
    when, offset, loud, until, loop, samples: Array.from(buffer.getChannelData(0)) }))"""
END = """() => sources.filter(({ stopped }) => !stopped).forEach((source) => {
  source.stopped = true;
  source.dispatchEvent(new Event("ended"));
})"""


class Player(Visit):
    """The player, and everything that went wrong on its page."""

    def state(self):
        """Version, place in seconds, whether a sound is heard."""
        version, place, heard = re.match(
            r"version (\d+); place ([\d.]+); heard (\w+)", self.told()
        ).groups()
        return int(version), float(place), heard == "sound"

    def click(self, selector):
        return self.do(self.page.locator(selector).click)

    def press(self, key, selector="#place"):
        return self.do(self.page.locator(selector).press, key)

    def heard(self):
        """What sounds at the moment, silent ones too."""
        return self.page.evaluate(HEARD)


@pytest.fixture
def visit(chromium, tmp_path):
    visits = []

    def go(waves=WAVES, script="", clocked=True, together=True, **options):
        file = tmp_path / "figure.html"
        file.write_text(Sounds(waves, RATE, title="Tones", together=together).page, "utf-8")
        options = {"viewport": {"width": 700, "height": 600}} | options
        visits.append(Player(chromium, file, (LISTEN if clocked else "") + script, options))
        return visits[-1]

    yield go
    for each in visits:
        each.context.close()
        assert each.trouble == []


def check_sound(samples, wave):
    """That this is the wave, as far as MP3 keeps it, and silence after it."""
    wave = np.pad(wave.numpy(), (0, len(samples) - len(wave)))
    assert ((np.array(samples) - wave) ** 2).sum() < 0.03 * (wave**2).sum()


@pytest.mark.parametrize("script", ["", LATE], ids=["as it is", "late"])
def test_one_button_plays_the_versions_together_and_one_is_loud(visit, script):
    visit = visit(script=script)
    assert visit.state() == (0, 0.0, False)
    assert visit.text("#time") == "0.0 of 2.0 s"
    assert visit.click("#play") == (0, 0.0, True)
    assert visit.text("#play").endswith("Pause")
    heard = visit.heard()
    assert [piece["loud"] for piece in heard] == [1, 0, 0]
    assert {(piece["when"], piece["offset"]) for piece in heard} == {(SOON, 0)}
    for piece, wave in zip(heard, WAVES.values(), strict=True):
        check_sound(piece["samples"], wave)


def test_a_choice_is_heard_at_once_and_at_the_same_place(visit):
    visit = visit()
    visit.click("#play")
    visit.at_time(0.83)
    before = visit.heard()
    assert visit.click("#version-2") == (2, 0.8, True)
    after = visit.heard()
    assert [piece["loud"] for piece in after] == [0, 0, 1]
    assert all(0.83 < after[v]["until"] < 0.85 for v in (0, 2))
    starts = [[(piece["when"], piece["offset"]) for piece in heard] for heard in (before, after)]
    assert starts[0] == starts[1], "nothing began anew"
    assert visit.press("ArrowUp", "#version-2") == (1, 0.8, True), "as keys choose among radios"
    assert [piece["loud"] for piece in visit.heard()] == [0, 1, 0]
    assert visit.press("1") == (0, 0.8, True)
    assert visit.do(visit.page.keyboard.press, "9") == (0, 0.8, True)


def test_choosing_plays_and_pause_keeps_the_place(visit):
    visit = visit()
    assert visit.click("#version-1") == (1, 0.0, True)
    visit.at_time(SOON + 0.6)
    assert visit.click("#play") == (1, 0.6, False)
    assert visit.heard() == []
    assert visit.click("#version-2") == (2, 0.6, True)
    assert [piece["offset"] for piece in visit.heard()] == pytest.approx([0.6] * 3)
    visit.page.evaluate(END)
    assert visit.state() == (2, 0.0, False), "from the start, the next time"


def test_keys_and_pointer_move_on_the_waveform(visit):
    visit = visit()
    for key, place in {
        "ArrowRight": 0.1, "Shift+ArrowRight": 0.6, "ArrowLeft": 0.5, "End": 2.0, "Home": 0.0,
        "ArrowDown": 0.0,
    }.items():  # fmt: skip
        assert visit.press(key)[1:] == (place, False)
    box = visit.page.locator("#place").bounding_box()
    x, y = box["x"] + 0.25 * box["width"], box["y"] + 20
    assert visit.do(visit.page.mouse.click, x, y) == (0, 0.5, False)
    assert visit.press(" ") == (0, 0.5, True)
    assert visit.heard()[0]["offset"] == pytest.approx(0.5, abs=0.01)
    assert visit.do(visit.page.mouse.click, x + 0.5 * box["width"], y) == (0, 1.5, True)
    assert [piece["offset"] for piece in visit.heard()] == pytest.approx([1.5] * 3, abs=0.01)
    slider = visit.page.locator("#place")
    assert slider.get_attribute("role") == "slider"
    assert slider.get_attribute("aria-valuetext") == "1.5 of 2.0 s"
    assert visit.press(" ") == (0, 1.5, False)


def test_repeating_goes_on_from_the_start(visit):
    visit = visit()
    visit.click("#play")
    assert {piece["loop"] for piece in visit.heard()} == {False}
    visit.click("#repeat")
    assert {piece["loop"] for piece in visit.heard()} == {True}
    assert visit.at_time(SOON + 2.5) == (0, 0.5, True)
    visit.click("#play")
    visit.click("#play")
    assert {piece["loop"] for piece in visit.heard()} == {True}


def test_other_sounds_than_versions_are_heard_from_their_start(visit):
    visit = visit(together=False)
    visit.click("#play")
    visit.at_time(1)
    assert visit.click("#version-1") == (1, 0.0, True)
    (piece,) = visit.heard()
    assert (piece["loud"], piece["offset"]) == (1, 0)
    check_sound(piece["samples"], WAVES["high, <b>shorter</b>"])
    assert visit.text("#time") == "0.0 of 1.5 s"


def test_one_sound_alone_has_nothing_to_choose(visit):
    visit = visit({"alone": WAVES["low"]})
    assert visit.page.locator("input[type=radio]").count() == 0
    assert visit.click("#play") == (0, 0.0, True)
    assert len(visit.heard()) == 1


def test_the_line_goes_with_the_sound_and_in_steps_without_motion(visit):
    x = "() => parseFloat(document.querySelector('#place .play').getAttribute('d').slice(1))"
    for motion, places in {"no-preference": (0.7, 1.2), "reduce": (0.5, 1.0)}.items():
        each = visit(reduced_motion=motion)
        each.click("#play")
        wide = each.page.locator("#place").bounding_box()["width"]
        for heard, place in zip((0.7, 1.2), places, strict=True):
            each.at_time(SOON + heard)
            assert each.page.evaluate(x) == pytest.approx(place / 2 * wide, abs=2)


def test_sound_ends_by_itself(visit):
    """With the browser's own clock: all else here has the test's."""
    visit = visit({"a": WAVES["low"][:4000], "b": WAVES["rising"][:4000]}, clocked=False)
    visit.page.locator("#version-1").click()
    visit.wait("sound", "heard")
    visit.wait("1; place 0.0; heard nothing", "version")


@pytest.mark.parametrize("script", [DEAF, MUTE], ids=["no MP3", "no Web Audio"])
def test_a_browser_without_sound_says_so(visit, script):
    visit = visit(script=script)
    assert visit.text("#trouble").startswith("This browser cannot decode the MP3 sounds")
    assert visit.page.locator("#play").get_attribute("aria-disabled") == "true"
    assert visit.click("#version-1") == (1, 0.0, False)
    assert visit.do(visit.page.locator("#play").dispatch_event, "click") == (1, 0.0, False)


def test_waveform_is_drawn_in_the_ink_of_the_theme_and_as_long_as_its_sound(visit):
    visit = visit()
    columns = """() => {
      const canvas = document.querySelector('#place canvas'), { width, height } = canvas;
      const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
      const drawn = [...Array(width).keys()].filter((x) => [...Array(height).keys()].some(
        (y) => data[4 * (y * width + x) + 3] === 255));
      const first = 4 * ((height >> 1) * width + drawn[0]);
      return [(drawn.at(-1) + 1) / width, data[first]];
    }"""
    assert visit.page.evaluate(columns) == pytest.approx([1, 0x1B], abs=0.01)
    visit.click("#version-1")
    assert visit.page.evaluate(columns) == pytest.approx([0.75, 0x1B], abs=0.01)
    visit.page.emulate_media(color_scheme="dark")
    visit.state()
    assert visit.page.evaluate(columns)[1] == 0xE8


def test_a_finger_plays_and_chooses_on_a_phone(visit):
    phone = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    visit = visit(**phone)
    page = visit.page
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert visit.do(page.locator(".version").nth(2).tap) == (2, 0.0, True)
    assert visit.do(page.locator("#play").tap) == (2, 0.0, False)
    assert page.locator("#place").evaluate("e => getComputedStyle(e).touchAction") == "pan-y"
    for target in page.locator("#play, .version, .repeat").all():
        assert target.bounding_box()["height"] >= 34
