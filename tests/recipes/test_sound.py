"""The sound of a recipe."""

import pytest

from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.sound import load_utterances
from vqvae_lite.sound.speech import load_speech


@pytest.mark.slow
def test_the_speech_of_a_recipe_has_its_rate_and_its_speakers():
    recipe = get_recipe("speech", "quick", ["speakers=slt", "rate=8000"])
    halved = load_utterances(recipe, "validation")
    full = load_speech("validation", ["slt"])
    assert [said[:2] + said[3:] for said in halved] == [said[:2] + said[3:] for said in full]
    for low, high in zip(halved, full, strict=True):
        assert abs(len(low.wave) - len(high.wave) / 2) <= 1
