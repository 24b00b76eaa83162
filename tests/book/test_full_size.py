"""The chapters that train: their switch, and what they say of the paper's size."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from vqvae_lite.cli.main import _parser
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.recipes.names import PROFILES
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.sound.model import SoundConfig, SoundVQVAE

ROOT = Path(__file__).resolve().parents[2]
# All but chapter 1, which trains nothing.
NOTEBOOKS = [p for p in sorted((ROOT / "book").glob("*.ipynb")) if p.stem != "01_quantizer"]
SWITCH = f'PROFILE = "{PROFILES[0]}"  # or "{PROFILES[1]}", for a GPU: see "At full size"\n'
DEVICE = 'device = torch.device("cuda" if torch.cuda.is_available() else "cpu")\n'


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def cells(request):
    return nbformat.read(request.param, as_version=4).cells


def section(cells):
    """The text of "At full size"."""
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    (found,) = re.findall(r"(?ms)^## At full size\n(.*?)(?=^## |\Z)", text)
    return found


def commands(text):
    """The words of the commands in a section's listings, each on one line."""
    for listing in re.findall(r"(?ms)^```\n(.*?)^```", text):
        for line in listing.replace("\\\n", " ").splitlines():
            words = shlex.split(
                line.removeprefix("!").replace("python -m vqvae_lite.cli", "vqvae-lite")
            )
            if words and words[0] in ("vqvae-lite", "python"):
                yield words


def coder_of(run):
    """Some model whose codes a prior could learn."""
    if "speech" in run:
        return SoundVQVAE(SoundConfig(width=4, decoder_width=4, skip_width=4, num_cycles=1))
    return VQVAE(ModelConfig(width=4))


def test_it_has_one_visible_switch(cells):
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert SWITCH in code[1].source
    assert DEVICE in code[1].source
    assert not code[1].metadata.get("tags")
    others = "\n".join(cell.source for cell in [code[0], *code[2:]])
    assert "PROFILE =" not in others
    assert re.search(r"\bPROFILE\b", others), "and it is asked"
    assert re.search(r"\bdevice\b", others)


def test_its_commands_are_ones_that_run(cells):
    trained = []
    for words in commands(section(cells)):
        if words[0] == "vqvae-lite":
            options = _parser().parse_args(words[1:])
            if options.command != "train":
                continue
            recipe = get_recipe(
                options.recipe,
                options.profile,
                options.settings,
                kind=options.model,
                folder=options.folder,
                codes_of=options.codes_of and coder_of(str(options.codes_of)),
            )
            trained.append((recipe.profile, options.run.as_posix(), options.resume))
        else:
            script, *given = words[1:]
            program = [sys.executable, str(ROOT / script), "--help"]
            text = subprocess.run(program, capture_output=True, text=True, check=True).stdout
            assert all(word in text for word in given if word.startswith("--"))
    assert {profile for profile, _, _ in trained} - {"paper-ema"} == {"paper"}
    assert any(resume and run.startswith("/content/drive/MyDrive/") for _, run, resume in trained)


def test_it_says_what_that_needs(cells):
    """In a cell, from the results file; the hours as what they are."""
    (shown,) = [c for c in cells if c.cell_type == "code" and "full_size" in c.source]
    (output,) = shown.outputs
    runs = json.loads((ROOT / "benchmarks/results/full_size.json").read_text())["runs"]
    named = [name for name in runs if f'"{name}"' in shown.source]
    assert named
    for name in named:
        half, full = runs[name]["bfloat16"], runs[name]["float32"]
        told = output.get("text") or output.data["text/plain"]  # lines, or a table
        assert re.search(rf"\b{half['gigabytes']:.1f}\b.*\b{full['gigabytes']:.1f}\b", told)
        assert re.search(rf"\b{half['hours']:.1f}\b", told)
        assert "float32" in told
        assert "hours" in told
    assert "estimate" in section(cells)


def test_the_measured_recipes_are_those_of_today():
    runs = json.loads((ROOT / "benchmarks/results/full_size.json").read_text())["runs"]
    for name in ("maze", "cifar10", "speech"):
        training = get_recipe(name, "paper").training
        assert runs[name]["steps"] == training.steps
        assert runs[name]["batch_size"] == training.batch_size
