"""A sentence as a row of codes, to point at and to hear in every voice: a page that plays sound."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from vqvae_lite.checks import check_codes, check_positive_int
from vqvae_lite.figures.page import InteractiveFigure, pack
from vqvae_lite.figures.plots import COLORS
from vqvae_lite.figures.sounds import MP3_RATES, mp3_text, tick
from vqvae_lite.sound.files import RATE, Utterance
from vqvae_lite.sound.speech import PHONES, frame_phones

# Kinds of phones that sound alike and look alike in a spectrogram, and a colour for each.
PHONE_KINDS = {
    name: (color, phones.split())
    for name, color, phones in (
        ("vowels", "orange", "iy ih ey eh ae aa ao ow uh uw ah ax er ay aw oy"),
        ("nasals, l, r, w, y", "green", "m n ng l r w y"),
        ("fricatives", "blue", "s z sh zh f v th dh hh"),
        ("stops", "purple", "p b t d k g ch jh"),
        ("pauses", "grey", "pau"),
    )
}
_GREY = "#8A9099"
_NAMED = 3  # phones that the page names for a code


class VoicedClip(NamedTuple):
    """A sentence, its codes, and what a decoder made of them in each voice.

    Attributes:
        utterance: the original. Its phones are symbols out of `speech.PHONES`, or none.
        codes: int64 (n,), one for each `hop` samples. A last piece of the wave, shorter than
            that, may have a code or none.
        voices: speaker to the wave decoded from the codes in that voice, float32 (n * hop,) in
            [-1, 1]. In the voice of the utterance's own speaker it is the reconstruction.
    """

    utterance: Utterance
    codes: Tensor
    voices: Mapping[str, Tensor]


def explore_voices(
    clips: Sequence[VoicedClip], phone_counts: Tensor, *, hop: int, rate: int = RATE
) -> InteractiveFigure:
    """Sentences, their codes and their phones, to look at and to hear in every voice.

    Pointing at a code tells in which phones it stands, and marks its other places in all the
    sentences; each of them can be heard. The sounds are in the page, as MP3: a sentence of 2.5
    seconds takes some 13 kB for each voice.

    Args:
        clips: a few; all with the same voices, in the same order.
        phone_counts: whole numbers (K, 41): how often each code stood in each of `PHONES` in some
            labelled speech. They also give the codes their colours, see `colors_of_phones`.
        hop: samples that a code stands for.
        rate: samples a second, one that MP3 knows: 8000, 16000, 22050...

    Raises:
        TypeError: codes or counts are no whole numbers, a wave is no float tensor, or `hop` is
            no int.
        ValueError: there is no clip, or one without voices, or with others than the first; codes
            out of range; codes, waves or phones that do not fit each other; a wave that leaves
            [-1, 1] or is not finite; counts of another shape, or negative; another rate. Names the
            clip.
    """
    check_positive_int(hop=hop)
    if rate not in MP3_RATES:
        raise ValueError(f"rate must be one that MP3 knows, {MP3_RATES}, got {rate}")
    colors = colors_of_phones(phone_counts)
    if not clips:
        raise ValueError("clips must hold at least one, got none")
    for clip in clips:
        _check(clip, list(clips[0].voices), len(phone_counts), hop, rate)
    speakers = list(clips[0].voices)
    seconds = max(len(clip.codes) for clip in clips) * hop / rate
    data = {
        "rate": rate,
        "hop": hop,
        "tick": tick(rate),
        "speakers": speakers,
        "phones": PHONES,
        "kinds": [{"name": name, "color": _rgb(color)} for name, (color, _) in PHONE_KINDS.items()],
        "kindOf": [_kind(phone) for phone in PHONES],
        "colors": pack(colors, "uint8"),
        "counted": int(phone_counts.sum()),
        "known": _known(phone_counts, torch.cat([clip.codes for clip in clips])),
        "clips": [_clip_data(clip, hop, rate) for clip in clips],
    }
    first = clips[0]
    return InteractiveFigure(
        "voices",
        data,
        title="Sentences as rows of codes, to look at and to hear in every voice",
        description=(
            f"{len(clips)} sentences of up to {seconds:.1f} s, each with its waveform, its phones "
            f"and its codes, {rate / hop:.0f} a second. Pointing at a code tells in which phones "
            "it stands and marks all its places, which can be heard. Buttons play the original "
            f"and the same codes in the voices of {', '.join(speakers)}. Shown is "
            f"{first.utterance.speaker}: \u201c{first.utterance.text}\u201d"
        ),
        still=_still(first, colors, hop, rate),
        height=900,
        click="#codes",
        key="#codes|ArrowRight",
        uses=["mp3", "player", "spectrogram", "track", "sentence", "codefacts"],
    )


def colors_of_phones(phone_counts: Tensor) -> np.ndarray:
    """A colour for each code: that of the kind of phone in which it mostly stands.

    Within a kind, codes of the same phone have nearly the same shade. Codes that were never
    counted are grey, as pauses are.

    Args:
        phone_counts: whole numbers (K, 41), as for `explore_voices`.

    Returns:
        uint8 (K, 3), RGB.

    Raises:
        TypeError: the counts are no whole numbers.
        ValueError: they have another shape, or one is negative.
    """
    if not isinstance(phone_counts, Tensor) or phone_counts.is_floating_point():
        got = getattr(phone_counts, "dtype", type(phone_counts).__name__)
        raise TypeError(f"phone_counts must be a tensor of whole numbers, got {got}")
    shape = tuple(phone_counts.shape)
    if len(shape) != 2 or not shape[0] or shape[1] != len(PHONES):
        raise ValueError(f"phone_counts must have the shape (K, {len(PHONES)}), got {shape}")
    if phone_counts.min() < 0:
        raise ValueError(f"phone_counts must not be negative, got {int(phone_counts.min())}")
    most = phone_counts.argmax(1).tolist()
    seen = phone_counts.sum(1).tolist()
    colors = np.tile(_rgb("grey"), (len(most), 1)).astype(float)
    for color, phones in PHONE_KINDS.values():
        codes = [k for k, phone in enumerate(most) if seen[k] and PHONES[phone] in phones]
        codes.sort(key=lambda k: (phones.index(PHONES[most[k]]), -seen[k]))
        for place, k in enumerate(codes):
            # From a third towards black to nearly half towards white.
            shade = -0.3 + 0.75 * (place + 0.5) / len(codes)
            end = 255.0 if shade > 0 else 0.0
            colors[k] = np.array(_rgb(color)) * (1 - abs(shade)) + end * abs(shade)
    return colors.round().astype(np.uint8)


def _check(clip: VoicedClip, speakers: list[str], num_codes: int, hop: int, rate: int) -> None:
    who = f"{clip.utterance.speaker} {clip.utterance.name}"
    if clip.codes.ndim != 1 or not clip.codes.numel():
        raise ValueError(f"codes of {who} must be (n,), got {tuple(clip.codes.shape)}")
    try:
        check_codes(clip.codes, num_codes)
        frame_phones(clip.utterance.phones, len(clip.codes), hop / rate)  # it knows all symbols
    except (TypeError, ValueError) as error:
        raise type(error)(f"{who}: {error}") from None
    samples = len(clip.codes) * hop
    _check_wave(f"wave of {who}", clip.utterance.wave)
    if abs(len(clip.utterance.wave) - samples) >= hop:
        raise ValueError(
            f"codes of {who} must be one for each {hop} of its {len(clip.utterance.wave)} "
            f"samples, got {len(clip.codes)}"
        )
    if not clip.voices or list(clip.voices) != speakers:
        raise ValueError(f"voices of {who} must be {speakers or 'some'}, got {list(clip.voices)}")
    for speaker, wave in clip.voices.items():
        _check_wave(f"{who} in the voice of {speaker}", wave)
        if len(wave) != samples:
            raise ValueError(
                f"{who} in the voice of {speaker} must have {len(clip.codes)} codes x {hop} = "
                f"{samples} samples, got {len(wave)}"
            )
    for start, end, phone in clip.utterance.phones:
        if not 0 <= start < end <= (samples + hop) / rate:
            raise ValueError(f"phones of {who} must lie within it, got {phone}, {start} to {end} s")


def _check_wave(what: str, wave: Tensor) -> None:
    if not isinstance(wave, Tensor) or not wave.is_floating_point():
        got = getattr(wave, "dtype", type(wave).__name__)
        raise TypeError(f"{what} must be a float tensor, got {got}")
    if wave.ndim != 1 or not bool((wave.abs() <= 1).all()):  # NaN is not
        raise ValueError(f"{what} must be (T,) in [-1, 1], got {tuple(wave.shape)}")


def _clip_data(clip: VoicedClip, hop: int, rate: int) -> dict[str, Any]:
    samples = len(clip.codes) * hop
    original = torch.zeros(samples)
    heard = clip.utterance.wave[:samples]
    original[: len(heard)] = heard
    phones = [(round(p.start, 4), round(p.end, 4), p.phone) for p in clip.utterance.phones]
    return {
        "speaker": clip.utterance.speaker,
        "text": clip.utterance.text,
        "codes": pack(clip.codes, "int32"),
        "phones": phones,
        "original": mp3_text(original, rate),
        "voices": [mp3_text(wave, rate) for wave in clip.voices.values()],
    }


def _known(phone_counts: Tensor, codes: Tensor) -> dict[int, Any]:
    """Of each code in the clips: how often it was counted, and its most frequent phones."""
    known = {}
    for k in codes.unique().tolist():
        counts, phones = phone_counts[k].sort(descending=True, stable=True)
        pairs = zip(phones.tolist(), counts.tolist(), strict=True)
        known[k] = {
            "count": int(counts.sum()),
            "phones": [(phone, count) for phone, count in list(pairs)[:_NAMED] if count],
        }
    return known


def _kind(phone: str) -> int:
    return next(i for i, (_, phones) in enumerate(PHONE_KINDS.values()) if phone in phones)


def _rgb(color: str) -> list[int]:
    text = COLORS.get(color, _GREY)
    return [int(text[i : i + 2], 16) for i in (1, 3, 5)]


def _still(clip: VoicedClip, colors: np.ndarray, hop: int, rate: int) -> Figure:
    """The whole sentence, and 0.4 s of it around the middle."""
    length = len(clip.codes) * hop / rate
    width = min(0.4, length)
    figure, axes = plt.subplots(2, 1, figsize=(7.4, 4.2), layout="constrained")
    spans = [(0.0, length), ((length - width) / 2, (length + width) / 2)]
    for axis, span in zip(axes, spans, strict=True):
        _draw(axis, clip, colors, span, hop, rate)
    axes[0].axvspan(*spans[1], color="0.85", zorder=0)
    axes[0].set_title(f"{clip.utterance.speaker}: \u201c{clip.utterance.text}\u201d", fontsize=9.5)
    axes[1].set_title(f"{width:.1f} s of it: each cell is a code", fontsize=9.5)
    axes[1].set_xlabel("time, s")
    handles = [Rectangle((0, 0), 1, 1, fc=np.array(_rgb(c)) / 255) for c, _ in PHONE_KINDS.values()]
    names = [f"mostly in {name}" for name in PHONE_KINDS]
    figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _draw(axis: Axes, clip: VoicedClip, colors: np.ndarray, span, hop: int, rate: int) -> None:
    start, end = (round(edge * rate) for edge in span)
    wave = clip.utterance.wave[start:end].numpy()
    wave = wave / max(1e-9, np.abs(clip.utterance.wave.numpy()).max())
    axis.plot((start + np.arange(len(wave))) / rate, wave, color="black", linewidth=0.5)
    first, last = start // hop, -(-end // hop)
    cells = colors[clip.codes[first:last].numpy()][None]
    axis.imshow(cells, extent=(first * hop / rate, last * hop / rate, -1.9, -1.2), aspect="auto")
    for left, right, phone in clip.utterance.phones:
        if right > span[0] and left < span[1]:
            axis.plot([left, left], [-2.5, -1.9], color="0.6", linewidth=0.7)
            middle = (max(left, span[0]) + min(right, span[1])) / 2
            size = 7.5 if end - start < rate else 6
            axis.text(middle, -2.25, phone, ha="center", va="center", fontsize=size)
    axis.set(xlim=span, ylim=(-2.55, 1.1), yticks=[])
    axis.spines[["left", "top", "right"]].set_visible(False)
