"""What coders of sound need for the same sentences, and how far they take them: Opus, FLAC, mu-law.

The sentences of a speaker are coded in one piece, in memory, so that headers hardly count.
"""

import io
import statistics
from collections.abc import Sequence

import soundfile
import torch
import torch.nn.functional as F
from torch import Tensor

from vqvae_lite.sound.files import RATE, Utterance, resample
from vqvae_lite.sound.measures import phone_distance
from vqvae_lite.sound.mulaw import to_levels, to_wave

# By name: format and coding of soundfile, and how hard to compress, from 0 to 1.
CODERS = {
    "opus, smallest": ("OGG", "OPUS", 1.0),
    "opus, small": ("OGG", "OPUS", 0.97),
    "opus, as data/speech": ("OGG", "OPUS", 0.935),
    "flac": ("FLAC", "PCM_16", 0.8),
}


def measure_coders(utterances: Sequence[Utterance], rate: int) -> dict:
    """Bits a second, and the distance from the original in dB where phones are known.

    Args:
        utterances: at 16 kHz.
        rate: samples a second of what is coded.
    """
    result = {name: _measure(utterances, rate, *how) for name, how in CODERS.items()}
    labelled = [one for one in utterances if one.phones]
    distances = []
    for one in labelled:
        given = resample(one.wave, RATE, rate)
        back = resample(to_wave(to_levels(given)), rate, RATE)
        distances.append(phone_distance(one.wave, back, one.phones))
    result["mu-law, 8 bits"] = {
        "bits_a_second": 8 * rate, "distance_db": round(statistics.mean(distances), 2)
    }  # fmt: skip
    return result


def _measure(
    utterances: Sequence[Utterance], rate: int, container: str, coding: str, compression: float
) -> dict:
    bits, samples, distances = 0, 0, []
    for speaker in dict.fromkeys(one.speaker for one in utterances):
        mine = [one for one in utterances if one.speaker == speaker]
        wave = torch.cat([one.wave for one in mine])
        size, back = _code(wave, rate, container, coding, compression)
        bits, samples = bits + 8 * size, samples + len(wave)
        parts = back.split([len(one.wave) for one in mine])
        for one, part in zip(mine, parts, strict=True):
            if one.phones:
                distances.append(phone_distance(one.wave, part, one.phones))
    return {
        "bits_a_second": round(bits * RATE / samples),
        "distance_db": round(statistics.mean(distances), 2),
    }


def _code(
    wave: Tensor, rate: int, container: str, coding: str, compression: float
) -> tuple[int, Tensor]:
    """Bytes, and the wave that they give back, at 16 kHz again."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", rate, 1, coding, format=container, compression_level=compression
    ) as file:
        for block in resample(wave, RATE, rate).split(rate):
            file.write(block.numpy())
    size = len(buffer.getvalue())
    buffer.seek(0)
    back, rate = soundfile.read(buffer, dtype="float32")
    back = resample(torch.from_numpy(back), rate, RATE)
    return size, F.pad(back, (0, len(wave) - len(back)))
