"""What coders of sound need for the same sentences, and how far they take them: Opus, FLAC, mu-law.

The sentences of a speaker are coded in one piece, in memory, so that headers hardly count.
"""

import io
import statistics
from collections.abc import Sequence

import soundfile
import torch
from torch import Tensor

from vqvae_lite.mulaw import to_levels, to_wave
from vqvae_lite.sound import RATE, Utterance
from vqvae_lite.soundmeasures import phone_distance

# By name: format and coding of soundfile, and how hard to compress, from 0 to 1.
CODERS = {
    "opus, smallest": ("OGG", "OPUS", 1.0),
    "opus, small": ("OGG", "OPUS", 0.97),
    "opus, as data/speech": ("OGG", "OPUS", 0.935),
    "flac": ("FLAC", "PCM_16", 0.8),
}


def measure_coders(utterances: Sequence[Utterance]) -> dict:
    """Bits a second, and the distance from the original in dB where phones are known."""
    result = {name: _measure(utterances, *how) for name, how in CODERS.items()}
    labelled = [one for one in utterances if one.phones]
    distances = [
        phone_distance(one.wave, to_wave(to_levels(one.wave)), one.phones) for one in labelled
    ]
    result["mu-law, 8 bits"] = {
        "bits_a_second": 8 * RATE, "distance_db": round(statistics.mean(distances), 2)
    }  # fmt: skip
    return result


def _measure(
    utterances: Sequence[Utterance], container: str, coding: str, compression: float
) -> dict:
    bits, samples, distances = 0, 0, []
    for speaker in dict.fromkeys(one.speaker for one in utterances):
        mine = [one for one in utterances if one.speaker == speaker]
        wave = torch.cat([one.wave for one in mine])
        size, back = _code(wave, container, coding, compression)
        bits, samples = bits + 8 * size, samples + len(wave)
        parts = back.split([len(one.wave) for one in mine])
        for one, part in zip(mine, parts, strict=True):
            if one.phones:
                distances.append(phone_distance(one.wave, part, one.phones))
    return {
        "bits_a_second": round(bits * RATE / samples),
        "distance_db": round(statistics.mean(distances), 2),
    }


def _code(wave: Tensor, container: str, coding: str, compression: float) -> tuple[int, Tensor]:
    """Bytes, and the wave that they give back."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", RATE, 1, coding, format=container, compression_level=compression
    ) as file:
        for block in wave.split(RATE):
            file.write(block.numpy())
    size = len(buffer.getvalue())
    buffer.seek(0)
    back, _ = soundfile.read(buffer, dtype="float32")
    return size, torch.from_numpy(back)
