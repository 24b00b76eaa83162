"""Sounds on a page: what Python puts into the player."""

import base64
import io

import pytest
import soundfile
import torch

from pages import data_of
from vqvae_lite.figures.sounds import Sounds

TONE = 0.3 * torch.sin(torch.arange(8000) * 0.2)


def test_each_sound_is_in_the_page_once_with_its_name():
    figure = Sounds({"a tone": TONE, "half, <b>loud</b>": TONE[:4000]}, 8000, title="A tone")
    bundle = figure._repr_mimebundle_()
    assert bundle["text/plain"] == ("A tone. To hear: a tone (1.0 s), half, <b>loud</b> (0.5 s)")
    assert "<b>" not in bundle["text/html"]
    data = data_of(figure)
    assert [sound["name"] for sound in data["sounds"]] == ["a tone", "half, <b>loud</b>"]
    for sound, wave in zip(data["sounds"], (TONE, TONE[:4000]), strict=True):
        assert bundle["text/html"].count(sound["sound"]) == 1
        read, rate = soundfile.read(io.BytesIO(base64.b64decode(sound["sound"])))
        assert (len(read), rate) == (len(wave), 8000)
        assert sound["samples"] == len(wave)
        assert abs(torch.tensor(read) - wave)[500:-500].max() < 0.05
    tick, _ = soundfile.read(io.BytesIO(base64.b64decode(data["tick"]["sound"])))
    assert abs(tick).argmax() == data["tick"]["at"] > 0


def test_the_same_sound_is_the_same_page():
    assert Sounds({"a": TONE}, title="A").page == Sounds({"a": TONE}, title="A").page


@pytest.mark.parametrize(
    ("sounds", "message"),
    [
        ({}, "at least one"),
        ({"a": TONE[:0]}, "'a' must have the shape"),
        ({"a": TONE[None]}, r"got \(1, 8000\)"),
    ],
)
def test_what_is_no_sound_is_refused(sounds, message):
    with pytest.raises(ValueError, match=message):
        Sounds(sounds, title="A")


def test_a_rate_that_mp3_has_not_is_refused():
    with pytest.raises(ValueError, match="rate must be one of .*got 10000"):
        Sounds({"a": TONE}, 10_000, title="A")
