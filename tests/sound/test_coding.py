"""Utterances to codes and back, and what a file of their codes holds."""

import math

import pytest
import torch

from vqvae_lite.codefile import read_codes, write_codes
from vqvae_lite.models import new_model
from vqvae_lite.sound.coding import SoundCodes, decode_waves, encode_wave, whole_hops
from vqvae_lite.sound.model import SoundConfig

SMALL = SoundConfig(
    num_speakers=2, strides=(4, 2), width=8, num_residual=1, num_codes=8, code_dim=4,
    decoder_width=8, skip_width=8, num_cycles=1, layers_per_cycle=3,
)  # fmt: skip


def test_silence_fills_up_the_last_hop():
    wave = torch.full((13,), 0.5)
    levels = whole_hops(wave, 8)
    assert len(levels) == 16
    assert (levels[13:] == whole_hops(torch.zeros(1), 1)).all()
    assert (levels[:13] == levels[0]).all()
    assert levels[0] > 128
    assert len(whole_hops(wave[:8], 8)) == 8
    assert len(encode_wave(new_model("soundvqvae", SMALL, 0).eval(), wave)) == 2


def test_waves_come_back_in_batches_of_like_length_each_as_long_as_its_codes(monkeypatch):
    model = new_model("soundvqvae", SMALL, 0).eval()
    seen = []
    decode = type(model).decode

    def heard(self, codes, speaker, **options):
        seen.append((codes.tolist(), speaker.tolist(), options["seed"], options["temperature"]))
        return decode(self, codes, speaker, **options)

    monkeypatch.setattr(type(model), "decode", heard)
    codes = [torch.tensor(row) for row in ([1, 2, 3], [4, 7], [5, 6, 0])]
    options = {"seed": 5, "batch_size": 2, "temperature": 0.5, "progress": False}
    waves = dict(decode_waves(model, codes, [0, 1, 0], **options))
    assert seen == [([[4, 7, 7], [1, 2, 3]], [1, 0], 5, 0.5), ([[5, 6, 0]], [0], 7, 0.5)]
    assert {place: len(wave) for place, wave in waves.items()} == {0: 24, 1: 16, 2: 24}
    assert all(wave.dtype == torch.float32 and wave.abs().max() <= 1 for wave in waves.values())
    again = dict(decode_waves(model, codes, [0, 1, 0], **options))
    assert all(torch.equal(waves[place], again[place]) for place in waves)


def sound_codes(**changes):
    generator = torch.Generator().manual_seed(0)
    lengths = [1, 64, 65, 1000]
    counts = [math.ceil(length / 64) for length in lengths]
    given = {
        "codes": [torch.randint(0, 300, (count,), generator=generator) for count in counts],
        "num_codes": 300,
        "names": ["a", "b", "c/d", "e"],
        "model": "m",
        "hop": 64,
        "rate": 8000,
        "speakers": ["x", "", "y", "x"],
        "lengths": lengths,
    }
    return SoundCodes(**{**given, **changes})


def test_a_file_of_codes_gives_back_what_it_was_given(tmp_path):
    file = sound_codes()
    write_codes(tmp_path / "file", file)
    stored = read_codes(tmp_path / "file", SoundCodes)
    assert [row.tolist() for row in stored.codes] == [row.tolist() for row in file.codes]
    for name in ("num_codes", "names", "model", "hop", "rate", "speakers", "lengths"):
        assert getattr(stored, name) == getattr(file, name)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"names": ["a"]}, ValueError, "names must be 4 strings, got 1"),
        ({"speakers": ["x"] * 5}, ValueError, "speakers must be 4 strings, got 5"),
        ({"speakers": ["x", "y", "x", None]}, TypeError, "speakers must be strings"),
        ({"lengths": [1, 64, 65, 2000]}, ValueError, "as many hops of 64 as there are codes"),
        ({"lengths": [1, 64, 65]}, ValueError, "as many hops of 64 as there are codes"),
        ({"lengths": [0, 64, 65, 1000]}, ValueError, r"lengths must be in \[1, "),
        ({"lengths": [1, 64, 65, float("inf")]}, TypeError, "lengths must be int, got inf"),
        ({"hop": 63}, ValueError, "as many hops of 63 as there are codes"),
        ({"hop": 0}, ValueError, r"hop must be in \[1, "),
        ({"rate": 0}, ValueError, r"rate must be in \[1, "),
        ({"rate": 8000.0}, TypeError, "rate must be int, got 8000.0"),
        ({"codes": [torch.zeros(1, 1).long()] * 4}, ValueError, "cannot have the shape"),
    ],
)
def test_what_does_not_fit_the_codes_of_sound(change, error, message):
    with pytest.raises(error, match=message):
        sound_codes(**change)
