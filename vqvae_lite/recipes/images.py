"""The images of a recipe."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vqvae_lite.checks import size_of
from vqvae_lite.images import FolderImages, TensorImages, load_cifar10, shrink
from vqvae_lite.maze import SIZE, holds_mazes, load_maze
from vqvae_lite.recipes.recipe import Recipe, TrainingData
from vqvae_lite.training import prepare_images

_CIFAR10_SIZE = 32  # pixels along each side


def image_data(recipe: Recipe, check: bool = False) -> TrainingData:
    """The images that a recipe trains on.

    Args:
        recipe: which images.
        check: whether to look at the headers of a folder's files first: see `FolderImages.check`.

    Raises:
        ValueError, FileNotFoundError: as `load_images` and `FolderImages.check`.
    """
    images = training_images(recipe)
    text = f"{len(images)} images"
    if check and isinstance(images, FolderImages):
        headers = images.check()
        if headers.read < len(images):
            text += f" (the headers of {headers.read} were read in the time for it)"
        if headers.smaller:
            text += f", {headers.smaller} of them enlarged to {images.size} pixels"
    return TrainingData(images, preparation(recipe), text, {})


def preparation(recipe: Recipe) -> Callable[[Tensor], Tensor]:
    """What makes a batch of a recipe's images into what the model takes, in training."""
    return mirror_and_prepare if recipe.data.mirrored else prepare_images


def training_images(recipe: Recipe) -> FolderImages | TensorImages:
    """The images that a recipe trains on, as they are: a whole folder, or the split "train"."""
    return load_images(recipe, "all" if recipe.name == "folder" else "train")


def load_images(recipe: Recipe, split: str) -> FolderImages | TensorImages:
    """The images of a recipe as a data set of uint8 (3, size, size).

    Args:
        recipe: "maze" and "cifar10" have splits; a folder is one set, and its split is "all".
        split: "train", "validation", "test" or "all".

    Raises:
        ValueError: the data have no such split, or another size; or a folder is a set of mazes.
        FileNotFoundError: they are not there; the message says what to do.
    """
    size = recipe.data.size
    if recipe.name == "folder":
        if holds_mazes(recipe.data.folder):
            raise ValueError(
                f"{recipe.data.folder} is a set of mazes: `vqvae-lite train maze --folder` takes it"
            )
        return FolderImages(recipe.data.folder, size)
    if recipe.name == "maze":
        return maze_images(split, size, recipe.data.folder)
    if size != _CIFAR10_SIZE:
        raise ValueError(f"cifar10 has images of {_CIFAR10_SIZE} pixels, so size={size} is none")
    return load_cifar10(split)


def maze_images(split: str, size: int, folder: str | Path | None = None) -> TensorImages:
    """The frames of a split of the mazes, as they are or smaller.

    Args:
        split: "train", "validation" or "test".
        size: pixels along each side, at most 84.
        folder: of another set of mazes than the book's.

    Raises:
        ValueError: there is no such split, or no such size.
        FileNotFoundError: as `load_maze`.
    """
    if size > SIZE:
        raise ValueError(f"the mazes have images of {SIZE} pixels, so size={size} is none")
    frames = load_maze(split, folder).frames
    return TensorImages(frames if size == SIZE else shrink(frames, size))


class MirroredImages(Dataset):
    """Every image of a data set with left and right swapped.

    Args:
        images: gives uint8 (C, H, W).
    """

    def __init__(self, images: Dataset):
        self.images = images

    def __len__(self) -> int:
        return size_of(self.images, "mirror")

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index].flip(-1)


def mirror_and_prepare(batch: Tensor) -> Tensor:
    """As `prepare_images`; left and right of a random half are swapped, which torch draws."""
    flip = torch.rand(len(batch), 1, 1, 1, device=batch.device) < 0.5
    return prepare_images(torch.where(flip, batch.flip(-1), batch))
