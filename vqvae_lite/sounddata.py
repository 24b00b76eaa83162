"""Sound to train on: windows of one length out of recordings of many, each with its speaker."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vqvae_lite.mulaw import to_levels
from vqvae_lite.networks import check_positive_int
from vqvae_lite.sound import Utterance


class Sound(NamedTuple):
    """A batch of sound.

    Attributes:
        levels: uint8 (B, T), mu-law.
        speaker: int64 (B,).
    """

    levels: Tensor
    speaker: Tensor


class SoundWindows(Dataset):
    """Windows out of all that each speaker says, one utterance after another.

    Each window is twice as long as a model sees at once: `crop` then begins anywhere in its first
    half. The windows begin `length` samples apart, so every sample is as likely as another.

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
        check_positive_int(length=length)
        strangers = {utterance.speaker for utterance in utterances} - set(speakers)
        if strangers:
            raise ValueError(
                f"speakers must name every speaker, got {list(speakers)}: {sorted(strangers)} "
                "also speak"
            )
        self.length = length
        self.levels, self.windows = [], []
        for speaker, name in enumerate(speakers):
            waves = [utterance.wave for utterance in utterances if utterance.speaker == name]
            levels = to_levels(torch.cat(waves)) if waves else torch.empty(0, dtype=torch.uint8)
            self.levels.append(levels)
            starts = range(0, len(levels) - 2 * length + 1, length)
            self.windows += [(speaker, start) for start in starts]
        if not self.windows:
            longest = max((len(levels) for levels in self.levels), default=0)
            raise ValueError(
                f"the utterances must give a window of {2 * length} samples: nobody says more "
                f"than {longest}"
            )

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Sound:
        sound = self.__getitems__([index])
        return Sound(sound.levels[0], sound.speaker[0])

    def __getitems__(self, indices: Sequence[int]) -> Sound:
        chosen = [self.windows[index] for index in indices]
        levels = [
            self.levels[speaker][start : start + 2 * self.length] for speaker, start in chosen
        ]
        return Sound(torch.stack(levels), torch.tensor([speaker for speaker, _ in chosen]))


def crop(sound: Sound) -> Sound:
    """Half of each window, from a place in its first half that torch's generator draws."""
    length = sound.levels.shape[1] // 2
    starts = torch.randint(length, (len(sound.levels), 1), device=sound.levels.device)
    places = starts + torch.arange(length, device=sound.levels.device)
    return Sound(sound.levels.gather(1, places), sound.speaker)
