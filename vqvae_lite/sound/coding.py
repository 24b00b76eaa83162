"""Whole utterances, of any length, to the codes of a `SoundVQVAE` and back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from vqvae_lite.checks import check_ints, check_strings
from vqvae_lite.codefile import CodeFile, shapes_of_sound
from vqvae_lite.modules import device_of
from vqvae_lite.sound.files import Utterance
from vqvae_lite.sound.model import SoundVQVAE
from vqvae_lite.sound.mulaw import to_levels, to_wave
from vqvae_lite.sound.windows import SpokenCodes, Windows, by_speaker, crop

SILENT_LEVEL = 128  # of a wave at rest
_FASTEST = 2**31 - 1  # samples a second that a file of sound can say


@dataclass(frozen=True, eq=False)
class SoundCodes(CodeFile):
    """A file of codes of sound: (ceil(length / hop),) each.

    Attributes:
        hop: samples that one code stands for.
        rate: samples a second.
        speakers: who says it; "" where unknown.
        lengths: in samples.
    """

    hop: int
    rate: int
    speakers: list[str]
    lengths: list[int]

    kind = "sound"
    ranks = (1,)
    alike = 1
    of_each = ("speakers", "lengths")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ints("rate", [self.rate], most=_FASTEST)
        check_strings("speakers", self.speakers, len(self.codes))
        if shapes_of_sound(self.lengths, self.hop) != [[n] for n in self.lengths_of_codes()]:
            raise ValueError(f"lengths must be of as many hops of {self.hop} as there are codes")


def whole_hops(wave: Tensor, hop: int) -> Tensor:
    """The levels of a wave (T,), followed by silence up to a multiple of the hop: uint8 (T',).

    Raises:
        TypeError, ValueError: as `mulaw.to_levels`.
    """
    return F.pad(to_levels(wave), (0, -len(wave) % hop), value=SILENT_LEVEL)


def encode_wave(model: SoundVQVAE, wave: Tensor) -> Tensor:
    """The codes of one wave, by the model in eval mode: int64 (ceil(T / hop),) on the CPU.

    Args:
        model: on any device; given back in the mode it was in.
        wave: floating point (T,) in [-1, 1], at the rate that the model was trained at.
    """
    levels = whole_hops(wave, model.config.hop).to(device_of(model))
    return model.encode(levels[None])[0].cpu()


def decode_waves(
    model: SoundVQVAE,
    codes: Sequence[Tensor],
    speakers: Sequence[int],
    *,
    temperature: float = 1.0,
    seed: int | None = None,
    batch_size: int = 32,
    progress: bool = True,
) -> Iterator[tuple[int, Tensor]]:
    """Draws a wave for each row of codes, in batches of rows of about the same length.

    In a batch the shorter rows are made as long as the longest by repeating their last code, and
    what this adds is cut away. So a wave follows from the seed and all of the rows together.

    Args:
        model: on any device; it draws in eval mode and is given back in the mode it was in.
        codes: integers in [0, K), (n,) each.
        speakers: of each row, in [0, num_speakers).
        temperature: see `SoundVQVAE.decode`.
        seed: decides the waves, together with all other arguments.
        batch_size: how many rows at a time.
        progress: whether to show a bar for each batch.

    Yields:
        The place of a row, and its wave, float32 (n * hop,) on the CPU; short rows come first.

    Raises:
        TypeError, ValueError: as `SoundVQVAE.decode`.
    """
    order = sorted(range(len(codes)), key=lambda place: len(codes[place]))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        longest = len(codes[batch[-1]])
        rows = [
            torch.cat([codes[place], codes[place][-1:].expand(longest - len(codes[place]))])
            for place in batch
        ]
        levels = model.decode(
            torch.stack(rows).to(device_of(model)),
            torch.tensor([speakers[place] for place in batch], device=device_of(model)),
            temperature=temperature,
            seed=None if seed is None else seed + start,
            progress=progress,
        )
        for place, row in zip(batch, to_wave(levels.cpu()), strict=True):
            yield place, row[: len(codes[place]) * model.config.hop]


def encode_utterances(
    model: SoundVQVAE, utterances: Sequence[Utterance], progress: bool = False
) -> list[Tensor]:
    """The codes of each utterance by itself, in their order: int64 (n,) each, on the CPU."""
    return [
        encode_wave(model, utterance.wave)
        for utterance in tqdm(utterances, unit="utterance", disable=not progress)
    ]


def code_windows(
    utterances: Sequence[Utterance], codes: Sequence[Tensor], speakers: Sequence[str], length: int
) -> Windows:
    """Windows out of the codes of all that each speaker says, one utterance after another.

    Args:
        utterances: whose speakers are among `speakers`.
        codes: int64 (n,) for each of them.
        speakers: their names, in the order of the model's speakers.
        length: codes that a prior sees at once.

    Raises:
        TypeError, ValueError: as `Windows`.
    """
    return Windows(by_speaker(utterances, codes, speakers), length, SpokenCodes)


def for_each_speaker(batch: SpokenCodes) -> tuple[Tensor, Tensor]:
    """A batch of windows as a WaveNet with labels takes it: codes (B, length), speakers (B,)."""
    codes, speaker = crop(batch)
    return codes, speaker


def for_all_speakers(batch: SpokenCodes) -> Tensor:
    """A batch of windows as a WaveNet without labels takes it: codes (B, length)."""
    return crop(batch)[0]
