"""How loud sound is, the same loudness for all, and where it begins and ends."""

import numpy as np

from vqvae_lite.sound.files import RATE

LEVEL = -23.0  # dB of full scale, of the sounding parts of each utterance
PEAK = 0.9  # at most, also where the level is then not reached
MARGIN = 0.15  # seconds of silence kept at the ends
FRAME = 320  # samples: 20 ms


def frame_levels(samples: np.ndarray) -> np.ndarray:
    """The level of each whole frame of 20 ms in dB of full scale, (T // 320,)."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    return 10 * np.log10(np.square(frames).mean(axis=1) + 1e-12)


def active_level(samples: np.ndarray) -> float:
    """The level in dB over the frames within 30 dB of the loudest: silence does not count."""
    levels = frame_levels(samples)
    return 10 * np.log10(np.mean(10 ** (levels[levels > levels.max() - 30] / 10)))


def normalise(samples: np.ndarray) -> np.ndarray:
    """The same sound at `LEVEL`, or as near as `PEAK` lets it."""
    gain = 10 ** ((LEVEL - active_level(samples)) / 20)
    return samples * min(gain, PEAK / np.abs(samples).max())


def trim(samples: np.ndarray) -> np.ndarray:
    """The same sound with no more than `MARGIN` before the first sounding frame and after the last.

    A frame sounds if it is within 40 dB of the loudest.
    """
    levels = frame_levels(samples)
    sounding = np.flatnonzero(levels > levels.max() - 40)
    margin = round(MARGIN * RATE)
    start = max(sounding[0] * FRAME - margin, 0)
    return samples[start : (sounding[-1] + 1) * FRAME + margin]
