"""Members of a zip: written the same whenever that is, read only as what they should be."""

import zipfile
from collections.abc import Iterator
from typing import IO

_BLOCK = 2**16  # bytes at once


def member_to_write(archive: zipfile.ZipFile, name: str, method: int) -> IO[bytes]:
    """A member of a zip, of a fixed date, so that the same content gives the same bytes."""
    member = zipfile.ZipInfo(name)
    member.compress_type = method
    return archive.open(member, "w", force_zip64=True)


def member_to_read(archive: zipfile.ZipFile, name: str, method: int, limit: int) -> IO[bytes]:
    """A member of a zip, only where it is compressed as it should be, and no bomb."""
    info = archive.NameToInfo[name]
    if info.compress_type != method or info.file_size > limit:
        given = f"{info.file_size} bytes by method {info.compress_type}"
        raise ValueError(f"{name} must have at most {limit} bytes by method {method}, got {given}")
    return archive.open(info)


def lines_of(stream: IO[bytes], limit: int) -> Iterator[bytes]:
    """The lines of a member, each of which ends in a newline and has at most so many bytes."""
    rest = b""
    while block := stream.read(_BLOCK):
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > limit:
            raise ValueError(f"an item has more than {limit} bytes")
        yield from lines
    if rest:
        raise ValueError("its last item is cut")


def offset_of(stream: IO[bytes], archive: zipfile.ZipFile, name: str) -> int:
    """Where in the file the content of a member begins: after what the zip says of it there."""
    start = archive.NameToInfo[name].header_offset
    stream.seek(start + 26)
    lengths = stream.read(4)  # of the name, and of what else is said
    return start + 30 + sum(int.from_bytes(part, "little") for part in (lengths[:2], lengths[2:]))
