"""The sound of a recipe."""

from pathlib import Path

import pytest

from vqvae_lite.checkpoints import Checkpoint, CheckpointError
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.sound import load_utterances, speakers_of
from vqvae_lite.sound.model import SoundConfig, SoundVQVAE
from vqvae_lite.sound.speech import load_speech


@pytest.mark.slow
def test_the_speech_of_a_recipe_has_its_rate_and_its_speakers():
    recipe = get_recipe("speech", "quick", ["speakers=slt", "rate=8000"])
    halved = load_utterances(recipe, "validation")
    full = load_speech("validation", ["slt"])
    assert [said[:2] + said[3:] for said in halved] == [said[:2] + said[3:] for said in full]
    for low, high in zip(halved, full, strict=True):
        assert abs(len(low.wave) - len(high.wave) / 2) <= 1


@pytest.mark.parametrize(
    "config",
    [{}, *({"speakers": value} for value in (3, "ab", ["a"], ["a", "a"], ["a", 3], [[], []]))],
)
def test_a_model_without_names_for_its_speakers_is_named(config):
    settings = SoundConfig(num_speakers=2, width=4, decoder_width=4, skip_width=4)
    checkpoint = Checkpoint(Path("x"), SoundVQVAE(settings), config, {})
    with pytest.raises(CheckpointError, match="x: 'speakers' must be a list of 2 names"):
        speakers_of(checkpoint)
    assert speakers_of(checkpoint._replace(config={"speakers": ["a", "b"]})) == ("a", "b")
