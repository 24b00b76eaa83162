"""Sound read and written: every format, any rate, the layouts of folders, what is refused."""

import errno
import math
import os
import re
import struct

import numpy as np
import pytest
import soundfile
import torch

from vqvae_lite.sound.files import find_speakers, read_folder, read_sound, write_sound
from vqvae_lite.sound.labels import Phone, read_labels, read_textgrid

TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 0.5
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "he"
    item [2]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 0.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.125
            text = ""
        intervals [2]:
            xmin = 0.125
            xmax = 0.25
            text = "hh"
        intervals [3]:
            xmin = 0.25
            xmax = 0.5
            text = "iy"
    item [3]:
        class = "TextTier"
        name = "notes"
        xmin = 0
        xmax = 0.5
        points: size = 1
        points [1]:
            number = 0.25
            mark = "here"
"""
LABELS = (Phone(0.125, 0.25, "hh"), Phone(0.25, 0.5, "iy"))


def sine(frequency=440.0, seconds=0.5, rate=16000, amplitude=0.5):
    times = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return (amplitude * torch.sin(2 * math.pi * frequency * times)).float()


def pitch_of(wave, rate=16000):
    """The frequency of the highest peak of the spectrum, in Hz."""
    spectrum = torch.fft.rfft(wave * torch.hann_window(len(wave)), 8 * rate).abs()
    return spectrum.argmax().item() / 8


def put(path, wave=None, rate=16000):
    """A sound file, and the folders that it stands in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, (sine(rate=rate) if wave is None else wave).numpy(), rate)
    return path


def told(utterances):
    return [(u.speaker, u.name, u.text) for u in utterances]


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("wanted", [16000, 24000])
def test_any_rate_becomes_the_one_wanted(tmp_path, rate, wanted):
    wave = read_sound(put(tmp_path / "a.wav", sine(1000, 0.48, rate), rate), wanted)
    assert wave.dtype == torch.float32
    assert wave.shape == (wanted * 12 // 25,)
    assert abs(pitch_of(wave, wanted) - 1000) < 0.5
    middle = wave[wanted // 8 : -wanted // 8]
    assert abs(middle.abs().max().item() - 0.5) < 0.01


def test_what_lies_above_half_the_rate_is_filtered_out(tmp_path):
    wave = read_sound(put(tmp_path / "a.wav", sine(11000, 0.5, 48000), 48000), 16000)
    assert wave[2000:-2000].abs().max() < 1e-3


@pytest.mark.parametrize(
    ("suffix", "rate", "decibels"),
    [(".wav", 44100, 80), (".flac", 44100, 80), (".ogg", 44100, 20), (".opus", 48000, 20),
     (".opus", 16000, 20), (".mp3", 44100, 20), (".WAV", 8000, 80)],
)  # fmt: skip
def test_every_format_is_read(tmp_path, suffix, rate, decibels):
    path, wave = tmp_path / f"a{suffix}", sine(440, 1.0, rate)
    if suffix == ".mp3":
        soundfile.write(path, wave.numpy(), rate, format="MP3")
    else:
        write_sound(path, wave, rate)
    read = read_sound(path, rate)
    assert len(read) >= len(wave)  # MP3 fills up its last frame
    noise = (read[: len(wave)] - wave)[1000:-1000]
    assert 20 * math.log10(wave.std() / noise.std()) > decibels
    assert soundfile.info(path).channels == 1


def test_channels_are_averaged(tmp_path):
    left, right = sine(440), sine(700)
    soundfile.write(tmp_path / "a.wav", torch.stack([left, right], 1).numpy(), 16000, "FLOAT")
    torch.testing.assert_close(read_sound(tmp_path / "a.wav"), (left + right) / 2)


def test_what_is_written_is_read_again_to_half_a_step(tmp_path):
    wave = torch.linspace(-1, 1, 1001)
    for suffix in (".wav", ".flac"):
        write_sound(tmp_path / f"a{suffix}", wave)
        assert (read_sound(tmp_path / f"a{suffix}") - wave).abs().max() <= 1.001 / 2**15


@pytest.mark.parametrize("opposite", [1, 16383])
def test_floats_on_the_scale_of_integers_are_refused(tmp_path, opposite):
    wave = torch.stack([sine(amplitude=16383), opposite * sine(amplitude=1.0)], 1)
    soundfile.write(tmp_path / "a.wav", wave.numpy(), 16000, "FLOAT")
    with pytest.raises(ValueError, match=r"a\.wav cannot be read as sound: its samples reach 1638"):
        read_sound(tmp_path / "a.wav")


def test_what_is_opposite_in_the_channels_is_silent(tmp_path):
    wave = torch.stack([sine(), -sine()], 1)
    soundfile.write(tmp_path / "a.wav", wave.numpy(), 16000, "FLOAT")
    assert read_sound(tmp_path / "a.wav").abs().max() == 0


@pytest.mark.parametrize(
    ("channels", "own_rate", "rate", "count"),
    [(8, 192_000, 16_000, "1,600,000"), (1, 16_000, 16_000, "200,000"), (1, 8, 16_000, "400,000,")],
)
def test_a_small_file_of_many_samples_is_refused(
    tmp_path, monkeypatch, channels, own_rate, rate, count
):
    wave = np.zeros((200_000, channels), np.int16)
    soundfile.write(tmp_path / "a.flac", wave, own_rate)
    assert (tmp_path / "a.flac").stat().st_size < 20_000
    monkeypatch.setenv("VQVAE_LITE_MAX_SAMPLES", "199999")
    with pytest.raises(
        ValueError, match=f"a.flac .*: it holds {count}.* samples, more than 199,999"
    ):
        read_sound(tmp_path / "a.flac", rate)


def test_a_stream_that_does_not_say_how_long_it_is(tmp_path):
    put(tmp_path / "a.flac")
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0  # of the first block: what counts the samples
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    assert soundfile.info(tmp_path / "a.flac").frames == 2**63 - 1
    with pytest.raises(ValueError, match=r"a\.flac .*: it does not say how many samples it holds"):
        read_sound(tmp_path / "a.flac")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("x"), struct.error("x")])
def test_whatever_the_decoder_raises_names_the_file(tmp_path, monkeypatch, error):
    def read(*arguments, **options):
        raise error

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    with pytest.raises(ValueError, match=r"a\.wav cannot be read as sound: "):
        read_sound(put(tmp_path / "a.wav"))


def test_what_lies_outside_is_clipped(tmp_path):
    loud = sine(440, amplitude=1.9)
    write_sound(tmp_path / "a.wav", loud)
    torch.testing.assert_close(read_sound(tmp_path / "a.wav"), loud.clamp(-1, 1), atol=1e-4, rtol=0)
    soundfile.write(tmp_path / "b.wav", loud.numpy(), 48000, "FLOAT")
    assert read_sound(tmp_path / "b.wav").abs().max() == 1


def test_minutes_of_vorbis_are_written(tmp_path):
    wave = sine(440, 120.0)
    write_sound(tmp_path / "a.ogg", wave)
    assert soundfile.info(tmp_path / "a.ogg").frames == len(wave)


def test_compression_makes_a_file_smaller(tmp_path):
    noise = torch.rand(32000, generator=torch.Generator().manual_seed(0)) - 0.5
    sizes = []
    for compression in (0.5, 0.9, 1.0):
        write_sound(tmp_path / "a.opus", noise, compression=compression)
        sizes.append((tmp_path / "a.opus").stat().st_size)
    assert sizes[0] > sizes[1] > sizes[2]


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*absent\.wav: expected sound"):
        read_sound(tmp_path / "absent.wav")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all" * 100])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".opus", ".mp3"])
def test_a_broken_file_is_named(tmp_path, content, suffix):
    (tmp_path / f"broken{suffix}").write_bytes(content)
    with pytest.raises(ValueError, match=f"broken{suffix}"):
        read_sound(tmp_path / f"broken{suffix}")


@pytest.mark.parametrize(("samples", "rate"), [(0, 16000), (0, 44100), (1, 48000)])
def test_a_file_without_samples_is_named(tmp_path, samples, rate):
    soundfile.write(tmp_path / "silent.wav", np.zeros(samples), rate)
    with pytest.raises(ValueError, match=r"silent\.wav cannot be read as sound: it holds no sound"):
        read_sound(tmp_path / "silent.wav")


def test_a_file_with_nan_is_named(tmp_path):
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 16000, "FLOAT")
    with pytest.raises(ValueError, match=r"nan\.wav cannot be read as sound: it holds NaN"):
        read_sound(tmp_path / "nan.wav")


@pytest.mark.parametrize(("rate", "error"), [(0, ValueError), (-1, ValueError), (1.6e4, TypeError),
                                             (True, TypeError), ("16k", TypeError)])  # fmt: skip
def test_impossible_rates(tmp_path, rate, error):
    with pytest.raises(error, match="rate must be"):
        read_sound(put(tmp_path / "a.wav"), rate)
    with pytest.raises(error, match="rate must be"):
        write_sound(tmp_path / "b.wav", sine(), rate)


@pytest.mark.parametrize(
    ("wave", "error"),
    [(torch.zeros(0), ValueError), (torch.zeros(1, 5), ValueError), (torch.zeros(()), ValueError),
     (torch.tensor([0.0, torch.inf]), ValueError), (torch.zeros(5, dtype=torch.int16), TypeError),
     ([0.0, 0.1], TypeError)],
)  # fmt: skip
def test_waves_that_are_none(tmp_path, wave, error):
    with pytest.raises(error, match="wave must"):
        write_sound(tmp_path / "a.wav", wave)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [("a.aac", {}, "path must end in .wav, .flac, .ogg, .opus"),
     ("a", {}, "path must end in"),
     ("a.flac", {"rate": 10**9}, "rate of .flac must be at most 655350"),
     ("a.ogg", {"rate": 200_001}, "rate of .ogg must be at most 200000 a second; got"),
     ("a.opus", {"rate": 44100}, "rate of an .opus file must be one of"),
     ("a.opus", {"compression": 1.5}, "compression must be in"),
     ("a.opus", {"compression": -0.1}, "compression must be in")],
)  # fmt: skip
def test_writing_refuses(tmp_path, name, options, message):
    with pytest.raises(ValueError, match=message):
        write_sound(tmp_path / name, sine(), **options)
    assert not list(tmp_path.iterdir())


def test_texts_that_training_does_not_need_stop_nothing(tmp_path):
    put(tmp_path / "eve" / "one.wav")
    (tmp_path / "eve" / "one.txt").write_bytes("é".encode("latin-1"))
    assert find_speakers(tmp_path) == ("eve",)
    assert told(read_folder(tmp_path, annotated=False)) == [("eve", "one", "")]
    with pytest.raises(ValueError, match=r"one\.txt cannot be read as a text: 'utf-8'"):
        read_folder(tmp_path)
    (tmp_path / "eve" / "one.txt").unlink()
    (tmp_path / "eve" / "one.TextGrid").write_text("no grid")
    (said,) = read_folder(tmp_path, annotated=False)
    assert said.phones == ()
    chapter = tmp_path / "84" / "1"
    put(chapter / "84-1-0000.flac")
    (chapter / "84-1.trans.txt").write_bytes(b"84-1-0000 \xe9\n")
    assert find_speakers(tmp_path) == ("84",)
    with pytest.raises(ValueError, match=r"84-1\.trans\.txt cannot be read as a text"):
        read_folder(tmp_path)


def test_a_byte_order_mark_is_no_letter(tmp_path):
    put(tmp_path / "eve" / "one.wav")
    (tmp_path / "eve" / "one.txt").write_text("Hello.", encoding="utf-8-sig")
    (tmp_path / "eve" / "one.TextGrid").write_text(TEXTGRID, encoding="utf-8-sig")
    (said,) = read_folder(tmp_path)
    assert (said.text, said.phones) == ("Hello.", LABELS)
    put(tmp_path / "84" / "1" / "84-1-0000.flac")
    transcript = tmp_path / "84" / "1" / "84-1.trans.txt"
    transcript.write_text("84-1-0000 WORDS", encoding="utf-8-sig")
    assert told(read_folder(tmp_path)) == [("84", "84-1-0000", "WORDS")]


@pytest.mark.parametrize(
    ("name", "rate"),
    [("a.flac", 655_351), ("a.ogg", 200_001), ("a.wav", 1_000_001), ("a.wav", 10**12)],
)
def test_a_rate_that_no_such_file_has_is_refused_before_one_is_made(tmp_path, name, rate):
    with pytest.raises(ValueError, match=rf"rate of \.{name[2:]} must be at most \d+ a second"):
        write_sound(tmp_path / name, sine(), rate)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "rate"), [(".flac", 655_350), (".ogg", 200_000)])
def test_the_highest_rates_can_be_written(tmp_path, suffix, rate):
    write_sound(tmp_path / "new" / f"a{suffix}", sine(), rate)
    assert len(read_sound(tmp_path / "new" / f"a{suffix}", rate)) == len(sine())


def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=re.escape(f"{tmp_path / 'file' / 'a.wav'} cannot be")):
        write_sound(tmp_path / "file" / "a.wav", sine())
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(OSError, match=r"a\.wav cannot be written: No space left on device"):
        write_sound(tmp_path / "a.wav", sine())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_for_each_speaker(tmp_path):
    put(tmp_path / "eve" / "two.wav", rate=8000)
    put(tmp_path / "eve" / "one.flac", rate=44100)
    (tmp_path / "eve" / "one.txt").write_text(" Hé lo. \n", encoding="utf-8")
    put(tmp_path / "adam" / "monday" / "two.ogg")
    put(tmp_path / "adam" / ".hidden" / "no.wav")
    put(tmp_path / "adam" / "._two.wav")
    (tmp_path / "adam" / "notes.pdf").write_bytes(b"")
    utterances = read_folder(tmp_path)
    assert find_speakers(tmp_path) == ("adam", "eve")
    assert told(utterances) == [
        ("adam", "monday/two", ""), ("eve", "one", "Hé lo."), ("eve", "two", "")]  # fmt: skip
    for utterance in utterances:
        assert utterance.wave.shape == (8000,)
        assert abs(pitch_of(utterance.wave) - 440) < 1
        assert utterance.phones == ()
    assert {len(u.wave) for u in read_folder(tmp_path, rate=8000)} == {4000}
    assert told(read_folder(tmp_path, speakers=["eve"])) == told(utterances)[1:]


@pytest.mark.parametrize("inner", ["", "inner.dir"])
def test_vctk_as_it_is(tmp_path, inner):
    root = tmp_path / inner
    for name in ("p225/p225_001", "p225/p225_002", "p226/p226_001", "s5/s5_001"):
        put(root / "wav48_silence_trimmed" / f"{name}_mic1.flac", rate=48000)
        put(root / "wav48_silence_trimmed" / f"{name}_mic2.flac", sine(880, rate=48000), 48000)
        text = root / "txt" / f"{name}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        if name != "p226/p226_001":  # some speakers have none
            text.write_text(f"Text of {name}.\n")
    (root / "wav48_silence_trimmed" / "log.txt").write_text("not an utterance")
    utterances = read_folder(root)
    assert told(utterances) == [
        ("p225", "p225_001", "Text of p225/p225_001."),
        ("p225", "p225_002", "Text of p225/p225_002."),
        ("p226", "p226_001", ""),
        ("s5", "s5_001", "Text of s5/s5_001."),
    ]
    assert all(abs(pitch_of(u.wave) - 440) < 1 for u in utterances)  # of the first microphone
    assert all(u.wave.shape == (8000,) for u in utterances)
    assert find_speakers(root) == ("p225", "p226", "s5")


def test_vctk_of_the_older_release(tmp_path):
    put(tmp_path / "wav48" / "p225" / "p225_001.wav", rate=48000)
    (tmp_path / "txt" / "p225").mkdir(parents=True)
    (tmp_path / "txt" / "p225" / "p225_001.txt").write_text("Please call Stella.\n")
    assert told(read_folder(tmp_path)) == [("p225", "p225_001", "Please call Stella.")]


def test_subsets_of_librispeech_are_one_list_by_speaker(tmp_path):
    for subset, speaker in (("dev-clean", "84"), ("dev-other", "7"), ("dev-other", "85")):
        folder = tmp_path / subset / speaker / "1"
        put(folder / f"{speaker}-1-0000.flac")
        (folder / f"{speaker}-1.trans.txt").write_text(f"{speaker}-1-0000 WORDS\n")
    assert [u.speaker for u in read_folder(tmp_path)] == ["7", "84", "85"]
    assert find_speakers(tmp_path) == ("7", "84", "85")


@pytest.mark.parametrize("subset", ["", "dev-clean"])
def test_librispeech_as_it_is(tmp_path, subset):
    for name in ("84-12-0000", "84-12-0001", "84-9-0000", "7-1-0000"):
        speaker, chapter, _ = name.split("-")
        folder = tmp_path / subset / speaker / chapter
        put(folder / f"{name}.flac")
        with (folder / f"{speaker}-{chapter}.trans.txt").open("a") as file:
            file.write(f"{name} WORDS OF {name}\n")
    (tmp_path / "SPEAKERS.TXT").write_text("; not an utterance")
    utterances = read_folder(tmp_path)
    names = ["7-1-0000", "84-12-0000", "84-12-0001", "84-9-0000"]
    assert [u.name for u in utterances] == names
    assert [u.speaker for u in utterances] == ["7", "84", "84", "84"]
    assert [u.text for u in utterances] == [f"WORDS OF {name}" for name in names]


def test_labels_from_a_table(tmp_path):
    put(tmp_path / "eve" / "one.wav")
    put(tmp_path / "eve" / "two.wav")
    put(tmp_path / "adam" / "one.wav")
    table = tmp_path / "labels.csv"
    table.write_text(
        "speaker,utterance,phone,start,end,score\n"  # any order, more columns
        "eve,one,iy,0.25,0.5,1\neve,one,hh,0.125,0.25,1\nadam,one,ah,0,0.5,1\n"
    )
    adam, one, two = read_folder(tmp_path, labels=table)
    assert one.phones == LABELS
    assert adam.phones == (Phone(0.0, 0.5, "ah"),)
    assert two.phones == ()
    assert len(read_folder(tmp_path, labels=table, speakers=["adam"])) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_labels_from_textgrids(tmp_path, encoding):
    put(tmp_path / "eve" / "one.wav")
    put(tmp_path / "eve" / "two.wav")
    (tmp_path / "eve" / "one.TextGrid").write_text(TEXTGRID, encoding=encoding)
    one, two = read_folder(tmp_path)
    assert (one.phones, two.phones) == (LABELS, ())
    assert read_folder(tmp_path, tier="words")[0].phones == (Phone(0.0, 0.5, "he"),)


@pytest.mark.parametrize("tier", ["phone", "notes"])
def test_a_textgrid_without_the_tier(tmp_path, tier):
    put(tmp_path / "eve" / "one.wav")
    (tmp_path / "eve" / "one.TextGrid").write_text(TEXTGRID)
    with pytest.raises(
        ValueError, match=rf"one\.TextGrid cannot .*: it must have .*'{tier}'.* words, phones, no"
    ):
        read_folder(tmp_path, tier=tier)


@pytest.mark.parametrize("content", ["", "no grid", TEXTGRID[:700]])
def test_a_broken_textgrid_is_named(tmp_path, content):
    (tmp_path / "one.TextGrid").write_text(content)
    with pytest.raises(ValueError, match=r"one.TextGrid"):
        read_textgrid(tmp_path / "one.TextGrid")


@pytest.mark.parametrize(
    ("content", "message"),
    [("utterance,speaker,start,end\n", r"labels\.csv cannot .*: it must have .* lacks phone"),
     ("", r"labels\.csv cannot be read as a table of labels: it must have"),
     ("utterance,speaker,start,end,phone\nten,eve,0,1,a\n", "line 2: .*'ten' of speaker 'eve'"),
     ("utterance,speaker,start,end,phone\none,eva,0,1,a\n", "line 2: .*'one' of speaker 'eva'"),
     ("utterance,speaker,start,end,phone\none,eve,0,x,a\n", "line 2: start and end must be"),
     ("utterance,speaker,start,end,phone\none,eve,0\n", "line 2: start and end must be"),
     ("utterance,speaker,start,end,phone\none,eve,0.5,0.5,a\n", "line 2: 0 <= start < end"),
     ("utterance,speaker,start,end,phone\none,eve,-1,0.5,a\n", "line 2: 0 <= start < end"),
     ("utterance,speaker,start,end,phone\none,eve,0,nan,a\n", "line 2: 0 <= start < end")],
)  # fmt: skip
def test_a_table_that_is_none(tmp_path, content, message):
    put(tmp_path / "eve" / "one.wav")
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_folder(tmp_path, labels=tmp_path / "labels.csv")


def test_no_such_table(tmp_path):
    put(tmp_path / "eve" / "one.wav")
    with pytest.raises(
        FileNotFoundError, match=r"there is no file .*absent\.csv: expected a table"
    ):
        read_folder(tmp_path, labels=tmp_path / "absent.csv")
    with pytest.raises(FileNotFoundError, match=r"absent.csv"):
        read_labels(tmp_path / "absent.csv", [])


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="path must be a folder of sound; .*absent"):
        read_folder(tmp_path / "absent")


def test_a_folder_without_sound(tmp_path):
    (tmp_path / "eve").mkdir()
    (tmp_path / "eve" / "one.txt").write_text("words alone")
    with pytest.raises(ValueError, match="path must hold sound .* folder for each speaker"):
        read_folder(tmp_path)


def test_sound_outside_the_folder_of_a_speaker(tmp_path):
    put(tmp_path / "eve" / "one.wav")
    put(tmp_path / "two.wav")
    with pytest.raises(ValueError, match=r"two.wav must be in the folder of its speaker"):
        read_folder(tmp_path)


def test_one_utterance_twice(tmp_path):
    put(tmp_path / "eve" / "one.wav")
    put(tmp_path / "eve" / "one.flac")
    with pytest.raises(ValueError, match=r"one.flac and .*one.wav are the same utterance"):
        read_folder(tmp_path)


def test_a_broken_file_in_a_folder_is_named(tmp_path):
    put(tmp_path / "eve" / "one.wav")
    (tmp_path / "eve" / "two.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"two.wav cannot be read"):
        read_folder(tmp_path)


@pytest.mark.parametrize("speakers", [[], ["eva"], "eve", ["eve", "adam"]])
def test_unknown_speakers(tmp_path, speakers):
    put(tmp_path / "eve" / "one.wav")
    with pytest.raises(ValueError, match="speakers must be some of"):
        read_folder(tmp_path, speakers=speakers)
