"""Fetches the book's files: an archive of the release, checked and then unpacked.

An archive is a tar of plain files, as tools/make_archives.py makes it. Its size and SHA-256 stand
in archives.json, so what is unpacked is what this version of the package was released with.
"""

import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.request import urlopen

from tqdm.auto import tqdm

from vqvae_lite import __version__
from vqvae_lite.data.places import ARCHIVES, data_root
from vqvae_lite.files import making

LIST = Path(__file__).with_name("archives.json")
_STAMP = ".sha256"  # in a folder that was fetched: of the archive that it came from
_AT_ONCE = 2**18  # bytes
_TIMEOUT = 60  # seconds without a byte


class Archive(NamedTuple):
    """What is known of an archive before it is fetched."""

    file: str
    bytes: int
    sha256: str


def file_of(name: str) -> str:
    """What a release calls an archive."""
    return f"vqvae-lite-{name}.tar"


def fetch(
    name: str,
    root: str | Path | None = None,
    address: str | None = None,
    progress: bool = False,
) -> Path:
    """Fetches an archive into a folder where `find` finds what is in it.

    All or nothing: it is unpacked beside its place and then renamed. What was fetched for another
    version is replaced; nothing else is.

    Args:
        name: of `ARCHIVES`: "maze", "speech", "checkpoints" or "results".
        root: the folder that it goes to; by default `data_root()`.
        address: of the folder with the archives, http(s) or file; by default the release's.
        progress: whether to show a bar.

    Returns:
        The folder that is there now: data/maze in `root`, for one.

    Raises:
        ValueError: there is no such archive; or what came has another SHA-256, or holds what an
            archive of the book does not.
        FileExistsError: another folder is in its place.
        OSError: it cannot be fetched, or there is no room for it.
    """
    if name not in ARCHIVES:
        raise ValueError(f"there is no archive {name!r}: expected one of {', '.join(ARCHIVES)}")
    listed = json.loads(LIST.read_text(encoding="utf-8"))
    archive = Archive(file_of(name), **listed["archives"][name])
    address = address or f"{listed['repository']}/releases/download/v{__version__}"
    root = data_root() if root is None else Path(root).expanduser()
    target = root / ARCHIVES[name]
    stamp = target / _STAMP
    if target.exists():
        if not stamp.is_file():
            raise FileExistsError(
                f"{target} is there already, and not from `data get`: it is not replaced"
            )
        if stamp.read_text(encoding="utf-8").strip() == archive.sha256:
            return target
    with making(root):
        room = shutil.disk_usage(root).free
        if room < 2 * archive.bytes:  # the archive, and what is in it
            raise OSError(
                f"{name} needs {2 * archive.bytes / 1e6:.0f} MB to be unpacked, and {root} has "
                f"{room / 1e6:.0f}"
            )
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=root) as partial:
            file, fresh = Path(partial, archive.file), Path(partial, "fresh")
            _download(f"{address.rstrip('/')}/{archive.file}", file, archive, progress)
            _unpack(file, fresh, ARCHIVES[name])
            fresh = fresh / ARCHIVES[name]
            (fresh / _STAMP).write_text(archive.sha256 + "\n", encoding="utf-8")
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                target.rename(Path(partial, "old"))
            fresh.rename(target)
    return target


def _download(url: str, file: Path, archive: Archive, progress: bool) -> None:
    """Writes what is at an address to a file.

    Raises:
        OSError, ValueError: as `fetch`.
    """
    digest, size = hashlib.sha256(), 0
    bar = tqdm(total=archive.bytes, unit="B", unit_scale=True, disable=not progress)
    with bar, file.open("xb") as copy:
        for part in _parts(url):
            size += len(part)
            if size > archive.bytes:
                break
            digest.update(part)
            try:
                copy.write(part)
            except OSError as error:
                raise OSError(f"{archive.file} cannot be kept: {error}") from error
            bar.update(len(part))
    if size < archive.bytes:
        raise OSError(f"{url} broke off after {size} of {archive.bytes} bytes: try again")
    if digest.hexdigest() != archive.sha256 or size > archive.bytes:
        raise ValueError(
            f"{url} is not the archive of version {__version__}: expected {archive.bytes} bytes "
            f"with the SHA-256 {archive.sha256}; nothing was unpacked"
        )


def _parts(url: str) -> Iterator[bytes]:
    """What is at an address, piece by piece."""
    try:
        with urlopen(url, timeout=_TIMEOUT) as answer:
            while part := answer.read(_AT_ONCE):
                yield part
    except (OSError, HTTPException, ValueError) as error:
        raise OSError(
            f"{url} cannot be fetched ({error}); a copy of it that came in another way is read "
            f"with --from file:///FOLDER"
        ) from error


def _unpack(file: Path, folder: Path, holds: str) -> None:
    """Unpacks plain files below `holds` and nothing else.

    Raises:
        ValueError: anything else is in the archive, or it is none.
    """
    try:
        with tarfile.open(file, "r:") as archive:
            for member in archive:
                source = archive.extractfile(member) if member.isreg() else None
                if source is None or not _is_inside(member.name, holds):
                    raise ValueError(f"it has {member.name!r}, no plain file in {holds}")
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                with source, path.open("xb") as copy:
                    shutil.copyfileobj(source, copy)
    except (tarfile.TarError, ValueError) as error:
        raise ValueError(f"{file.name} is no archive of the book's: {error}") from error


def _is_inside(name: str, holds: str) -> bool:
    """Whether a name leads into a folder, on Windows as well: no drive, no other slash."""
    parts = PurePosixPath(name)
    return parts.is_relative_to(holds) and ".." not in parts.parts and not set(name) & set(":\\")
