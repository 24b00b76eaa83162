"""Voices in disguise: the same words from another throat in another room, for an encoder to hear.

Codes are to hold what is said; who says it the decoder is told. But nothing in section 4.3 keeps
the voice out of the codes, and a decoder that finds it there stops listening to what it is told. So
the encoder may be shown each window as somebody else could have said it, while the decoder has to
say it as it was: what the disguise changes is of no use to it then. The idea is that of Choi et
al., "Neural Analysis and Synthesis: Reconstructing Speech from Self-Supervised Representations"
(2021).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vqvae_lite.sound.mulaw import to_levels, to_wave
from vqvae_lite.sound.windows import Sound, crop

FRAME = 0.032  # seconds of a short-time spectrum
HIGHER = 0.25  # pitch and formants are multiplied by exp of up to this, either way
POINTS, GAIN = 6, 4.0  # along the frequencies, a gain for each, of so many dB in deviation


def disguise(wave: Tensor, rate: int) -> Tensor:
    """The same words, as long, in another voice and another room; torch's generator draws which.

    Stretched in time by a phase vocoder and then played faster or slower by as much, so that pitch
    and formants move and the words stay where they are; filtered; as loud as before.

    Args:
        wave: float (T,) in [-1, 1], T at least one frame, 32 ms.
        rate: samples a second.

    Returns:
        (T,) in [-1, 1].

    Raises:
        ValueError: the wave is shorter than a frame.
    """
    size = 2 ** round(math.log2(FRAME * rate))
    if wave.ndim != 1 or len(wave) < size:
        raise ValueError(f"wave must have the shape (T,), T at least {size}; got {wave.shape}")
    hop, window = size // 4, torch.hann_window(size, device=wave.device)
    factor = math.exp(HIGHER * (2 * torch.rand(()).item() - 1))
    gains = F.interpolate(
        GAIN * torch.randn(1, 1, POINTS), size // 2 + 1, mode="linear", align_corners=True
    )
    spectra = torch.stft(wave, size, hop, window=window, return_complex=True)
    spectra = spectra * (10 ** (gains[0, 0] / 20)).to(wave)[:, None]
    spectra = _stretch(spectra, factor, hop / size)
    longer = torch.istft(spectra, size, hop, window=window, length=round(factor * len(wave)))
    other = F.interpolate(longer[None, None], len(wave), mode="linear", align_corners=True)[0, 0]
    loudness = (wave.square().mean() / other.square().mean().clamp_min(1e-8)).sqrt()
    return (loudness * other).clamp(-1, 1)


def crop_and_disguise(batch: Sound, rate: int, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of windows as `SoundVQVAE` takes it, most of them in disguise for its encoder.

    Args:
        batch: of windows twice as long as a model sees, as for `crop`.
        rate: samples a second.
        share: of the windows, in [0, 1], that the encoder hears in disguise.

    Returns:
        Levels (B, T), speakers (B,), and the levels that the encoder hears, (B, T).
    """
    levels, speaker = crop(batch)
    hidden = (torch.rand(len(levels)) < share).tolist()
    heard = [
        to_levels(disguise(to_wave(row), rate)) if hide else row
        for row, hide in zip(levels, hidden, strict=True)
    ]
    return levels, speaker, torch.stack(heard)


def _stretch(spectra: Tensor, factor: float, hop_share: float) -> Tensor:
    """Short-time spectra (bins, frames) of a sound `factor` times as long, by a phase vocoder.

    Between two frames the magnitude is interpolated, and the phase goes on by what it did there.
    """
    bins, frames = spectra.shape
    places = torch.arange(0, frames, 1 / factor, device=spectra.device)
    first, between = places.long(), places % 1
    spectra = F.pad(spectra, (0, 2))
    before, after = spectra[:, first], spectra[:, first + 1]
    magnitude = (1 - between) * before.abs() + between * after.abs()
    # What the middle of a bin turns by in one hop; what was found is the nearest angle to that.
    expected = 2 * math.pi * hop_share * torch.arange(bins, device=spectra.device)[:, None]
    turned = after.angle() - before.angle() - expected
    turned = turned - 2 * math.pi * (turned / (2 * math.pi)).round() + expected
    phase = torch.cat([before[:, :1].angle(), turned[:, :-1]], 1).cumsum(1)
    return torch.polar(magnitude, phase)
