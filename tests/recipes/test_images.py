"""The images of a recipe: other sizes, other mazes, and mirrored ones."""

import pytest
import torch

from commands import make_mazes
from vqvae_lite.images import TensorImages, shrink
from vqvae_lite.maze import load_maze
from vqvae_lite.recipes.images import (
    MirroredImages,
    load_images,
    mirror_and_prepare,
    preparation,
    training_images,
)
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.training import prepare_images


def test_a_size_that_the_data_do_not_have():
    recipe = get_recipe("maze", "quick", ["size=88"])
    with pytest.raises(ValueError, match="images of 84 pixels, so size=88"):
        load_images(recipe, "test")
    recipe = get_recipe("maze", "quick", ["size=32"])
    assert load_images(recipe, "test")[0].shape == (3, 32, 32)
    recipe = get_recipe("cifar10", "quick", ["size=16"])
    with pytest.raises(ValueError, match="images of 32 pixels, so size=16"):
        load_images(recipe, "test")


def test_images_are_mirrored_for_training_alone(tmp_path):
    mazes = make_mazes(tmp_path / "mazes")
    recipe = get_recipe("maze", "quick", ["size=8", "mirrored=true"], folder=mazes)
    assert preparation(recipe) is mirror_and_prepare
    assert preparation(get_recipe("maze", "quick")) is prepare_images
    frames = shrink(load_maze("train", mazes).frames, 8)
    assert torch.equal(training_images(recipe).images, frames)


def test_a_random_half_is_mirrored():
    batch = torch.arange(300 * 3 * 2 * 5).remainder(251).to(torch.uint8).view(300, 3, 2, 5)
    torch.manual_seed(0)
    made = mirror_and_prepare(batch)
    assert made.is_contiguous(memory_format=torch.channels_last)
    plain, mirrored = prepare_images(batch), prepare_images(batch.flip(-1))
    as_they_are = (made == plain).flatten(1).all(1)
    assert torch.equal(~as_they_are, (made == mirrored).flatten(1).all(1)), "each one or the other"
    assert 120 < as_they_are.sum() < 180
    torch.manual_seed(0)
    assert torch.equal(mirror_and_prepare(batch), made)
    torch.manual_seed(1)
    assert not torch.equal(mirror_and_prepare(batch), made)
    state = torch.get_rng_state()
    prepare_images(batch)
    assert torch.equal(torch.get_rng_state(), state), "nothing is drawn without mirrors"


def test_a_mirrored_set_is_every_image_swapped():
    images = torch.randint(256, (3, 3, 2, 5), generator=torch.Generator().manual_seed(0))
    mirrored = MirroredImages(TensorImages(images.to(torch.uint8)))
    assert len(mirrored) == 3
    assert mirrored[1].tolist() == images[1, :, :, [4, 3, 2, 1, 0]].tolist()
