"""A compact file of the codes of utterances: ceil(log2 K) bits a code, each as long as it is."""

import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from vqvae_lite.codefile import pack_codes, read_packed, reading, unpack_codes, write_packed

SOUND_FORMAT = "vqvae-lite sound codes 1"


class SoundCodeFile(NamedTuple):
    """What a file of codes of sound holds; the lists have one item for each utterance.

    Attributes:
        codes: int64 (ceil(length / hop),) each.
        num_codes: K.
        hop: samples that one code stands for.
        rate: samples a second.
        names: of the sounds.
        speakers: who says it; "" where unknown.
        lengths: in samples.
        model: fingerprint of the model whose codes they are.
    """

    codes: list[Tensor]
    num_codes: int
    hop: int
    rate: int
    names: list[str]
    speakers: list[str]
    lengths: list[int]
    model: str


def write_sound_codes(path: str | Path, file: SoundCodeFile) -> int:
    """Writes a file of codes of sound through a rename, so that it is whole or absent.

    Returns:
        Its size in bytes: the packed codes plus a few hundred for names and lengths.
    """
    header = {"format": SOUND_FORMAT, **file._asdict()}
    del header["codes"]
    return write_packed(path, header, pack_codes(torch.cat(file.codes), file.num_codes))


def read_sound_codes(path: str | Path) -> SoundCodeFile:
    """Reads a file of codes of sound.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is truncated, or no file of codes of sound.
    """
    header, packed = read_packed(path, SOUND_FORMAT)
    with reading(path):
        del header["format"]
        counts = [math.ceil(length / header["hop"]) for length in header["lengths"]]
        if not len(counts) == len(header["names"]) == len(header["speakers"]) or min(counts) < 1:
            raise ValueError("names, speakers and lengths must be of as many sounds, each above 0")
        codes = unpack_codes(packed, sum(counts), header["num_codes"])
        return SoundCodeFile(codes=list(codes.split(counts)), **header)
