"""The command `train`: what it checks first, what it goes on from, and what it is told in vain."""

import json
import re
import shutil
from dataclasses import asdict

import pytest
import torch
from PIL import Image

from commands import (
    SECONDS,
    SHORT,
    TINY_SOUND,
    fails,
    make_clips,
    make_mazes,
    make_pictures,
    make_sounds,
    run_cli,
    settings,
)
from test_files import holder
from vqvae_lite.checkpoints import last_checkpoint, save_checkpoint
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages, shrink
from vqvae_lite.maze import load_maze
from vqvae_lite.model import VQVAE
from vqvae_lite.models import FIRST_FORMAT, load_checkpoint
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import CodeData, ImageData, recipe_of
from vqvae_lite.sound.model import SoundVQVAE
from vqvae_lite.video.model import VideoPrior

TINY = ["width=8", "code_dim=4", "num_codes=20", "size=16"]
PRIOR = ["width=4", "num_layers=2"]
ROWS = ["width=4", "skip_width=4", "num_cycles=1", "layers_per_cycle=2", "window=8"]
VIDEO = ["history=2", "embedding=4", "width=6", "pixelcnn_width=5", "num_layers=2", "window=3"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Pictures, sounds, clips and mazes, and the runs of two models on pictures and sounds."""
    root = tmp_path_factory.mktemp("train")
    make_pictures(root / "pictures")
    make_sounds(root / "said", SECONDS)
    make_clips(root / "clips", {"a": 9, "b": 4})
    make_mazes(root / "mazes")
    for name in ("pictures", "said"):
        assert run_cli(*TRAIN[name](root), "--run", root / f"of-{name}") == 0
    return root


# What is trained, at the end of the first two words; the settings are those of a short run.
TRAIN = {
    "pictures": lambda root: [
        "train", "folder", "--folder", root / "pictures", *settings(*TINY, *SHORT)],
    "said": lambda root: [
        "train", "sound", "--folder", root / "said", *settings(*TINY_SOUND, *SHORT)],
    "maps": lambda root: [
        "train", "prior", "--codes-of", root / "of-pictures", *settings(*PRIOR, *SHORT)],
    "rows": lambda root: [
        "train", "prior", "--codes-of", root / "of-said", *settings(*ROWS, *SHORT)],
    "clips": lambda root: [
        "train", "video", "--codes-of", root / "of-pictures", "--folder", root / "clips",
        *settings(*VIDEO, *SHORT)],
}  # fmt: skip


def as_once_written(path, name):
    """Writes a checkpoint's JSON as the first versions did: a flat recipe, or none for a prior."""
    config = json.loads((path / "config.json").read_text())
    config["format"] = FIRST_FORMAT
    del config["sha256"]
    recipe = config.pop("recipe")
    data = recipe.pop("data")
    if name in ("pictures", "said"):
        data.pop("mirrored", None)
        del recipe["kind"]
        config["recipe"] = {**recipe, **data}
    else:
        config |= {key: recipe[key] for key in ("profile", "training")}
        config |= {key: data[key] for key in ("codes_of", "window") if data[key] is not None}
    (path / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("name", list(TRAIN))
def test_a_run_from_before_goes_on_to_the_same_numbers(name, place, tmp_path):
    command = TRAIN[name](place)
    for run, stops in [("whole", [4]), ("old", [2, 4])]:
        for stop in stops:
            resume = ["--resume"] if stop != stops[0] else []
            arguments = [*command, *settings(f"steps={stop}"), "--run", tmp_path / run, *resume]
            assert run_cli(*arguments, "--device", "cpu") == 0
            if stop == 2:
                as_once_written(last_checkpoint(tmp_path / run), name)
    whole, old = (load_checkpoint(tmp_path / run) for run in ("whole", "old"))
    assert recipe_of(whole) == recipe_of(old)
    for key, value in whole.model.state_dict().items():
        assert torch.equal(value, old.model.state_dict()[key]), key


@pytest.mark.parametrize("name", list(TRAIN))
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("nonsense=1", "unknown setting 'nonsense=1'"),
        ("steps=none", "setting 'steps' expects int"),
        ("num_codes=0", "num_codes must be"),
    ],
)
def test_settings_are_checked_before_data_are_read(
    name, bad, message, place, tmp_path, capsys, monkeypatch
):
    def read(*arguments, **options):
        raise AssertionError("data are read, though a setting is wrong")

    for function in (
        "images.FolderImages",
        "sound.read_folder",
        "priors.training_images",
        "priors.load_utterances",
        "video.encode_clips",
    ):
        monkeypatch.setattr(f"vqvae_lite.recipes.{function}", read)
    run = tmp_path / "run"
    assert message in fails(capsys, *TRAIN[name](place), "--run", run, "--set", bad)
    assert not run.exists()


def test_mazes_are_not_decoded_before_settings_are_checked(tmp_path, capsys, monkeypatch):
    def read(*arguments):
        raise AssertionError("mazes are decoded, though a setting is wrong")

    recipe = get_recipe("maze", "quick", TINY)
    details = {"recipe": recipe.to_json()}
    save_checkpoint(tmp_path / "vqvae", VQVAE(recipe.model), step=1, details=details)
    for user in ("recipes.images", "video.clips"):
        monkeypatch.setattr(f"vqvae_lite.{user}.load_maze", read)
    codes_of = ["--codes-of", tmp_path / "vqvae"]
    for command in (["maze"], ["prior", *codes_of], ["video", *codes_of]):
        train = ["train", *command, "--run", tmp_path / "run", "--set"]
        assert "unknown setting 'nonsense=1'" in fails(capsys, *train, "nonsense=1")
    assert "num_actions must be 3 or none" in fails(capsys, *train, "num_actions=4")


@pytest.mark.parametrize("name", ["pictures", "said", "maps", "rows", "clips"])
def test_a_run_of_another_recipe_is_refused_before_data_are_read(
    name, place, tmp_path, capsys, monkeypatch
):
    run = tmp_path / "run"
    assert run_cli(*TRAIN[name](place), *settings("steps=2"), "--run", run) == 0

    def read(*arguments, **options):
        raise AssertionError("data are read, though the run is of another recipe")

    for function in ("image_data", "sound_data", "map_data", "row_data", "clip_data"):
        monkeypatch.setattr(f"vqvae_lite.recipes.run.{function}", read)
    again = [*TRAIN[name](place), "--run", run]
    assert "add --resume" in fails(capsys, *again)
    error = fails(capsys, *again, "--resume", "--set", "width=9")
    assert "was trained with width" in error
    assert error.endswith("it cannot go on as 9")
    assert "has taken 2 of 2 steps already" in fails(capsys, *again, "--resume", "--set", "steps=2")
    other = "maps" if name == "pictures" else "pictures"
    error = fails(capsys, *TRAIN[other](place), "--run", run, "--resume")
    assert "was trained with name" in error


def test_new_voices_in_a_folder_make_it_another_run(place, tmp_path, capsys):
    said = make_sounds(tmp_path / "said", SECONDS)
    train = ["train", "sound", "--folder", said, "--run", tmp_path / "run"]
    assert run_cli(*train, *settings(*TINY_SOUND, *SHORT, "steps=2")) == 0
    make_sounds(said, {"carl/a.wav": 0.3})
    error = fails(capsys, *train, *settings(*TINY_SOUND, *SHORT), "--resume")
    assert "with speakers ('ann', 'bob'); it cannot go on as ('ann', 'bob', 'carl')" in error
    named = settings("speakers=ann,bob")
    assert run_cli(*train, *settings(*TINY_SOUND, *SHORT), *named, "--resume") == 0


def test_what_a_recipe_is_told_in_vain(place, tmp_path, capsys):
    run = ["--run", tmp_path / "run"]
    for command, message in [
        (["spech"], "unknown recipe 'spech' (did you mean 'speech'?): expected one of maze, "),
        (["folder"], "'folder' needs folder (--folder"),
        (["sound"], "'sound' needs folder (--folder"),
        (["prior"], "'prior' needs codes_of (--codes-of"),
        (["video"], "'video' needs codes_of (--codes-of"),
        (["cifar10", "--folder", "x"], "'cifar10' takes no folder (--folder"),
        (["speech", "--folder", "x"], "'speech' takes no folder"),
        (["speech", "--model", "vqvae"], "'speech' takes no kind (--model"),
        (["sound", "--folder", "x", "--model", "vqvae"], "'sound' takes no kind"),
        (["prior", "--codes-of", "x", "--model", "vae"], "'prior' takes no kind"),
        (["video", "--codes-of", "x", "--model", "vae"], "'video' takes no kind"),
        (["prior", "--codes-of", "x", "--folder", "x"], "'prior' takes no folder"),
        (["maze", "--codes-of", "x"], "'maze' takes no codes_of"),
        (["sound", "--folder", "x", "--codes-of", "x"], "'sound' takes no codes_of"),
        (["maze", "--folder", place / "pictures"], "no maze data: root is "),
        (["folder", "--folder", tmp_path], "at least one image"),
        (["video", "--codes-of", place / "of-said"], "only a VQ-VAE has codes of images"),
    ]:
        assert message in fails(capsys, "train", *command, *run)
    assert not (tmp_path / "run").exists()


def test_a_larger_set_of_mazes(place, tmp_path, capsys):
    mazes, run = place / "mazes", tmp_path / "run"
    train = ["train", "maze", "--folder", mazes, "--run", run, "--set", "mirrored=true"]
    assert run_cli(*train, *settings(*TINY, *SHORT), "--device", "cpu") == 0
    assert "maze (quick), vqvae: 140 images; 4 steps of 2 on cpu" in capsys.readouterr().out
    checkpoint = load_checkpoint(run)
    assert recipe_of(checkpoint).data == ImageData(size=16, folder=str(mazes), mirrored=True)

    # It is measured on its own test mazes, or on others that are named; never mirrored.
    results = []
    for options in ([], ["--folder", mazes, "--split", "test"], ["--split", "validation"]):
        assert run_cli("evaluate", run, *options) == 0
        results.append(json.loads(capsys.readouterr().out))
    assert results[0] == results[1]
    assert [result["images"] for result in results] == [140] * 3
    assert results[2] != results[0]

    # What a prior learns are the codes of the same images, and of their mirror images.
    prior = ["train", "prior", "--codes-of", run, "--run", tmp_path / "prior"]
    learned = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vqvae_lite.recipes.run.train", lambda *data, **_: learned.append(data[1]))
        assert run_cli(*prior, *settings(*PRIOR, *SHORT)) == 0
    frames = shrink(load_maze("train", mazes).frames, 16)
    images = TensorImages(torch.cat([frames, frames.flip(-1)]))
    assert torch.equal(learned[0].codes, encode_images(checkpoint.model, images))


def test_mirrored_images_make_other_weights(place, tmp_path):
    weights = {}
    for name, more in [("plain", []), ("off", ["mirrored=false"]), ("on", ["mirrored=true"])]:
        run = ["--run", tmp_path / name, "--device", "cpu"]
        assert run_cli(*TRAIN["pictures"](place), *settings(*more), *run) == 0
        weights[name] = load_checkpoint(tmp_path / name).model.encoder.state_dict()
    assert all(torch.equal(weights["plain"][key], weights["off"][key]) for key in weights["off"])
    assert not all(torch.equal(weights["off"][key], weights["on"][key]) for key in weights["on"])


def test_what_a_prior_says_of_itself(place, tmp_path):
    assert run_cli(*TRAIN["clips"](place), "--run", tmp_path / "run") == 0
    recipe = recipe_of(load_checkpoint(tmp_path / "run"))
    vqvae = load_checkpoint(place / "of-pictures").model
    expected = get_recipe(
        "video", "quick", [*VIDEO, *SHORT], codes_of=vqvae, folder=place / "clips", num_actions=3
    )
    assert recipe == expected
    assert asdict(recipe.data) == asdict(
        CodeData(codes_of=expected.data.codes_of, window=3, folder=str(place / "clips"))
    )


def test_a_new_dynamics_model_starts_from_the_codebook(place, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(VideoPrior, "start_from", lambda model, codebook: given.append(codebook))
    run = [*TRAIN["clips"](place), "--run", tmp_path / "run"]
    assert run_cli(*run, *settings("steps=2")) == 0
    assert run_cli(*run, "--resume") == 0
    codebook = load_checkpoint(place / "of-pictures").model.quantizer.codebook
    assert len(given) == 1, "one that goes on has its own"
    assert torch.equal(given[0], codebook)


def test_a_dynamics_model_goes_on_without_the_clips_once_they_are_codes(place, tmp_path):
    clips = shutil.copytree(place / "clips", tmp_path / "clips")
    train = TRAIN["clips"](place)
    train = [clips if word == place / "clips" else word for word in train]
    run = [*train, "--run", tmp_path / "run"]
    assert run_cli(*run, *settings("steps=2")) == 0
    shutil.rmtree(clips)
    assert run_cli(*run, "--resume") == 0


def test_sound_is_told_whose_voices_before_it_is_read(place, monkeypatch, tmp_path, capsys):
    """A model of all that speak in a folder is made before its sound is decoded."""
    made = []
    make = SoundVQVAE.__init__

    def remember(model, config=None):
        made.append(config.num_speakers)
        make(model, config)

    monkeypatch.setattr(SoundVQVAE, "__init__", remember)
    monkeypatch.setattr("vqvae_lite.recipes.sound.read_folder", lambda *_, **__: 1 / 0)
    assert "ZeroDivisionError" in fails(capsys, *TRAIN["said"](place), "--run", tmp_path / "run")
    assert set(made) == {2}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_image_is_named_before_the_first_step_or_in_it(place, tmp_path, capfd, workers):
    shutil.copytree(place / "pictures", tmp_path / "pictures")
    broken = tmp_path / "pictures" / "2.png"
    broken.write_text("<html>404</html>")
    train = ["train", "folder", "--folder", tmp_path / "pictures", "--run", tmp_path / "run"]
    train += settings(*TINY, *SHORT, f"workers={workers}")
    said = f"vqvae-lite: {broken} cannot be read as an image: its content is none of AVIF, BMP, GIF"
    for options, step in ([], False), (["--no-check"], True):
        assert run_cli(*train, *options) == 1
        out, error = capfd.readouterr()
        lines = [line for line in error.split("\n") if line and not line.startswith("\r")]
        assert (len(lines), "4 steps of 2" in out) == (1, step)
        assert lines[0].startswith(said)


def test_a_broken_image_is_named_before_any_is_encoded(place, tmp_path, capsys, monkeypatch):
    train, run = ["train", "folder", *settings(*TINY, *SHORT)], tmp_path / "run"
    shutil.copytree(place / "pictures", tmp_path / "pictures")
    assert run_cli(*train, "--folder", tmp_path / "pictures", "--run", run) == 0
    (tmp_path / "pictures" / "3.png").write_text("no image")
    monkeypatch.setattr("vqvae_lite.images.read_image", lambda *_: pytest.fail("it was decoded"))
    prior = ["train", "prior", "--codes-of", run, "--run", tmp_path / "prior"]
    for command in ([*prior, *settings(*PRIOR, *SHORT)],
                    ["encode", run, tmp_path / "pictures", tmp_path / "x.codes"]):  # fmt: skip
        assert "3.png cannot be read as an image" in fails(capsys, *command)


def test_what_enlarges_an_image_is_said(place, tmp_path, capsys):
    train = ["train", "folder", "--folder", place / "pictures", "--run", tmp_path / "run"]
    assert run_cli(*train, *settings(*TINY, *SHORT, "size=32")) == 0
    assert "4 images, 4 of them enlarged to 32 pixels; 4 steps" in capsys.readouterr().out


def test_a_film_is_no_image(place, tmp_path, capsys):
    shutil.copytree(place / "pictures", tmp_path / "pictures")
    frames = [Image.new("L", (8, 8), level) for level in range(40)]
    frames[0].save(tmp_path / "pictures" / "a.gif", save_all=True, append_images=frames[1:])
    train = ["train", "folder", "--folder", tmp_path / "pictures", "--run", tmp_path / "run"]
    assert "a.gif cannot be read as an image: it holds 40 pictures, not one" in fails(
        capsys, *train, *settings(*TINY, *SHORT)
    )
    encode = ["encode", place / "of-pictures", tmp_path / "pictures", tmp_path / "x.codes"]
    assert "it holds 40 pictures, not one" in fails(capsys, *encode)


def test_a_set_of_mazes_is_no_folder_of_images(place, tmp_path, capsys):
    train = ["train", "folder", "--folder", place / "mazes", "--run", tmp_path / "run"]
    said = f"{place / 'mazes'} is a set of mazes: `vqvae-lite train maze --folder` takes it"
    assert said in fails(capsys, *train, *settings(*TINY, *SHORT))
    assert not (tmp_path / "run").exists()


def test_a_text_that_cannot_be_read_does_not_stop_a_model_of_sound(place, tmp_path):
    said = make_sounds(tmp_path / "said", SECONDS)
    (said / "ann" / "a.txt").write_bytes(b"\xe9")
    (said / "ann" / "a.TextGrid").write_text("no grid")
    train = ["train", "sound", "--folder", said, "--run", tmp_path / "run"]
    assert run_cli(*train, *settings(*TINY_SOUND, *SHORT)) == 0


def test_a_quick_run_of_sound_says_that_it_is_not_yet_speech_and_what_to_run(
    place, tmp_path, capsys
):
    for profile, told in [("quick", True), ("paper", False)]:
        run = ["--run", tmp_path / profile, "--profile", profile]
        assert run_cli(*TRAIN["said"](place), *run) == 0
        said = capsys.readouterr().out
        assert ("is not yet speech" in said) == told
        assert ("--profile paper on a GPU" in said) == told
    assert run_cli(*TRAIN["pictures"](place), "--run", tmp_path / "pictures") == 0
    assert "speech" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("width=1000000", r"a vqvae with width=1000000, .* needs [\d,.]+ GB to be trained .* has "),
        ("num_codes=1000000000000", "a vqvae with num_codes=1000000000000, .* GB to be trained"),
        ("code_dim=1000000000", "a vqvae with code_dim=1000000000, .* GB to be trained"),
        ("num_residual=1000000", "num_residual=1000000, .* has more layers than can be"),
        ("width=1000000000000000", "width=1000000000000000, .* needs more memory than any machine"),
        ("size=16384,batch", "a batch of 1000 needs 3,221.2 GB, .* see batch_size=1000 and size"),
        ("size=1000000", "size must be at most 16384, got 1000000"),
        ("batch_size=1000000000000", "a batch of 1000000000000 needs .* GB"),
        ("seed=-1", "seed must be at least 0, got -1"),
        ("workers=-1", "workers must be at least 0, got -1"),
    ],
)
def test_what_no_machine_can_hold_is_named_before_data_are_read(setting, message, tmp_path, capsys):
    given = [setting.removesuffix(",batch")]
    if setting.endswith("batch"):
        given.append("batch_size=1000")
    command = ["train", "folder", "--folder", tmp_path / "none", *settings(*given)]
    error = fails(capsys, *command, "--run", tmp_path / "run", "--device", "cpu")
    assert re.search(message, error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("device", ["cpu:3", "foo", "cuda:x", ""])
def test_a_device_that_is_none_is_named(device, place, tmp_path, capsys):
    command = [*TRAIN["pictures"](place), "--run", tmp_path / "run", "--device", device]
    assert "device must be cpu, cuda, cuda:N or mps, got" in fails(capsys, *command)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_run_that_another_process_trains_is_refused(resume, place, tmp_path, capsys):
    command = [*TRAIN["pictures"](place), "--run", tmp_path / "run", *resume]
    if resume:
        shutil.copytree(place / "of-pictures", tmp_path / "run")
    other = holder(tmp_path / "run")
    before = sorted((tmp_path / "run").rglob("*"))
    try:
        said = fails(capsys, *command)
    finally:
        other.kill()
        other.communicate()
    assert said == f"vqvae-lite: {tmp_path / 'run'} is being trained in by another process"
    assert sorted((tmp_path / "run").rglob("*")) == before
    if not resume:
        assert run_cli(*command) == 0
