"""The speech data: what the card promises, what the loader does, and that the scripts make it."""

import csv
import functools
import json
import re
import shutil
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from vqvae_lite.checks import SPLITS
from vqvae_lite.data import places
from vqvae_lite.sound import speech
from vqvae_lite.sound.files import RATE, read_sound
from vqvae_lite.sound.labels import Phone
from vqvae_lite.sound.speech import (
    PHONES,
    SPEAKERS,
    SYNTHETIC,
    frame_phones,
    load_speech,
)

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data" / "speech"
SUMMARY = json.loads((DATA / "speech.json").read_text())
PEOPLE = SPEAKERS[4:]
FOREIGN = SPEAKERS[5:]

pytestmark = pytest.mark.slow  # most of them decode all recordings


@pytest.fixture(scope="module")
def splits():
    """All of it; each file is decoded once, as three loads by themselves would not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speech, "read_sound", functools.cache(read_sound))
        return {split: load_speech(split) for split in SPLITS}


@pytest.fixture(scope="module")
def everything(splits):
    return [utterance for split in SPLITS for utterance in splits[split]]


@pytest.fixture
def scripts(monkeypatch):
    """Imports a script of the data set by its name."""
    monkeypatch.syspath_prepend(str(DATA))
    yield lambda name: pytest.importorskip(name)
    for path in DATA.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.fixture
def copy(tmp_path):
    """A folder with all that june needs, to be broken."""
    for name in ("speech.json", "utterances.csv", "phones.csv.gz", "june.opus"):
        shutil.copy(DATA / name, tmp_path)
    return tmp_path


def load_june(root):
    return load_speech("test", ["june"], root)


def test_the_data_are_small():
    files = [file for file in DATA.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    assert sum(file.stat().st_size for file in files) <= 12_000_000


def test_all_voices_say_the_same_sentences(splits):
    sentences = (DATA / "sentences.txt").read_text().splitlines()
    assert len(set(sentences)) == len(sentences) >= 120
    said = {
        speaker: {u.name: u.text for split in SPLITS for u in splits[split] if u.speaker == speaker}
        for speaker in SYNTHETIC
    }
    names = [f"s{number + 1:03d}" for number in range(len(sentences))]
    assert all(one == dict(zip(names, sentences, strict=True)) for one in said.values())


def test_no_sentence_is_in_two_splits(splits):
    """Neither a name nor a text is: of prompts that say the same all are in one split."""
    for key in (lambda u: u.name, lambda u: re.sub(r"\W+", " ", u.text.lower()).strip()):
        seen = [{key(u) for u in splits[split]} for split in SPLITS]
        assert len(set.union(*seen)) == sum(map(len, seen))


def test_shares_of_the_splits(splits):
    for speaker in SPEAKERS:
        seconds = [sum(len(u.wave) for u in splits[s] if u.speaker == speaker) for s in SPLITS]
        shares = np.array(seconds) / sum(seconds)
        assert np.abs(shares - (0.80, 0.08, 0.12)).max() < 0.04, (speaker, shares)


def test_minutes_are_those_of_the_summary(splits):
    for speaker, told in SUMMARY["speakers"].items():
        for split in SPLITS:
            own = [u for u in splits[split] if u.speaker == speaker]
            assert told["splits"][split]["utterances"] == len(own)
            minutes = sum(len(u.wave) for u in own) / RATE / 60
            assert abs(told["splits"][split]["minutes"] - minutes) < 0.006
    assert tuple(SUMMARY["speakers"]) == SPEAKERS


def test_speakers_come_in_the_order_asked_for(splits):
    names = [(u.speaker, u.name) for u in splits["test"]]
    assert len(set(names)) == len(names)
    assert list(dict.fromkeys(speaker for speaker, _ in names)) == list(SPEAKERS)
    some = load_speech("test", ["june", "carlo", "june"])
    assert [(u.speaker, u.name) for u in some] == [n for n in names if n[0] in ("june", "carlo")]
    both = [u for u in splits["test"] if u.speaker in ("june", "carlo")]
    assert all(one.wave.equal(other.wave) for one, other in zip(some, both, strict=True))


def test_waves(everything):
    for utterance in everything:
        assert utterance.wave.dtype == torch.float32
        assert utterance.wave.ndim == 1
        assert 0.4 * RATE < len(utterance.wave) < 35 * RATE
        assert utterance.wave.abs().max() < 0.95  # nothing is clipped
        assert utterance.wave.is_contiguous()
        assert len(utterance.wave) * 4 == utterance.wave.untyped_storage().nbytes()
        assert utterance.text


def test_levels_are_the_same_for_all(everything, scripts):
    levels = scripts("levels")
    for utterance in everything:
        level = levels.active_level(utterance.wave.double().numpy())
        assert abs(level - SUMMARY["level_db"]) < 1, utterance.name


def test_silence_at_the_ends_is_short(everything, scripts):
    """Of the recordings of people; the voices of flite begin and end as flite made them."""
    levels = scripts("levels")
    for utterance in everything:
        if utterance.speaker in PEOPLE:
            loudness = levels.frame_levels(utterance.wave.double().numpy())
            sounding = np.flatnonzero(loudness > loudness.max() - 40)
            quiet = max(sounding[0], len(loudness) - 1 - sounding[-1]) * levels.FRAME / RATE
            assert quiet < 0.3, (utterance.speaker, utterance.name)


def test_phones_are_in_order_and_inside_the_wave(everything):
    for utterance in everything:
        if utterance.speaker in FOREIGN:
            assert utterance.phones == ()
            continue
        assert utterance.phones[0].start == 0
        assert len(utterance.wave) / RATE - 0.001 <= utterance.phones[-1].end
        assert utterance.phones[-1].end <= len(utterance.wave) / RATE
        for one, other in pairwise(utterance.phones):
            assert one.start < one.end == other.start < other.end
        frames = frame_phones(utterance.phones, len(utterance.wave) // 640, 0.04)
        assert (frames >= 0).all()


def test_every_phone_is_heard_in_every_split(splits):
    assert len(set(PHONES)) == 41
    for split in SPLITS:
        voiced = {p.phone for u in splits[split] if u.speaker in SYNTHETIC for p in u.phones}
        assert voiced == set(PHONES), split
        real = {p.phone for u in splits[split] if u.speaker == "allison" for p in u.phones}
        assert real <= set(PHONES) - {"ax"}, split
        assert len(real) >= 38, split


def test_pauses_are_quiet_and_vowels_loud(everything):
    """Labels and sound belong together: the levels of phones differ as they should."""
    for speaker in (*SYNTHETIC, "allison"):
        power, frames = Counter(), Counter()
        for utterance in everything:
            if utterance.speaker == speaker:
                for start, end, phone in utterance.phones:
                    part = utterance.wave[round(start * RATE) : round(end * RATE)]
                    power[phone] += part.double().square().sum().item()
                    frames[phone] += len(part)
        level = {phone: 10 * np.log10(power[phone] / frames[phone]) for phone in frames}
        vowels = np.mean([level[phone] for phone in ("aa", "ae", "ao", "ay", "ow")])
        assert level["pau"] < vowels - 20, speaker
        assert max(level[phone] for phone in ("f", "th", "p", "k")) < vowels - 8, speaker


def test_what_is_said_of_the_labels():
    """The aligner finds the known times of the synthetic voices."""
    for speaker in SYNTHETIC:
        told = SUMMARY["aligner_against_flite"][speaker]
        assert told["frames_that_agree"] > 0.8
        assert told["median_boundary_error_ms"] < 15
    for speaker in (*SYNTHETIC, "allison"):
        assert SUMMARY["speakers"][speaker]["labels"]["loud_frames_in_a_phone"] > 0.98


@pytest.mark.parametrize("phones", [(), (Phone(0.02, 0.05, "aa"), Phone(0.05, 0.09, "zh"))])
def test_frame_phones(phones):
    """Middles at 10, 30, 50, 70 and 90 ms: a phone covers its start, not its end."""
    frames = frame_phones(phones, 5, 0.02)
    assert frames.dtype == torch.int64
    assert frames.tolist() == ([-1, 0, 40, 40, -1] if phones else [-1] * 5)
    assert frame_phones(phones, 0, 0.02).shape == (0,)


@pytest.mark.parametrize(
    ("phones", "frames", "hop", "message"),
    [([Phone(0, 1, "AA")], 5, 0.1, r"phones must be among the 41 .* got \['AA'\]"),
     ([], -1, 0.1, "num_frames must be at least 0"), ([], 5, 0.0, "hop_seconds must be positive"),
     ([], 5, float("nan"), "hop_seconds must be positive")],
)  # fmt: skip
def test_frame_phones_refuses(phones, frames, hop, message):
    with pytest.raises(ValueError, match=message):
        frame_phones(phones, frames, hop)


@pytest.mark.parametrize("split", ["valid", "", None, 0])
def test_unknown_split(split):
    with pytest.raises(ValueError, match="split must be one of train, validation, test; got"):
        load_speech(split)


@pytest.mark.parametrize("speakers", [["kal16"], "kal", [], ["kal", "p225"]])
def test_unknown_speakers(speakers):
    with pytest.raises(ValueError, match="speakers must be some of kal, awb, rms, slt, allison"):
        load_speech("test", speakers)


def test_no_data_anywhere(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "_CHECKOUT", tmp_path)
    monkeypatch.setenv("VQVAE_LITE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="`vqvae-lite data get speech` fetches it"):
        load_speech("test")


def test_no_data_where_asked(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load_june(tmp_path / "absent")
    assert f"root is {tmp_path / 'absent'}, which has no speech.json" in str(caught.value)
    assert str(DATA) not in str(caught.value)  # a root that was given is the only place


def test_data_under_the_data_root(monkeypatch, copy):
    monkeypatch.setenv("VQVAE_LITE_DATA", str(copy / "downloads"))
    (copy / "downloads").mkdir()
    (copy / "downloads" / "speech").symlink_to(copy, target_is_directory=True)
    assert {u.speaker for u in load_june(None)} == {"june"}


@pytest.mark.parametrize("name", ["utterances.csv", "phones.csv.gz", "june.opus"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(
        FileNotFoundError,
        match=f"{name} is missing; remove that folder, and",
    ):
        load_june(copy)


@pytest.mark.parametrize("name", ["speech.json", "utterances.csv", "phones.csv.gz", "june.opus"])
@pytest.mark.parametrize("keep", [0, 50, 100_001])
def test_a_truncated_file_is_named(copy, name, keep):
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[: min(keep, len(whole) // 2)])
    with pytest.raises(ValueError, match=rf"{name}.*`vqvae-lite data get speech`"):
        load_june(copy)


@pytest.mark.parametrize(("old", "new"), [(",june,test,", ",june,tset,"), (",june,", ",juno,")])
def test_a_foreign_table_is_named(copy, old, new):
    table = (copy / "utterances.csv").read_text(encoding="utf-8")
    (copy / "utterances.csv").write_text(table.replace(old, new), encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"utterances.csv cannot be read as what make_speech.py wrote"
    ):
        load_june(copy)


def test_the_card_states_what_is_there(splits):
    card = (DATA / "README.md").read_text(encoding="utf-8")
    assert load_example(card) == [u.name for u in splits["test"] if u.speaker in SYNTHETIC]
    total = sum(len(u.wave) for split in SPLITS for u in splits[split]) / RATE / 60
    assert f"{total:.1f} minutes" in card
    for speaker, told in SUMMARY["speakers"].items():
        parts = told["splits"].values()
        minutes = " / ".join(f"{part['minutes']:.2f}" for part in parts)
        counts = " / ".join(str(part["utterances"]) for part in parts)
        row = f"| {counts} | {minutes} | {told['sound']['snr_db_mean']:.1f} |"
        assert row in next(line for line in card.splitlines() if line.startswith(f"| {speaker} |"))
    for speaker, told in SUMMARY["aligner_against_flite"].items():
        shares = (told["frames_that_agree"], told["boundaries_within_20_ms"])
        error = f"{told['median_boundary_error_ms']:.0f} ms"
        row = f"| {speaker} | {shares[0]:.1%} | {error} | {shares[1]:.1%} |"
        assert row.replace("%", " %") in card


def load_example(card):
    """The names that the first example of the card loads."""
    code = re.search(r"(?s)```python\n(.*?)```", card)[1]
    names = {}
    exec(code, names)
    return [utterance.name for utterance in names["utterances"]]


def test_the_licence_carries_the_notices():
    notice = (DATA / "LICENSE").read_text(encoding="utf-8")
    for part in (
        "Copyright (c) 1999-2001 by", "Carnegie Mellon University",
        "THIS SOFTWARE", "Allison Smith", "June Wallack", "Carlo Flora", "Maxim Topal",
        "https://creativecommons.org/licenses/by-sa/3.0/",
        "https://creativecommons.org/licenses/by/3.0/",
        "https://creativecommons.org/licenses/by/4.0/",
    ):  # fmt: skip
        assert part in notice


def test_flite_says_it_again(scripts, everything):
    if not shutil.which("flite"):
        pytest.skip("flite is not installed")
    levels, voices = scripts("levels"), scripts("voices")
    for speaker in SYNTHETIC:
        stored = next(u for u in everything if u.speaker == speaker)
        spoken = voices.speak(speaker, stored.name, stored.text)
        assert [p.phone for p in spoken.phones] == [p.phone for p in stored.phones]
        ends = np.array([[p.end for p in u.phones] for u in (spoken, stored)])
        assert np.abs(ends[0] - ends[1]).max() < 0.001
        noise = levels.normalise(spoken.samples) - stored.wave.double().numpy()
        assert levels.active_level(noise) < SUMMARY["level_db"] - 12


def test_the_aligner_finds_the_phones_again(scripts, everything):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    aligner = scripts("align").Aligner()
    compare = scripts("measure").compare_labels
    some = [u for u in everything if u.speaker == "allison"][:200:40]
    found = [aligner.align(u.wave.double().numpy(), u.text) for u in some]
    agreement = compare(zip([u.phones for u in some], found, strict=True))
    assert agreement["frames_that_agree"] > 0.95  # aligned before it was encoded
    assert aligner.align(some[0].wave.double().numpy(), "") == ()
    assert aligner.align(some[0].wave.double().numpy(), "qwrtz") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [("Press * or 42, then #.", "press star or forty two then pound"),
     ("28.8 kilobit -- it's 500", "twenty eight point eight kilobit it's five zero zero"),
     ("...", ""), ("7 20 19 90", "seven twenty nineteen ninety")],
)  # fmt: skip
def test_numbers_are_spelled_out(scripts, text, words):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    assert scripts("align").spell_out(text) == words.split()


def test_labels_are_compared(scripts):
    compare = scripts("measure").compare_labels
    true = (Phone(0.0, 0.1, "a"), Phone(0.1, 0.3, "b"), Phone(0.3, 0.4, "c"))
    late = (Phone(0.0, 0.14, "a"), Phone(0.14, 0.3, "b"), Phone(0.3, 0.4, "c"))
    assert compare([(true, true)])["frames_that_agree"] == 1
    told = compare([(true, late)])
    assert told == {
        "frames_that_agree": 0.9, "median_boundary_error_ms": 20.0,
        "boundaries_within_20_ms": 0.5, "boundaries": 2,
    }  # fmt: skip
    other = (Phone(0.0, 0.2, "x"), Phone(0.2, 0.3, "b"), Phone(0.3, 0.4, "c"))
    assert compare([(true, other)])["boundaries"] == 1  # the one between b and c


def test_missed_speech_is_found(scripts):
    missed, recording = scripts("measure").missed_seconds, scripts("voices").Recording
    noise = np.random.default_rng(0).normal(size=16000) * np.repeat([0.1, 0.0001], 8000)
    for pause, seconds in ((0.5, 0.0), (0.3, 0.2)):
        phones = (Phone(0.0, pause, "aa"), Phone(pause, 1.0, "pau"))
        assert abs(missed(recording("x", "x", noise, "", phones)) - seconds) < 0.021


def test_levels_and_ends(scripts):
    levels = scripts("levels")
    tone = 0.01 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    long = np.concatenate([np.zeros(16000), tone, np.zeros(8000)])
    assert (
        abs(levels.active_level(long) - levels.active_level(tone)) < 0.5
    )  # silence does not count
    assert abs(levels.active_level(levels.normalise(long)) - levels.LEVEL) < 1e-6
    spike = long.copy()
    spike[20000] = 1.0
    assert np.abs(levels.normalise(spike)).max() <= levels.PEAK
    cut = levels.trim(long)
    assert abs(len(cut) - (16000 + 2 * 2400)) <= 2 * levels.FRAME
    assert np.array_equal(levels.trim(tone), tone)  # nothing to cut


def test_prompts_that_are_alike_go_together(scripts):
    prompts = scripts("prompts")
    texts = {
        "allison": {"a": "Goodbye.", "b": "goodbye", "c": "Please enter your new password.",
                    "d": "Please enter your new password again now.", "e": "Hello."},
        "june": {"e": "Salut!", "f": "Salut", "a": "Au revoir"},
    }  # fmt: skip
    groups = prompts.group_alike(texts, list("abcdef"))
    assert sorted(groups) == [["a", "b"], ["c", "d"], ["e", "f"]]


def test_large_groups_train(scripts):
    make = pytest.importorskip("pocketsphinx") and scripts("make_speech")
    groups = [[f"{group}-{k}" for k in range(group % 7 + 1)] for group in range(100)]
    splits = make.split_prompts(groups, {name: 1.0 for group in groups for name in group})
    assert all(len({splits[name] for name in group}) == 1 for group in groups)
    assert all(splits[group[0]] == "train" for group in groups if len(group) > 4)
    shares = Counter(splits.values())
    assert abs(shares["test"] / len(splits) - 0.12) < 0.02
    assert abs(shares["validation"] / len(splits) - 0.08) < 0.02


def test_the_splits_are_those_of_the_script(scripts, splits):
    make = pytest.importorskip("pocketsphinx") and scripts("make_speech")
    sentences = (DATA / "sentences.txt").read_text().splitlines()
    wanted = make.split_sentences(sentences)
    stored = {u.name: split for split in SPLITS for u in splits[split] if u.speaker == "kal"}
    assert stored == wanted


def test_the_same_sound_gives_the_same_file(scripts, tmp_path):
    """The coder itself gives the stream another number at each time."""
    opus = scripts("opusfile")
    samples = np.random.default_rng(0).normal(size=48000) * 0.1
    for name in ("a.opus", "b.opus"):
        opus.write_opus(tmp_path / name, samples, 0.9)
    assert (tmp_path / "a.opus").read_bytes() == (tmp_path / "b.opus").read_bytes()
    assert opus.SERIAL in (tmp_path / "a.opus").read_bytes()[:32]
    assert len(read_sound(tmp_path / "a.opus")) == 48000  # the checksums hold


def test_what_is_missing_is_named(scripts, monkeypatch, tmp_path):
    debian = scripts("debian")
    monkeypatch.setattr(debian.shutil, "which", lambda program: None)
    monkeypatch.setattr(debian, "SOUNDS", tmp_path)
    with pytest.raises(SystemExit) as caught:
        debian.install_missing()
    for part in ("flite", "ffmpeg", "asterisk-core-sounds-ru-g722", "apt-get install"):
        assert part in str(caught.value)


def test_a_run_that_breaks_off_leaves_the_old_set(scripts, monkeypatch, tmp_path):
    make = pytest.importorskip("pocketsphinx") and scripts("make_speech")
    for name in ("speech.json", "kal.opus"):
        (tmp_path / name).write_text("old")

    def break_off(recordings, splits, folder):
        (folder / "kal.opus").write_text("new")
        raise KeyboardInterrupt

    monkeypatch.setattr(make, "gather", lambda: ([], {}))
    monkeypatch.setattr(make, "write", break_off)
    with pytest.raises(KeyboardInterrupt):
        make.make(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kal.opus", "speech.json"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"old"}


def test_tables_have_a_row_for_each_file_and_sample():
    """utterances.csv cuts each file into pieces that neither overlap nor leave much out."""
    with (DATA / "utterances.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for speaker in SPEAKERS:
        times = [(int(r["start"]), int(r["end"])) for r in rows if r["speaker"] == speaker]
        gaps = [later[0] - earlier[1] for earlier, later in pairwise(times)]
        assert times[0][0] == 0
        assert set(gaps) == {800}
