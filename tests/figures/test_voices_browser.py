"""The explorer of sentences as codes in a headless browser: what it marks, says and plays."""

import re

import numpy as np
import pytest

from hearing import DEAF, LATE, MUTE, Visit
from pages import clips_of, phone_counts_of
from vqvae_lite.figures.voices import explore_voices
from vqvae_lite.sound.speech import PHONES

HOP, RATE = 64, 16000
STRETCH = 0.15 * RATE  # samples that are played around a code
CLIPS = clips_of()
CODES = [clip.codes.tolist() for clip in CLIPS]

# Keeps what is played: the samples of each piece, and when it begins. The clock is the test's, so
# that a busy machine changes nothing, and one without a loudspeaker neither.
LISTEN = """
window.played = [];
window.clock = 0;
let last = null;
AudioBufferSourceNode.prototype.start = function (when) {
  const { sampleRate: rate } = this.buffer;
  played.push({ when, rate, samples: Array.from(this.buffer.getChannelData(0)) });
  last = this;
};
AudioBufferSourceNode.prototype.stop = () => {};
Object.defineProperty(BaseAudioContext.prototype, "currentTime", { get: () => window.clock });
Object.defineProperty(AudioContext.prototype, "outputLatency", { get: () => 0 });
window.end = () => last.dispatchEvent(new Event("ended"));
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    file = tmp_path_factory.mktemp("voices") / "figure.html"
    file.write_text(explore_voices(CLIPS, phone_counts_of(), hop=HOP).page, encoding="utf-8")
    return file


class Explorer(Visit):
    """The explorer, and everything that went wrong on its page."""

    def state(self):
        """What the figure says of itself, by its names."""
        pairs = re.findall(r"(\w+) (\w+)", self.told())
        return {key: int(value) if value.isdigit() else value for key, value in pairs}

    def press(self, key):
        return self.do(self.page.keyboard.press, key)

    def end(self):
        """Lets the sound end by itself."""
        return self.do(self.page.evaluate, "end()")

    def at(self, place):
        """Where a code of the magnified part is on the page."""
        state = self.state()
        box = self.page.locator("#codes").bounding_box()
        shown = min(len(CODES[state["clip"]]), max(8, int(box["width"] // 7)))
        assert state["first"] <= place < state["first"] + shown
        x = box["x"] + (place - state["first"] + 0.5) * box["width"] / shown
        return x, box["y"] + 160

    def played(self):
        """What has been asked to be played since the last time."""
        return self.page.evaluate("played.splice(0)")

    def marks(self, selector):
        return (self.page.locator(selector).get_attribute("d") or "").count("M")


@pytest.fixture
def explore(chromium, file):
    explorers = []

    def go(context=None, script="", file=file, clocked=True):
        options = {"viewport": {"width": 700, "height": 1000}} | (context or {})
        script = (LISTEN if clocked else "") + script
        explorers.append(Explorer(chromium, file, script, options))
        return explorers[-1]

    yield go
    for each in explorers:
        each.context.close()
        assert each.trouble == []


def wave_of(clip, voice):
    """What is heard of a clip in a voice; None for the original."""
    if voice:
        return CLIPS[clip].voices[voice].numpy()
    wave = np.zeros(len(CODES[clip]) * HOP, dtype=np.float32)
    original = CLIPS[clip].utterance.wave.numpy()[: len(wave)]
    wave[: len(original)] = original
    return wave


def stretch_of(clip, place, voice=None):
    """The stretch around a code."""
    middle = (place + 0.5) * HOP
    start, end = middle - STRETCH / 2, middle + STRETCH / 2
    return wave_of(clip, voice)[max(0, round(start)) : round(end)]


def check_sound(piece, wave):
    """That a piece is this wave, as far as MP3 keeps it."""
    assert piece["rate"] == RATE
    sound = np.array(piece["samples"])
    assert sound.shape == wave.shape
    assert ((sound - wave) ** 2).sum() < 0.03 * (wave**2).sum()


def places_of(code):
    return [(c, i) for c, codes in enumerate(CODES) for i, k in enumerate(codes) if k == code]


def stretches_of(code):
    """Its places without those that lie in the stretch of an earlier one."""
    apart = []
    for c, i in places_of(code):
        if not apart or apart[-1][0] != c or (i - apart[-1][1]) * HOP >= STRETCH:
            apart.append((c, i))
    return apart


def test_pointing_tells_the_code_its_phones_and_its_places(explore):
    explorer = explore()
    for place in (3, 50):
        state = explorer.do(explorer.page.mouse.move, *explorer.at(place))
        code, places = CODES[0][place], places_of(CODES[0][place])
        assert (state["place"], state["code"], state["heard"]) == (place, code, "nothing")
        assert explorer.text(".card h2").strip() == f"Code {code}"
        here = CODES[0].count(code)
        assert explorer.text("#facts") == (
            f"{(place + 0.5) * HOP / RATE:.2f} s, in {'pau' if place < 17 else 'iy'}. At {here} of "
            f"the 100 places here, {len(places)} of 210 in all 3 sentences."
        )
        for c in range(3):
            assert explorer.marks(f"#overview-{c} .mark") == CODES[c].count(code)
        shown = CODES[0][state["first"] : state["first"] + 98]
        assert explorer.marks("#codes .same.line") == shown.count(code)
        assert explorer.marks("#codes .cursor.line") == 1
        counts = phone_counts_of()[code]
        names = [PHONES[p] for p in counts.sort(descending=True, stable=True).indices[:3]]
        assert explorer.page.locator(".meter b").all_inner_texts() == names
        share = 100 * counts.max() / counts.sum()
        assert explorer.text(".meter >> nth=0").split() == [names[0], f"{share:.0f}", "%"]
    before = explorer.do(explorer.page.mouse.move, 5, 5)
    assert before["place"] == 33 == len(CODES[0]) // 3


def test_a_code_that_was_never_counted_has_no_phones(explore):
    explorer = explore()
    place = CODES[0].index(11)
    explorer.do(explorer.page.mouse.move, *explorer.at(max(2, place)))
    assert "never stood" in explorer.text("#meters")
    assert explorer.page.locator(".meter").count() == 0


def test_a_click_plays_a_stretch_around_the_code(explore):
    explorer = explore()
    for place in (4, 60, 95):
        state = explorer.do(explorer.page.mouse.click, *explorer.at(place))
        assert (state["place"], state["heard"]) == (place, "here")
        (piece,) = explorer.played()
        check_sound(piece, stretch_of(0, place))
        assert explorer.end()["heard"] == "nothing"
    explorer.do(explorer.page.locator("#here").click)
    check_sound(*explorer.played(), stretch_of(0, 95))


def test_every_place_is_heard_one_after_another(explore):
    explorer = explore()
    state = explorer.do(explorer.page.mouse.click, *explorer.at(20))
    explorer.end()
    explorer.played()
    places = stretches_of(state["code"])
    assert len({c for c, _ in places}) > 1
    assert explorer.text("#every") == f"Hear its places ({len(places)})"
    assert explorer.do(explorer.page.locator("#every").click)["heard"] == "every"
    pieces = explorer.played()
    assert len(pieces) == len(places)
    end = 0
    for piece, (clip, place) in zip(pieces, places, strict=True):
        check_sound(piece, stretch_of(clip, place))
        assert piece["when"] > end
        end = piece["when"] + len(piece["samples"]) / RATE
    explorer.at_time(pieces[1]["when"] + 0.01)
    clip, place = places[1]
    assert explorer.text("#caption").startswith(
        f"Place 2 of {len(places)}: {CLIPS[clip].utterance.speaker}, at "
        f"{(place + 0.5) * HOP / RATE:.2f} s, in "
    )
    assert explorer.text("#every").endswith("Stop")
    assert explorer.do(explorer.page.locator("#every").click)["heard"] == "nothing"
    assert explorer.text("#caption") == "The original: ann, as recorded."


def test_of_many_places_twelve_are_heard(explore, tmp_path):
    clip = CLIPS[0]
    count = 1300  # 5.2 s of one code, the last of which is another
    codes = clip.codes.new_full((count,), 3)
    codes[-1] = 4
    wave = clip.utterance.wave.repeat(count // 100)
    clip = clip._replace(
        utterance=clip.utterance._replace(wave=wave), codes=codes, voices={"ann": wave}
    )
    page = tmp_path / "long.html"
    page.write_text(explore_voices([clip], phone_counts_of(), hop=HOP).page, encoding="utf-8")
    explorer = explore(file=page)
    explorer.do(explorer.page.locator("#every").click)
    assert len(explorer.played()) == 12


def test_sentence_is_heard_in_every_voice(explore):
    explorer = explore()
    page = explorer.page
    page.locator("#clip-1").click()
    captions = {
        "original": "The original: bob, as recorded.",
        "voice-ann": "Conversion: the codes of bob\u2019s sentence in the voice of ann.",
        "voice-bob": "Reconstruction: bob\u2019s sentence out of its codes, in bob\u2019s own "
        "voice.",
        "voice-cid": "Conversion: the codes of bob\u2019s sentence in the voice of cid.",
    }
    for button, caption in captions.items():
        page.locator(f"#{button}").click()
        name = button.removeprefix("voice-")
        explorer.wait(f"{name}; heard sentence", "voice")
        check_sound(*explorer.played(), wave_of(1, None if button == "original" else name))
        assert explorer.text("#caption") == caption
        pressed = page.locator(".voices [aria-pressed=true]")
        assert pressed.get_attribute("id") == button
    explorer.end()
    # The stretches are now heard in that voice too.
    explorer.do(page.locator("#here").click)
    check_sound(*explorer.played(), stretch_of(1, 20, "cid"))


LINE = """selector => {
  const line = document.querySelector(selector + " .play").getAttribute("d");
  return line ? parseFloat(line.slice(1)) : null;
}"""


def test_without_motion_the_line_stands_where_the_phone_that_is_heard_begins(explore):
    explorer = explore({"viewport": {"width": 390, "height": 1000}, "reduced_motion": "reduce"})
    explorer.do(explorer.page.locator("#original").click)
    (piece,) = explorer.played()
    width, length = 378, 100 * HOP / RATE
    for heard, begins in [
        (0.03, 0),
        (0.06, 0),
        (0.08, 0.07),
        (0.1, 0.07),
        (0.2, 0.11),
        (0.3, 0.11),
    ]:
        explorer.at_time(piece["when"] + heard)
        line = explorer.page.evaluate(LINE, "#overview-0")
        assert line == pytest.approx(begins / length * width, abs=2)


def test_playing_moves_a_line_and_a_second_click_stops_it(explore):
    explorer = explore(context={"viewport": {"width": 390, "height": 1000}})
    page = explorer.page
    line = lambda track: page.evaluate(LINE, track)  # noqa: E731
    assert line("#overview-0") is None
    page.locator("#codes").press("Home")
    before = explorer.do(page.locator("#original").click)
    assert (before["heard"], before["voice"]) == ("sentence", "original")
    (piece,) = explorer.played()
    width, shown = 378, 378 // 7
    for share in (0.1, 0.5, 0.9):
        state = explorer.at_time(piece["when"] + share * 100 * HOP / RATE)
        assert line("#overview-0") == pytest.approx(share * width, abs=2)
        assert state["first"] <= share * 100 < state["first"] + shown
        where = (share * 100 - state["first"]) * width / shown
        assert line("#codes") == pytest.approx(where, abs=2)
        assert line("#overview-1") is None
    assert state["first"] > before["first"], "the magnified part follows"
    after = explorer.do(page.locator("#original").click)
    assert (after["heard"], after["first"]) == ("nothing", before["first"]), "and comes back"
    assert line("#overview-0") is line("#codes") is None
    # Another sentence is not heard on.
    assert explorer.do(page.locator("#original").click)["heard"] == "sentence"
    assert explorer.do(page.locator("#clip-2").click)["heard"] == "nothing"


def test_sound_ends_by_itself(explore):
    """With the browser's own clock: all else here has the test's."""
    explorer = explore(clocked=False)
    explorer.page.locator("#voice-bob").click()
    explorer.wait("bob; heard nothing", "voice")


def test_a_decoder_that_leaves_silence_before_a_sound_changes_nothing(explore):
    explorer = explore(script=LATE)
    explorer.do(explorer.page.mouse.click, *explorer.at(60))
    check_sound(*explorer.played(), stretch_of(0, 60))


@pytest.mark.parametrize("script", [DEAF, MUTE], ids=["no MP3", "no Web Audio"])
def test_a_browser_without_sound_says_so_and_shows_the_codes(explore, script):
    explorer = explore(script=script)
    assert explorer.text("#caption").startswith("This browser cannot decode the MP3 sounds")
    for button in ("#original", "#voice-ann", "#here", "#every"):
        assert explorer.page.locator(button).get_attribute("aria-disabled") == "true"
        explorer.do(explorer.page.locator(button).dispatch_event, "click")
    state = explorer.do(explorer.page.mouse.click, *explorer.at(5))
    assert (state["place"], state["code"], state["heard"]) == (5, CODES[0][5], "nothing")
    assert explorer.played() == []


def test_keyboard_does_what_the_mouse_does(explore):
    explorer = explore()
    explorer.page.locator("#codes").focus()
    assert explorer.press("Home")["place"] == 0
    assert explorer.press("ArrowLeft")["place"] == 0
    assert explorer.press("ArrowRight")["place"] == 1
    assert explorer.press("Shift+ArrowRight")["place"] == 11
    state = explorer.press("End")
    assert (state["place"], state["first"]) == (99, 2)
    state = explorer.press("ArrowDown")
    assert (state["clip"], state["place"]) == (1, 39)
    assert explorer.press("ArrowUp")["clip"] == 0

    state = explorer.press("Home")
    places = places_of(state["code"])
    here = places.index((0, 0))
    for key, step in (("n", 1), ("n", 2), ("p", 1), ("p", 0), ("p", -1)):
        state = explorer.press(key)
        assert (state["clip"], state["place"]) == places[(here + step) % len(places)]
        assert state["code"] == CODES[0][0]

    clip, place = state["clip"], state["place"]
    assert explorer.press("Enter")["heard"] == "here"
    check_sound(*explorer.played(), stretch_of(clip, place))
    assert explorer.press("e")["heard"] == "every"
    assert len(explorer.played()) == len(stretches_of(state["code"]))
    assert explorer.press(" ")["heard"] == "sentence"
    check_sound(*explorer.played(), wave_of(clip, None))
    assert explorer.press(" ")["heard"] == "nothing"


def test_overview_leads_to_its_sentence_and_place(explore):
    explorer = explore()
    box = explorer.page.locator("#overview-2").bounding_box()
    full = explorer.page.locator("#overview-0").bounding_box()
    assert box["width"] == pytest.approx(0.7 * full["width"], abs=2)
    x, y = box["x"] + 0.555 * box["width"], box["y"] + 20
    state = explorer.do(explorer.page.mouse.click, x, y)
    assert (state["clip"], state["place"]) == (2, 38)
    assert explorer.page.locator("#clip-2").get_attribute("aria-pressed") == "true"
    assert explorer.played() == []


def test_spectrogram_is_numpys(explore):
    rng = np.random.default_rng(0)
    time = np.arange(3200) / RATE
    wave = np.sin(2 * np.pi * 3000 * time * (1 + time)) + 0.01 * rng.standard_normal(3200)
    wave = wave.astype(np.float32)
    got = explore().page.evaluate(
        "([wave, rate]) => { const s = VQ.spectrogram(Float32Array.from(wave), rate);"
        "return {...s, levels: Array.from(s.levels)}; }",
        [wave.tolist(), RATE],
    )
    padded = np.pad(wave, 256)
    lifted = padded[1:] - 0.95 * padded[:-1]  # its first is that of padded[1]
    window = np.sin(np.pi * (np.arange(256) + 0.5) / 256) ** 2
    rows = []
    for column in range(100):
        start = 256 + column * 32 + 16 - 128 - 1
        rows.append(np.abs(np.fft.rfft(lifted[start : start + 256] * window)[:128]) ** 2)
    decibels = 10 * np.log10(np.array(rows).T[::-1] + 1e-12)
    wanted = np.clip(255 * (1 + (decibels - decibels.max()) / 60), 0, 255)
    assert (got["width"], got["height"]) == (100, 128)
    assert np.abs(np.reshape(got["levels"], (128, 100)) - wanted).max() <= 1


COLORS = """() => {
  const canvas = document.querySelector('#overview-0 canvas');
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, 30);
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) seen.add(data[i]);
  return [...seen];
}"""


def test_waves_are_drawn_in_the_ink_of_the_theme(explore):
    explorer = explore()
    assert explorer.page.evaluate(COLORS) == [0x1B]
    explorer.page.emulate_media(color_scheme="dark")
    explorer.state()
    assert explorer.page.evaluate(COLORS) == [0xE8]


def test_a_finger_hits_single_codes_on_a_phone(explore):
    phone = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    explorer = explore(context=phone)
    page = explorer.page
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator("#codes").scroll_into_view_if_needed()
    state = explorer.do(page.touchscreen.tap, *explorer.at(45))
    assert (state["place"], state["code"], state["heard"]) == (45, CODES[0][45], "here")
    later = explorer.do(page.locator("#later").tap)
    assert later["first"] > state["first"]
    assert later["place"] >= later["first"]
    for track in ("#codes", "#overview-0"):  # a page that a finger could not scroll is a trap
        assert page.locator(track).evaluate("e => getComputedStyle(e).touchAction") == "pan-y"
