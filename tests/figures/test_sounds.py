"""Sounds on a page."""

import base64
import io
import re

import pytest
import soundfile
import torch

from vqvae_lite.figures.sounds import Sounds

TONE = 0.3 * torch.sin(torch.arange(8000) * 0.2)


def test_each_sound_is_an_audio_element_with_its_caption():
    bundle = Sounds(
        {"a tone": TONE, 'half, <b>"quoted"</b>': TONE[:4000]}, 8000
    )._repr_mimebundle_()
    page = bundle["text/html"]
    assert bundle["text/plain"] == 'Sounds: a tone (1.0 s), half, <b>"quoted"</b> (0.5 s)'
    assert page.count("<audio controls") == page.count("<figcaption") == 2
    assert "half, &lt;b&gt;&quot;quoted&quot;&lt;/b&gt;" in page
    assert "<b>" not in page
    sources = re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', page)
    waves = [soundfile.read(io.BytesIO(base64.b64decode(source))) for source in sources]
    assert [(len(wave), rate) for wave, rate in waves] == [(8000, 8000), (4000, 8000)]
    assert abs(torch.tensor(waves[0][0]) - TONE)[500:-500].max() < 0.05


def test_the_same_sound_is_the_same_page():
    assert Sounds({"a": TONE}).html == Sounds({"a": TONE}).html


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
        Sounds(sounds)


def test_a_rate_that_mp3_has_not_is_refused():
    with pytest.raises(ValueError, match="rate must be one of .*got 10000"):
        Sounds({"a": TONE}, 10_000)
