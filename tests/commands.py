"""What the tests of commands share: small models, folders of noise, and how a command ends."""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vqvae_lite.cli.main import main
from vqvae_lite.sound.files import write_sound

SHORT = ["steps=4", "batch_size=2", "checkpoint_every=2"]
TINY_SOUND = ["strides=4,4", "width=8", "num_residual=1", "num_codes=20", "code_dim=4"]
TINY_SOUND += ["decoder_width=6", "skip_width=8", "num_cycles=1", "layers_per_cycle=3"]
TINY_SOUND += ["rate=1000", "window=64"]
SECONDS = {"ann/a.wav": 0.31, "ann/long/b.flac": 0.5, "bob/a.ogg": 0.4}


def settings(*names):
    return [part for name in names for part in ("--set", name)]


def run_cli(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def fails(capsys, *arguments: object) -> str:
    assert run_cli(*arguments) == 1
    # A progress bar may come before it.
    error = capsys.readouterr().err.rstrip("\n").rpartition("\n")[2]
    assert error.startswith("vqvae-lite: "), "one line, no traceback"
    return error


def make_pictures(folder, count=4):
    """Pictures of noise, 16 pixels on each side."""
    generator = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        pixels = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def make_sounds(folder, seconds):
    generator = torch.Generator().manual_seed(0)
    for name, length in seconds.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        wave = torch.rand(int(length * 8000), generator=generator) - 0.5
        write_sound(folder / name, wave, 8000)
    return folder


def make_mazes(folder):
    """A set of mazes as `make data FRAMES=...` makes it, of three of the book's, one a split."""
    shipped = Path(__file__).resolve().parents[1] / "data" / "maze"
    folder.mkdir()
    for number in (5, 6, 7):
        shutil.copy(shipped / f"maze_{number:03}.avif", folder)
    shutil.copy(shipped / "walks.npz", folder)
    summary = json.loads((shipped / "maze.json").read_text())
    summary["splits"] = {"train": [5], "validation": [6], "test": [7]}
    (folder / "maze.json").write_text(json.dumps(summary))
    return folder


def make_clips(folder, lengths, actions=True):
    """Clips of noise: a folder of PNG for each, 20 pixels high and 24 wide."""
    generator = np.random.default_rng(0)
    for name, length in lengths.items():
        (folder / name).mkdir(parents=True)
        for frame in range(length):
            pixels = generator.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{frame:03}.png")
        if actions:
            numbers = generator.integers(0, 3, length - 1)
            (folder / f"{name}.txt").write_text(" ".join(map(str, numbers)) + "\n")
    return folder
