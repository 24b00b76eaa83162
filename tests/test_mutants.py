"""Damaged files of every format: what is read of them is sound, or one error names the file.

MUTANTS=250 in the environment makes so many of each.
"""

import os
import random
import re

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from commands import make_mazes
from vqvae_lite.data.pictures import read_film, read_headers, read_image
from vqvae_lite.maze import _read_walks
from vqvae_lite.sound.files import read_folder, read_sound
from vqvae_lite.sound.labels import read_labels, read_textgrid
from vqvae_lite.video.clips import read_clip

COUNT = int(os.environ.get("MUTANTS", "50"))
SIZE, RATE = 16, 16000
GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.5
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 0.5
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 0.25
            text = "hh"
        intervals [2]:
            xmin = 0.25
            xmax = 0.5
            text = "iy"
"""


def noise(mode="RGB", seed=0):
    shape = {"RGB": (24, 20, 3), "RGBA": (24, 20, 4), "L": (24, 20)}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


def save_images(path, name, mode):
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif} if mode == "RGB" and name.split(".")[1] not in ("bmp", "ppm") else {}
    noise("RGBA" if mode == "RGBA" else "RGB").convert(mode).save(path / name, **options)


def save_wide(path, name, mode):
    pixels = np.random.default_rng(0).integers(0, 65536, (24, 20), dtype=np.uint16)
    Image.fromarray(pixels).save(path / name)


def save_film(path, name, mode):
    frames = [noise(mode, seed).convert("P" if name.endswith("gif") else mode) for seed in range(4)]
    frames[0].save(path / name, save_all=True, append_images=frames[1:], duration=50)


def save_sound(path, name, kind):
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 2)).astype(np.float32)
    soundfile.write(path / name, wave, RATE, format=kind[0], subtype=kind[1])


def save_text(path, name, text):
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(text, encoding="utf-8")


def save_transcript(path, name, text):
    save_text(path, name, text)
    soundfile.write((path / name).parent / "84-1-0000.flac", np.zeros(800), RATE)


def save_actions(path, name, text):
    save_text(path, name, text)
    save_film(path, "walk.webp", "RGB")


def save_walks(path, name, text):
    make_mazes(path / "mazes")


def check_image(path, folder):
    read_headers([path], SIZE, 9.0)
    image = read_image(path, SIZE)
    assert (image.shape, image.dtype) == ((3, SIZE, SIZE), torch.uint8)


def check_film(path, folder):
    frames = read_film(path, SIZE)
    assert {frame.shape for frame in frames} == {(3, SIZE, SIZE)}


def check_sound(path, folder):
    wave = read_sound(path, RATE)
    assert wave.ndim == 1
    assert len(wave)
    assert wave.abs().max() <= 1


def check_labels(path, folder):
    for phones in read_labels(path, [("eve", "one"), ("eve", "two")]).values():
        assert all(0 <= phone.start < phone.end for phone in phones)


def check_grid(path, folder):
    assert isinstance(read_textgrid(path), tuple)


def check_transcript(path, folder):
    assert len(read_folder(folder)) == 1


def check_actions(path, folder):
    assert len(read_clip(folder / "walk.webp", SIZE).actions) == 3


def check_walks(path, folder):
    length, ids, actions, poses = _read_walks(path.parent, "test")
    assert actions[ids].shape == (len(ids), length)
    assert poses[ids].shape == (len(ids), length, 3)


FORMATS = {
    **{f"image.{suffix}": (save_images, "RGB", check_image)
       for suffix in ("png", "jpg", "webp", "bmp", "tif", "avif", "ppm")},
    "image.gif": (save_images, "P", check_image),
    "clear.png": (save_images, "RGBA", check_image),
    "clear.webp": (save_images, "RGBA", check_image),
    "clear.tif": (save_images, "RGBA", check_image),
    "palette.png": (save_images, "P", check_image),
    "ink.jpg": (save_images, "CMYK", check_image),
    "wide.png": (save_wide, None, check_image),
    "wide.tif": (save_wide, None, check_image),
    **{f"film.{suffix}": (save_film, "RGB", check_film)
       for suffix in ("gif", "webp", "avif", "png")},
    "sound.wav": (save_sound, ("WAV", "PCM_16"), check_sound),
    "float.wav": (save_sound, ("WAV", "FLOAT"), check_sound),
    "sound.flac": (save_sound, ("FLAC", "PCM_16"), check_sound),
    "sound.ogg": (save_sound, ("OGG", "VORBIS"), check_sound),
    "sound.opus": (save_sound, ("OGG", "OPUS"), check_sound),
    "sound.mp3": (save_sound, ("MP3", None), check_sound),
    "labels.csv": (save_text, "utterance,speaker,start,end,phone\none,eve,0,0.5,a\n"
                              "two,eve,0.25,0.5,b\n", check_labels),
    "one.TextGrid": (save_text, GRID, check_grid),
    "84/1/84-1.trans.txt": (save_transcript, "84-1-0000 WORDS OF ONE\n", check_transcript),
    "walk.txt": (save_actions, "0 2 1\n", check_actions),
    "mazes/maze.json": (save_walks, None, check_walks),
    "mazes/walks.npz": (save_walks, None, check_walks),
}  # fmt: skip


def mutant(whole: bytes, draw: random.Random) -> bytes:
    """A damaged copy: bits or bytes changed, pieces cut, doubled, moved, or one end missing."""
    content = bytearray(whole)
    near = draw.random() < 0.5  # the header is where most is decided
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        place = draw.randrange(max(1, min(len(content), 96 if near else len(content))))
        end = place + draw.choice((1, 2, 4, 8, 64))
        piece = content[place:end]
        kind = draw.randrange(8)
        if kind == 0:
            content[place:end] = draw.randbytes(len(piece))
        elif kind == 1:
            content[place:end] = draw.choice((b"\0", b"\xff", b"\x7f", b"9")) * len(piece)
        elif kind == 2 and piece:
            piece[0] ^= 1 << draw.randrange(8)
            content[place:end] = piece
        elif kind == 3:
            del content[place:end]
        elif kind == 4:
            content[place:place] = piece
        elif kind == 5:
            content[place:place] = draw.randbytes(len(piece))
        elif kind == 6:
            content += content[place:end] * draw.choice((1, 100))
        else:
            del content[draw.randrange(len(content) + 1) :]
    return bytes(content)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", list(FORMATS))
def test_a_damaged_file_is_read_or_named(name, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("VQVAE_LITE_MAX_PIXELS", "4000000")
    monkeypatch.setenv("VQVAE_LITE_MAX_FILM_PIXELS", "16000000")
    monkeypatch.setenv("VQVAE_LITE_MAX_SAMPLES", "4000000")
    make, what, check = FORMATS[name]
    make(tmp_path, name, what)
    path = tmp_path / name
    whole, draw = path.read_bytes(), random.Random(name)
    check(path, tmp_path)
    counts = {"read": 0, "named": 0}
    for number in range(COUNT):
        path.write_bytes(mutant(whole, draw))
        try:
            check(path, tmp_path)
        except (ValueError, OSError) as error:
            counts["named"] += 1
            told = str(error)
        else:
            counts["read"] += 1
            told = str(path)
        assert re.match(re.escape(str(path)) + r"[^\n]*\Z", told), f"{number}: {told!r}"
    assert counts["named"], "nothing was damaged"
    error = capfd.readouterr().err
    assert name == "sound.mp3" or error == ""  # libmpg123 notes what it skips, and goes on
    print(name, counts)
