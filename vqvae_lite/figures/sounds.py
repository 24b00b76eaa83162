"""Sounds to hear one against another: a player in the page, and no network."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from vqvae_lite.checks import require
from vqvae_lite.figures.page import InteractiveFigure
from vqvae_lite.sound.files import RATE

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# Of MP3: at this level speech takes some 30 kbit/s at 16 kHz and 20 at 8 kHz, with a noise 24 to
# 31 dB below it.
_COMPRESSION = 0.7
_TICK, _TICK_AT = 0.2, 0.1  # seconds: of the sound by which a page finds a decoder's delay
_STEPS = 120  # in which a still shows the longest sound


def mp3(wave: Tensor, rate: int) -> bytes:
    """A wave as an MP3 file of variable bit rate, some 30 kbit/s for speech at 16 kHz.

    Every browser decodes it, which is not so of Opus. The same libsndfile makes the same bytes.

    Args:
        wave: float32 (T,) in [-1, 1].
        rate: samples a second, one of `MP3_RATES`.
    """
    buffer = io.BytesIO()
    require("soundfile", "sound").write(
        buffer,
        wave.detach().cpu().numpy(),
        rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=_COMPRESSION,
        # A constant one would leave out how much silence the coder has put before and after.
        bitrate_mode="VARIABLE",
    )
    return buffer.getvalue()


def mp3_text(wave: Tensor, rate: int) -> str:
    """The MP3 file of a wave as base64 text, for a page."""
    return base64.b64encode(mp3(wave, rate)).decode()


def tick(rate: int) -> dict[str, Any]:
    """One loud sample in silence: where a page finds it tells the delay of its decoder."""
    wave = torch.zeros(round(_TICK * rate))
    wave[round(_TICK_AT * rate)] = 0.9
    return {"sound": mp3_text(wave, rate), "at": round(_TICK_AT * rate)}


class Sounds(InteractiveFigure):
    """Sounds to hear one against another, to be the last value of a notebook cell.

    One button plays. Versions of one sound run together, and the choice of another version is heard
    at once, at the same place. Each sound is in the page once, as some 4 kB of MP3 for a second of
    speech at 16 kHz.

    Args:
        sounds: name to wave, float32 (T,) in [-1, 1].
        rate: samples a second, one of `MP3_RATES`.
        title: what they are, such as the sentence that is said; no two on a page alike.
        together: whether they are versions of one sound. If not, a choice is heard from its start.

    Raises:
        ValueError: there are no sounds, one is empty or not of the shape (T,), or MP3 has no such
            rate.
    """

    def __init__(
        self,
        sounds: Mapping[str, Tensor],
        rate: int = RATE,
        *,
        title: str,
        together: bool = True,
    ):
        if not sounds:
            raise ValueError("sounds must hold at least one, got none")
        for name, wave in sounds.items():
            if wave.ndim != 1 or not len(wave):
                raise ValueError(
                    f"the sound {name!r} must have the shape (T,) and not be empty, "
                    f"got {tuple(wave.shape)}"
                )
        if rate not in MP3_RATES:
            raise ValueError(f"rate must be one of {MP3_RATES}, got {rate}")
        heard = ", ".join(f"{name} ({len(wave) / rate:.1f} s)" for name, wave in sounds.items())
        super().__init__(
            "sounds",
            {
                "rate": rate,
                "tick": tick(rate),
                "together": together,
                "sounds": [
                    {"name": name, "samples": len(wave), "sound": mp3_text(wave, rate)}
                    for name, wave in sounds.items()
                ],
            },
            title=title,
            description=f"To hear: {heard}",
            still=_still(sounds, rate),
            height=200,
            click="#place" if len(sounds) == 1 else "#version-1",
            key="#place|ArrowRight",
            uses=["mp3", "track"],
        )


def _still(sounds: Mapping[str, Tensor], rate: int) -> Figure:
    """How loud each is, in steps, below each other: a small picture, and all that print needs."""
    longest = max(map(len, sounds.values()))
    figure, axes = plt.subplots(
        len(sounds), 1, figsize=(6, 0.3 + 0.5 * len(sounds)), sharex=True, sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for axis, (name, wave) in zip(axes[:, 0], sounds.items(), strict=True):
        places = max(1, round(_STEPS * len(wave) / longest))
        loud = torch.nn.functional.adaptive_max_pool1d(wave.detach().abs()[None], places)
        high, edges = loud[0].cpu().numpy(), torch.arange(places + 1).numpy() / _STEPS
        axis.stairs(high, edges, baseline=-high, fill=True, color="black", antialiased=False)
        axis.set_title(f"{name}, {len(wave) / rate:.1f} s", fontsize=8, loc="left", pad=2)
        axis.axis("off")
    return figure
