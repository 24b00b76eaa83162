"""Sound: files of any kind to float32 waves and back, and folders of them to labelled utterances.

A wave is a float32 tensor (T,) in [-1, 1], mono. A folder of sound holds a folder for each speaker;
the layouts of VCTK and LibriSpeech are read as they are.
"""

import io
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vqvae_lite.checks import check_positive_int, check_real, require
from vqvae_lite.files import check_amount, reading, visible_files, writing
from vqvae_lite.sound.labels import Phone, read_labels, read_textgrid
from vqvae_lite.sound.mulaw import check_wave

RATE = 16000  # samples a second, of all sound inside the package
SOUND_SUFFIXES = (".flac", ".mp3", ".ogg", ".opus", ".wav")
# What a file may hold where the environment does not say otherwise, in all channels and at either
# rate: 46 minutes of stereo at 48,000 a second, 4.6 hours of mono at 16,000.
MAX_SAMPLES = ("samples", "VQVAE_LITE_MAX_SAMPLES", 2**28)
LOUDEST = 2.0  # what overshoots 1 by less, as a loud master or a lossy coder does, is clipped

_FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
}
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
# Samples a second: what FLAC knows; beyond what libvorbis does libsndfile crashes.
_HIGHEST_RATES = {".wav": 1_000_000, ".flac": 655_350, ".ogg": 200_000, ".opus": 48_000}
_BLOCK = 16000  # samples in one write: libsndfile crashes on a long Vorbis file in one piece
_UNKNOWN = 2**63 - 1  # what libsndfile says of a stream that does not say how long it is


class Utterance(NamedTuple):
    """What one speaker says in one go.

    Attributes:
        name: of the utterance; with the speaker it names this recording and no other.
        speaker: who says it.
        wave: float32 (T,) in [-1, 1].
        text: the words, "" where unknown.
        phones: in the order of time, () where unlabelled.
    """

    name: str
    speaker: str
    wave: torch.Tensor
    text: str
    phones: tuple[Phone, ...]


def read_sound(path: str | Path, rate: int = RATE) -> torch.Tensor:
    """Read one file as mono sound: float32 (T,) in [-1, 1].

    Channels are averaged, so that what is opposite in them, such as stereo with one side the wrong
    way round, is silent; another rate is resampled to `rate` (samples a second). Samples of up to
    `LOUDEST` are clipped to 1.

    Raises:
        FileNotFoundError: there is no such file.
        PermissionError: it may not be read.
        ValueError: it is no sound, is broken or empty, holds NaN or Inf, a sample above `LOUDEST`
            (floats on the scale of integers) or more samples than are read unasked; names the
            file. Or `rate` is below 1.
        TypeError: `rate` is no int.
    """
    check_positive_int(rate=rate)
    path = Path(path).expanduser()
    with reading(path, "sound"):
        wave, own_rate = _read_mono(path, rate)
        count = len(wave)
        wave = resample(wave, own_rate, rate)
        if not len(wave):
            raise ValueError(f"it holds no sound: {count} samples at {own_rate} a second")
        return wave.clamp_(-1, 1)


def _read_mono(path: Path, rate: int) -> tuple[torch.Tensor, int]:
    """The mean of the channels, and the file's own rate."""
    path.open("rb").close()  # which says what lacks; libsndfile says "System error"
    soundfile = require("soundfile", "sound")
    with soundfile.SoundFile(path) as file:
        own_rate, frames = file.samplerate, file.frames
        if frames == _UNKNOWN:
            raise ValueError("it does not say how many samples it holds")
        check_amount(max(frames * file.channels, frames * rate // own_rate), *MAX_SAMPLES)
        samples = file.read(dtype="float32", always_2d=True)
    peak = max(samples.max(initial=0), -samples.min(initial=0))
    if not np.isfinite(peak):
        raise ValueError("it holds NaN or Inf among its samples")
    if peak > LOUDEST:
        raise ValueError(
            f"its samples reach {peak:.6g}, where full scale is 1: floats must lie in [-1, 1]"
        )
    return torch.from_numpy(samples.mean(axis=1)), own_rate


def resample(wave: torch.Tensor, old: int, new: int) -> torch.Tensor:
    """A wave (T,) in [-1, 1] at `new` samples a second instead of `old`, in [-1, 1] too."""
    if old == new:
        return wave
    # The filter overshoots at a full-scale edge.
    resampled = require("soxr", "sound").resample(wave.numpy(), old, new)
    return torch.from_numpy(resampled).clamp_(-1, 1)


def write_sound(
    path: str | Path, wave: torch.Tensor, rate: int = RATE, compression: float | None = None
) -> None:
    """Write a wave (T,) in [-1, 1] as .wav or .flac (16 bits), .ogg (Vorbis) or .opus.

    Args:
        path: its suffix says the format; folders that lack are made. The file is whole or absent.
        wave: floating point; what lies outside [-1, 1] is clipped.
        rate: samples a second. Opus knows 8000, 12000, 16000, 24000 and 48000.
        compression: 0 (largest) to 1 (smallest), for all but .wav; by default the coder's choice.

    Raises:
        ValueError: the suffix is another, the wave is empty, not of the shape (T,) or not finite,
            the format knows no such rate, or `compression` is outside [0, 1].
        TypeError: `wave` is no floating-point tensor, or `rate` no int.
        OSError: it cannot be written; names the file.
    """
    path = Path(path).expanduser()
    check_target(path, rate)
    _check_wave(wave)
    if compression is not None:
        check_real(compression=compression)
        if not 0 <= compression <= 1:
            raise ValueError(f"compression must be in [0, 1]; got {compression}")
    samples = wave.detach().cpu().float().clamp(-1, 1).numpy()
    container, coding = _FORMATS[path.suffix.lower()]
    soundfile = require("soundfile", "sound")
    # In memory first: of a full disk libsndfile knows no more than "System error".
    memory = io.BytesIO()
    with soundfile.SoundFile(
        memory, "w", rate, 1, coding, format=container, compression_level=compression
    ) as file:
        for start in range(0, len(samples), _BLOCK):
            file.write(samples[start : start + _BLOCK])
    with writing(path) as unfinished:
        unfinished.write_bytes(memory.getvalue())


def check_target(path: str | Path, rate: int) -> None:
    """Raises TypeError or ValueError unless `write_sound` can write at this rate to this suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise ValueError(f"path must end in {', '.join(_FORMATS)}; got {Path(path).name!r}")
    check_positive_int(rate=rate)
    if suffix == ".opus" and rate not in _OPUS_RATES:
        raise ValueError(f"rate of an .opus file must be one of {_OPUS_RATES}; got {rate}")
    if rate > _HIGHEST_RATES[suffix]:
        raise ValueError(
            f"rate of {suffix} must be at most {_HIGHEST_RATES[suffix]} a second; got {rate}"
        )


def read_folder(
    path: str | Path,
    rate: int = RATE,
    labels: str | Path | None = None,
    speakers: Sequence[str] | None = None,
    tier: str = "phones",
    annotated: bool = True,
) -> list[Utterance]:
    """Read a folder of sound, a folder for each speaker in it, with texts and phones if there.

    Three layouts are told apart by what stands in the folder:

    - VCTK: `wav48_silence_trimmed/p225/p225_001_mic1.flac` (of two microphones the first) or
      `wav48/p225/p225_001.wav`, and `txt/p225/p225_001.txt`.
    - LibriSpeech: `84/121123/84-121123-0000.flac` and `84/121123/84-121123.trans.txt`, here or
      in folders such as `dev-clean`.
    - Any other: `SPEAKER/**/NAME.wav` (or another of `SOUND_SUFFIXES`), with its text in
      `NAME.txt` beside it, if there. The utterance is called after its path in the speaker's
      folder, without the suffix.

    Args:
        path: the folder.
        rate: samples a second, to which all is resampled.
        labels: a CSV table with the columns utterance, speaker, start, end (seconds) and phone.
            By default a Praat TextGrid beside a sound, of the same stem, gives its phones.
        speakers: read these alone; by default all.
        tier: the tier of the TextGrids that holds the phones. Its empty intervals are left out.
        annotated: whether to read texts and TextGrids at all; training and measuring need none.

    Returns:
        The utterances in the order of speaker and name.

    Raises:
        FileNotFoundError: there is no such folder or table.
        ValueError: no sound is found, or none in a speaker's folder; a file is broken; two files
            are one utterance; a speaker is unknown; the table lacks a column, names an unknown
            utterance or a time that is none; a TextGrid lacks the tier. Names the file.
    """
    files: dict[tuple[str, str], tuple[Path, Text]] = {}
    for speaker, name, file, text in _find(path):
        if (speaker, name) in files:
            raise ValueError(f"{files[speaker, name][0]} and {file} are the same utterance")
        files[speaker, name] = file, text
    table = None if labels is None else read_labels(labels, files)
    wanted = _pick_speakers(speakers, {speaker for speaker, _ in files})
    utterances = []
    for (speaker, name), (file, text) in sorted(files.items(), key=lambda item: item[0]):
        if speaker in wanted:
            phones = ()
            if table is not None:
                phones = table.get((speaker, name), ())
            elif annotated:
                phones = read_textgrid(file.with_suffix(".TextGrid"), tier)
            words = text() if annotated else ""
            utterances.append(Utterance(name, speaker, read_sound(file, rate), words, phones))
    return utterances


def find_speakers(path: str | Path) -> tuple[str, ...]:
    """The speakers of a folder as `read_folder` tells them apart, by name; reads no sound.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: no sound is found, or none in a speaker's folder.
    """
    return tuple(sorted({speaker for speaker, *_ in _find(path)}))


Text = Callable[[], str]  # which reads it
Found = tuple[str, str, Path, Text]  # speaker, name, file, text


def _find(path: str | Path) -> list[Found]:
    path = Path(path).expanduser()
    if not path.is_dir():
        raise FileNotFoundError(f"path must be a folder of sound; there is none at {path}")
    found = _find_vctk(path) or _find_librispeech(path) or _find_any(path)
    if not found:
        raise ValueError(
            f"path must hold sound ({', '.join(SOUND_SUFFIXES)}) in a folder for each speaker; "
            f"none found in {path}"
        )
    return found


def _find_vctk(path: Path) -> list[Found]:
    found = []
    for folder, ending in (("wav48_silence_trimmed", "_mic1.flac"), ("wav48", ".wav")):
        if not (path / folder).is_dir():
            continue
        for file in visible_files(path / folder, (ending,)):
            if file.parent.parent == path / folder:
                speaker, name = file.parent.name, file.name[: -len(ending)]
                text = partial(_read_text, path / "txt" / speaker / f"{name}.txt")
                found.append((speaker, name, file, text))
    return found


def _find_librispeech(path: Path) -> list[Found]:
    found = []
    for transcript in visible_files(path, (".trans.txt",)):
        texts = cache(partial(_read_transcript, transcript))
        for file in visible_files(transcript.parent, (".flac",), inside=False):
            speaker = transcript.parent.parent.name
            found.append((speaker, file.stem, file, partial(_text_out_of, texts, file.stem)))
    return found


def _find_any(path: Path) -> list[Found]:
    found = []
    for file in visible_files(path, SOUND_SUFFIXES):
        parts = file.relative_to(path).parts
        if len(parts) == 1:
            raise ValueError(f"{file} must be in the folder of its speaker, not beside the others'")
        name = "/".join(parts[1:]).removesuffix(file.suffix)
        found.append((parts[0], name, file, partial(_read_text, file.with_suffix(".txt"))))
    return found


def _read_text(path: Path) -> str:
    if not path.exists():
        return ""
    with reading(path, "a text"):
        return path.read_text(encoding="utf-8-sig").strip()


def _read_transcript(path: Path) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in _read_text(path).splitlines() if " " in line)


def _text_out_of(texts: Callable[[], dict[str, str]], name: str) -> str:
    return texts().get(name, "")


def _pick_speakers(speakers: Sequence[str] | None, known: set[str]) -> set[str]:
    wanted = known if speakers is None else set(speakers)
    if isinstance(speakers, str) or not wanted or not wanted <= known:
        raise ValueError(f"speakers must be some of {sorted(known)}; got {speakers!r}")
    return wanted


def _check_wave(wave: torch.Tensor) -> None:
    check_wave(wave)
    if wave.ndim != 1 or not len(wave):
        raise ValueError(f"wave must have the shape (T,), T at least 1; got {tuple(wave.shape)}")
