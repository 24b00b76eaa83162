"""The command line and the file of codes, from training to decoded images."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from commands import fails
from vqvae_lite.checkpoints import last_checkpoint, save_checkpoint
from vqvae_lite.cli.main import main
from vqvae_lite.codefile import ImageCodes, read_codes, write_codes
from vqvae_lite.images import FolderImages, to_float, to_uint8
from vqvae_lite.model import VQVAE
from vqvae_lite.models import MODELS, load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import Recipe

TINY = ["--set", "width=8", "--set", "code_dim=4", "--set", "num_codes=20", "--set", "size=16"]
SHORT = ["--set", "steps=4", "--set", "batch_size=2", "--set", "checkpoint_every=2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("images")
    (path / "sub").mkdir()
    generator = np.random.default_rng(0)
    for name, size in [("a.png", (20, 30)), ("b.jpg", (16, 16)), ("sub/a.png", (40, 18))]:
        pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path / name)
    return path


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    arguments = ["train", "folder", "--folder", str(folder), "--run", str(path)]
    assert main([*arguments, *TINY, *SHORT, "--device", "cpu"]) == 0
    return path


def test_train_stores_its_recipe_and_resumes(folder, run, capsys):
    checkpoint = load_checkpoint(run)
    assert checkpoint.config["step"] == 4
    recipe = Recipe.from_json(checkpoint.config["recipe"])
    assert (recipe.name, recipe.data.size, recipe.model.width) == ("folder", 16, 8)
    base = ["train", "folder", "--folder", folder, "--run", run, *TINY]
    assert "add --resume" in fails(capsys, *base, *SHORT)
    assert "cannot go on as" in fails(capsys, *base, *SHORT, "--resume", "--set", "width=9")
    assert "4 of 4 steps already" in fails(capsys, *base, *SHORT, "--resume")
    longer = [str(part) for part in [*base, *SHORT, "--resume", "--set", "steps=5"]]
    assert main(longer) == 0
    assert last_checkpoint(run).name == "step-00000005"


def test_evaluate_prints_json(folder, run, capsys):
    assert main(["evaluate", str(run), "--folder", str(folder)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["images"] == 3
    assert 0 < result["fraction_used"] <= 1
    assert result["bits_per_image"] == pytest.approx(16 * math.log2(20))


@pytest.mark.parametrize("kind", ["vqvae", "vae", "vimco", "gumbel"])
def test_a_model_with_a_likelihood_is_measured_in_bits(kind, folder, tmp_path, capsys):
    settings = ["width=4", "size=16", "likelihood=logistic"]
    settings += ["latent_channels=2"] if kind == "vae" else ["num_codes=5", "code_dim=2"]
    run = tmp_path / "run"
    arguments = ["train", "folder", "--folder", str(folder), "--model", kind, "--run", str(run)]
    arguments += [part for setting in settings for part in ("--set", setting)]
    assert main([*arguments, *SHORT, "--device", "cpu"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--folder", str(folder)]) == 0
    result = json.loads(capsys.readouterr().out)
    bits = result["bits_per_dim"]
    assert bits["bound"] > bits["prior"] >= 0
    assert ("psnr" in result) == (kind == "vqvae")
    assert "no held-out part" in fails(capsys, "evaluate", run)
    if kind == "vqvae":
        assert "--samples is not for a vqvae" in fails(
            capsys, "evaluate", run, "--folder", folder, "--samples", 5
        )
    else:
        for arguments in (["encode", run, folder], ["decode", run, tmp_path / "x.codes"]):
            error = fails(capsys, *arguments, tmp_path / "out")
            assert f"holds a {MODELS[kind][1].__name__}: only a VQ-VAE" in error


def test_a_checkpoint_without_a_recipe_says_so(folder, tmp_path, capsys):
    recipe = get_recipe("maze", "quick", settings=["width=4", "code_dim=2", "num_codes=5"])
    save_checkpoint(tmp_path / "bare", VQVAE(recipe.model), step=1)
    for command in (["evaluate"], ["encode", folder]):
        path = [tmp_path / "bare"]
        rest = [] if command == ["evaluate"] else [tmp_path / "out"]
        error = fails(capsys, command[0], *path, *command[1:], *rest)
        assert "was saved without a recipe" in error
    details = {"recipe": {"name": "maze", "model": {"width": 4}}}
    save_checkpoint(tmp_path / "odd", VQVAE(recipe.model), step=1, details=details)
    assert "cannot be read as the recipe of a run" in fails(capsys, "evaluate", tmp_path / "odd")


def test_encode_and_decode_are_the_models(folder, run, tmp_path, capsys):
    file = tmp_path / "images.codes"
    assert main(["encode", str(run), str(folder), str(file)]) == 0
    assert f"{file.stat().st_size} bytes" in capsys.readouterr().out
    model = load_checkpoint(run).model
    images = FolderImages(folder, 16)
    batch = images.__getitems__([0, 1, 2])
    stored = read_codes(file, ImageCodes)
    assert torch.equal(torch.stack(list(stored.codes)), model.encode(to_float(batch)))
    assert stored.names == ["a.png", "b.jpg", "sub/a.png"]
    out = tmp_path / "out"
    assert main(["decode", str(run), str(file), str(out)]) == 0
    decoded = to_uint8(model.decode(torch.stack(list(stored.codes))))
    for name, expected in zip(stored.names, decoded, strict=True):
        pixels = np.asarray(Image.open(out / f"{name}.png"))
        assert np.array_equal(pixels, expected.permute(1, 2, 0).numpy())
    assert "is there already" in fails(capsys, "decode", run, file, out)


def test_encode_finds_home_and_makes_the_folder(folder, run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    pictures = f"~/{folder.name}"
    assert main(["encode", str(run), pictures, str(tmp_path / "new" / "x.codes")]) == 0
    stored = read_codes(tmp_path / "new" / "x.codes", ImageCodes)
    assert stored.names == ["a.png", "b.jpg", "sub/a.png"]


def test_encode_refuses_a_folder_before_it_encodes(folder, run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("vqvae_lite.cli.images.code_batches", None)
    error = fails(capsys, "encode", run, folder, tmp_path)
    assert f"{tmp_path} is a folder: name the file to write" in error
    assert list(tmp_path.parent.glob(f".{tmp_path.name}*")) == []


def test_decode_refuses_another_models_codes(folder, run, tmp_path, capsys):
    file = tmp_path / "images.codes"
    main(["encode", str(run), str(folder), str(file)])
    other = VQVAE(load_checkpoint(run).model.config)
    save_checkpoint(tmp_path / "other", other, step=1)
    capsys.readouterr()
    assert "was not made by the model" in fails(
        capsys, "decode", tmp_path / "other", file, tmp_path / "out"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("shape", [(2, 8), (1, 1), (1, 4, 4)])
def test_decode_refuses_codes_of_another_shape_before_it_writes(shape, run, tmp_path, capsys):
    mark = fingerprint(load_checkpoint(run).model)
    codes = [torch.zeros(shape, dtype=torch.int64)] * 300
    names = [f"{number}" for number in range(300)]
    write_codes(tmp_path / "x.codes", ImageCodes(codes, 20, names, mark))
    error = fails(capsys, "decode", run, tmp_path / "x.codes", tmp_path / "out")
    assert f"x.codes has codes of the shape {shape}, and those of the model's pictures of" in error
    assert not (tmp_path / "out").exists()


def test_decode_writes_nothing_outside_its_folder(run, tmp_path, capsys):
    model = load_checkpoint(run).model
    codes = [torch.zeros(4, 4, dtype=torch.int64)]
    evil = ImageCodes(codes, 20, ["../../evil"], fingerprint(model))
    write_codes(tmp_path / "evil.codes", evil)
    assert "leads out of" in fails(capsys, "decode", run, tmp_path / "evil.codes", tmp_path / "out")


def test_info_of_checkpoint_and_codes(folder, run, tmp_path, capsys):
    file = tmp_path / "images.codes"
    main(["encode", str(run), str(folder), str(file)])
    capsys.readouterr()
    assert main(["info", str(run)]) == 0
    checkpoint = capsys.readouterr().out
    assert main(["info", str(file)]) == 0
    codes = capsys.readouterr().out
    assert "3 images, codes (3, 4, 4) of 20" in codes
    model = codes.split("model ")[1].split()[0]
    assert f"model {model}" in checkpoint


def test_errors_are_one_line(tmp_path, run, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "at least one image" in fails(
        capsys, "train", "folder", "--folder", empty, "--run", tmp_path / "r"
    )
    assert "no checkpoint at" in fails(capsys, "evaluate", empty)
    assert "expected a file of codes" in fails(capsys, "decode", run, empty / "x", tmp_path / "o")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "x.png").write_bytes(b"not an image")
    assert "x.png cannot be read" in fails(capsys, "encode", run, broken, tmp_path / "c")
    assert not (tmp_path / "c").exists()
    assert not (tmp_path / "r").exists()
