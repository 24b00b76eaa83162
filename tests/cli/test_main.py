"""The command line itself: its help, its options, and its errors, which are one line."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from commands import (
    SECONDS,
    SHORT,
    TINY_SOUND,
    fails,
    make_clips,
    make_mazes,
    make_sounds,
    run_cli,
    settings,
)
from vqvae_lite.baselines.vae import VAE
from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.cli.main import main
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.models import load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import recipe_of

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = "그림"  # letters that a Windows of western Europe cannot write
COMMANDS = ("train", "evaluate", "score", "encode", "decode", "convert", "sample", "info")
TINY = ["width=8", "code_dim=4", "num_codes=20", "size=16"]
HELP = """
import sys
before = set(sys.modules)
from vqvae_lite.cli.main import main
for arguments in (["--help"], ["--version"], *([name, "--help"] for name in sys.argv[1:])):
    try:
        main(arguments)
    except SystemExit as end:
        assert end.code == 0
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print("new:", *sorted(new - sys.stdlib_module_names))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Models of images, sound and films, each with a recipe, and what they can be measured on."""
    root = tmp_path_factory.mktemp("main")
    make_mazes(root / "mazes")
    make_clips(root / "clips", {"a": 9, "b": 4})
    make_sounds(root / "said", SECONDS)
    train = ["train", "maze", "--folder", root / "mazes"]
    assert run_cli(*train, "--run", root / "vqvae", *settings(*TINY, *SHORT)) == 0
    train = ["train", "sound", "--folder", root / "said"]
    assert run_cli(*train, "--run", root / "sound", *settings(*TINY_SOUND, *SHORT)) == 0
    codes_of = ["--codes-of", root / "vqvae"]
    tiny = settings("width=4", "pixelcnn_width=4", "num_layers=1", "embedding=2", *SHORT)
    video = ["train", "video", *codes_of, "--folder", root / "clips", "--set", "window=3"]
    assert run_cli(*video, "--run", root / "video", *tiny) == 0
    tiny = settings("width=4", "num_layers=1", *SHORT)
    assert run_cli("train", "prior", *codes_of, "--run", root / "prior", *tiny) == 0
    tiny = settings("width=4", "skip_width=4", "layers_per_cycle=2", "window=8", *SHORT)
    train = ["train", "prior", "--codes-of", root / "sound", "--run", root / "wavenet"]
    assert run_cli(*train, *tiny) == 0
    recipe = get_recipe("maze", "quick", ["width=8", "size=16"], kind="vae")
    details = {"recipe": recipe.to_json()}
    save_checkpoint(root / "vae", VAE(recipe.model), step=1, details=details)
    return root


def test_help_waits_for_nothing_but_python_itself():
    """PyTorch and the rest are imported when a command runs, not when one asks what there is."""
    arguments = [sys.executable, "-c", HELP, *COMMANDS]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "new: vqvae_lite"
    for name in (*COMMANDS, "--seconds", "maze, cifar10, folder, speech, sound, prior, video"):
        assert name in " ".join(done.stdout.split())


def test_every_command_has_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert name in shown
        with pytest.raises(SystemExit) as end:
            main([name, "--help"])
        assert end.value.code == 0
        assert f"usage: vqvae-lite {name}" in capsys.readouterr().out


def test_what_is_not_installed_is_said_in_one_line(place, tmp_path, capsys, monkeypatch):
    def require(module, extra):
        raise ImportError(f"{module} is not installed: pip install 'vqvae-lite[{extra}]'")

    monkeypatch.setattr("vqvae_lite.sound.files.require", require)
    error = fails(capsys, "encode", place / "sound", place / "said", tmp_path / "out")
    assert error == "vqvae-lite: soundfile is not installed: pip install 'vqvae-lite[sound]'"


IMAGES = ["evaluate", "vqvae"]
SOUND = ["evaluate", "sound", "--folder", "said"]
FILM = ["evaluate", "vqvae", "--prior", "video"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([*IMAGES, "--samples", "1"], "--samples is not for a vqvae; "),
        ([*IMAGES, "--folder", "clips", "--split", "test"], "--split is of a recipe's data or of"),
        ([*IMAGES, "--split", "all"], "split must be one of train, validation, test"),
        (["evaluate", "vae", "--prior", "prior"], "holds a VAE: only a VQ-VAE"),
        ([*IMAGES, "--prior", "vqvae"], "holds a VQVAE that is no prior over codes"),
        (["evaluate", "prior"], "holds a GatedPixelCNN: expected one of vqvae, vae, vimco, gumbel"),
        (["evaluate", "wavenet"], "holds a WaveNet: expected one of vqvae, vae, vimco, gumbel"),
        (["evaluate", "video"], "holds a VideoPrior: expected one of vqvae, vae, vimco, gumbel"),
        ([*SOUND, "--samples", "1"], "--samples is for images; "),
        ([*SOUND, "--split", "test"], "--split is of a recipe's data or of mazes: "),
        ([*FILM, "--samples", "1"], "--samples is for images; "),
        ([*FILM, "--folder", "clips", "--split", "test"], "--split is of a recipe's data or of"),
        (["decode", "vqvae", "x", "out", "--seed", "1"], "--seed is for sound; "),
        (["decode", "vqvae", "x", "out", "--temperature", "1"], "--temperature is for sound; "),
        (["decode", "vqvae", "x", "out", "--format", "wav"], "--format is for sound; "),
        (["decode", "vqvae", "x", "out", "--speaker", "ann"], "--speaker is for sound; "),
        (["convert", "vqvae", "said", "out", "--speaker", "a"], "not a VQ-VAE of sound"),
        (["sample", "vqvae", "prior", "out", "--seconds", "3"], "--seconds is for sound; "),
        (["sample", "vqvae", "prior", "out", "--format", "wav"], "--format is for sound; "),
        (["sample", "vqvae", "prior", "out", "--seen", "6"], "--seen is for video; "),
        (["sample", "vqvae", "video", "out", "--speaker", "ann"], "--speaker is for sound; "),
        (["sample", "sound", "wavenet", "out", "--clip", "x"], "--clip is for video; "),
        (["sample", "sound", "wavenet", "out", "--frames", "1"], "--frames is for video; "),
        (["sample", "sound", "wavenet", "out", "--actions", "1"], "--actions is for video; "),
        (["sample", "sound", "prior", "out", "--speaker", "ann"], "not of "),
        (["encode", "vae", "clips", "out"], "holds a VAE: only a VQ-VAE"),
        (["score", "vae", "clips"], "holds a VAE: only a VQ-VAE"),
        (["encode", "video", "clips", "out"], "holds a VideoPrior: only a VQ-VAE"),
    ],
)  # fmt: skip
def test_options_without_effect_are_refused(command, message, place, tmp_path, capsys, monkeypatch):
    """Each option of each command, with what has no use for it."""
    monkeypatch.chdir(place)
    assert message in fails(capsys, *command)
    assert not (place / "out").exists()


def test_a_model_that_is_no_prior_is_none_though_it_names_a_vqvae(place, tmp_path, capsys):
    """As the shared checkpoint `second_stage`, a model of codes that cannot be drawn from alone."""
    codes_of = fingerprint(load_checkpoint(place / "vqvae").model)
    model = VQVAE(ModelConfig(width=4, code_dim=2))
    save_checkpoint(tmp_path / "second", model, step=1, details={"codes_of": codes_of})
    command = ["sample", place / "vqvae", tmp_path / "second", tmp_path / "out"]
    assert "holds a VQVAE that is no prior over codes" in fails(capsys, *command)


def test_a_prior_that_was_trained_by_hand_says_whose_codes_it_learned(place, tmp_path, capsys):
    prior = load_checkpoint(place / "prior").model
    codes_of = fingerprint(load_checkpoint(place / "vqvae").model)
    for name, told in [("mine", codes_of), ("theirs", "0" * 12)]:
        details = {"codes_of": told, "map": [4, 4]}
        save_checkpoint(tmp_path / name, prior, step=1, details=details)
    sample = ["sample", place / "vqvae", tmp_path / "mine", tmp_path / "out", "--count", 1]
    assert run_cli(*sample) == 0
    assert "on the codes of model 000000000000, not of" in fails(
        capsys, "sample", place / "vqvae", tmp_path / "theirs", tmp_path / "no"
    )


def test_held_out_data_are_the_test_split_by_default(place, tmp_path, capsys, monkeypatch):
    asked = []
    sound = load_checkpoint(place / "sound")
    recipe = recipe_of(sound)
    recipe = replace(recipe, name="speech", data=replace(recipe.data, folder=None))
    details = {"recipe": recipe.to_json()}
    save_checkpoint(tmp_path / "speech", sound.model, step=1, details=details)
    monkeypatch.setattr(
        "vqvae_lite.cli.sound.load_utterances", lambda recipe, split: asked.append(split) or 1 / 0
    )
    monkeypatch.setattr(
        "vqvae_lite.cli.video.open_clips", lambda folder, split, size: asked.append(split) or 1 / 0
    )
    monkeypatch.setattr(
        "vqvae_lite.cli.images.load_images", lambda recipe, split: asked.append(split) or 1 / 0
    )
    film = ["evaluate", place / "vqvae", "--prior", place / "video"]
    speech = ["evaluate", tmp_path / "speech"]
    for command in (["evaluate", place / "vqvae"], speech, film):
        for split in ([], ["--split", "train"]):
            assert "ZeroDivisionError" in fails(capsys, *command, *split)
    assert asked == ["test", "train"] * 3


def test_samples_of_a_vae_are_counted(place, capsys, monkeypatch):
    counted = []

    def evaluate_bits(model, images, *, samples, **options):
        counted.append(samples)
        raise ValueError("counted")

    monkeypatch.setattr("vqvae_lite.cli.images.evaluate_bits", evaluate_bits)
    for options in ([], ["--samples", 3]):
        assert "counted" in fails(capsys, "evaluate", place / "vae", *options)
    assert counted == [1, 3]


@pytest.mark.slow
def test_what_is_said_can_be_written_where_not_all_letters_can(tmp_path):
    """As on a pipe of Windows: nothing ends in a UnicodeEncodeError, whatever names files have."""
    pictures = tmp_path / FOREIGN
    pictures.mkdir()
    for number in range(3):
        Image.new("RGB", (16, 16), (80 * number, 9, 9)).save(pictures / f"{FOREIGN}{number}.png")
    run = tmp_path / f"run {FOREIGN}"
    small = ["steps=2", "batch_size=2", "size=16", "width=8", "num_codes=4", "code_dim=2"]
    commands = [
        ["--help"],
        ["train", "--help"],
        ["train", "folder", "--folder", pictures, "--run", run, *settings(*small)],
        ["info", run],
        ["encode", run, pictures, tmp_path / f"{FOREIGN}.codes"],
        ["info", tmp_path / f"{FOREIGN}.codes"],
        ["decode", run, tmp_path / f"{FOREIGN}.codes", tmp_path / "decoded"],
        ["evaluate", run, "--folder", pictures],
    ]
    script = (
        "import sys\nfrom vqvae_lite.cli.main import main\n"
        f"for command in {[[str(word) for word in command] for command in commands]!r}:\n"
        "    try:\n        assert main(command) == 0\n"
        "    except SystemExit as end:\n        assert not end.code\n"
        "print('an error:', main(['info', sys.argv[1]]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / f"no {FOREIGN}")],
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
        cwd=ROOT,
        capture_output=True,
    )
    assert told.returncode == 0, told.stderr.decode("cp1252")[-2000:]
    said, complained = told.stdout.decode("cp1252"), told.stderr.decode("cp1252")
    assert f"run {FOREIGN.encode('ascii', 'backslashreplace').decode()}" in said
    assert said.endswith(("an error: 1\n", "an error: 1\r\n"))
    assert "no checkpoint at" in complained
    assert (tmp_path / "decoded" / f"{FOREIGN}2.png.png").is_file()


def test_an_error_of_no_foreseen_kind_is_one_line_too(capsys, monkeypatch):
    def fail(options):
        raise IndexError("first\nsecond")

    monkeypatch.setattr("vqvae_lite.cli.commands.run", fail)
    error = fails(capsys, "info", "x")
    assert error.startswith("vqvae-lite: IndexError: first; VQVAE_LITE_TRACEBACK=1 shows where")
    monkeypatch.setenv("VQVAE_LITE_TRACEBACK", "1")
    with pytest.raises(IndexError):
        run_cli("info", "x")
