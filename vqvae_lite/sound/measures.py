"""What is measured of sound: mel spectra, cepstra, pitch, and how far two sounds are apart.

A frame is 10 ms: frame t stands for the samples from 160 t to 160 (t + 1) and is measured over a
longer window around its middle. So the frames of two sounds that run in step belong together, and
four of them are a code of 40 ms.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vqvae_lite.sound.files import RATE
from vqvae_lite.sound.labels import Phone
from vqvae_lite.sound.mulaw import check_wave

FRAME_HOP = RATE // 100  # samples of a frame
WINDOW = RATE // 40  # samples of a window: 25 ms
FFT = 512  # a window and zeros
BANDS = 40
COEFFICIENTS = 13
FLOOR = -100.0  # nothing is quieter
LOWEST, HIGHEST = 60.0, 450.0  # Hz, of voices
PERIODIC = 0.15  # a frame is voiced where the power outside its period is a smaller share
SMOOTHING = 25  # samples of a Hann window: 3 dB less at 0.5 kHz, next to nothing above 1.3 kHz
SILENCE_DB = -60.0  # nothing as quiet as that is voiced


def log_mel(wave: Tensor) -> Tensor:
    """The log-mel spectrogram: the power in 40 bands of the mel scale, in dB, frame by frame.

    Hann windows of 25 ms; triangular bands, evenly spaced in mel = 2595 log10(1 + f / 700) from 0
    to 8 kHz (Davis and Mermelstein, "Comparison of Parametric Representations for Monosyllabic Word
    Recognition in Continuously Spoken Sentences", 1980). 0 dB is the power of a full-scale square
    wave; nothing is below -100 dB.

    Args:
        wave: floating point (..., T) in [-1, 1] at 16 kHz, T at least 160.

    Returns:
        float32 (..., T // 160, 40).

    Raises:
        TypeError: the wave is not floating point.
        ValueError: it is shorter than a frame, or holds NaN or Inf.
    """
    spectrum = _spectrum(_check_wave(wave))
    bands = _mel_bands().to(wave.device)
    return 10 * torch.log10((spectrum @ bands.T).clamp_min(10 ** (FLOOR / 10)))


def mfcc(wave: Tensor, coefficients: int = COEFFICIENTS) -> Tensor:
    """Mel-frequency cepstral coefficients: the slow part of each frame's log-mel spectrum.

    The first coefficients of an orthonormal cosine transform over the 40 bands (Davis and
    Mermelstein, 1980). The first one is sqrt(40) times the frame's mean level.

    Args:
        wave: as for `log_mel`.
        coefficients: how many, 1 to 40.

    Returns:
        float32 (..., T // 160, coefficients), in dB.

    Raises:
        TypeError, ValueError: as `log_mel`, or there are not so many coefficients.
    """
    if not 1 <= coefficients <= BANDS:
        raise ValueError(f"coefficients must be 1 to {BANDS}, got {coefficients}")
    return log_mel(wave) @ _cosines(coefficients).to(wave.device).T


def pitch_track(wave: Tensor) -> Tensor:
    """The fundamental frequency of each frame in Hz, NaN where none is heard.

    YIN (de Cheveigne and Kawahara, "YIN, a fundamental frequency estimator for speech and music",
    2002), steps 1 to 5: with d(lag) the squared difference between a window of 25 ms and the one
    `lag` samples later, divided by its mean over all shorter lags, the period is the lag at the
    bottom of the first dip below 0.15. A frame without one is unvoiced, and so is one below -60 dB.
    High frequencies are taken out first.

    Args:
        wave: floating point (T,) in [-1, 1] at 16 kHz, T at least 160.

    Returns:
        float32 (T // 160,), from 60 to 450 Hz.

    Raises:
        TypeError: the wave is not floating point.
        ValueError: it has another shape, or as for `log_mel`.
    """
    wave = _check_wave(wave)
    if wave.ndim != 1:
        raise ValueError(f"wave must have the shape (T,), got {tuple(wave.shape)}")
    shortest, longest = math.floor(RATE / HIGHEST), math.ceil(RATE / LOWEST)
    # The two windows of the longest lag together lie around the frame's middle.
    frames = _frames(_smooth(wave), WINDOW + longest + 1)
    difference = _differences(frames)
    # Step 3. Where all is silence no lag differs from another.
    mean = difference.cumsum(1) / torch.arange(1, longest + 2, dtype=torch.float64)
    normalised = torch.where(mean > 0, difference / mean.clamp_min(1e-12), 1.0)
    normalised = F.pad(normalised, (1, 0), value=1.0)  # lag 0, by definition
    lag = _first_dip(normalised, shortest, longest)
    depth = normalised.gather(1, lag[:, None])[:, 0]
    loud = frames.square().mean(1) > 10 ** (SILENCE_DB / 10)
    pitch = RATE / _bottom(normalised, lag)
    voiced = loud & (depth < PERIODIC) & (pitch >= LOWEST) & (pitch <= HIGHEST)
    return torch.where(voiced, pitch, torch.nan).float()


def median_pitch(pitch: Tensor) -> float:
    """The median over the voiced frames of one or more tracks of `pitch_track`, in Hz.

    Raises:
        ValueError: no frame is voiced.
    """
    voiced = pitch[~pitch.isnan()]
    if not len(voiced):
        raise ValueError(f"pitch must have a voiced frame, got none in {len(pitch)} frames")
    return voiced.median().item()


def phone_cepstra(wave: Tensor, phones: Sequence[Phone]) -> Tensor:
    """The mean cepstrum of each phone: float32 (number of phones, 13), in dB.

    A phone that covers no frame's middle takes the frame nearest to its own.

    Args:
        wave: floating point (T,), as for `log_mel`.
        phones: with times in seconds; those that begin after the last frame are left out.

    Raises:
        TypeError, ValueError: as `log_mel`, or the wave is not (T,).
    """
    if wave.ndim != 1:
        raise ValueError(f"wave must have the shape (T,), got {tuple(wave.shape)}")
    cepstra, means = mfcc(wave), []
    for start, end, _ in phones:
        # Frame t has its middle at (t + 1/2) * 10 ms.
        first, last = (math.ceil(time * RATE / FRAME_HOP - 0.5) for time in (start, end))
        if last <= first:
            first = math.floor((start + end) / 2 * RATE / FRAME_HOP)
            last = first + 1
        if first < len(cepstra):
            means.append(cepstra[first:last].mean(0))
    return torch.stack(means) if means else cepstra.new_empty(0, COEFFICIENTS)


def phone_distance(wave: Tensor, other: Tensor, phones: Sequence[Phone]) -> float:
    """How far the spectra of two sounds are apart, phone by phone, in dB.

    The mel cepstra are averaged over each phone, so that neither the fine structure of the wave nor
    its pitch counts, and nothing has to be aligned: both sounds run in step. The distance of a
    phone is sqrt(sum over n > 0 of (c_n - c'_n)^2 / 40), the root mean square over the bands of the
    difference of two smooth log-mel spectra; level, the first coefficient, is left out. That is
    the mel-cepstral distance of Kubichek, "Mel-cepstral distance measure for objective speech
    quality assessment" (1993). The mean over the phones is given, without the pauses ("pau").

    Args:
        wave: (T,), as for `log_mel`.
        other: (T',); only phones within both count.
        phones: of both.

    Raises:
        TypeError, ValueError: as `log_mel`, or no phone lies in both sounds.
    """
    spoken = [phone for phone in phones if phone.phone != "pau"]
    cepstra, others = phone_cepstra(wave, spoken), phone_cepstra(other, spoken)
    count = min(len(cepstra), len(others))
    if not count:
        raise ValueError(f"phones must lie in both sounds, none of {len(spoken)} does")
    difference = (cepstra[:count] - others[:count])[:, 1:]
    return (difference.square().sum(1) / BANDS).sqrt().mean().item()


def _check_wave(wave: Tensor) -> Tensor:
    check_wave(wave)
    if not wave.ndim or wave.shape[-1] < FRAME_HOP:
        raise ValueError(f"wave must hold at least {FRAME_HOP} samples, got {tuple(wave.shape)}")
    return wave.float()


def _padded(wave: Tensor, length: int) -> Tensor:
    """Zeros before and after, so that windows every 160 samples are each around a frame."""
    frames = wave.shape[-1] // FRAME_HOP
    before = (length - FRAME_HOP) // 2
    after = (frames - 1) * FRAME_HOP + length - before - wave.shape[-1]
    return F.pad(wave, (before, after))


def _spectrum(wave: Tensor) -> Tensor:
    """Power by frequency, (..., frames, 257): the sum over them is a frame's mean square."""
    window = torch.hann_window(WINDOW, device=wave.device)
    flat = _padded(wave, FFT).reshape(-1, _padded(wave, FFT).shape[-1])
    bins = torch.stft(flat, FFT, FRAME_HOP, WINDOW, window, center=False, return_complex=True)
    power = bins.abs().square() / (FFT * window.square().sum())
    power[:, 1:-1] *= 2  # the negative frequencies
    return power.transpose(1, 2).reshape(*wave.shape[:-1], -1, FFT // 2 + 1)


def _mel_bands() -> Tensor:
    """(40, 257): the share of each frequency that each band takes."""
    top = 2595 * math.log10(1 + RATE / 2 / 700)
    corners = 700 * (10 ** (torch.linspace(0, top, BANDS + 2, dtype=torch.float64) / 2595) - 1)
    frequency = torch.linspace(0, RATE / 2, FFT // 2 + 1, dtype=torch.float64)
    low, middle, high = (corners[start : start + BANDS, None] for start in range(3))
    rising, falling = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    return torch.minimum(rising, falling).clamp_min(0).float()


def _cosines(count: int) -> Tensor:
    """(count, 40): the first rows of the orthonormal cosine transform (DCT-II)."""
    order = torch.arange(count, dtype=torch.float64)[:, None]
    place = torch.arange(BANDS, dtype=torch.float64) + 0.5
    rows = math.sqrt(2 / BANDS) * torch.cos(math.pi / BANDS * order * place)
    rows[0] /= math.sqrt(2)
    return rows.float()


def _smooth(wave: Tensor) -> Tensor:
    """Without the high frequencies, where a period that is no whole number of samples looks odd."""
    window = torch.hann_window(SMOOTHING)
    kernel = (window / window.sum())[None, None]
    return F.conv1d(wave[None, None], kernel, padding=SMOOTHING // 2)[0, 0, : len(wave)]


def _frames(wave: Tensor, length: int) -> Tensor:
    return _padded(wave, length).double().unfold(-1, length, FRAME_HOP)


def _differences(frames: Tensor) -> Tensor:
    """Step 2: d(lag) for all lags from 1 that a frame has room for."""
    longest = frames.shape[1] - WINDOW
    size = 2 ** math.ceil(math.log2(frames.shape[1] + WINDOW))
    window = frames[:, :WINDOW]
    product = torch.fft.rfft(frames, size) * torch.fft.rfft(window, size).conj()
    correlation = torch.fft.irfft(product, size)[:, : longest + 1]
    energy = F.pad(frames.square().cumsum(1), (1, 0))
    energy = energy[:, WINDOW:] - energy[:, :-WINDOW]  # of the window at each lag
    return (energy[:, :1] + energy - 2 * correlation)[:, 1:].clamp_min(0)


def _first_dip(normalised: Tensor, shortest: int, longest: int) -> Tensor:
    """Step 4: the bottom of the first dip below the threshold, or of the deepest of all."""
    inner = normalised[:, shortest : longest + 1]
    bottom = (inner <= normalised[:, shortest - 1 : longest]) & (
        inner < normalised[:, shortest + 1 : longest + 2]
    )
    deep = bottom & (inner < PERIODIC)
    first = torch.where(deep.any(1), deep.int().argmax(1), inner.argmin(1))
    return first + shortest


def _bottom(normalised: Tensor, lag: Tensor) -> Tensor:
    """Step 5: the lag of the lowest point of the parabola through a dip's three values."""
    before, here, after = (
        normalised.gather(1, (lag + offset)[:, None])[:, 0] for offset in (-1, 0, 1)
    )
    curve = (before + after - 2 * here).clamp_min(1e-9)
    return lag + ((before - after) / (2 * curve)).clamp(-1, 1)
