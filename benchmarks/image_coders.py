"""What coders of pictures need for the same ones, and how near they come: JPEG, WebP, AVIF."""

import io
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vqvae_lite.metrics import ms_ssim, psnr, ssim

QUALITIES = (0, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90)


class Coder(NamedTuple):
    """A format of Pillow.

    Attributes:
        name: Pillow's.
        options: with which a file becomes as small as the format makes it at a quality.
        rest: of a file's bytes, those that hold the picture, without what could be agreed on.
    """

    name: str
    options: dict[str, Any]
    rest: Callable[[bytes], int]


def scan_of_jpeg(data: bytes) -> int:
    """From the marker "start of scan" on: without the tables of quantization and Huffman codes."""
    return len(data) - data.index(b"\xff\xda")


def data_of_avif(data: bytes) -> int:
    """What is in the box `mdat`: without what says where it stands, and the picture's size."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"mdat":
            return (size or len(data) - at) - 8  # 0: to the end
        at += size
    raise ValueError("an AVIF file without a box mdat")


CODERS = {
    "JPEG": Coder("JPEG", {"optimize": True}, scan_of_jpeg),
    "WebP": Coder("WEBP", {"method": 6}, lambda data: len(data) - 20),  # RIFF's two headers
    "AVIF": Coder("AVIF", {"speed": 4, "max_threads": 1}, data_of_avif),
}


def measure_coder(coder: Coder, images: Tensor, quality: int) -> dict[str, float]:
    """Means over pictures, uint8 (N, 3, H, W), each in a file of its own at one quality."""
    files = [_coded(coder, image, quality) for image in images]
    return {
        "quality": quality,
        "bytes": round(statistics.mean(map(len, files)), 2),
        "bytes_without_headers": round(statistics.mean(map(coder.rest, files)), 2),
        **fidelity(torch.stack([_decoded(data) for data in files]), images),
    }


def fidelity(images: Tensor, references: Tensor) -> dict[str, float]:
    """Means over pictures of the measures, by name."""
    measures = {"psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim}
    return {
        name: round(measure(images, references).mean().item(), 5)
        for name, measure in measures.items()
    }


def _coded(coder: Coder, image: Tensor, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    picture.save(buffer, coder.name, quality=quality, **coder.options)
    return buffer.getvalue()


def _decoded(data: bytes) -> Tensor:
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
