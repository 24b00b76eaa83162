"""Pictures and films in files, whatever their kind, as 8-bit RGB: upright, on white, or refused."""

import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from vqvae_lite.files import allowed, check_amount, reading

IMAGE_SUFFIXES = (
    ".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
# What a file may hold where the environment does not say otherwise: one picture of 11,585 x 11,585,
# or a film of 10 s at 1080 lines.
MAX_PIXELS = ("pixels", "VQVAE_LITE_MAX_PIXELS", 2**27)
MAX_FILM_PIXELS = ("pixels in all frames", "VQVAE_LITE_MAX_FILM_PIXELS", 2**29)
WHITE = (255, 255, 255)  # behind what is transparent: what drawings and logos are made to stand on

# Of all that Pillow opens these alone: some others are programs, such as PostScript.
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # tags of TIFF, and what the second may say
_T = TypeVar("_T")


class Headers(NamedTuple):
    """What the headers of image files say.

    Attributes:
        read: how many were read.
        smaller: how many of these are of a picture whose shorter side is below what was asked.
    """

    read: int
    smaller: int


def read_image(file: str | Path, size: int) -> torch.Tensor:
    """Read one image file as `FolderImages` does: uint8 (3, size, size).

    It is turned upright, as its EXIF data say. What is transparent lies on `WHITE`. Grey of 12 or
    16 bits keeps its range. Several times larger than `size`, a JPEG is decoded at a half, a
    quarter or an eighth.

    Raises:
        FileNotFoundError: there is no such file.
        PermissionError: it may not be read.
        ValueError: it is no image, or cut short; holds several pictures (a film, a TIFF of many
            pages) or values of no stated range (floats, 32 bits); or more pixels than are read
            unasked. Names the file.
    """
    with _opened(file, "an image") as image:
        _check_picture(image)
        image.draft(None, (size, size))
        return center_crop(_to_rgb(image), size)


def read_headers(files: Iterable[str | Path], size: int, seconds: float) -> Headers:
    """Look at images without decoding them, in their order, for as long as is said.

    Args:
        files: the images.
        size: pixels along each side that they are to get.
        seconds: after which no further one is opened.

    Raises:
        FileNotFoundError, PermissionError, ValueError: as `read_image`, as far as the header tells.
    """
    read = smaller = 0
    end = time.monotonic() + seconds
    for file in files:
        if time.monotonic() > end:
            break
        with _opened(file, "an image") as image:
            _check_picture(image)
            smaller += min(image.size) < size
        read += 1
    return Headers(read, smaller)


def read_frames(file: str | Path) -> np.ndarray:
    """Read every frame of a film (GIF, WebP, AVIF, PNG): uint8 (frames, height, width, 3), RGB.

    What is transparent lies on `WHITE`.

    Raises:
        FileNotFoundError, PermissionError, ValueError: as `read_image`, but that it may hold one
            frame or many. Names the file.
    """
    return np.stack(_each_frame(file, np.asarray))


def read_film(file: str | Path, size: int) -> list[torch.Tensor]:
    """Read every frame of a film as `read_image` does a picture: uint8 (3, size, size) each.

    Raises:
        FileNotFoundError, PermissionError, ValueError: as `read_frames`.
    """
    return _each_frame(file, lambda frame: center_crop(frame, size))


def center_crop(image: Image.Image, size: int) -> torch.Tensor:
    """An RGB image resized until its shorter side fits, and cropped: uint8 (3, size, size)."""
    square = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


@contextmanager
def _opened(file: str | Path, kind: str) -> Iterator[Image.Image]:
    limit = allowed(*MAX_PIXELS[1:])
    if Image.MAX_IMAGE_PIXELS and limit > 2 * Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = (
            limit  # Pillow has its own, which whoever raised this one means too
        )
    with reading(file, kind), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's: what matters is an error here
        try:
            with Image.open(file, formats=_FORMATS) as image:
                yield image
        except Image.DecompressionBombError as error:
            check_amount(int(re.findall("[0-9]+", str(error))[0]), *MAX_PIXELS)
            raise
        except UnidentifiedImageError:
            raise ValueError(f"its content is none of {', '.join(_FORMATS)}") from None


def _check_picture(image: Image.Image) -> None:
    """Raises ValueError unless an image, opened and not yet decoded, can be read as one."""
    check_amount(image.width * image.height, *MAX_PIXELS)
    _check_mode(image)
    # An MPO is the JPEG of a camera, with a preview or a map of its highlights behind the picture.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise ValueError(
            f"it holds {getattr(image, 'n_frames', 'several')} pictures, not one: a film is a clip "
            f"for the recipe video, and pages must be files of their own"
        )


def _check_mode(image: Image.Image) -> None:
    # A PNG or PPM of 16 bits is of mode "I" where Pillow, or the version of it, has no better one.
    if image.mode in _MODES or image.mode.startswith("I;16"):
        return
    if image.mode != "I" or image.format not in ("PNG", "PPM"):
        kinds = {"I": "whole numbers of 32 bits", "F": "floating-point numbers"}
        what = kinds.get(image.mode, f"mode {image.mode}")
        raise ValueError(
            f"its pixels are {what}, and no white is stated for them: store it with 8 or 16 bits"
        )


def _each_frame(file: str | Path, take: Callable[[Image.Image], _T]) -> list[_T]:
    """What `take` makes of each frame of a film, one after another."""
    with _opened(file, "a film") as film:
        count = getattr(film, "n_frames", 1)
        check_amount(film.width * film.height, *MAX_PIXELS)
        check_amount(film.width * film.height * count, *MAX_FILM_PIXELS)
        frames = []
        for index in range(count):
            film.seek(index)
            _check_mode(film)
            _scale_key(film)
            frames.append(take(_to_rgb(film.copy())))  # a frame builds on the one before it
        return frames


def _to_rgb(image: Image.Image) -> Image.Image:
    """An image of any of the modes that `_check_mode` lets pass, upright; changes it in place."""
    _scale_key(image)
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        image = Image.new("RGB", seen.size, WHITE)
        image.paste(seen, mask=seen)
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Grey of 12 or 16 bits as uint8 (height, width): of each value the 8 highest bits."""
    levels, tags = np.asarray(image), getattr(image, "tag_v2", {})
    grey = (levels >> (tags.get(_BITS, (16,))[0] - 8)).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    if (key := image.info.get("transparency")) is not None:
        grey[levels == key] = WHITE[0]
    return grey


def _scale_key(image: Image.Image) -> None:
    """Brings a PNG's transparent colour to 8 bits: Pillow does it with the pixels alone."""
    key, tiles = image.info.get("transparency"), getattr(image, "tile", [])
    if key is not None and tiles:
        raw = tiles[0][3]
        if raw in ("L;2", "L;4"):
            image.info["transparency"] = key * {"L;2": 85, "L;4": 17}[raw]
        elif raw == "RGB;16B":
            image.info["transparency"] = tuple(part >> 8 for part in key)
