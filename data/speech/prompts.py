"""The prompts of Asterisk, spoken by four people, with their transcripts."""

import gzip
import hashlib
import re
import subprocess
from pathlib import Path

import numpy as np
from debian import SOUNDS, TRANSCRIPTS
from levels import trim

from vqvae_lite.sound.files import RATE

VOICES = {  # speaker: language, and folder of the sounds
    "allison": ("en", "en_US_f_Allison"),
    "june": ("fr", "fr_CA_f_June"),
    "carlo": ("it", "it_IT_m_Carlo"),
    "ivrvoice": ("ru", "ru_RU_f_IvrvoiceRU"),
}
LEFT_OUT = ("letters/", "phonetic/", "silence/")
SHORTEST, LONGEST = 1.5, 12.0  # seconds, of what is taken of june, carlo and ivrvoice
SHINGLE = 4  # words in a row
ALIKE = 0.5  # share of shingles in common from which two texts are in the same split


def read_texts() -> dict[str, dict[str, str]]:
    """Speaker to prompt id to text."""
    return {speaker: read_transcripts(language) for speaker, (language, _) in VOICES.items()}


def read_transcripts(language: str) -> dict[str, str]:
    """Prompt id to text, without those that are noises or whose text lost letters."""
    path = TRANSCRIPTS.format(language)
    texts = {}
    with gzip.open(path, "rt", encoding="utf-8-sig") as file:
        for line in file:
            name, colon, text = line.strip().partition(":")
            name, text = name.strip(), " ".join(text.split())
            if line.startswith(";") or not colon or not text or name.startswith(LEFT_OUT):
                continue
            # Brackets are about a noise; the Italian list has "?" for some accented letters.
            if not re.search(r"[][<>()]|\w\?(\w| [a-z])", text):
                texts[name] = text
    return texts


def read_prompt(speaker: str, name: str) -> np.ndarray:
    """The samples of one prompt, float64, silence at its ends cut; empty where it has no file."""
    path = find_prompt(speaker, name)
    if not path.is_file():
        return np.zeros(0)
    command = ["ffmpeg", "-loglevel", "error", "-i", str(path), "-ac", "1", "-ar", str(RATE)]
    decoded = subprocess.run([*command, "-f", "s16le", "-"], capture_output=True, check=True)
    return trim(np.frombuffer(decoded.stdout, "<i2") / 2**15)


def find_prompt(speaker: str, name: str) -> Path:
    """Where the G.722 file of a prompt is, if there is one."""
    return SOUNDS / VOICES[speaker][1] / f"{name}.g722"


def choose_common(texts: dict[str, dict[str, str]], minutes: float) -> list[str]:
    """Prompts that all four say, in a random but fixed order, until there are so many minutes.

    The minutes are the mean of the three who do not speak English, by the sizes of the files.
    """
    common = set.intersection(*(set(texts[speaker]) for speaker in VOICES))
    chosen, seconds = [], 0.0
    for name in sorted(common, key=digest):
        # G.722 has 8000 bytes a second.
        files = [find_prompt(speaker, name) for speaker in VOICES]
        if not all(file.is_file() for file in files):
            continue
        lengths = [file.stat().st_size / 8000 for file in files]
        if seconds < 60 * minutes and min(lengths) >= SHORTEST and max(lengths) <= LONGEST:
            chosen.append(name)
            seconds += sum(lengths[1:]) / 3
    return chosen


def group_alike(texts: dict[str, dict[str, str]], names: list[str]) -> list[list[str]]:
    """Prompts in groups: those that say the same, or much the same, in any of the languages."""
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for spoken in texts.values():
        shingles = {name: cut_shingles(spoken[name]) for name in names if name in spoken}
        owners: dict[tuple[str, ...], list[str]] = {}
        for name, some in shingles.items():
            for shingle in some:
                owners.setdefault(shingle, []).append(name)
        for name, some in shingles.items():
            for other in {other for shingle in some for other in owners[shingle]}:
                shared = len(some & shingles[other])
                if shared >= ALIKE * min(len(some), len(shingles[other])):
                    parent[root(name)] = root(other)
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(root(name), []).append(name)
    return sorted(groups.values(), key=lambda group: digest(group[0]))


def cut_shingles(text: str) -> set[tuple[str, ...]]:
    """All runs of `SHINGLE` words in a text, or the whole text where it is shorter."""
    words = re.findall(r"\w+", text.lower())
    ends = max(len(words) - SHINGLE, 0) + 1
    return {tuple(words[start : start + SHINGLE]) for start in range(ends)}


def digest(name: str) -> str:
    """A number in hexadecimal that orders names as if at random, and everywhere the same."""
    return hashlib.sha256(name.encode()).hexdigest()
