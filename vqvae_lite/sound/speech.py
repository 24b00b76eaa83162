"""The speech data set: four synthetic voices with exact phones, and four people.

It stands in for VCTK and LibriSpeech in the paper's section 4.3. `data/speech/README.md` says what
it is and how it was made.
"""

import csv
import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from vqvae_lite.checks import SPLITS, check_split
from vqvae_lite.data.places import find_data
from vqvae_lite.files import reading
from vqvae_lite.sound.files import Utterance, read_sound
from vqvae_lite.sound.labels import Phone, read_labels

SYNTHETIC = ("kal", "awb", "rms", "slt")  # they say the same sentences
SPEAKERS = (*SYNTHETIC, "allison", "june", "carlo", "ivrvoice")
PHONES = (
    "aa", "ae", "ah", "ao", "aw", "ax", "ay", "b", "ch", "d", "dh", "eh", "er", "ey", "f", "g",
    "hh", "ih", "iy", "jh", "k", "l", "m", "n", "ng", "ow", "oy", "p", "pau", "r", "s", "sh", "t",
    "th", "uh", "uw", "v", "w", "y", "z", "zh",
)  # fmt: skip

_SUMMARY = "speech.json"  # written last: where it stands, all the rest does
_REMEDY = "remove that folder, and `vqvae-lite data get speech` fetches it again"


def load_speech(
    split: str, speakers: Sequence[str] | None = None, root: str | Path | None = None
) -> list[Utterance]:
    """Read one split of the speech data at 16 kHz; decodes the speakers asked for and no others.

    Args:
        split: "train", "validation" or "test". No sentence is in two of them.
        speakers: names out of `SPEAKERS`, such as `SYNTHETIC`; by default all of them.
        root: the folder with the data; by default it is looked for, as `data.find` does.

    Returns:
        The utterances, speaker after speaker in the order asked for. Phones are symbols out of
        `PHONES`; june, carlo and ivrvoice have none, nor do they speak English.

    Raises:
        ValueError: the split or a speaker has another name, or a file holds something else than it
            should.
        FileNotFoundError: the data, or one of its files, is not there.
    """
    check_split(split)
    speakers = SPEAKERS if speakers is None else speakers
    if isinstance(speakers, str) or not speakers or not set(speakers) <= set(SPEAKERS):
        raise ValueError(f"speakers must be some of {', '.join(SPEAKERS)}; got {speakers!r}")
    folder = find_data("speech", root)
    rows = _read_table(folder)
    names = [(row["speaker"], row["utterance"]) for row in rows]
    phones = _remedied(folder / "phones.csv.gz", lambda path: read_labels(path, names))
    utterances = []
    for speaker in dict.fromkeys(speakers):
        path = folder / f"{speaker}.opus"
        wave = _remedied(path, read_sound)
        for row in rows:
            if row["speaker"] == speaker and row["split"] == split:
                start, end = int(row["start"]), int(row["end"])
                if not 0 <= start < end <= len(wave):
                    raise ValueError(
                        f"{path} should reach to sample {end} for {row['utterance']}; it holds "
                        f"{len(wave)}; {_REMEDY}"
                    )
                key = speaker, row["utterance"]
                # A copy, so that the rest of the file need not stay in memory.
                part = wave[start:end].clone()
                utterances.append(
                    Utterance(row["utterance"], speaker, part, row["text"], phones.get(key, ()))
                )
    return utterances


def frame_phones(phones: Sequence[Phone], num_frames: int, hop_seconds: float) -> torch.Tensor:
    """The phone at the middle of each frame: int64 (num_frames,), an index in `PHONES`.

    Frame t reaches from t to t + 1 times `hop_seconds`; -1 where no phone covers its middle. A
    phone covers its start, not its end.

    Raises:
        ValueError: a phone is not in `PHONES`, `num_frames` is negative or `hop_seconds` not
            positive.
    """
    if num_frames < 0:
        raise ValueError(f"num_frames must be at least 0; got {num_frames}")
    if not hop_seconds > 0:
        raise ValueError(f"hop_seconds must be positive; got {hop_seconds}")
    if unknown := sorted({phone.phone for phone in phones} - set(PHONES)):
        raise ValueError(f"phones must be among the {len(PHONES)} of PHONES; got {unknown}")
    middles = (torch.arange(num_frames, dtype=torch.float64) + 0.5) * hop_seconds
    indices = torch.full((num_frames,), -1)
    for start, end, phone in phones:
        indices[(middles >= start) & (middles < end)] = PHONES.index(phone)
    return indices


def _read_table(folder: Path) -> list[dict[str, str]]:
    """The rows of utterances.csv, as many as the summary says."""
    speakers = _remedied(
        folder / _SUMMARY,
        lambda path: dict(json.loads(path.read_text(encoding="utf-8"))["speakers"]),
    )

    def read(path: Path) -> list[dict[str, str]]:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        found = Counter((row["speaker"], row["split"]) for row in rows)
        for speaker, split in itertools.product(SPEAKERS, SPLITS):
            expected = speakers[speaker]["splits"][split]["utterances"]
            if found[speaker, split] != expected:
                raise ValueError(
                    f"{found[speaker, split]} utterances of {speaker} to {split}, not {expected}"
                )
        for row in rows:  # each raises on a row that is cut short
            int(row["start"]), int(row["end"]), str.strip(row["text"])
        return rows

    return _remedied(folder / "utterances.csv", read)


def _remedied(path: Path, read: Callable[[Path], Any]) -> Any:
    """What `read` makes of a file of the data set; its errors say how to get the file back."""
    try:
        with reading(path, "what make_speech.py wrote"):
            return read(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing; {_REMEDY}") from None
    except ValueError as error:
        raise ValueError(f"{error}; {_REMEDY}") from error
