"""What is measured of sound, on sounds whose answer is known."""

import math
from pathlib import Path

import pytest
import soundfile
import torch

from vqvae_lite.sound.files import RATE
from vqvae_lite.sound.labels import Phone
from vqvae_lite.sound.measures import (
    log_mel,
    median_pitch,
    mfcc,
    phone_cepstra,
    phone_distance,
    pitch_track,
)
from vqvae_lite.sound.speech import SYNTHETIC

SPEECH = Path(__file__).resolve().parents[2] / "data" / "speech"
TIME = torch.arange(RATE) / RATE


def tone(frequency: float, amplitude: float = 0.3) -> torch.Tensor:
    return amplitude * torch.sin(2 * math.pi * frequency * TIME)


def pulses(frequency: float) -> torch.Tensor:
    """One sample high, each period: what a larynx does, and rich in overtones."""
    wave = torch.zeros(RATE)
    wave[torch.arange(0, RATE - 1, RATE / frequency).round().long()] = 0.5
    return wave


def noise(amplitude: float = 0.1) -> torch.Tensor:
    return amplitude * torch.randn(RATE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", [tone, pulses])
@pytest.mark.parametrize("frequency", [70, 97.3, 133, 200, 287, 400])
def test_pitch_of_a_tone_and_of_pulses(make, frequency):
    """To half a percent in every frame but the first and last, which the silence reaches into."""
    pitch = pitch_track(make(frequency))
    assert pitch.shape == (100,)
    inner = pitch[4:-4]
    assert not inner.isnan().any()
    assert inner.tolist() == pytest.approx([frequency] * len(inner), rel=0.005)
    assert median_pitch(pitch) == pytest.approx(frequency, rel=0.002)


def test_pitch_follows_a_glide_frame_by_frame():
    """From 100 to 200 Hz in a second: each frame has the frequency of its own middle."""
    wave = 0.3 * torch.sin(2 * math.pi * (100 * TIME + 50 * TIME**2))
    frames = torch.arange(4, 96)
    expected = 100 + 100 * (frames + 0.5) / 100
    assert pitch_track(wave)[frames].tolist() == pytest.approx(expected.tolist(), rel=0.01)


def test_a_missing_fundamental_is_heard_all_the_same():
    wave = sum(tone(150 * n, 0.1) for n in (3, 4, 5))
    assert median_pitch(pitch_track(wave)) == pytest.approx(150, rel=0.01)


@pytest.mark.parametrize("wave", [noise(), torch.zeros(RATE), tone(200, 1e-4)])
def test_noise_and_silence_have_no_pitch(wave):
    pitch = pitch_track(wave)
    assert pitch.isnan().all()
    with pytest.raises(ValueError, match="voiced"):
        median_pitch(pitch)


def test_pitch_does_not_depend_on_level():
    loud, quiet = (pitch_track(tone(120) * scale)[4:-4] for scale in (1, 0.02))
    assert torch.allclose(loud, quiet, rtol=1e-5)


@pytest.mark.parametrize("speaker", SYNTHETIC)
def test_voices_of_the_data_do_not_jump_an_octave(speaker):
    samples, rate = soundfile.read(SPEECH / f"{speaker}.opus", 12 * RATE, dtype="float32")
    assert rate == RATE
    pitch = pitch_track(torch.from_numpy(samples))
    steps = pitch[1:] / pitch[:-1]
    steps = steps[~steps.isnan()]
    assert len(steps) > 150
    assert ((steps > 1.6) | (steps < 1 / 1.6)).double().mean() < 0.01
    ratio = pitch[~pitch.isnan()] / median_pitch(pitch)
    assert ((ratio > 1.7) | (ratio < 1 / 1.7)).double().mean() < 0.01


@pytest.mark.parametrize("frequency", [300, 1000, 3000, 7000])
def test_a_tone_is_loudest_in_its_own_mel_band(frequency):
    mel = log_mel(tone(frequency))[50]
    width = 2595 * math.log10(1 + 8000 / 700) / 41
    band = 2595 * math.log10(1 + frequency / 700) / width - 1  # centres at width * (1, 2, ...)
    assert mel.argmax().item() == pytest.approx(band, abs=0.75)
    assert mel.max() - mel.median() > 20


def test_decibels_of_the_spectrogram():
    """A tone's mean square in its bands, ten times the amplitude 20 dB more, silence the floor."""
    mel = log_mel(tone(1000, 0.2))[50]
    power = (10 ** (mel / 10)).sum().item()
    # The triangles' sum is 1 at every frequency between the first centre and the last.
    assert power == pytest.approx(0.2**2 / 2, rel=0.02)
    loud = mel > -60
    assert (mel - log_mel(tone(1000, 0.02))[50])[loud].tolist() == pytest.approx([20] * loud.sum())
    assert (log_mel(torch.zeros(RATE)) == -100).all()


def test_a_frame_is_around_its_own_ten_milliseconds():
    wave = torch.zeros(RATE)
    wave[160 * 30 + 80] = 1
    level = log_mel(wave).mean(1)
    assert level.argmax() == 30
    assert level[29] == pytest.approx(level[31].item(), abs=0.1)
    assert (level > -100).nonzero()[:, 0].tolist() == [29, 30, 31]


@pytest.mark.parametrize("length", [160, 319, 320, 12345])
def test_frames_are_the_whole_tens_of_milliseconds(length):
    wave = noise()[:length]
    assert log_mel(wave).shape == (length // 160, 40)
    assert pitch_track(wave).shape == (length // 160,)


def test_a_batch_is_measured_as_its_waves_are():
    waves = torch.stack([noise(), tone(200)])
    assert torch.allclose(mfcc(waves)[1], mfcc(tone(200)), atol=1e-3)


def test_cepstra_are_the_cosine_transform_of_the_spectrogram():
    mel, cepstra = log_mel(noise()).double(), mfcc(noise()).double()
    assert cepstra.shape == (100, 13)
    assert torch.allclose(cepstra[:, 0], mel.mean(1) * math.sqrt(40), rtol=1e-4)
    wave = torch.cos(math.pi * 3 * (torch.arange(40) + 0.5) / 40).double()
    assert torch.allclose(cepstra[:, 3], mel @ wave * math.sqrt(2 / 40), atol=1e-3)


PHONES = [Phone(0, 0.25, "aa"), Phone(0.25, 0.5, "pau"), Phone(0.5, 1, "s")]


def test_phone_cepstra_are_the_means_of_their_frames():
    wave = torch.cat([tone(200)[:4000], noise()[:12000]])
    cepstra = mfcc(wave)
    means = phone_cepstra(wave, PHONES)
    expected = [cepstra[:25].mean(0), cepstra[25:50].mean(0), cepstra[50:].mean(0)]
    assert torch.allclose(means, torch.stack(expected))


def test_a_phone_shorter_than_a_frame_takes_the_nearest_and_one_after_the_end_is_left_out():
    wave = noise()
    means = phone_cepstra(wave, [Phone(0.301, 0.304, "t"), Phone(2, 3, "s")])
    assert torch.equal(means, mfcc(wave)[30:31])


def test_distance_is_the_decibels_of_a_tilted_spectrum():
    """Sound through a filter whose gain in dB is a slow cosine over the bands has its rms."""
    wave = noise()
    assert phone_distance(wave, wave, PHONES) == 0
    assert phone_distance(wave, 0.3 * wave, PHONES) == pytest.approx(0, abs=1e-3)
    mel = 2595 * torch.log10(1 + torch.linspace(0, 8000, RATE // 2 + 1) / 700)
    decibels = 6 * torch.cos(2 * math.pi * mel / mel[-1])
    filtered = torch.fft.irfft(torch.fft.rfft(wave) * 10 ** (decibels / 20))
    assert phone_distance(wave, filtered, PHONES) == pytest.approx(6 / math.sqrt(2), rel=0.05)


def test_distance_leaves_out_pauses_and_what_only_one_sound_has():
    wave = noise()
    changed = wave.clone()
    changed[4000 + 240 : 8000 - 240] = tone(500)[: 4000 - 480]  # the pause, no window around it
    assert phone_distance(wave, changed, PHONES) == 0
    assert phone_distance(wave, wave[:6000], PHONES) < 0.2
    with pytest.raises(ValueError, match="phones must lie in both sounds"):
        phone_distance(wave, wave, [Phone(0, 1, "pau")])


@pytest.mark.parametrize("measure", [log_mel, mfcc, pitch_track])
@pytest.mark.parametrize(
    ("wave", "error", "message"),
    [
        (torch.zeros(1000, dtype=torch.uint8), TypeError, "torch.uint8"),
        ([0.0] * 1000, TypeError, "list"),
        (torch.zeros(159), ValueError, "at least 160"),
        (torch.full((1000,), torch.nan), ValueError, "NaN"),
    ],
)
def test_what_is_no_sound_is_refused(measure, wave, error, message):
    with pytest.raises(error, match=message):
        measure(wave)


def test_what_takes_one_wave_refuses_a_batch():
    for measure in (pitch_track, lambda wave: phone_cepstra(wave, PHONES)):
        with pytest.raises(ValueError, match="shape"):
            measure(torch.zeros(2, 1000))
