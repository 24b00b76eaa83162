"""Sounds to hear on a page: plain audio elements with captions, and no network."""

import base64
import html
import io
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vqvae_lite.checks import require
from vqvae_lite.sound.files import RATE

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# Of MP3: at this level speech takes some 30 kbit/s at 16 kHz and 20 at 8 kHz, with a noise 24 to
# 31 dB below it.
_COMPRESSION = 0.7


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


class Sounds:
    """Sounds with captions, to be the last value of a notebook cell.

    Each becomes an audio element, some 4 kB of MP3 for a second of speech at 16 kHz. Where there
    is no browser the captions are left.

    Args:
        sounds: caption to wave, float32 (T,) in [-1, 1].
        rate: samples a second, one of `MP3_RATES`.

    Raises:
        ValueError: there are no sounds, one is empty or not of the shape (T,), or MP3 has no such
            rate.
    """

    def __init__(self, sounds: Mapping[str, Tensor], rate: int = RATE):
        if not sounds:
            raise ValueError("sounds must hold at least one, got none")
        for caption, wave in sounds.items():
            if wave.ndim != 1 or not len(wave):
                raise ValueError(
                    f"the sound {caption!r} must have the shape (T,) and not be empty, "
                    f"got {tuple(wave.shape)}"
                )
        if rate not in MP3_RATES:
            raise ValueError(f"rate must be one of {MP3_RATES}, got {rate}")
        self.seconds = {caption: len(wave) / rate for caption, wave in sounds.items()}
        figures = [_figure(caption, mp3(wave, rate)) for caption, wave in sounds.items()]
        # Side by side where there is room, below each other on a phone. The colours are its own,
        # also that of a caption: a page in dark mode gives outputs a light ground and light text.
        self.html = (
            '<div style="display:flex;flex-wrap:wrap;gap:0.75rem 1.25rem;padding:0.5rem 0.75rem;'
            'border-radius:0.375rem;background:#f3f4f6;color:#1b1f24">'
            + "".join(figures)
            + "</div>"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        heard = ", ".join(f"{caption} ({time:.1f} s)" for caption, time in self.seconds.items())
        return {"text/html": self.html, "text/plain": f"Sounds: {heard}"}


def _figure(caption: str, sound: bytes) -> str:
    name, source = html.escape(caption), base64.b64encode(sound).decode()
    return (
        '<figure style="margin:0;min-width:0;width:min(100%,17rem)">'
        '<figcaption style="font-size:0.9em;margin-bottom:0.25rem;text-align:left;color:#1b1f24">'
        f"{name}</figcaption>"
        f'<audio controls preload="none" aria-label="{name}" style="width:100%" '
        f'src="data:audio/mpeg;base64,{source}"></audio></figure>'
    )
