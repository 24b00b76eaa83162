"""Test sentences in every voice: as they are said, as they are converted, and in disorder."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vqvae_lite.sound.coding import decode_waves, whole_hops
from vqvae_lite.sound.files import RATE, Utterance, resample
from vqvae_lite.sound.model import SoundVQVAE

SHORTEST, LONGEST = 1.8, 3.6  # seconds: what takes part
BATCH = 64
SHUFFLED = "shuffled"  # in the place of a target: the speaker's own voice, the codes in disorder


class Sentence(NamedTuple):
    """One test sentence of one speaker.

    Attributes:
        utterance: as it is heard: at 16 kHz.
        levels: as the model is given it: at its own rate, uint8 (T,), T a multiple of its hop.
        codes: of the levels.
        shuffled: the codes in a random order.
    """

    utterance: Utterance
    levels: Tensor
    codes: Tensor
    shuffled: Tensor


# What was decoded: by the place of the sentence and the target's name, or SHUFFLED.
Decoded = dict[tuple[int, str], Tensor]


def as_heard(utterances: Sequence[Utterance], rate: int) -> list[Utterance]:
    """At 16 kHz, without what a model of another rate cannot hear, and so cannot say."""
    if rate == RATE:
        return list(utterances)
    return [
        one._replace(wave=resample(resample(one.wave, RATE, rate), rate, RATE))
        for one in utterances
    ]


def choose(
    model: SoundVQVAE, rate: int, test: Sequence[Utterance], speakers: Sequence[str], count: int
) -> list[Sentence]:
    """As many test sentences of each speaker, of a middling length, drawn with a seed."""
    generator = torch.Generator().manual_seed(0)
    result = []
    for name in speakers:
        fitting = [
            one
            for one in test
            if one.speaker == name and SHORTEST <= len(one.wave) / RATE <= LONGEST
        ]
        if len(fitting) < count:
            raise SystemExit(f"--sentences must be at most {len(fitting)}: {name} has no more")
        for place in torch.randperm(len(fitting), generator=generator)[:count].tolist():
            one = fitting[place]
            levels = whole_hops(resample(one.wave, RATE, rate), model.config.hop)
            codes = model.encode(levels[None])[0]
            shuffled = codes[torch.randperm(len(codes), generator=generator)]
            result.append(Sentence(one, levels, codes, shuffled))
    return result


def decode_all(
    model: SoundVQVAE,
    rate: int,
    sentences: Sequence[Sentence],
    speakers: Sequence[str],
    temperature: float,
) -> Decoded:
    """Every sentence in every voice, and its shuffled codes in its own voice, at 16 kHz."""
    keys, codes, voices = [], [], []
    for place, sentence in enumerate(sentences):
        for name in (*speakers, SHUFFLED):
            keys.append((place, name))
            codes.append(sentence.shuffled if name == SHUFFLED else sentence.codes)
            voice = sentence.utterance.speaker if name == SHUFFLED else name
            voices.append(speakers.index(voice))
    said = {}
    for index, wave in decode_waves(
        model, codes, voices, temperature=temperature, seed=0, batch_size=BATCH
    ):
        length = len(sentences[keys[index][0]].utterance.wave)
        said[keys[index]] = resample(wave, rate, RATE)[:length]
    return said
