"""Voices in disguise: higher or lower, in another room, with the words where they were."""

import math

import pytest
import torch

import vqvae_lite.sound.disguise as disguising
from vqvae_lite.models import new_model
from vqvae_lite.sound.disguise import crop_and_disguise, disguise
from vqvae_lite.sound.model import SoundConfig
from vqvae_lite.sound.mulaw import to_levels, to_wave
from vqvae_lite.sound.windows import Sound

RATE = 8000


def tone(hertz: float, seconds: float = 1.0) -> torch.Tensor:
    time = torch.arange(int(seconds * RATE)) / RATE
    return 0.3 * (2 * math.pi * hertz * time).sin()


def loudest(wave: torch.Tensor) -> float:
    """The frequency of the strongest component, in hertz, away from the ends."""
    middle = wave[1000:-1000]
    spectrum = torch.fft.rfft(middle * torch.hann_window(len(middle)))
    return spectrum.abs().argmax().item() * RATE / len(middle)


def test_a_tone_moves_up_or_down_by_up_to_a_quarter_and_stays_one():
    found = []
    for seed in range(12):
        hertz = 470 + 11 * seed  # at another place in a band of 31 Hz, and in another band
        torch.manual_seed(seed)
        expected = math.exp(0.25 * (2 * torch.rand(()).item() - 1))
        torch.manual_seed(seed)
        other = disguise(tone(hertz), RATE)
        assert other.shape == (RATE,)
        ratio = loudest(other) / hertz
        assert ratio == pytest.approx(expected, rel=0.01)
        found.append(ratio)
        middle = other[1000:-1000]
        power = torch.fft.rfft(middle * torch.hann_window(len(middle))).abs().square()
        peak = power.argmax().item()
        assert power[peak - 12 : peak + 13].sum() / power.sum() > 0.9
    assert min(found) < 0.9 < 1.1 < max(found)
    assert all(math.exp(-0.26) < ratio < math.exp(0.26) for ratio in found)


def test_what_is_said_stays_where_it_is_said():
    """Two bursts in silence, each where it was."""
    wave = torch.zeros(RATE)
    for start in (2000, 5500):
        wave[start : start + 800] = tone(600, 0.1)
    for seed in range(6):
        torch.manual_seed(seed)
        loud = disguise(wave, RATE).square().view(-1, 100).mean(1).sqrt()
        found = (loud > 0.3 * loud.max()).nonzero()[:, 0] * 100
        first, second = found[found < 3750], found[found >= 3750]
        for part, start in ((first, 2000), (second, 5500)):
            assert abs(part.float().mean() - (start + 350)) < 250
            assert part[0] > start - 400
            assert part[-1] < start + 800 + 400


def test_it_is_as_loud_as_before_and_silence_stays_silence():
    torch.manual_seed(0)
    noise = 0.1 * torch.randn(RATE)
    other = disguise(noise, RATE)
    torch.testing.assert_close(other.square().mean(), noise.square().mean(), rtol=0.05, atol=0)
    assert (disguise(torch.zeros(RATE), RATE) == 0).all()
    assert disguise(torch.rand(RATE) * 2 - 1, RATE).abs().max() <= 1


def test_a_room_filters(monkeypatch):
    """Two tones far apart change against each other, by a few decibels and not always the same."""
    monkeypatch.setattr(disguising, "HIGHER", 0.0)
    changes = []
    for seed in range(8):
        torch.manual_seed(seed)
        middle = disguise(tone(300) + tone(2500), RATE)[1000:-1000]
        power = torch.fft.rfft(middle * torch.hann_window(len(middle))).abs().square()
        border = 1000 * len(middle) // RATE
        changes.append(10 * (power[border:].sum() / power[:border].sum()).log10())
    assert torch.stack(changes).std() > 2


def test_what_is_stretched_rises_and_falls_as_before():
    spectra = torch.polar(
        torch.tensor([[1.0, 3.0, 3.0, 0.0]]), torch.tensor([[0.3, 2.0, 1.0, 0.0]])
    )
    longer = disguising._stretch(spectra, 2.0, 0.25).abs()
    expected = torch.tensor([[1.0, 2.0, 3.0, 3.0, 3.0, 1.5, 0.0, 0.0]])
    torch.testing.assert_close(longer, expected)


def test_only_a_share_is_in_disguise_and_what_is_to_be_said_never_is():
    waves = torch.stack([tone(200 + 10 * k, 0.512) for k in range(40)])
    batch = Sound(to_levels(waves), torch.arange(40))
    torch.manual_seed(0)
    levels, speaker, heard = crop_and_disguise(batch, RATE, 0.5)
    assert levels.shape == heard.shape == (40, 2048)
    assert torch.equal(speaker, batch.speaker)
    same = (levels == heard).all(1).sum()
    assert 10 <= same <= 30
    whole = to_wave(batch.levels).unfold(1, 2048, 1)
    assert all((whole[k] == to_wave(levels[k])).all(1).any() for k in range(40))
    torch.manual_seed(0)
    again = crop_and_disguise(batch, RATE, 0.5)
    assert torch.equal(again[2], heard)


def test_the_encoder_hears_the_disguise_and_the_decoder_says_the_original():
    config = SoundConfig(
        num_speakers=2, strides=(4, 4), width=8, num_residual=1, num_codes=20, code_dim=4,
        decoder_width=6, skip_width=8, num_cycles=1, layers_per_cycle=3,
    )  # fmt: skip
    model = new_model("soundvqvae", config, 0)
    generator = torch.Generator().manual_seed(1)
    one, other = torch.randint(256, (2, 3, 64), generator=generator, dtype=torch.uint8)
    speaker = torch.zeros(3, dtype=torch.int64)
    for _ in range(40):
        model(one, speaker)  # which the codebook is taken from, and the norm
    model.eval()
    torch.nn.init.normal_(model.decoder.head.weight)
    plain, mixed = model(one, speaker), model(one, speaker, other)
    assert torch.equal(mixed.codes, model.encode(other))
    assert torch.equal(plain.codes, model.encode(one))
    assert not torch.equal(plain.codes, mixed.codes)
    condition = model.context(model.quantizer.lookup(mixed.codes))
    torch.testing.assert_close(
        mixed.reconstruction_loss, model.decoder(one, speaker, condition).loss
    )
    with pytest.raises(ValueError, match=r"heard must have the shape \(3, 64\), got \(3, 32\)"):
        model(one, speaker, other[:, :32])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="T at least 256"):
        disguise(torch.zeros(200), RATE)
