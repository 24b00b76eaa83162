"""Images: from uint8 to the network's range and back, and data sets of them.

As data, images are uint8 tensors (N, 3, height, width) of 0 to 255; inside the networks they are
float32 in [-1, 1]. A data set here gives uint8 (3, height, width) for one index and, through
`__getitems__`, uint8 (B, 3, height, width) for a list of B: a DataLoader needs no collating.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from vqvae_lite.checks import check_positive_int, check_split, require
from vqvae_lite.data.pictures import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    Headers,
    read_headers,
    read_image,
)
from vqvae_lite.data.places import data_root
from vqvae_lite.files import allowed, visible_files

CIFAR10_VALIDATION = 5000  # images: the last of the training set
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


def to_float(images: torch.Tensor) -> torch.Tensor:
    """Map uint8 images of 0 to 255 to float32 in [-1, 1], in the same shape.

    Raises:
        TypeError: `images` is no uint8 tensor.
    """
    check_uint8(images)
    return images.float() / 127.5 - 1


def to_uint8(images: torch.Tensor) -> torch.Tensor:
    """Map floating-point images in [-1, 1] to uint8, in the same shape: the inverse of `to_float`.

    Values outside, which a decoder gives, are clipped to the nearest end.

    Raises:
        TypeError: `images` is no floating-point tensor.
        ValueError: it holds NaN or Inf.
    """
    if not isinstance(images, torch.Tensor) or not images.is_floating_point():
        raise TypeError(f"images must be a floating-point tensor in [-1, 1]; got {_kind(images)}")
    if not images.isfinite().all():
        raise ValueError("images must be finite; got NaN or Inf among them")
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def exact_uint8(images: torch.Tensor) -> torch.Tensor:
    """Map floating-point images back to the very uint8 values that `to_float` made them from.

    Unlike `to_uint8` it neither clips nor rounds: a likelihood of 8-bit values has no meaning for
    any others.

    Raises:
        TypeError: `images` is no floating-point tensor.
        ValueError: a value lies outside [-1, 1] or between two levels, or there is none.
    """
    levels = to_uint8(images)
    if not levels.numel():
        raise ValueError(f"the batch of images must not be empty; got {tuple(images.shape)}")
    off = (images - to_float(levels)).abs().max() * 127.5
    if not torch.compiler.is_compiling() and off > 0.02:
        raise ValueError(
            "images must hold 8-bit values, v / 127.5 - 1 for v in 0..255; "
            f"got one that is {off.item():.3g} levels away from the nearest of them"
        )
    return levels


class TensorImages(Dataset):
    """Images that are in memory.

    Args:
        images: uint8 (N, 3, height, width).

    Raises:
        TypeError: `images` is no uint8 tensor.
        ValueError: it has another rank or number of channels, or no images.
    """

    def __init__(self, images: torch.Tensor):
        check_uint8(images)
        if images.ndim != 4 or images.shape[1] != 3 or images.numel() == 0:
            raise ValueError(
                f"images must have the shape (N, 3, height, width), none of them 0; "
                f"got {tuple(images.shape)}"
            )
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]

    def __getitems__(self, indices: Sequence[int]) -> torch.Tensor:
        return self.images[indices]


class FolderImages(Dataset):
    """The images in a folder and the folders in it, read as they are asked for.

    Each is read as by `read_image`: turned upright, made RGB on white, resized until its shorter
    side fits and cropped to the middle square. Files are in the order of `visible_files`, numbers
    in their names as numbers; only those with a suffix of `IMAGE_SUFFIXES` count, and none whose
    name, or folder, starts with a dot.

    Args:
        path: the folder.
        size: pixels along each side of the square.

    Attributes:
        files: the paths, one for each index.

    Raises:
        TypeError: `size` is no int.
        ValueError: `size` is below 1, the folder holds no image, or something with the name of one
            is no file; on reading, as `read_image`.
        FileNotFoundError: there is no such folder; on reading, a file has gone.
        PermissionError: a folder, or on reading a file, may not be read.
    """

    def __init__(self, path: str | Path, size: int):
        check_positive_int(size=size)
        most = math.isqrt(allowed(*MAX_PIXELS[1:]))
        if size > most:
            raise ValueError(f"size must be at most {most}, got {size}")
        path = Path(path).expanduser()
        if not path.is_dir():
            raise FileNotFoundError(f"path must be a folder of images; there is none at {path}")
        self.size = size
        self.files = visible_files(path, IMAGE_SUFFIXES)
        if not self.files:
            raise ValueError(
                f"path must hold at least one image ({', '.join(IMAGE_SUFFIXES)}); "
                f"none found in {path}"
            )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        return read_image(self.files[index], self.size)

    def __getitems__(self, indices: Sequence[int]) -> torch.Tensor:
        return torch.stack([self[index] for index in indices])

    def check(self, seconds: float = 60.0) -> Headers:
        """Looks at the header of every file, for at most so many seconds, and decodes none.

        What is wrong is so found before hours of training, not in them.

        Raises:
            FileNotFoundError, PermissionError, ValueError: naming the first file that cannot be
                read.
        """
        return read_headers(self.files, self.size, seconds)


def shrink(images: torch.Tensor, size: int) -> torch.Tensor:
    """Square images made smaller: uint8 (N, 3, height, height) to (N, 3, size, size).

    Each new pixel is the mean of the old ones that it covers; in whole numbers, so that every
    machine gives the same.

    Raises:
        TypeError: `images` is no uint8 tensor.
        ValueError: the images are not square, or not larger than `size`.
    """
    check_uint8(images)
    if images.ndim != 4 or images.shape[2] != images.shape[3] or not 0 < size < images.shape[3]:
        raise ValueError(
            f"images must be square and larger than {size} pixels; got {tuple(images.shape)}"
        )
    small = [
        np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX))
        for image in images.permute(0, 2, 3, 1).numpy()
    ]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).contiguous()


def gray(images: torch.Tensor) -> torch.Tensor:
    """The grey level of each pixel: uint8 (N, 3, H, W) to (N, H, W), by ITU-R BT.601's weights.

    Raises:
        TypeError: `images` is no uint8 tensor.
        ValueError: the images have not three channels.
    """
    check_uint8(images)
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must have the shape (N, 3, H, W), got {tuple(images.shape)}")
    levels = [
        np.asarray(Image.fromarray(image).convert("L"))
        for image in images.permute(0, 2, 3, 1).contiguous().numpy()
    ]
    return torch.from_numpy(np.stack(levels))


def load_cifar10(split: str, root: str | Path | None = None, download: bool = True) -> TensorImages:
    """CIFAR-10, 32x32 RGB: 45,000 images to train, 5,000 to validate, 10,000 to test.

    Args:
        split: "train", "validation" (the last 5,000 of the published training set) or "test".
        root: the folder that holds the data or gets it, by default `data_root()`.
        download: whether to fetch it (170 MB) where it is missing.

    Raises:
        ValueError: the split has another name.
        FileNotFoundError: the data are not there and could not, or were not to, be fetched; the
            message says what to put where.
    """
    data = _open_cifar10(split, root, download)
    images = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
    return TensorImages(_part_of_cifar10(images, split))


def cifar10_labels(split: str, root: str | Path | None = None) -> torch.Tensor:
    """The number in `CIFAR10_CLASSES` of each image of `load_cifar10`: int64 (N,)."""
    return _part_of_cifar10(torch.tensor(_open_cifar10(split, root, True).targets), split)


def _open_cifar10(split: str, root: str | Path | None, download: bool) -> Any:
    check_split(split)
    root = data_root() if root is None else Path(root).expanduser()
    CIFAR10 = require("torchvision.datasets", "cifar10").CIFAR10  # importing it takes seconds

    archive = root / CIFAR10.filename
    try:
        # Where the archive is there already, "download" is just unpacking it.
        return CIFAR10(root, train=split != "test", download=download or archive.is_file())
    except (OSError, RuntimeError) as error:
        raise FileNotFoundError(
            f"CIFAR-10 is not in {root} ({error}). On a machine with a network fetch {CIFAR10.url}"
            f" and put it there as {archive}, or set VQVAE_LITE_DATA to the folder that has it"
        ) from error


def _part_of_cifar10(values: torch.Tensor, split: str) -> torch.Tensor:
    """Of what there is for each image of a file, that of a split."""
    if split == "test":
        return values
    return values[:-CIFAR10_VALIDATION] if split == "train" else values[-CIFAR10_VALIDATION:]


def stack_images(batch: torch.Tensor | tuple | list[torch.Tensor]) -> torch.Tensor | tuple:
    """What a `DataLoader` collates with: the data sets here give whole batches already."""
    return torch.stack(batch) if isinstance(batch, list) else batch


def check_uint8(images: torch.Tensor) -> None:
    """Raises TypeError unless `images` is a tensor of uint8."""
    if not isinstance(images, torch.Tensor) or images.dtype != torch.uint8:
        raise TypeError(f"images must be a uint8 tensor of 0 to 255; got {_kind(images)}")


def _kind(images: object) -> str:
    if isinstance(images, torch.Tensor):
        return f"a tensor of {images.dtype}"
    return type(images).__name__
