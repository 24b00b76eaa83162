"""A compact file of codes, of images, sound or video: ceil(log2 K) bits each, without gaps.

It is a zip of three members. `codes.bin` has the codes of all items end to end; `items.txt` a line
of JSON for each item: its name, how long it is where that differs, and what else its kind says of
it; `header.json` what is the same for all, and a digest, so that a part that was changed is found.
What is particular to sound and to video is said in `sound.coding`, `video.coding`; the formats of
before, which read still, in `_columns_of_old`.

Neither writing nor reading holds more of the codes than a few items at once.
"""

import hashlib
import json
import math
import reprlib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from vqvae_lite.checks import check_ints, check_strings
from vqvae_lite.data.members import lines_of, member_to_read, member_to_write, offset_of
from vqvae_lite.data.packed import PackedCodes, bits_of, pack_codes
from vqvae_lite.files import check_amount, reading, to_write, writing

FORMAT = "vqvae-lite codes 3"
# What was written before reads still. The first formats were one for each kind.
_BEFORE = {
    "vqvae-lite codes 2": None,
    "vqvae-lite codes 1": "images",
    "vqvae-lite sound codes 1": "sound",
    "vqvae-lite video codes 1": "video",
}
# Of the items, and of a header of before, where the environment does not say otherwise: room for
# the names of a million items.
MAX_NAMES = ("bytes of names", "VQVAE_LITE_MAX_NAMES", 2**26)
_HEADER_LIMIT = 2**20  # bytes, of a header that has no items, or of one item's line
_RATIO = 64  # of text to its file: names and shapes deflate to a tenth, a bomb to a thousandth
_BLOCK = 2**16  # bytes at once
_ITEMS = 64  # at once
_to_json = json.JSONEncoder(default=Tensor.tolist).encode


@dataclass(frozen=True, eq=False)
class CodeFile:
    """What every file of codes holds; what is a sequence has one entry for each item.

    Attributes:
        codes: integers in [0, K), on the CPU, in shapes that the kind of file says: tensors, or
            `PackedCodes`, which are read when they are asked for.
        num_codes: K.
        names: of the items.
        model: fingerprint of the model whose codes they are.

    Raises:
        TypeError, ValueError: an attribute is of another type, or does not fit the others.
    """

    codes: Sequence[Tensor]
    num_codes: int
    names: list[str]
    model: str

    kind: ClassVar[str]
    ranks: ClassVar[tuple[int, ...]]  # how many dimensions the codes of an item may have
    alike: ClassVar[int]  # from this dimension on all items have the same shape
    of_each: ClassVar[tuple[str, ...]] = ()  # attributes, beside names, with an entry for each item

    def __post_init__(self) -> None:
        check_ints("num_codes", [self.num_codes])
        if not isinstance(self.codes, PackedCodes):
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
        return more

    def lengths_of_codes(self) -> list[int]:
        """The first dimension of each item's codes; none is read for it."""
        if isinstance(self.codes, PackedCodes):
            return self.codes.lengths().tolist()
        return [len(codes) for codes in self.codes]


@dataclass(frozen=True, eq=False)
class ImageCodes(CodeFile):
    """A file of codes of images: (h, w) each, or (C, h, w) with C codebooks."""

    kind = "images"
    ranks = (2, 3)
    alike = 0


Kind = TypeVar("Kind", bound=CodeFile)


def write_codes(path: str | Path, parts: CodeFile | Iterable[CodeFile]) -> int:
    """Writes a file of codes, whole or not at all.

    Args:
        path: of the file; the folders above it are made.
        parts: all of it, or part after part, each with the next items: one that is made while it
            is written need never be in memory as a whole. The same items give the same bytes,
            whatever the parts.

    Returns:
        Its size in bytes: the packed codes plus a few hundred for names and shapes.

    Raises:
        OSError: it cannot be written.
        TypeError, ValueError: as `pack_codes`; the names take too much room, there are no items,
            or a part is not of a kind with the others.
    """
    path = to_write(path)
    parts = iter([parts] if isinstance(parts, CodeFile) else parts)
    with writing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        with TemporaryFile(dir=partial.parent) as lines:
            with member_to_write(archive, "codes.bin", zipfile.ZIP_STORED) as stream:
                header = _write_parts(parts, stream, lines)
            lines.seek(0)
            with member_to_write(archive, "items.txt", zipfile.ZIP_DEFLATED) as stream:
                for block in iter(lambda: lines.read(_BLOCK), b""):
                    stream.write(block)
        header["digest"] = _digest(header, archive)
        with member_to_write(archive, "header.json", zipfile.ZIP_DEFLATED) as stream:
            stream.write(json.dumps(header).encode())
    return path.stat().st_size


def read_codes(path: str | Path, *kinds: type[Kind]) -> Kind:
    """Opens a file of codes, also one of the formats of before; its codes are read later.

    Args:
        path: the file.
        kinds: what it may hold: `ImageCodes`, `SoundCodes`, `VideoCodes`.

    Raises:
        FileNotFoundError, PermissionError: there is none, or it may not be read.
        ValueError: it is truncated, no file of codes, or one of another kind; names it.
    """
    path = Path(path).expanduser()
    with (
        reading(path, "a file of codes"),
        open(path, "rb") as stream,
        zipfile.ZipFile(stream) as archive,
    ):
        return _read(path, stream, archive, kinds)


def check_room_for(names: Iterable[str]) -> None:
    """Raises ValueError where the names of items are more than one file has room for."""
    _check_text(sum(len(_to_json([name])) + 1 for name in names))


def shapes_of_sound(lengths: Sequence[int], hop: int) -> list[list[int]]:
    """The shapes of the codes of sounds, of so many samples each: [ceil(length / hop)]."""
    check_ints("hop", [hop])
    check_ints("lengths", lengths)
    return [[-(-length // hop)] for length in lengths]


def _write_parts(parts: Iterator[CodeFile], codes: IO[bytes], lines: IO[bytes]) -> dict[str, Any]:
    """Writes the packed codes and the lines of all parts; gives the header, without its digest."""
    header, count, text = None, 0, 0
    rest = torch.empty(0, dtype=torch.int64)  # fewer than eight codes, which end within a byte
    for part in parts:
        kind = type(part)
        whole = {
            "format": FORMAT,
            "kind": kind.kind,
            "num_codes": part.num_codes,
            "model": part.model,
            "shape": list(part.codes[0].shape[kind.alike :]),
            "more": {name: getattr(part, name) for name in _names_of_more(kind, of_each=False)},
        }
        header = header or whole
        for name, value in whole.items():
            if value != header[name]:
                raise ValueError(f"all parts must have one {name}: {header[name]}, and {value}")
        for line in _lines(part):
            text += lines.write(line)
        _check_text(text)
        for start in range(0, len(part.codes), _ITEMS):
            rows = part.codes[start : start + _ITEMS]
            flat = torch.cat([rest, *(row.flatten() for row in rows)])
            eights = len(flat) // 8 * 8
            codes.write(pack_codes(flat[:eights], part.num_codes).data)
            rest = flat[eights:]
        count += len(part.codes)
    if header is None:
        raise ValueError("there are no codes to write")
    codes.write(pack_codes(rest, header["num_codes"]).data)
    return {**header, "count": count}


def _lines(part: CodeFile) -> Iterator[bytes]:
    """A line for each item of a part."""
    kind = type(part)
    columns: list[Iterable] = [part.names]
    if kind.alike:
        columns.append(part.lengths_of_codes())
    for name in kind.of_each:
        columns.append(getattr(part, name) or [None] * len(part.codes))
    for row in zip(*columns, strict=True):
        yield _to_json(row).encode() + b"\n"


def _read(path: Path, stream: IO[bytes], archive: zipfile.ZipFile, kinds: Sequence) -> Any:
    """See `read_codes`."""
    now = "items.txt" in archive.NameToInfo
    size = stream.seek(0, 2)
    with (
        member_to_read(archive, "header.json", zipfile.ZIP_DEFLATED, _HEADER_LIMIT)
        if now
        else _text_to_read(archive, "header.json", size)
    ) as member:
        header = json.loads(member.read())
    found = header["format"]
    if found not in ([FORMAT] if now else _BEFORE):
        raise ValueError(f"its format is {reprlib.repr(found)}, not {FORMAT!r}")
    found = _BEFORE.get(found) or header["kind"]
    kind = next((kind for kind in kinds if kind.kind == found), None)
    if kind is None:
        wanted = " or ".join(kind.kind for kind in kinds)
        raise ValueError(f"it holds codes of {reprlib.repr(found)}, not of {wanted}")
    names, lengths, shape, more = (
        _columns(kind, header, archive, size) if now else _columns_of_old(kind, header)
    )
    num_codes = header["num_codes"]
    check_ints("num_codes", [num_codes])
    of_one = math.prod(shape)
    total = of_one * (len(names) if lengths is None else sum(lengths))
    expected = -(-total * bits_of(num_codes) // 8)
    with member_to_read(archive, "codes.bin", zipfile.ZIP_STORED, expected) as member:
        if (given := archive.NameToInfo["codes.bin"].file_size) != expected:
            bits = bits_of(num_codes)
            raise ValueError(f"{total} codes of {bits} bits need {expected} bytes, got {given}")
        while member.read(_BLOCK):  # to its end, where the zip's checksum is compared
            pass
    starts = range(0, total + 1, of_one)
    if lengths is not None:
        starts = np.array([0, *accumulate(length * of_one for length in lengths)])
        shape = [-1, *shape]
    codes = PackedCodes(
        path, offset_of(stream, archive, "codes.bin"), num_codes, starts, tuple(shape)
    )
    if not now and num_codes < 1 << bits_of(num_codes):  # no digest says that all are in range
        codes.check()
    return kind(codes, num_codes, names, header["model"], **kind.from_json(more))


def _columns(
    kind: type[CodeFile], header: dict[str, Any], archive: zipfile.ZipFile, size: int
) -> tuple:
    """Names, lengths (None where all are alike), shape and more, of a file of today's format."""
    keys = ("format", "kind", "num_codes", "model", "shape", "more", "count", "digest")
    _check_keys("the header", header, keys)
    _check_keys("more", header["more"], _names_of_more(kind, of_each=False))
    check_ints("count", [header["count"]])
    columns: list[list] = [[] for _ in (1, *range(kind.alike), *kind.of_each)]
    with _text_to_read(archive, "items.txt", size) as member:
        for line in lines_of(member, _HEADER_LIMIT):
            row = json.loads(line)
            if not isinstance(row, list) or len(row) != len(columns):
                raise ValueError(
                    f"an item must be a list of {len(columns)}, got {reprlib.repr(row)}"
                )
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    if header.pop("digest") != _digest(header, archive):
        raise ValueError("its parts do not fit each other: it was changed after it was written")
    names, *columns = columns
    check_strings("names", names, header["count"])
    lengths = columns.pop(0) if kind.alike else None
    one = [1] * kind.alike + list(header["shape"])
    kind.check_shapes([one])
    if lengths is not None:
        check_ints("lengths", lengths)
    more = {**header["more"], **dict(zip(kind.of_each, columns, strict=True))}
    return names, lengths, one[kind.alike :], more


def _columns_of_old(kind: type[CodeFile], header: dict[str, Any]) -> tuple:
    """As `_columns`, of the formats of before, whose header has all items."""
    keys = {"format", "num_codes", "names", "model"}
    if header["format"] == "vqvae-lite codes 2":
        _check_keys("the header", header, keys | {"kind", "shapes", "more"})
        more = header["more"]
    else:
        more = {name: header[name] for name in header.keys() - keys - {"shape", "shapes"}}
    _check_keys("more", more, _names_of_more(kind))
    if "shapes" in header:
        shapes = header["shapes"]
    elif kind.kind == "sound":
        shapes = shapes_of_sound(more["lengths"], more["hop"])
    else:
        check_ints("shape", header["shape"])
        count, *shape = header["shape"]
        check_strings("names", header["names"], count)  # so that what follows is as long as a list
        shapes = [shape] * count
    kind.check_shapes(shapes)
    check_strings("names", header["names"], len(shapes))
    lengths = [shape[0] for shape in shapes] if kind.alike else None
    return header["names"], lengths, shapes[0][kind.alike :], more


def _names_of_more(kind: type[CodeFile], of_each: bool = True) -> list[str]:
    """The attributes that a kind of file has besides those of every kind."""
    names = [field.name for field in fields(kind)[len(fields(CodeFile)) :]]
    return names if of_each else [name for name in names if name not in kind.of_each]


def _check_keys(what: str, given: dict[str, Any], keys: Iterable[str]) -> None:
    """Raises KeyError or ValueError unless a mapping has these keys, and no others."""
    for key in keys:
        given[key]
    if others := given.keys() - set(keys):
        raise ValueError(f"{what} has no {reprlib.repr(sorted(others))}")


def _check_text(size: int) -> None:
    """Raises ValueError where the lines of the items take too many bytes to be written."""
    try:
        check_amount(size, *MAX_NAMES)
    except ValueError as error:
        raise ValueError(f"these are too many for one file of codes: {error}") from None


def _text_to_read(archive: zipfile.ZipFile, name: str, size: int) -> IO[bytes]:
    """The member that has the items, of a file of so many bytes."""
    given = archive.NameToInfo[name].file_size
    check_amount(given, *MAX_NAMES)
    return member_to_read(archive, name, zipfile.ZIP_DEFLATED, _HEADER_LIMIT + _RATIO * size)


def _digest(header: dict[str, Any], archive: zipfile.ZipFile) -> str:
    """Of the header and the checksums of the other members: what is changed no longer fits it."""
    sums = [archive.NameToInfo[name].CRC for name in ("codes.bin", "items.txt")]
    return hashlib.sha256(json.dumps([header, sums], sort_keys=True).encode()).hexdigest()
