"""The explorer of sentences as codes: what Python puts into the page."""

import base64
import io

import numpy as np
import pytest
import soundfile
import torch

from pages import clips_of, data_of, phone_counts_of, unpack
from vqvae_lite.figures.sounds import mp3
from vqvae_lite.figures.voices import PHONE_KINDS, colors_of_phones, explore_voices
from vqvae_lite.sound.labels import Phone
from vqvae_lite.sound.speech import PHONES

HOP, RATE = 64, 16000


def explore(clips=None, counts=None, **changes):
    clips = clips_of() if clips is None else clips
    counts = phone_counts_of() if counts is None else counts
    return explore_voices(clips, counts, **({"hop": HOP} | changes))


@pytest.fixture(scope="module")
def data():
    return data_of(explore())


def decoded(packed):
    wave, rate = soundfile.read(io.BytesIO(base64.b64decode(packed)), dtype="float32")
    assert rate == RATE
    return wave


def alike(sound, wave):
    """Signal to noise in dB: MP3 is not the wave, but this wave and no other, and at its time."""
    wave = wave.numpy()
    assert sound.shape == wave.shape
    return 10 * np.log10((wave**2).sum() / ((wave - sound) ** 2).sum())


def test_page_holds_every_sound_in_its_place(data):
    clips = clips_of()
    assert data["speakers"] == ["ann", "bob", "cid"]
    assert (data["hop"], data["rate"]) == (HOP, RATE)
    for clip, packed in zip(clips, data["clips"], strict=True):
        length = len(clip.codes) * HOP
        original = torch.zeros(length)
        original[: len(clip.utterance.wave)] = clip.utterance.wave[:length]
        assert alike(decoded(packed["original"]), original) > 15
        for wave, sound in zip(clip.voices.values(), packed["voices"], strict=True):
            assert alike(decoded(sound), wave) > 15
    tick = decoded(data["tick"]["sound"])
    assert np.abs(tick).argmax() == data["tick"]["at"] > 0


def test_page_holds_codes_phones_and_words_as_given(data):
    clips = clips_of()
    for clip, packed in zip(clips, data["clips"], strict=True):
        assert np.array_equal(unpack(packed["codes"]), clip.codes.numpy())
        assert [tuple(phone) for phone in packed["phones"]] == list(clip.utterance.phones)
        assert packed["text"] == clip.utterance.text
        assert packed["speaker"] == clip.utterance.speaker


def test_page_knows_the_phones_of_each_code_that_occurs(data):
    clips, counts = clips_of(), phone_counts_of()
    assert data["counted"] == counts.sum()
    assert data["phones"] == list(PHONES)
    assert set(data["known"]) == {str(k) for clip in clips for k in clip.codes.tolist()}
    for k, known in data["known"].items():
        row = counts[int(k)]
        assert known["count"] == row.sum()
        assert len(known["phones"]) == min(3, (row > 0).sum())
        numbers = [count for _, count in known["phones"]]
        assert numbers == row.sort(descending=True).values[: len(numbers)].tolist()
        assert numbers == [row[phone] for phone, _ in known["phones"]]


def test_page_leaves_a_notebook_room_for_the_rest():
    """Three sentences of 2.5 s in nine voices, as loud as speech is and as hard to code."""
    generator = torch.Generator().manual_seed(0)
    wave = torch.randn(40_000, generator=generator)
    spectrum = torch.fft.rfft(wave)
    wave = torch.fft.irfft(spectrum / (1 + torch.arange(len(spectrum)) / 400))
    wave = wave / wave.abs().max() * torch.linspace(0, 40, 40_000).sin().abs()
    assert len(mp3(wave, RATE)) * 4 / 3 < 900_000 / 27 * 0.75
    assert 15_000 < len(mp3(wave, RATE)) * 8 / 2.5 < 45_000  # bits a second


def test_same_input_gives_the_same_page(data):
    assert data_of(explore()) == data


def test_kinds_hold_every_phone_once(data):
    phones = [phone for _, phones in PHONE_KINDS.values() for phone in phones]
    assert sorted(phones) == sorted(PHONES)
    kinds, names = data["kindOf"], list(PHONE_KINDS)
    assert names[kinds[PHONES.index("ae")]] == "vowels"
    assert names[kinds[PHONES.index("ch")]] == "stops"


def test_codes_have_the_color_of_their_kind():
    counts = torch.zeros(5, len(PHONES), dtype=torch.long)
    for k, phone in enumerate(["s", "z", "ae", "iy"]):
        counts[k, PHONES.index(phone)] = 9
        counts[k, PHONES.index("pau")] = 4
    s, z, ae, iy, never = colors_of_phones(counts).astype(int)
    assert all(blue > red for red, _, blue in (s, z)), "fricatives"
    assert all(red > blue for red, _, blue in (ae, iy)), "vowels are orange"
    assert len({tuple(color) for color in (s, z, ae, iy, never)}) == 5
    assert np.ptp(never) < 16, "a code that was never counted is grey"


def test_sounds_may_be_a_little_longer_or_shorter_than_their_codes():
    clips = clips_of()
    first = clips[0]
    for samples in (len(first.codes) * HOP + 63, len(first.codes) * HOP - 63):
        wave = torch.zeros(samples)
        clip = first._replace(utterance=first.utterance._replace(wave=wave))
        data = data_of(explore([clip]))
        assert len(decoded(data["clips"][0]["original"])) == len(first.codes) * HOP


def test_speech_without_labels_can_be_shown():
    clip = clips_of()[0]
    clip = clip._replace(utterance=clip.utterance._replace(phones=(), text=""))
    counts = torch.zeros_like(phone_counts_of())
    data = data_of(explore([clip], counts))
    assert (data["clips"][0]["phones"], data["counted"]) == ([], 0)
    assert all(known == {"count": 0, "phones": []} for known in data["known"].values())


def bad(error, message, clip=None, **changes):
    clips = clips_of()
    if clip:
        clips[1] = clip(clips[1])
    with pytest.raises(error, match=message):
        explore(**({"clips": clips} | changes))


def test_clips_that_do_not_fit_are_named():
    bad(ValueError, "at least one", clips=[])
    bad(ValueError, "codes of bob two must be one", lambda c: c._replace(codes=c.codes[:-1]))
    bad(ValueError, r"codes of bob two must be \(n,\)", lambda c: c._replace(codes=c.codes[None]))
    bad(TypeError, "bob two: codes must be int", lambda c: c._replace(codes=c.codes.float()))
    bad(
        ValueError, r"bob two: codes must lie in \[0, 12\)", lambda c: c._replace(codes=c.codes + 9)
    )
    two = {"ann": 0, "bob": 1}
    bad(
        ValueError,
        "voices of bob two must be .*'cid'",
        lambda c: c._replace(voices={name: c.voices[name] for name in two}),
    )
    bad(ValueError, "voices of ann one must be some", clips=[clips_of()[0]._replace(voices={})])
    for wrong, error, message in [
        (
            lambda wave: wave[:-1],
            ValueError,
            r"bob two in the voice of cid must have 40 codes x 64",
        ),
        (lambda wave: wave * 9, ValueError, r"voice of cid must be .* in \[-1, 1\]"),
        (lambda wave: wave / 0, ValueError, r"voice of cid must be .* in \[-1, 1\]"),
        (lambda wave: wave[None], ValueError, r"voice of cid must be \(T,\)"),
        (lambda wave: wave.int(), TypeError, "voice of cid must be a float tensor"),
        (lambda wave: wave.numpy(), TypeError, "voice of cid must be a float tensor"),
    ]:
        bad(
            error,
            message,
            lambda c, wrong=wrong: c._replace(voices=c.voices | {"cid": wrong(c.voices["cid"])}),
        )


def test_phones_counts_and_rates_that_do_not_fit_are_named():
    for phone, message in [
        (Phone(0.0, 0.1, "qq"), r"bob two: phones must be among .*'qq'"),
        (Phone(0.1, 0.3, "s"), "phones of bob two must lie within it, got s, 0.1 to 0.3 s"),
        (Phone(0.1, 0.1, "s"), "phones of bob two must lie within"),
    ]:
        bad(
            ValueError,
            message,
            lambda c, phone=phone: c._replace(utterance=c.utterance._replace(phones=(phone,))),
        )
    counts = phone_counts_of()
    bad(TypeError, "whole numbers, got torch.float32", counts=counts.float())
    bad(TypeError, "whole numbers, got list", counts=counts.tolist())
    bad(ValueError, r"\(K, 41\), got \(12, 40\)", counts=counts[:, :-1])
    bad(ValueError, "not be negative, got -1", counts=counts - 1)
    bad(TypeError, "hop must be an int", hop=64.0)
    bad(ValueError, "rate must be one that MP3 knows", rate=20000)
