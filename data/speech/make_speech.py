"""Make the speech data: speak, gather, align, level, encode, measure, put in place.

    python data/speech/make_speech.py               the shipped data again, into data/speech
    python data/speech/make_speech.py --out FOLDER  into another folder

Needs Debian's flite, ffmpeg and asterisk-core-sounds-*, which it installs if run as root, and
pocketsphinx (in requirements-dev.txt). A few minutes on one core.
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import platform
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # the checkout, so that this runs without an install

import debian  # noqa: E402
import levels  # noqa: E402
import prompts  # noqa: E402
import voices  # noqa: E402
from align import Aligner  # noqa: E402
from measure import compare_labels, measure_labels, measure_sound, missed_seconds  # noqa: E402
from opusfile import write_opus  # noqa: E402
from voices import Recording  # noqa: E402

from vqvae_lite.checks import SPLITS  # noqa: E402
from vqvae_lite.sound.files import RATE, read_sound  # noqa: E402
from vqvae_lite.sound.labels import LABEL_COLUMNS  # noqa: E402
from vqvae_lite.sound.speech import SPEAKERS, SYNTHETIC  # noqa: E402

COMPRESSION = 0.935  # of the coder: about 22 kbit/s
GAP = round(0.05 * RATE)  # samples of silence between utterances, so that none colours the next
MINUTES = 5.0  # about, of each speaker who does not speak English
MISSED = 0.3  # seconds: with more speech than this in its pauses a prompt says something else
SHARES = {"train": 0.80, "validation": 0.08, "test": 0.12}
CROWD = 4  # larger groups of prompts that resemble each other all go to train
# Of each 25 sentences in a row these test and these validate.
TEST_PLACES, VALIDATION_PLACES = (3, 11, 20), (14, 23)
UTTERANCE_COLUMNS = ("utterance", "speaker", "split", "start", "end", "text")


def split_sentences(sentences: list[str]) -> dict[str, str]:
    """Split of each sentence by its name: s001 for the first line, and so on."""
    splits = {}
    for number in range(len(sentences)):
        place = number % 25
        test, validates = place in TEST_PLACES, place in VALIDATION_PLACES
        name = "test" if test else "validation" if validates else "train"
        splits[f"s{number + 1:03d}"] = name
    return splits


def split_prompts(groups: list[list[str]], seconds: dict[str, float]) -> dict[str, str]:
    """Split of each prompt: a group at a time goes where the most is missing of `SHARES`."""
    filled, splits = dict.fromkeys(SPLITS, 0.0), {}
    for group in groups:
        emptiest = min(SPLITS, key=lambda split: filled[split] / SHARES[split])
        split = "train" if len(group) > CROWD else emptiest
        filled[split] += sum(seconds[name] for name in group)
        splits.update(dict.fromkeys(group, split))
    return splits


def gather() -> tuple[list[Recording], dict[str, str]]:
    """All recordings, levelled, speaker after speaker; and the split of each name."""
    sentences = (HERE / "sentences.txt").read_text(encoding="utf-8").splitlines()
    splits, recordings = split_sentences(sentences), []
    for speaker in SYNTHETIC:
        for name, text in zip(splits, sentences, strict=True):
            recordings.append(voices.speak(speaker, name, text))
        print(f"{speaker}: {len(sentences)} sentences", flush=True)
    people = gather_prompts()
    texts = {
        speaker: {one.name: one.text for one in people if one.speaker == speaker}
        for speaker in prompts.VOICES
    }
    seconds: dict[str, float] = {}
    for one in people:
        seconds[one.name] = seconds.get(one.name, 0) + len(one.samples) / RATE
    splits |= split_prompts(prompts.group_alike(texts, sorted(seconds)), seconds)
    # Only now, so that the others are in the splits that they are in whatever is left out.
    recordings += [one for one in people if not one.phones or missed_seconds(one) <= MISSED]
    return [one._replace(samples=levels.normalise(one.samples)) for one in recordings], splits


def gather_prompts() -> list[Recording]:
    """The prompts of allison that align, and some of those that the others say too."""
    texts = prompts.read_texts()
    aligner, recordings = Aligner(), []
    for name, text in sorted(texts["allison"].items()):
        samples = prompts.read_prompt("allison", name)
        if len(samples) and (phones := aligner.align(samples, text)):
            recordings.append(Recording(name, "allison", samples, text, phones))
    print(f"allison: {len(recordings)} of {len(texts['allison'])} prompts aligned", flush=True)
    chosen = sorted({one.name for one in recordings} & set(prompts.choose_common(texts, MINUTES)))
    for speaker in list(prompts.VOICES)[1:]:
        for name in chosen:
            samples = prompts.read_prompt(speaker, name)
            recordings.append(Recording(name, speaker, samples, texts[speaker][name], ()))
        print(f"{speaker}: {len(chosen)} prompts", flush=True)
    return recordings


def check_aligner(recordings: list[Recording]) -> dict[str, dict[str, float]]:
    """The aligner on the synthetic voices, whose times are known: flite's "ax" is its "ah"."""
    aligner, found = Aligner(), {}
    for speaker in SYNTHETIC:
        pairs = []
        for one in recordings:
            if one.speaker == speaker and (aligned := aligner.align(one.samples, one.text)):
                true = [phone._replace(phone="ah") if phone.phone == "ax" else phone
                        for phone in one.phones]  # fmt: skip
                pairs.append((tuple(true), aligned))
        found[speaker] = {"utterances": len(pairs), **compare_labels(pairs)}
    return found


def write_speaker(own: list[Recording], splits: dict[str, str], path: Path) -> tuple[list, dict]:
    """Write all recordings of a speaker into one file.

    Returns:
        The rows of `utterances.csv`, and what was measured.
    """
    rows, pieces, position = [], [], 0
    for one in own:
        end = position + len(one.samples)
        rows.append([one.name, one.speaker, splits[one.name], position, end, one.text])
        pieces += [one.samples, np.zeros(GAP)]
        position = end + GAP
    source = np.concatenate(pieces)
    write_opus(path, source, COMPRESSION)
    wave = read_sound(path).double().numpy()
    measured = measure_sound(own, [wave[start:end] for _, _, _, start, end, _ in rows])
    size = path.stat().st_size
    print(f"{path.name}: {size / 1e6:.2f} MB, {measured['snr_db_mean']} dB", flush=True)
    parts = {split: [one for one in own if splits[one.name] == split] for split in SPLITS}
    summary = {
        "splits": {
            split: {
                "utterances": len(part),
                "minutes": round(sum(len(one.samples) for one in part) / RATE / 60, 2),
            }
            for split, part in parts.items()
        },
        "kilobits_per_second": round(8 * size / len(source) * RATE / 1000, 1),
        "sound": measured,
        "labels": measure_labels(own) if own[0].phones else None,
        "sha256_of_16_bit_source": hash_source(source),
    }
    return rows, summary


def hash_source(samples: np.ndarray) -> str:
    """SHA-256 of the sound before it is encoded, as 16-bit samples, in hexadecimal."""
    return hashlib.sha256(np.round(samples * (2**15 - 1)).astype("<i2").tobytes()).hexdigest()


def list_labels(recording: Recording) -> list[list[str]]:
    """The rows of `phones.csv.gz` of one recording, in whole milliseconds inside the wave."""
    last = len(recording.samples) * 1000 // RATE / 1000
    return [
        [recording.name, recording.speaker, f"{start:.3f}", f"{min(end, last):.3f}", phone]
        for start, end, phone in recording.phones
    ]


def write(recordings: list[Recording], splits: dict[str, str], folder: Path) -> dict:
    """Write sound and tables; return what was measured of each speaker."""
    rows, speakers = [], {}
    for speaker in SPEAKERS:
        own = [one for one in recordings if one.speaker == speaker]
        new, speakers[speaker] = write_speaker(own, splits, folder / f"{speaker}.opus")
        rows += new
    write_table(folder / "utterances.csv", UTTERANCE_COLUMNS, rows)
    labels = [row for one in recordings for row in list_labels(one)]
    write_table(folder / "phones.csv.gz", LABEL_COLUMNS, labels)
    return speakers


def write_table(path: Path, columns: tuple[str, ...], rows: list[list]) -> None:
    """Write a CSV table with a line for each row, packed where its name ends in .gz."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    table = text.getvalue().encode()
    # Without a time: it would make another file of the same table.
    path.write_bytes(gzip.compress(table, mtime=0) if path.suffix == ".gz" else table)


def make(out: Path) -> dict:
    """Make the data in the folder `out`; return the summary.

    Everything is made in a folder beside the result and moved when complete, the summary last,
    so that a run that breaks off leaves no half-written set that looks whole.
    """
    folder = out / ".making"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)
    try:
        recordings, splits = gather()
        summary = {
            "rate": RATE,
            "level_db": levels.LEVEL,
            "peak_at_most": levels.PEAK,
            "compression_level": COMPRESSION,
            "speakers": write(recordings, splits, folder),
            "aligner_against_flite": check_aligner(recordings),
            "made_with": {
                **debian.versions(),
                **{name: version(name) for name in ("pocketsphinx", "soundfile", "numpy")},
                "platform": f"{platform.system()} {platform.machine()}",
            },
        }
        text = json.dumps(summary, indent=1) + "\n"
        (folder / "speech.json").write_text(text, encoding="utf-8", newline="\n")
        (out / "speech.json").unlink(missing_ok=True)
        for path in sorted(folder.iterdir(), key=lambda path: path.name == "speech.json"):
            path.replace(out / path.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return summary


def main() -> None:
    """Read the command line and make the set."""
    parser = argparse.ArgumentParser(description="Make the speech data.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder (default: data/speech)")
    out = parser.parse_args().out
    debian.install_missing()
    speakers = make(out)["speakers"]
    minutes = sum(one["splits"][split]["minutes"] for one in speakers.values() for split in SPLITS)
    size = sum(path.stat().st_size for path in out.iterdir() if path.is_file())
    print(
        f"{minutes:.1f} minutes of {len(speakers)} speakers, {size / 1e6:.2f} MB.\n"
        f"Read them with load_speech(split{'' if out == HERE else f', root={str(out)!r}'})."
    )


if __name__ == "__main__":
    main()
