"""Recipes of sound, utterances to codes and back, and what a file of their codes holds."""

import json
import math

import pytest
import torch

from vqvae_lite.codefile import read_codes, write_codes
from vqvae_lite.models import new_model
from vqvae_lite.recipes.sound import SoundRecipe, get_sound_recipe, load_utterances
from vqvae_lite.sound.coding import SoundCodes, decode_waves, encode_wave, whole_hops
from vqvae_lite.sound.model import SoundConfig
from vqvae_lite.sound.speech import SPEAKERS, load_speech

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


def test_recipes_have_both_profiles_and_the_papers_encoder():
    paper = get_sound_recipe("speech", "paper")
    assert paper.model.strides == (2,) * 6
    assert (paper.model.num_codes, paper.rate, paper.model.num_speakers) == (512, 16000, 8)
    assert paper.speakers == SPEAKERS
    quick = get_sound_recipe("speech", "quick")
    # As many codes a second as the paper.
    assert quick.rate / quick.model.hop == paper.rate / paper.model.hop == 250
    assert quick.model.num_speakers == len(quick.speakers)
    for profile in ("quick", "paper"):
        recipe = get_sound_recipe("sound", profile, folder="said", settings=["speakers=b,a"])
        assert (recipe.folder, recipe.speakers) == ("said", ("b", "a"))
        assert recipe.model.num_speakers == 2
        assert SoundRecipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
        assert get_sound_recipe("sound", profile, folder="said").speakers == ()


def test_settings_of_sound():
    recipe = get_sound_recipe(
        "speech", "quick", settings=["strides=2,4", "window=80", "rate=4000", "decay=none"]
    )
    assert (recipe.model.strides, recipe.window, recipe.rate) == ((2, 4), 80, 4000)
    assert recipe.model.decay is None
    for setting, message in [
        ("strides=2,x", "setting 'strides' expects int values, commas between them, got '2,x'"),
        ("strides=2,0", "strides must be at least 1"),
        ("window=100", "window must be a multiple of 32, got 100"),
        ("rate=0", "rate must be at least 1"),
        ("num_speakers=3", "it follows from the data"),
        ("speakers=kal,kal", "each be named once"),
        ("name=x", "unknown setting 'name=x'"),
    ]:
        with pytest.raises(ValueError, match=message):
            get_sound_recipe("speech", "quick", settings=[setting])
    with pytest.raises(ValueError, match="unknown recipe 'maze'"):
        get_sound_recipe("maze", "quick")
    with pytest.raises(ValueError, match="'speech' takes no folder"):
        get_sound_recipe("speech", "quick", folder="said")


@pytest.mark.slow
def test_the_speech_of_a_recipe_has_its_rate_and_its_speakers():
    recipe = get_sound_recipe("speech", "quick", settings=["speakers=slt", "rate=8000"])
    halved = load_utterances(recipe, "validation")
    full = load_speech("validation", ["slt"])
    assert [said[:2] + said[3:] for said in halved] == [said[:2] + said[3:] for said in full]
    for low, high in zip(halved, full, strict=True):
        assert abs(len(low.wave) - len(high.wave) / 2) <= 1
