"""A compact file of codes, of images, sound or video: ceil(log2 K) bits each, without gaps.

It is a zip of two members: `codes.bin` has the codes of all items end to end, `header.json` says
what they are. What is particular to sound and to video is said in `sound.coding`, `video.coding`.
"""

import json
import math
import reprlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from vqvae_lite.checks import check_codes

FORMAT = "vqvae-lite codes 2"
# What was written before reads still: a format for each kind.
_BEFORE = {
    "vqvae-lite codes 1": "images",
    "vqvae-lite sound codes 1": "sound",
    "vqvae-lite video codes 1": "video",
}
_HEADER_LIMIT = 2**26  # bytes: room for the names of a million items, none for a bomb
_LARGEST = 2**62  # of all numbers in a header: int64 takes it, and twice as much
_CHUNK = 2**20  # codes packed at once: a multiple of 8, so that each chunk fills its last byte


@dataclass(frozen=True, eq=False)
class CodeFile:
    """What every file of codes holds; the lists have one item for each image, sound or clip.

    Attributes:
        codes: integers in [0, K), on the CPU, in shapes that the kind of file says.
        num_codes: K.
        names: of the items.
        model: fingerprint of the model whose codes they are.

    Raises:
        TypeError, ValueError: an attribute is of another type, or does not fit the others.
    """

    codes: list[Tensor]
    num_codes: int
    names: list[str]
    model: str

    kind: ClassVar[str]
    ranks: ClassVar[tuple[int, ...]]  # how many dimensions the codes of an item may have
    alike: ClassVar[int]  # from this dimension on all items have the same shape

    def __post_init__(self) -> None:
        check_ints("num_codes", [self.num_codes])
        self.check_shapes([list(codes.shape) for codes in self.codes])
        check_strings("names", self.names, len(self.codes))
        check_strings("model", [self.model], 1)

    @classmethod
    def check_shapes(cls, shapes: Sequence[Sequence[int]]) -> None:
        """Raises TypeError or ValueError unless a file of this kind may have codes so shaped."""
        for shape in shapes:
            check_ints("a shape", shape)
            if len(shape) not in cls.ranks:
                raise ValueError(f"codes of {cls.kind} cannot have the shape {tuple(shape)}")
        maps = {tuple(shape[cls.alike :]) for shape in shapes}
        if len(maps) != 1:
            found = reprlib.repr(sorted(maps)) if maps else "none"
            raise ValueError(f"codes of {cls.kind} must have maps of one shape, got {found}")

    @classmethod
    def from_json(cls, more: dict[str, Any]) -> dict[str, Any]:
        """The attributes that this kind has besides those of every kind, as JSON held them."""
        return {name: more[name] for name in _names_of_more(cls)}


@dataclass(frozen=True, eq=False)
class ImageCodes(CodeFile):
    """A file of codes of images: (h, w) each, or (C, h, w) with C codebooks."""

    kind = "images"
    ranks = (2, 3)
    alike = 0


Kind = TypeVar("Kind", bound=CodeFile)


def pack_codes(codes: Tensor, num_codes: int) -> np.ndarray:
    """Codes as a uint8 array of ceil(N * bits / 8) bytes, bits = ceil(log2 K), high bit first.

    Raises:
        TypeError, ValueError: codes are not integers, or one is out of range.
    """
    check_codes(codes, num_codes)
    shifts = np.arange(_bits(num_codes) - 1, -1, -1)
    chunks = [chunk.numpy()[:, None] for chunk in codes.flatten().split(_CHUNK)]
    return np.concatenate([np.packbits((chunk >> shifts & 1).astype(np.uint8)) for chunk in chunks])


def unpack_codes(packed: np.ndarray, count: int, num_codes: int) -> Tensor:
    """The inverse of `pack_codes`: int64 (count,).

    Raises:
        ValueError: the bytes are too few or too many, or hold a code out of range.
    """
    bits = _bits(num_codes)
    if packed.size != -(-count * bits // 8):
        raise ValueError(
            f"{count} codes of {bits} bits need {-(-count * bits // 8)} bytes, got {packed.size}"
        )
    codes = np.empty(count, np.int64)
    for start in range(0, count, _CHUNK):
        chunk = codes[start : start + _CHUNK]
        part = packed[start * bits // 8 : (start + _CHUNK) * bits // 8]
        digits = np.unpackbits(part, count=len(chunk) * bits).reshape(-1, bits)
        chunk[:] = digits.astype(np.int64) @ (1 << np.arange(bits - 1, -1, -1))
    check_codes(torch.from_numpy(codes), num_codes)
    return torch.from_numpy(codes)


def codes_target(path: str | Path) -> Path:
    """Where a file of codes is to be written, "~" expanded, once it is known that it can be.

    Raises:
        IsADirectoryError, NotADirectoryError: it is a folder, or a file is where one must be.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name the file of codes to write")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {above} is no folder")
    return path


def write_codes(path: str | Path, file: CodeFile) -> int:
    """Writes a file of codes through a rename, so that it is whole or absent.

    Returns:
        Its size in bytes: the packed codes plus a few hundred for names and shapes.

    Raises:
        OSError: as `codes_target`, or on writing.
        TypeError, ValueError: as `pack_codes`, or the names take too much room.
    """
    path = codes_target(path)
    header = {
        "format": FORMAT,
        "kind": file.kind,
        "num_codes": file.num_codes,
        "names": file.names,
        "model": file.model,
        "shapes": [list(codes.shape) for codes in file.codes],
        "more": {name: getattr(file, name) for name in _names_of_more(type(file))},
    }
    text = json.dumps(header, default=Tensor.tolist)
    if len(text) > _HEADER_LIMIT:
        raise ValueError(f"names and shapes take {len(text)} bytes, more than {_HEADER_LIMIT}")
    packed = pack_codes(torch.cat([codes.flatten() for codes in file.codes]), file.num_codes)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w") as archive:
            archive.writestr("codes.bin", packed.tobytes(), zipfile.ZIP_STORED)
            archive.writestr("header.json", text, zipfile.ZIP_DEFLATED)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path.stat().st_size


def read_codes(path: str | Path, *kinds: type[Kind]) -> Kind:
    """Reads a file of codes, also one of the formats of before.

    Args:
        path: the file.
        kinds: what it may hold: `ImageCodes`, `SoundCodes`, `VideoCodes`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is truncated, no file of codes, or one of another kind.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no file of codes at {path}")
    with open(path, "rb") as stream, _reading(path), zipfile.ZipFile(stream) as archive:
        header = json.loads(_member(archive, "header.json", zipfile.ZIP_DEFLATED, _HEADER_LIMIT))
        if header["format"] not in (FORMAT, *_BEFORE):
            raise ValueError(f"its format is {reprlib.repr(header['format'])}, not {FORMAT!r}")
        found = _BEFORE.get(header["format"]) or header["kind"]
        kind = next((kind for kind in kinds if kind.kind == found), None)
        file = kind and _from_header(kind, header, archive)
    if file is None:
        wanted = " or ".join(kind.kind for kind in kinds)
        raise ValueError(f"{path} holds codes of {reprlib.repr(found)}, not of {wanted}")
    return file


def check_ints(name: str, values: Sequence[int], least: int = 1) -> None:
    """Raises TypeError or ValueError unless values are ints of at least so much, none absurd."""
    if not isinstance(values, list):
        raise TypeError(f"{name} must be a list of ints, got {reprlib.repr(values)}")
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be int, got {reprlib.repr(value)}")
        if not least <= value <= _LARGEST:
            raise ValueError(f"{name} must be in [{least}, {_LARGEST}], got {reprlib.repr(value)}")


def check_strings(name: str, values: Sequence[str], count: int) -> None:
    """Raises TypeError or ValueError unless values are so many strings."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} must be strings, got {reprlib.repr(values)}")
    if len(values) != count:
        raise ValueError(f"{name} must be {count} strings, got {len(values)}")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Says of which file it is that something in it is missing, odd or too short."""
    try:
        yield
    except (
        # Of a damaged zip; of JSON, which may nest or count without end; of the checks.
        *(zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, OverflowError),
        *(MemoryError, LookupError, TypeError, ValueError),
    ) as error:
        missing = f"it lacks {error}" if isinstance(error, KeyError) else ""
        reason = missing or str(error) or type(error).__name__
        raise ValueError(f"{path} is truncated or not a file of codes: {reason}") from error


def _member(archive: zipfile.ZipFile, name: str, method: int, limit: int) -> bytes:
    """What a member holds, read only where it is compressed as it should be, and no bomb."""
    info = {info.filename: info for info in archive.infolist()}[name]
    if info.compress_type != method or info.file_size > limit:
        given = f"{info.file_size} bytes by method {info.compress_type}"
        raise ValueError(f"{name} must have at most {limit} bytes by method {method}, got {given}")
    with archive.open(info) as stream:
        return stream.read(info.file_size)  # no more, should there be more than it says


def _from_header(kind: type[Kind], header: dict[str, Any], archive: zipfile.ZipFile) -> Kind:
    """A file of codes of a kind, from its header and the archive that has its codes."""
    shapes, num_codes = _shapes(header), header["num_codes"]
    kind.check_shapes(shapes)
    check_ints("num_codes", [num_codes])
    sizes = [math.prod(shape) for shape in shapes]
    limit = sum(sizes) * _bits(num_codes) // 8 + 1
    packed = np.frombuffer(_member(archive, "codes.bin", zipfile.ZIP_STORED, limit), np.uint8)
    flat = unpack_codes(packed, sum(sizes), num_codes)
    codes = [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]
    more = kind.from_json(header.get("more", header))  # before, all stood side by side
    return kind(codes, num_codes, header["names"], header["model"], **more)


def _shapes(header: dict[str, Any]) -> list[list[int]]:
    """The shapes of the codes of each item; before, those of images and of sound followed."""
    if "shapes" in header:
        return header["shapes"]
    if "lengths" in header:
        return shapes_of_sound(header["lengths"], header["hop"])
    check_ints("shape", header["shape"])
    count, *shape = header["shape"]
    check_strings("names", header["names"], count)  # so that what follows is as long as a list
    return [shape] * count


def shapes_of_sound(lengths: Sequence[int], hop: int) -> list[list[int]]:
    """The shapes of the codes of sounds, of so many samples each: [ceil(length / hop)]."""
    check_ints("hop", [hop])
    check_ints("lengths", lengths)
    return [[-(-length // hop)] for length in lengths]


def _names_of_more(kind: type[CodeFile]) -> list[str]:
    """The attributes that a kind of file has besides those of every kind."""
    return [field.name for field in fields(kind)[len(fields(CodeFile)) :]]


def _bits(num_codes: int) -> int:
    return max(1, (num_codes - 1).bit_length())
