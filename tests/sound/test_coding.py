"""Recipes of sound, utterances to codes and back, and the file of their codes."""

import json
import math

import pytest
import torch

from vqvae_lite.codefile import FORMAT, CodeFile, format_of, read_codes, write_codes
from vqvae_lite.models import new_model
from vqvae_lite.recipes.sound import SoundRecipe, get_sound_recipe, load_utterances
from vqvae_lite.sound.codefile import (
    SOUND_FORMAT,
    SoundCodeFile,
    read_sound_codes,
    write_sound_codes,
)
from vqvae_lite.sound.coding import decode_waves, encode_wave, whole_hops
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
        seen.append((codes.tolist(), speaker.tolist(), options["seed"]))
        return decode(self, codes, speaker, **options)

    monkeypatch.setattr(type(model), "decode", heard)
    codes = [torch.tensor(row) for row in ([1, 2, 3], [4], [5, 6])]
    options = {"seed": 5, "batch_size": 2, "progress": False}
    waves = dict(decode_waves(model, codes, [0, 1, 0], **options))
    assert seen == [([[4, 4], [5, 6]], [1, 0], 5), ([[1, 2, 3]], [0], 7)]
    assert {place: len(wave) for place, wave in waves.items()} == {0: 24, 1: 8, 2: 16}
    assert all(wave.dtype == torch.float32 and wave.abs().max() <= 1 for wave in waves.values())
    again = dict(decode_waves(model, codes, [0, 1, 0], **options))
    assert all(torch.equal(waves[place], again[place]) for place in waves)


def test_a_file_of_codes_gives_back_what_it_was_given(tmp_path):
    generator = torch.Generator().manual_seed(0)
    lengths = [1, 64, 65, 1000]
    codes = [
        torch.randint(0, 300, (math.ceil(length / 64),), generator=generator) for length in lengths
    ]
    file = SoundCodeFile(
        codes, 300, 64, 8000, ["a", "b", "c/d", "e"], ["x", "", "y", "x"], lengths, "m"
    )
    path = tmp_path / "file"
    size = write_sound_codes(path, file)
    assert size == path.stat().st_size
    assert format_of(path) == SOUND_FORMAT
    stored = read_sound_codes(path)
    assert stored._replace(codes=[]) == file._replace(codes=[])
    assert [row.tolist() for row in stored.codes] == [row.tolist() for row in codes]

    write_sound_codes(path, file._replace(names=["a"]))
    with pytest.raises(ValueError, match="must be of as many sounds"):
        read_sound_codes(path)
    write_sound_codes(path, file._replace(lengths=[1, 64, 65, 2000]))
    with pytest.raises(ValueError, match="truncated or not a file of codes: 36 codes of 9 bits"):
        read_sound_codes(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="truncated or not a file of codes"):
        read_sound_codes(path)
    write_codes(path, CodeFile(torch.zeros(2, 3, 3, dtype=torch.int64), 4, ["a", "b"], "m"))
    assert format_of(path) == FORMAT
    assert len(read_codes(path).codes) == 2
    with pytest.raises(ValueError, match="expected the format 'vqvae-lite sound codes 1', got"):
        read_sound_codes(path)


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


def test_the_speech_of_a_recipe_has_its_rate_and_its_speakers():
    recipe = get_sound_recipe("speech", "quick", settings=["speakers=slt", "rate=8000"])
    halved = load_utterances(recipe, "validation")
    full = load_speech("validation", ["slt"])
    assert [said[:2] + said[3:] for said in halved] == [said[:2] + said[3:] for said in full]
    for low, high in zip(halved, full, strict=True):
        assert abs(len(low.wave) - len(high.wave) / 2) <= 1
