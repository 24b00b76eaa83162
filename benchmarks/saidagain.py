"""Test sentences in every voice: as they are said, as they are converted, and in disorder."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vqvae_lite.sound import RATE, Utterance
from vqvae_lite.soundcoding import decode_waves, encode_wave
from vqvae_lite.soundmodel import SoundVQVAE

SHORTEST, LONGEST = 1.8, 3.6  # seconds: what takes part
BATCH = 64
SHUFFLED = "shuffled"  # in the place of a target: the speaker's own voice, the codes in disorder


class Sentence(NamedTuple):
    """One test sentence of one speaker, with its codes, and these in a random order."""

    utterance: Utterance
    codes: Tensor
    shuffled: Tensor


# What was decoded: by the place of the sentence and the target's name, or SHUFFLED.
Decoded = dict[tuple[int, str], Tensor]


def choose(
    model: SoundVQVAE, test: Sequence[Utterance], speakers: Sequence[str], count: int
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
            codes = encode_wave(model, fitting[place].wave)
            shuffled = codes[torch.randperm(len(codes), generator=generator)]
            result.append(Sentence(fitting[place], codes, shuffled))
    return result


def decode_all(
    model: SoundVQVAE, sentences: Sequence[Sentence], speakers: Sequence[str]
) -> Decoded:
    """Every sentence in every voice, and its shuffled codes in its own voice."""
    keys, codes, voices = [], [], []
    for place, sentence in enumerate(sentences):
        for name in (*speakers, SHUFFLED):
            keys.append((place, name))
            codes.append(sentence.shuffled if name == SHUFFLED else sentence.codes)
            voice = sentence.utterance.speaker if name == SHUFFLED else name
            voices.append(speakers.index(voice))
    waves = decode_waves(model, codes, voices, seed=0, batch_size=BATCH)
    return {
        keys[index]: wave[: len(sentences[keys[index][0]].utterance.wave)] for index, wave in waves
    }
