"""A compact file of codes: ceil(log2 K) bits for each, packed without gaps."""

import json
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vqvae_lite.checks import check_codes

FORMAT = "vqvae-lite codes 1"


class CodeFile(NamedTuple):
    """What a file of codes holds.

    Attributes:
        codes: int64 (N, h, w), or (N, C, h, w) with several codebooks.
        num_codes: K.
        names: one for each image.
        model: fingerprint of the model whose codes they are.
    """

    codes: Tensor
    num_codes: int
    names: list[str]
    model: str


def pack_codes(codes: Tensor, num_codes: int) -> np.ndarray:
    """Codes as a uint8 array of ceil(N * bits / 8) bytes, bits = ceil(log2 K), high bit first.

    Raises:
        ValueError: a code is out of range.
    """
    check_codes(codes, num_codes)
    flat = codes.flatten().numpy()
    shifts = np.arange(_bits(num_codes) - 1, -1, -1)
    return np.packbits(((flat[:, None] >> shifts) & 1).astype(np.uint8))


def unpack_codes(packed: np.ndarray, count: int, num_codes: int) -> Tensor:
    """The inverse of `pack_codes`: int64 (count,).

    Raises:
        ValueError: the bytes are too few, or hold a code out of range.
    """
    bits = _bits(num_codes)
    if packed.size != math.ceil(count * bits / 8):
        raise ValueError(
            f"{count} codes of {bits} bits need {math.ceil(count * bits / 8)} bytes, "
            f"got {packed.size}"
        )
    digits = np.unpackbits(packed, count=count * bits).reshape(count, bits).astype(np.int64)
    codes = torch.from_numpy(digits @ (1 << np.arange(bits - 1, -1, -1)))
    check_codes(codes, num_codes)
    return codes


def write_codes(path: str | Path, file: CodeFile) -> int:
    """Writes a file of codes through a rename, so that it is whole or absent.

    Returns:
        Its size in bytes: the packed codes plus a few hundred for names and shape.
    """
    header = {
        "format": FORMAT,
        "shape": list(file.codes.shape),
        "num_codes": file.num_codes,
        "names": file.names,
        "model": file.model,
    }
    return write_packed(path, header, pack_codes(file.codes, file.num_codes))


def read_codes(path: str | Path) -> CodeFile:
    """Reads a file of codes.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is truncated, or no file of codes of images.
    """
    header, packed = read_packed(path, FORMAT)
    with reading(path):
        shape, num_codes = header["shape"], header["num_codes"]
        codes = unpack_codes(packed, math.prod(shape), num_codes).view(shape)
        if len(header["names"]) != len(codes):
            raise ValueError(f"{len(header['names'])} names for {len(codes)} images")
        return CodeFile(codes, num_codes, header["names"], header["model"])


@contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Says of which file it is that something in it is missing, odd or too short.

    Raises:
        ValueError: for any such error.
    """
    try:
        yield
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{path} is truncated or not a file of codes: {error}") from error


def write_packed(path: str | Path, header: dict, packed: np.ndarray) -> int:
    """Writes a header and packed codes through a rename, so that the file is whole or absent.

    Returns:
        Its size in bytes.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    with zipfile.ZipFile(partial, "w") as archive:
        archive.writestr("codes.bin", packed.tobytes())
        archive.writestr("header.json", json.dumps(header), zipfile.ZIP_DEFLATED)
    partial.replace(path)
    return path.stat().st_size


def read_packed(path: str | Path, expected: str | None = None) -> tuple[dict, np.ndarray]:
    """The header and the packed codes, uint8, of a file of codes.

    Args:
        path: the file.
        expected: the format that the header must name; None for any.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is truncated, no file of codes, or of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file of codes at {path}")
    with reading(path):
        with zipfile.ZipFile(path) as archive:
            header = json.loads(archive.read("header.json"))
            packed = np.frombuffer(archive.read("codes.bin"), np.uint8)
        given = header["format"]
    if expected not in (None, given):
        raise ValueError(f"{path}: expected the format {expected!r}, got {given!r}")
    return header, packed


def format_of(path: str | Path) -> str:
    """The format that a file of codes names: of images, of sound, or of clips.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is truncated, or no file of codes.
    """
    return read_packed(path)[0]["format"]


def _bits(num_codes: int) -> int:
    return max(1, math.ceil(math.log2(num_codes)))
