"""Files of codes past one machine: written by several processes, and read as one set of codes."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vqvae_lite.codefile import CodeFile, ImageCodes, read_codes, write_codes
from vqvae_lite.data.packed import PackedCodes
from vqvae_lite.distributed import Meeting, Place, ended_like_an_error
from vqvae_lite.files import remove, to_write, visible_files

_SUFFIX = ".codes"


class StoredMaps(Dataset):
    """Maps of codes that lie in files, unpacked when a batch asks for them.

    Args:
        files: the codes of each, (h, w) or (num_codebooks, h, w) each.
    """

    def __init__(self, files: Sequence[PackedCodes]):
        self.files = files
        self.ends = list(accumulate(len(codes) for codes in files))

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, index: int) -> Tensor:
        which = bisect_right(self.ends, index)
        return self.files[which][index - self.ends[which]]  # counted from its file's end

    def __getitems__(self, indices: Sequence[int]) -> Tensor:
        return torch.stack([self[index] for index in indices])


def maps_in(paths: Iterable[str | Path], model: str) -> StoredMaps:
    """The maps in files of codes of images, one file after another.

    Args:
        paths: of files, or of folders whose files `*.codes` are meant.
        model: fingerprint of the model whose codes they must be.

    Raises:
        FileNotFoundError, PermissionError: one is not there, or may not be read.
        ValueError: one is no such file, of another model, of maps of another shape than the ones
            before; or a folder has none.
    """
    found: list[PackedCodes] = []
    for path in map(Path, paths):
        files = visible_files(path, (_SUFFIX,)) if path.is_dir() else [path]
        if not files:
            raise ValueError(f"{path} holds no file of codes ({_SUFFIX})")
        for file in files:
            stored = read_codes(file, ImageCodes)
            codes = cast(PackedCodes, stored.codes)
            if stored.model != model:
                raise ValueError(f"{file} holds codes of the model {stored.model}, not of {model}")
            if found and codes.shape != found[0].shape:
                raise ValueError(
                    f"{file} has maps of {codes.shape}, and not of {found[0].shape} as those before"
                )
            found.append(codes)
    return StoredMaps(found)


def write_together(path: str | Path, parts: Iterator[CodeFile], count: int, place: Place) -> int:
    """Writes one file of codes, of which each process makes the items of its share.

    Each writes a file of its own beside it, and the first one joins them: byte for byte what one
    process alone would have written. If one fails the others end too, and nothing is left behind.

    Args:
        path: of the file, the same for all processes, and to be seen by all of them.
        parts: of this process, in their order: see `write_codes`. The first process has some.
        count: how many items there are in all.
        place: of this process.

    Returns:
        The file's size in bytes.

    Raises:
        OSError, TypeError, ValueError: as `write_codes`, or the file of another process is not to
            be seen from here.
        ConnectionError: another process has ended.
    """
    path = to_write(path)
    if place.world == 1:
        return write_codes(path, parts)
    meeting = Meeting(place)
    files = [path.with_name(f".{path.name}.part-{rank}") for rank in range(place.world)]
    own = files[place.rank]
    with ended_like_an_error():
        try:
            remove(own)  # of a process that was killed
            meeting.gather(None)
            first = next(parts, None)  # there may be more processes than items
            if first is not None:
                write_codes(own, chain([first], parts))
            meeting.gather(None)
            if place.rank == 0:
                write_codes(path, _joined(files, count))
            meeting.gather(None)
        finally:
            remove(own)
    return path.stat().st_size


def _joined(files: list[Path], count: int) -> Iterator[CodeFile]:
    """The files that are there, one after another, once it is known that no item lacks."""
    there = [read_codes(file, *CodeFile.__subclasses__()) for file in files if file.is_file()]
    found = sum(len(file.names) for file in there)
    if found != count:
        raise ValueError(
            f"{found} of {count} items are to be seen in {files[0].parent}: every process must "
            f"write to a folder that all of them see"
        )
    yield from there
