"""The classes of a recipe's data, which a prior over their codes can be told (section 3.3)."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vqvae_lite.encoding import CodeMaps
from vqvae_lite.files import reading
from vqvae_lite.images import CIFAR10_CLASSES, FolderImages, cifar10_labels
from vqvae_lite.recipes.recipe import Recipe


class LabelledMaps(NamedTuple):
    """A batch of maps of codes with the class of each."""

    codes: Tensor
    label: Tensor


class WithLabels(Dataset):
    """A data set of maps of codes, each with its class.

    Args:
        maps: of codes.
        labels: int64, one for each map.
    """

    def __init__(self, maps: CodeMaps, labels: Tensor):
        self.maps, self.labels = maps, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> LabelledMaps:
        return LabelledMaps(self.maps[index], self.labels[index])

    def __getitems__(self, indices: Sequence[int]) -> LabelledMaps:
        return LabelledMaps(self.maps.__getitems__(indices), self.labels[indices])


def codes_and_label(batch: LabelledMaps) -> tuple[Tensor, Tensor]:
    """A batch as a prior with classes takes it."""
    return batch.codes.long(), batch.label


def classes_of(source: Recipe) -> tuple[str, ...]:
    """The names of the classes of a model's data, in the order of their numbers.

    In a folder of images each folder directly below it is a class; of sound each speaker is one.

    Args:
        source: the recipe of the VQ-VAE.

    Raises:
        ValueError: the data have no classes.
        FileNotFoundError: the folder is not there.
    """
    if source.kind == "soundvqvae":
        return source.data.speakers
    if source.name == "cifar10":
        return CIFAR10_CLASSES
    if source.name != "folder":
        raise ValueError(f"the recipe {source.name!r} has no classes: train without --classes")
    folder = Path(source.data.folder).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"path must be a folder of images; there is none at {folder}")
    with reading(folder, "a folder"), os.scandir(folder) as found:
        names = sorted(entry.name for entry in found if entry.is_dir() and entry.name[0] != ".")
    if not names:
        raise ValueError(f"{folder} has no classes: it must hold a folder for each")
    return tuple(names)


def labels_of(
    images: Dataset, classes: Sequence[str], folder: str | Path | None, split: str
) -> Tensor:
    """The class of each image of a data set: int64 (N,).

    Args:
        images: of a folder, or of CIFAR-10.
        classes: their names.
        folder: that the images are in; None for those of CIFAR-10.
        split: of CIFAR-10.

    Raises:
        ValueError: an image is in no folder, or in one that is no class.
    """
    if folder is None and tuple(classes) == CIFAR10_CLASSES and split:
        return cifar10_labels(split)
    if folder is None or not isinstance(images, FolderImages):
        raise ValueError("these images have no classes, which the prior has to be told")
    numbers = {name: number for number, name in enumerate(classes)}
    root, labels = Path(folder).expanduser(), []
    for file in images.files:
        first, *rest = Path(file).relative_to(root).parts
        if not rest or first not in numbers:
            raise ValueError(f"{file} must be in the folder of its class, {told(classes)}")
        labels.append(numbers[first])
    return torch.tensor(labels)


def class_number(name: str, classes: Sequence[str]) -> int:
    """The number of a class.

    Raises:
        ValueError: there is none of that name.
    """
    if not classes:
        raise ValueError("--label is for a prior that was trained with --classes")
    if name not in classes:
        raise ValueError(f"--label must be {told(classes)}; got {name!r}")
    return list(classes).index(name)


def told(classes: Sequence[str]) -> str:
    """The names of classes, in few words."""
    more = f", or one of {len(classes) - 10} more, see `info`" if len(classes) > 10 else ""
    return f"one of {', '.join(classes[:10])}{more}"
