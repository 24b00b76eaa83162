"""Codes packed into bits, end to end, in memory and in a file."""

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import overload

import numpy as np
import torch
from torch import Tensor

from vqvae_lite.checks import check_codes
from vqvae_lite.files import reading

_CHUNK = 2**16  # codes packed at once: a multiple of 8, so that each chunk fills its last byte


def bits_of(num_codes: int) -> int:
    """How many bits a packed code has: ceil(log2 K), and one for K = 1."""
    return max(1, (num_codes - 1).bit_length())


def pack_codes(codes: Tensor, num_codes: int) -> np.ndarray:
    """Codes as a uint8 array of ceil(N * bits / 8) bytes, bits = ceil(log2 K), high bit first.

    Raises:
        TypeError, ValueError: codes are not integers, or one is out of range.
    """
    check_codes(codes, num_codes)
    bits, flat = bits_of(num_codes), codes.flatten()
    packed = np.empty(-(-len(flat) * bits // 8), np.uint8)
    for start in range(0, len(flat), _CHUNK):
        part = _pack(flat[start : start + _CHUNK].numpy(), bits)
        packed[start * bits // 8 :][: len(part)] = part
    return packed


def unpack_codes(packed: np.ndarray, count: int, num_codes: int) -> Tensor:
    """The inverse of `pack_codes`: int64 (count,).

    Raises:
        ValueError: the bytes are too few or too many, or hold a code out of range.
    """
    bits = bits_of(num_codes)
    if packed.size != -(-count * bits // 8):
        raise ValueError(
            f"{count} codes of {bits} bits need {-(-count * bits // 8)} bytes, got {packed.size}"
        )
    codes = np.empty(count, np.int64)
    for start in range(0, count, _CHUNK):
        chunk = codes[start : start + _CHUNK]
        part = packed[start * bits // 8 : (start + _CHUNK) * bits // 8]
        chunk[:] = _unpack(part, bits)[: len(chunk)]
    check_codes(torch.from_numpy(codes), num_codes)
    return torch.from_numpy(codes)


class PackedCodes(Sequence[Tensor]):
    """The codes of many items that lie packed in a file, read and unpacked as they are asked for.

    `codes[5]` is the tensor of one item, `codes[3:9]` the list of several. Nothing is held but
    where each begins, so that a process that reads for another can be given it.

    Args:
        path: the file.
        offset: of the first packed byte in it.
        num_codes: K.
        starts: where, in codes, each item begins, and where the last one ends.
        shape: of each item; with -1 for a length that differs from one to another.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        num_codes: int,
        starts: range | np.ndarray,
        shape: tuple[int, ...],
    ):
        self.path, self.offset, self.num_codes = path, offset, num_codes
        self.starts, self.shape = starts, shape
        self._state = _state_of(os.stat(path))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, index: int) -> Tensor: ...

    @overload
    def __getitem__(self, index: slice) -> list[Tensor]: ...

    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        if not isinstance(index, slice):
            place = range(len(self))[index]
            return self[place : place + 1][0]
        places = range(len(self))[index]
        if not places:
            return []
        if places.step != 1:
            return [self[place] for place in places]
        starts = [int(start) for start in self.starts[places.start : places.stop + 1]]
        sizes = [end - start for start, end in pairwise(starts)]
        with reading(self.path, "a file of codes"):
            flat = self._read(starts[0], starts[-1])
        return [part.view(self.shape) for part in flat.split(sizes)]

    def check(self) -> None:
        """Raises ValueError where one of all codes is not in [0, K)."""
        end = int(self.starts[-1])
        for start in range(0, end, _CHUNK):
            self._read(start, min(start + _CHUNK, end))

    def lengths(self) -> np.ndarray:
        """The first dimension of each item."""
        of_one = np.prod(self.shape[1:], dtype=np.int64)
        return np.diff(np.asarray(self.starts, dtype=np.int64)) // of_one

    def _read(self, start: int, stop: int) -> Tensor:
        """The codes from one number to another, of all items together."""
        bits = bits_of(self.num_codes)
        whole = start // 8 * 8  # eight codes fill their last byte, whatever their bits
        with open(self.path, "rb") as stream:
            if _state_of(os.fstat(stream.fileno())) != self._state:
                raise ValueError("it has changed since it was opened")
            stream.seek(self.offset + whole * bits // 8)
            packed = stream.read(-(-stop * bits // 8) - whole * bits // 8)
        codes = unpack_codes(np.frombuffer(packed, np.uint8), stop - whole, self.num_codes)
        return codes[start - whole :]


def _pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """So many codes at once that a few copies of them do no harm.

    Eight codes have as many bytes as one has bits. So every eighth code is treated alike, and every
    byte of eight codes is made from the few codes that have bits in it, for all eights together.
    """
    eights = np.zeros((-(-len(codes) // 8), 8), np.int64)
    eights.reshape(-1)[: len(codes)] = codes
    columns = np.ascontiguousarray(eights.T)
    packed = np.empty((len(eights), bits), np.uint8)
    for byte in range(bits):
        value = np.zeros(len(eights), np.int64)
        for code, move in _codes_in(byte, bits):
            value |= _moved(columns[code], move)
        packed[:, byte] = value.astype(np.uint8)  # the lowest eight bits
    return packed.reshape(-1)[: -(-len(codes) * bits // 8)]


def _unpack(packed: np.ndarray, bits: int) -> np.ndarray:
    """The inverse of `_pack`; what fills up the last eight codes is not cut away."""
    eights = np.zeros((-(-len(packed) // bits), bits), np.uint8)
    eights.reshape(-1)[: len(packed)] = packed
    columns = eights.T.astype(np.int64)
    codes = np.zeros((8, len(eights)), np.int64)
    for byte in range(bits):
        for code, move in _codes_in(byte, bits):
            codes[code] |= _moved(columns[byte], -move)
    return (codes & (1 << bits) - 1).T.reshape(-1)


def _codes_in(byte: int, bits: int) -> Iterator[tuple[int, int]]:
    """Which of eight codes have bits in one of their bytes, and how far they are to be moved."""
    for code in range(8 * byte // bits, (8 * byte + 7) // bits + 1):
        yield code, 8 * (byte + 1) - (code + 1) * bits


def _moved(values: np.ndarray, bits: int) -> np.ndarray:
    return values << bits if bits >= 0 else values >> -bits


def _state_of(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
