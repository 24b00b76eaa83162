"""A prior over a VQ-VAE's codes, on the command line and by itself."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from commands import SHORT, fails, make_pictures, run_cli, settings
from vqvae_lite import VQVAE, GatedPixelCNN, ModelConfig, save_checkpoint
from vqvae_lite.checkpoints import Checkpoint, CheckpointError, last_checkpoint
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import FolderImages, to_float
from vqvae_lite.models import load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.recipes.priors import check_codes_of, load_prior, map_data, map_of
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import CodeData
from vqvae_lite.training import ALONE

IMAGES = ["width=8", "code_dim=4", "num_codes=20", "size=16", "likelihood=logistic"]
PRIOR = ["width=4", "num_layers=2"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with pictures, a run of a VQ-VAE, a run of its prior, and one of another VQ-VAE."""
    root = tmp_path_factory.mktemp("priors")
    make_pictures(root / "pictures")
    folder = ["train", "folder", "--folder", root / "pictures"]
    for name, seed in [("vqvae", 0), ("other", 1)]:
        more = settings(*IMAGES, *SHORT, f"seed={seed}")
        assert run_cli(*folder, "--run", root / name, *more) == 0
    prior = ["train", "prior", "--codes-of", root / "vqvae", "--run", root / "prior"]
    assert run_cli(*prior, *settings(*PRIOR, *SHORT)) == 0
    return root


def test_a_prior_is_trained_and_resumed(place, tmp_path, capsys):
    checkpoint = load_checkpoint(place / "prior")
    assert isinstance(checkpoint.model, GatedPixelCNN)
    assert (checkpoint.model.config.num_codes, checkpoint.model.config.width) == (20, 4)
    assert checkpoint.config["map"] == [4, 4]
    # Two steps and two more are the same four steps.
    prior = ["train", "prior", "--codes-of", place / "vqvae", "--run", tmp_path / "run"]
    assert run_cli(*prior, *settings(*PRIOR, *SHORT, "steps=2")) == 0
    assert "add --resume" in fails(capsys, *prior, *settings(*PRIOR, *SHORT))
    assert run_cli(*prior, *settings(*PRIOR, *SHORT), "--resume") == 0
    resumed = load_checkpoint(tmp_path / "run")
    for name, value in checkpoint.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    wider = settings("width=8", "num_layers=2", "steps=6")
    assert "cannot go on as" in fails(capsys, *prior, *wider, "--resume")
    other = ["train", "prior", "--codes-of", place / "other", "--run", tmp_path / "run"]
    error = fails(capsys, *other, *settings(*PRIOR, "steps=6"), "--resume")
    assert "was trained with codes_of" in error


def test_a_prior_of_a_mirrored_vqvae_learns_mirrored_images_too(place, tmp_path):
    """The codes of a mirrored image are not the mirrored codes: it is encoded."""
    checkpoint = load_checkpoint(place / "vqvae")
    plain = map_data(get_recipe("prior", "quick", codes_of=checkpoint.model), checkpoint, ALONE)
    checkpoint.config["recipe"]["data"]["mirrored"] = True
    both = map_data(get_recipe("prior", "quick", codes_of=checkpoint.model), checkpoint, ALONE)
    codes = plain.dataset.codes
    assert torch.equal(both.dataset.codes[:4], codes)
    pictures = FolderImages(place / "pictures", 16)
    flipped = to_float(torch.stack([picture.flip(-1) for picture in pictures]))
    assert torch.equal(both.dataset.codes[4:], checkpoint.model.encode(flipped))


def test_what_a_prior_saves_is_measured(place, capsys):
    pictures = place / "pictures"
    evaluate = ["evaluate", place / "vqvae", "--folder", pictures]
    assert run_cli(*evaluate) == 0
    uniform = json.loads(capsys.readouterr().out)
    assert run_cli(*evaluate, "--prior", place / "prior") == 0
    learned = json.loads(capsys.readouterr().out)
    assert learned["nats_per_code_of_the_uniform_prior"] == pytest.approx(math.log(20))
    model = load_checkpoint(place / "vqvae").model
    codes = encode_images(model, FolderImages(pictures, 16))
    prior = load_prior(place / "prior", model).model
    with torch.no_grad():
        expected = -prior.log_prob(codes).sum().item() / codes.numel()
    assert learned["nats_per_code"] == pytest.approx(expected, rel=1e-5)
    parts = learned["bits_per_dim"]
    assert parts["prior"] == pytest.approx(expected * 16 / (768 * math.log(2)), rel=1e-5)
    assert parts["reconstruction"] == uniform["bits_per_dim"]["reconstruction"]
    assert "holds a GatedPixelCNN" in fails(capsys, "evaluate", place / "prior")
    assert "not of" in fails(
        capsys, "evaluate", place / "other", "--folder", pictures, "--prior", place / "prior"
    )


def test_samples_are_decoded_and_come_again(place, tmp_path, capsys):
    sample = ["sample", place / "vqvae", place / "prior"]
    more = ["--count", 3, "--seed", 5, "--temperature", 0.9, "--top-k", 7]
    for name in ("a", "b"):
        assert run_cli(*sample, tmp_path / name, *more) == 0
    files = sorted((tmp_path / "a").iterdir())
    assert len(files) == 3
    for file in files:
        picture = np.asarray(Image.open(file))
        assert picture.shape == (16, 16, 3)
        assert np.array_equal(picture, np.asarray(Image.open(tmp_path / "b" / file.name)))
    assert "is there already" in fails(capsys, *sample, tmp_path / "a", *more)
    assert "temperature" in fails(capsys, *sample, tmp_path / "c", "--temperature", 0)
    assert "top_k" in fails(capsys, *sample, tmp_path / "c", "--top-k", 21)
    assert "count must be at least 1, got 0" in fails(capsys, *sample, tmp_path / "c", "--count", 0)
    assert not (tmp_path / "c").exists()
    assert "no prior over codes" in fails(
        capsys, "sample", place / "vqvae", place / "other", tmp_path / "c"
    )
    assert "only a VQ-VAE" in fails(
        capsys, "sample", place / "prior", place / "prior", tmp_path / "c"
    )


def test_errors_of_the_training(place, tmp_path, capsys):
    folder = ["train", "prior", "--codes-of", tmp_path, "--folder", tmp_path, "--run", tmp_path]
    assert "'prior' takes no folder" in fails(capsys, *folder)
    assert "'prior' needs codes_of" in fails(capsys, "train", "prior", "--run", tmp_path)
    error = fails(capsys, "train", "maze", "--codes-of", place / "vqvae", "--run", tmp_path)
    assert "'maze' takes no codes_of (--codes-of on the command line)" in error
    save_checkpoint(tmp_path / "bare", VQVAE(ModelConfig(width=4)), step=1)
    prior = ["train", "prior", "--codes-of", tmp_path / "bare", "--run", tmp_path / "run"]
    assert "was saved without a recipe" in fails(capsys, *prior)
    assert last_checkpoint(tmp_path / "run") is None


def test_recipes_of_priors():
    vqvae = VQVAE(ModelConfig(width=4, num_codes=30, num_codebooks=3, code_dim=2))
    for profile in ("quick", "paper"):
        recipe = get_recipe("prior", profile, ["steps=7", "kernel_size=5"], codes_of=vqvae)
        assert (recipe.kind, recipe.data) == ("pixelcnn", CodeData(codes_of=fingerprint(vqvae)))
        assert (recipe.model.num_codes, recipe.model.num_codebooks) == (30, 3)
        assert (recipe.training.steps, recipe.model.kernel_size) == (7, 5)
    for setting, message in [
        ("num_codes=31", "num_codes must be 30"),
        ("num_codebooks=1", "num_codebooks must be 3"),
        ("num_classes=4", "num_classes must be none"),
        ("condition_channels=2", "condition_channels must be none"),
        ("window=3", "window must be none"),
        ("size=3", "unknown setting 'size=3'"),
        ("codes_of=x", "unknown setting 'codes_of=x'"),
    ]:
        with pytest.raises(ValueError, match=message):
            get_recipe("prior", "quick", [setting], codes_of=vqvae)
    with pytest.raises(ValueError, match="profile must be one of"):
        get_recipe("prior", "slow", codes_of=vqvae)


@pytest.mark.parametrize(
    "config",
    [{}, *({"map": value} for value in (3, "ab", [4], [4, 4, 4], [0, 4], [4, 10**9], [4.0, 4]))],
)
def test_a_prior_without_a_map_that_can_be_is_named(config):
    prior = Checkpoint(Path("x"), None, config, {})
    with pytest.raises(CheckpointError, match="x: 'map' must be the height and width of its maps"):
        map_of(prior)
    assert map_of(prior._replace(config={"map": [4, 5]})) == (4, 5)


@pytest.mark.parametrize("codes_of", [3, ["a"], {"a": 1}])
def test_whose_codes_a_prior_has_is_said_in_a_text(place, codes_of):
    prior = load_checkpoint(place / "prior")
    prior = prior._replace(config={**prior.config, "codes_of": codes_of})
    with pytest.raises(CheckpointError, match="'codes_of' must be the fingerprint of a model"):
        check_codes_of(prior, prior.model)
