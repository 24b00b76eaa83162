"""The images of a recipe."""

import pytest

from vqvae_lite.recipes.images import load_images
from vqvae_lite.recipes.profiles import get_recipe


def test_a_size_that_the_data_do_not_have():
    recipe = get_recipe("maze", "quick", ["size=88"])
    with pytest.raises(ValueError, match="images of 84 pixels, so size=88"):
        load_images(recipe, "test")
    recipe = get_recipe("maze", "quick", ["size=32"])
    assert load_images(recipe, "test")[0].shape == (3, 32, 32)
    recipe = get_recipe("cifar10", "quick", ["size=16"])
    with pytest.raises(ValueError, match="images of 32 pixels, so size=16"):
        load_images(recipe, "test")
