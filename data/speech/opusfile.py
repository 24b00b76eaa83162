"""Opus files whose bytes depend on the sound alone."""

from pathlib import Path

import numpy as np
import torch

from vqvae_lite.sound.files import write_sound

SERIAL = b"vqvl"  # of the stream; the coder draws one from the time of day


def write_opus(path: Path, samples: np.ndarray, compression: float) -> None:
    """Write samples in [-1, 1] at 16 kHz, then give each page of the file a fixed serial number."""
    write_sound(path, torch.from_numpy(samples), compression=compression)
    data, start = bytearray(path.read_bytes()), 0
    while start < len(data):
        if data[start : start + 4] != b"OggS":
            raise RuntimeError(f"{path} has no Ogg page at byte {start}")
        lacing = data[start + 27 : start + 27 + data[start + 26]]
        end = start + 27 + len(lacing) + sum(lacing)
        data[start + 14 : start + 18] = SERIAL
        data[start + 22 : start + 26] = bytes(4)
        data[start + 22 : start + 26] = _checksum(data[start:end]).to_bytes(4, "little")
        start = end
    path.write_bytes(data)


def _make_table() -> list[int]:
    table = []
    for byte in range(256):
        rest = byte << 24
        for _ in range(8):
            rest = (rest << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if rest >> 31 else 0)
        table.append(rest)
    return table


_TABLE = _make_table()


def _checksum(page: bytes) -> int:
    """The CRC-32 of an Ogg page (RFC 3533, section 6): as zlib's, but with no bits turned round."""
    rest = 0
    for byte in page:
        rest = (rest << 8 & 0xFFFFFFFF) ^ _TABLE[rest >> 24 ^ byte]
    return rest
