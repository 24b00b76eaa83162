"""Sound to train on: windows of one length out of what many say, as levels or as codes."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vqvae_lite.checks import check_positive_int
from vqvae_lite.sound.files import Utterance
from vqvae_lite.sound.mulaw import to_levels


class Sound(NamedTuple):
    """A batch of sound.

    Attributes:
        levels: uint8 (B, T), mu-law.
        speaker: int64 (B,).
    """

    levels: Tensor
    speaker: Tensor


class SpokenCodes(NamedTuple):
    """A batch of rows of codes.

    Attributes:
        codes: int64 (B, n).
        speaker: int64 (B,), whose speech they stand for.
    """

    codes: Tensor
    speaker: Tensor


class SpokenFrames(NamedTuple):
    """A batch of rows of frames.

    Attributes:
        frames: float32 (B, n, P), what was measured of each 10 ms.
        speaker: int64 (B,), whose speech it was.
    """

    frames: Tensor
    speaker: Tensor


# What a data set of windows gives: values of a speaker each, side by side in time.
Spoken = Sound | SpokenCodes | SpokenFrames


class Windows(Dataset):
    """Windows out of long rows, one row for each speaker.

    Each window is twice as long as a model sees at once: `crop` then begins anywhere in its first
    half. The windows begin `length` apart, so every place is as likely as another.

    Args:
        rows: (T, ...) each, of one dtype; one that is shorter than a window gives none.
        length: that a model sees at once.
        kind: of batch.

    Raises:
        TypeError: `length` is no int.
        ValueError: it is below 1, or no row is as long as a window.
    """

    def __init__(self, rows: Sequence[Tensor], length: int, kind: type[Spoken]):
        check_positive_int(length=length)
        self.rows, self.length, self.kind = rows, length, kind
        self.windows = [
            (speaker, start)
            for speaker, row in enumerate(rows)
            for start in range(0, len(row) - 2 * length + 1, length)
        ]
        if not self.windows:
            longest = max((len(row) for row in rows), default=0)
            unit = "samples" if kind is Sound else kind._fields[0]
            raise ValueError(
                f"the utterances must give a window of {2 * length} {unit}: nobody says more "
                f"than {longest}"
            )

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Spoken:
        values, speaker = self.__getitems__([index])
        return self.kind(values[0], speaker[0])

    def __getitems__(self, indices: Sequence[int]) -> Spoken:
        chosen = [self.windows[index] for index in indices]
        values = [self.rows[speaker][start : start + 2 * self.length] for speaker, start in chosen]
        return self.kind(torch.stack(values), torch.tensor([speaker for speaker, _ in chosen]))


class SoundWindows(Windows):
    """Windows out of all that each speaker says, one utterance after another: see `Windows`.

    Args:
        utterances: at one rate.
        speakers: their names, in the order of the model's speakers.
        length: samples that a model sees at once.

    Raises:
        TypeError: `length` is no int.
        ValueError: it is below 1, an utterance is by nobody of the speakers, or no speaker says
            as much as one window.
    """

    def __init__(self, utterances: Sequence[Utterance], speakers: Sequence[str], length: int):
        strangers = {utterance.speaker for utterance in utterances} - set(speakers)
        if strangers:
            raise ValueError(
                f"speakers must name every speaker, got {list(speakers)}: {sorted(strangers)} "
                "also speak"
            )
        waves = by_speaker(utterances, [utterance.wave for utterance in utterances], speakers)
        super().__init__([to_levels(wave) for wave in waves], length, Sound)


def by_speaker(
    utterances: Sequence[Utterance], rows: Sequence[Tensor], speakers: Sequence[str]
) -> list[Tensor]:
    """What belongs to the utterances of each speaker, (T, ...) each, one after another.

    Args:
        utterances: any of other speakers are left out.
        rows: (T, ...) of one dtype, for each utterance.
        speakers: names; who says nothing has an empty row.
    """
    silent = rows[0][:0] if rows else torch.empty(0)
    pairs = list(zip(utterances, rows, strict=True))
    return [
        torch.cat([silent, *(row for utterance, row in pairs if utterance.speaker == name)])
        for name in speakers
    ]


def crop(batch: Spoken) -> Spoken:
    """Half of each window, from a place in its first half that torch's generator draws."""
    values, speaker = batch
    length = values.shape[1] // 2
    starts = torch.randint(length, (len(values), 1), device=values.device)
    places = starts + torch.arange(length, device=values.device)
    rows = torch.arange(len(values), device=values.device)[:, None]
    return type(batch)(values[rows, places], speaker)
