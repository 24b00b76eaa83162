"""Every command that the README, the chapters and the cards show: run as it is written, in small.

What is appended makes it small; where it reads data of one's own, or the book's, there are few.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch
from PIL import Image

from commands import make_mazes, make_sounds, run_cli, settings
from vqvae_lite.checkpoints import last_checkpoint
from vqvae_lite.images import TensorImages
from vqvae_lite.sound.files import Utterance

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "data/maze/README.md", "book/questions.md"]
PAGES += [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "book").glob("*.ipynb"))]
DRIVE = "/content/drive/MyDrive"
MODULE = "vqvae_lite.cli"

# What each recipe is made small by, in either profile.
SMALL = ["steps=2", "batch_size=2", "checkpoint_every=2", "workers=0"]
SOUND = ["width=8", "num_codes=16", "decoder_width=8", "skip_width=8", "window=1024"]
SMALLER = {
    **{key: ["width=8", "num_codes=16", "code_dim=4", "size=28"] for key in ["maze", "folder"]},
    "cifar10": ["width=8"],
    **{key: [*SOUND, "num_cycles=1", "layers_per_cycle=2"] for key in ["speech", "sound"]},
    "prior": ["width=8"],
    "video": ["width=8", "pixelcnn_width=8", "num_layers=2"],
}

pytestmark = pytest.mark.slow


def commands_of(page):
    """The words of each command on a page that can be run as it stands, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if page.endswith(".ipynb"):
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    text = text.replace("\\\n", " ")
    told = re.findall(r"`(vqvae-lite [^`\n]+)`", text)  # in running text
    found = []
    for line in [*text.splitlines(), *told]:
        if not re.match(rf"!?(vqvae-lite|torchrun|python -m {MODULE}) ", line):
            continue
        words = shlex.split(line.removeprefix("!"), comments=True)
        # A word in capitals stands for something.
        whole = len(words) > 2 and not any(re.fullmatch(r"[A-Z]+", word) for word in words)
        if whole and words[1] != "data" and words not in found:
            found.append(words)
    return found


def test_there_are_commands_to_run():
    found = {page: commands_of(page) for page in PAGES}
    assert len(found["README.md"]) == 14
    assert [words[0] for words in found["README.md"]].count("torchrun") == 1
    for page in PAGES[2:]:
        assert found[page] or "01_" in page, page


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working folder, with few pictures and recordings at home and few data of the book."""
    generator = torch.Generator().manual_seed(0)
    for folder in ("Pictures", "OtherPictures"):
        (tmp_path / folder).mkdir()
        for number in range(3):
            image = Image.new("RGB", (90, 90), (80 * number, 9, 9))
            image.save(tmp_path / folder / f"{number}.png")
    make_sounds(tmp_path / "Recordings", {"ann/a.wav": 0.4, "bob/b.wav": 0.4})
    make_sounds(tmp_path / "work" / "VCTK-Corpus" / "wav48", {"p225/a.wav": 0.4})
    (tmp_path / "data").mkdir()
    make_mazes(tmp_path / "data" / "maze")
    (tmp_path / "work" / "data").symlink_to(tmp_path / "data")
    (tmp_path / "work" / "checkpoints").symlink_to(ROOT / "checkpoints")

    def load_cifar10(split):
        pixels = torch.randint(256, (6, 3, 32, 32), generator=generator)
        return TensorImages(pixels.to(torch.uint8))

    def load_speech(split, speakers):
        waves = torch.rand(len(speakers), 6000, generator=generator) - 0.5
        said = zip(speakers, waves, strict=True)
        return [Utterance("a", name, wave, "", ()) for name, wave in said]

    monkeypatch.setattr("vqvae_lite.recipes.images.load_cifar10", load_cifar10)
    monkeypatch.setattr("vqvae_lite.recipes.sound.load_speech", load_speech)
    for name in ("HOME", "USERPROFILE", "VQVAE_LITE_DATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def small(words):
    """A command made small."""
    if "train" not in words:
        return words
    recipe = words[words.index("train") + 1]
    more = [*SMALL, *SMALLER[recipe]]
    if recipe == "prior":
        sound = "speech" in words[words.index("--codes-of") + 1]
        more += ["skip_width=4", "num_cycles=1", "window=4"] if sound else ["num_layers=2"]
    if any(word.startswith("attention") for word in words):
        more = ["width=16" if name == "width=8" else name for name in more]  # of one head
    if "vimco" in words:
        more += ["samples=2"]
    if "--resume" in words:
        more += ["steps=4"]
    return [*words, *settings(*more)]


def run(words, work):
    if words[0] == "torchrun":
        # Two processes do what four do; they find nothing of this process's.
        words = ["2" if word.isdigit() else word for word in words[1:]]
        command = [sys.executable, "-m", "torch.distributed.run", *words]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return
    words = words[words.index(MODULE) + 1 :] if MODULE in words else words[1:]
    assert run_cli(*words) == 0, words


@pytest.mark.parametrize("page", PAGES)
def test_its_commands_run(page, work):
    for words in commands_of(page):
        mazes = str(work / "data" / "maze")
        words = [word.replace("~", str(work)).replace("$mazes", mazes) for word in words]
        words = [word.replace(DRIVE, str(work / "drive")) for word in words]
        words = small(words)
        if "--resume" in words:  # what it goes on from has begun in another session
            for option in ("--codes-of", "--run"):
                if option in words:
                    begin(words, words[words.index(option) + 1], work)
        run(words, work)


def begin(words, folder, work):
    """Begins the run that a command goes on with, and the one whose codes it learns."""
    if last_checkpoint(folder) is not None:
        return
    first = [word for word in words if word != "--resume"]
    if folder != words[words.index("--run") + 1]:
        first = ["vqvae-lite", "train", "maze", "--run", folder]
        run(small(first), work)
    else:
        run([*first, "--set", "steps=2"], work)
