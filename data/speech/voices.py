"""The four voices of flite, and when each phone of what they say begins and ends."""

import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from vqvae_lite.sound.files import RATE
from vqvae_lite.sound.labels import Phone

VOICES = {"kal": "kal16", "awb": "awb", "rms": "rms", "slt": "slt"}  # speaker: flite's name


class Recording(NamedTuple):
    """One utterance: float64 samples (T,) at 16 kHz, its text, and its phones if known."""

    name: str
    speaker: str
    samples: np.ndarray
    text: str
    phones: tuple[Phone, ...]


def speak(speaker: str, name: str, text: str) -> Recording:
    """Have flite say `text`; the phones' times are those that it synthesised with."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        command = ["flite", "-voice", VOICES[speaker], "-psdur", "-t", text, "-o", str(path)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        samples, rate = soundfile.read(path)
    if rate != RATE:
        raise RuntimeError(f"flite's voice {VOICES[speaker]} speaks at {rate} Hz, not {RATE}")
    ends = [(phone, float(end)) for phone, _, end in (e.rpartition(":") for e in shown.split())]
    length, start, phones = len(samples) / RATE, 0.0, []
    for phone, end in ends:  # kal16 breaks off in the last pause
        if start < min(end, length):
            phones.append(Phone(start, min(end, length), phone))
        start = end
    return Recording(name, speaker, samples, text, tuple(phones))
