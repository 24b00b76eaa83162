"""Mu-law: a waveform as 256 levels, close together where it is quiet and where most of it lies.

As data, sound is uint8 levels of 0 to 255; a waveform is floating point in [-1, 1]. This is what
WaveNet predicts (van den Oord et al., "WaveNet: A Generative Model for Raw Audio", 2016, section
2.2), by the companding of ITU-T G.711.
"""

import math

import torch
from torch import Tensor

MU = 255


def compand(wave: Tensor) -> Tensor:
    """sign(x) ln(1 + mu |x|) / ln(1 + mu): [-1, 1] to [-1, 1], steep around 0."""
    return wave.sign() * torch.log1p(MU * wave.abs()) / math.log1p(MU)


def expand(companded: Tensor) -> Tensor:
    """The inverse of `compand`: sign(y) ((1 + mu)^|y| - 1) / mu."""
    return companded.sign() * torch.expm1(companded.abs() * math.log1p(MU)) / MU


def to_levels(wave: Tensor) -> Tensor:
    """A waveform to the nearest of 256 levels, in the same shape: uint8; 128 is silence.

    Values outside [-1, 1] are clipped.

    Raises:
        TypeError: `wave` is not floating point.
        ValueError: it holds NaN or Inf.
    """
    check_wave(wave)
    companded = compand(wave.float().clamp(-1, 1))
    return (companded * 127.5 + 127.5).round().to(torch.uint8)


def to_companded(levels: Tensor) -> Tensor:
    """Levels as a network takes them: float32 in [-1, 1], evenly spaced.

    Raises:
        TypeError: `levels` is no uint8 tensor.
    """
    if not isinstance(levels, Tensor) or levels.dtype != torch.uint8:
        kind = levels.dtype if isinstance(levels, Tensor) else type(levels).__name__
        raise TypeError(f"levels must be a uint8 tensor of 0 to 255, got {kind}")
    return levels.float() / 127.5 - 1


def to_wave(levels: Tensor) -> Tensor:
    """Levels to a waveform, float32 in [-1, 1], in the same shape: the inverse of `to_levels`.

    Raises:
        TypeError: `levels` is no uint8 tensor.
    """
    return expand(to_companded(levels))


def check_wave(wave: Tensor) -> None:
    """Raises TypeError or ValueError unless a wave is floating point and finite."""
    if not isinstance(wave, Tensor) or not wave.is_floating_point():
        kind = wave.dtype if isinstance(wave, Tensor) else type(wave).__name__
        raise TypeError(f"wave must be a floating-point tensor in [-1, 1], got {kind}")
    if not wave.isfinite().all():
        raise ValueError("wave must be finite, got NaN or Inf in it")
