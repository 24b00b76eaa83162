"""The benchmark of rate and distortion, in miniature: `benchmarks/image_rate_distortion.py`."""

import io
import json
import math
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import image_coders
import image_rate_distortion as benchmark

from vqvae_lite.metrics import psnr
from vqvae_lite.models import new_model
from vqvae_lite.recipes.profiles import get_recipe

SIDE = 20


def smooth(count, seed=0):
    """Pictures that coders can make small, uint8 (count, 3, SIDE, SIDE)."""
    small = torch.rand(count, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.interpolate(small, SIDE, mode="bilinear") * 255).to(torch.uint8)


def recipe_of(settings):
    small = ["width=4", "batch_size=4", "num_codes=8", "code_dim=2"]
    size = [] if any(setting.startswith("size=") for setting in settings) else [f"size={SIDE}"]
    return get_recipe("folder", "quick", [*settings, *small, *size], folder="pictures")


@pytest.fixture
def pictures(monkeypatch):
    monkeypatch.setattr(benchmark, "STEPS", 2)
    monkeypatch.setattr(benchmark, "LAST_STEPS", 1)
    monkeypatch.setattr(benchmark, "QUALITIES", (10, 90))
    variants = {
        "K=8": (),
        "no quantizer": (),
        "smaller map": ("num_halvings=3", "size=24"),
        "two codebooks": ("num_codebooks=2",),
    }
    sets = {"validation": smooth(5, 1), "test": smooth(3, 2)}
    return benchmark.Pictures(smooth(12), sets, recipe_of, variants)


def test_in_miniature(pictures, tmp_path):
    figures = benchmark.measure_kind("frames", pictures, tmp_path)
    assert figures["images"] == {"validation": 5, "test": 3}
    assert figures["raw_bits"] == SIDE * SIDE * 24
    latents = {"K=8": 25, "smaller map": 9, "two codebooks": 50}
    for name, model in figures["models"].items():
        for split in ("validation", "test"):
            assert 0 < model[split]["psnr"] < 60
            assert ("bits" in model[split]) == (name != "no quantizer")
            if name in latents:
                assert model[split]["bits"] == 3 * latents[name]
                assert model[split]["bits_by_frequency"] > 0
    for points in figures["coders"].values():
        few, many = points
        assert few["bytes"] < many["bytes"]
        assert few["psnr"] < many["psnr"]
        assert many["ms_ssim"] > 0.9
        assert 0 < many["bytes_without_headers"] < many["bytes"]
    # What is there already is not measured again.
    (tmp_path / "frames_0.json").write_text(json.dumps({"test": "from before"}))
    again = benchmark.measure_kind("frames", pictures, tmp_path)
    assert again["models"].pop("K=8") == {"test": "from before"}
    assert again["models"] == {key: figures["models"][key] for key in again["models"]}


def test_a_part_of_it_alone(pictures, tmp_path):
    """Several processes share a run; the last finds what the others measured."""
    part = benchmark.measure_kind("frames", pictures, tmp_path, ["two codebooks"])
    assert (list(part["models"]), part["coders"]) == (["two codebooks"], {})
    assert [path.name for path in tmp_path.iterdir()] == ["frames_3.json"]
    assert not benchmark.measure_kind("photographs", pictures, tmp_path, ["frames"])["models"]
    whole = benchmark.measure_kind("frames", pictures, tmp_path, ["frames", "x"])
    assert list(whole["models"]) == list(pictures.variants)
    assert len(whole["coders"]) == 3
    assert whole["models"]["two codebooks"] == part["models"]["two codebooks"]


def test_the_variants_are_recipes():
    """Every setting is one, and what a name says of the map is so."""
    for variants, size in ((benchmark.FRAMES, 84), (benchmark.PHOTOGRAPHS, 32)):
        name = {84: "maze", 32: "cifar10"}[size]
        for variant, settings in variants.items():
            recipe = get_recipe(name, "quick", [*benchmark.SHARED, *settings])
            side = recipe.data.size // 2**recipe.model.num_halvings
            assert f"{side}x{side}" in variant or (side == 21 and "map" not in variant)
            assert ("gradient" in variant) == (recipe.model.decay is None)
            assert f"K={recipe.model.num_codes}" in variant or recipe.model.num_codes == 512


def test_without_a_quantizer_the_first_weights_are_the_same():
    config = recipe_of([]).model
    model = new_model("vqvae", config, 3)
    bare = benchmark.Unquantized(new_model("vqvae", config, 3))
    x = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    assert torch.equal(bare.encoder(x), model.encoder(x))
    loss = (model.decoder(model.encoder(x)) - x).square().mean()
    assert bare(x).loss.item() == pytest.approx(loss.item())


def test_pictures_are_padded_by_their_edge_and_cropped_again():
    images = smooth(2)
    more = benchmark.padded(images, 24)
    assert torch.equal(more[..., 2:-2, 2:-2], images)
    assert torch.equal(more[..., 0, 2:-2], images[..., 0, :])
    assert torch.equal(more[..., 2:-2, -1], images[..., -1])
    assert benchmark.padded(images, SIDE) is images
    model = benchmark.Unquantized(new_model("vqvae", recipe_of([]).model, 0))
    model.encoder = model.decoder = torch.nn.Identity()
    assert torch.equal(benchmark.made_of(model, images, 24), images)


def test_bits_are_those_of_the_codes_as_often_as_training_had_them():
    model = new_model("vqvae", recipe_of(["num_codebooks=1"]).model, 0)
    counted = benchmark.CodeFrequencies(torch.zeros(1, 2, 4, dtype=torch.long), 8)  # 9 of 16
    codes = torch.tensor([[[0, 0], [0, 1]]])
    found = benchmark.sizes(model, codes, counted)
    assert found["bits"] == 12
    bits = 3 * math.log2(16 / 9) + 4
    assert found["bits_by_frequency"] == pytest.approx(bits, abs=0.01)
    assert found["fraction_used"] == 2 / 8


@pytest.mark.parametrize("name", image_coders.CODERS)
def test_coders_give_back_what_they_were_given(name):
    coder, image = image_coders.CODERS[name], smooth(1)
    found = image_coders.measure_coder(coder, image, 90)
    buffer = io.BytesIO()
    picture = Image.fromarray(image[0].permute(1, 2, 0).numpy())
    picture.save(buffer, coder.name, quality=90, **coder.options)
    assert found["bytes"] == len(buffer.getvalue())
    back = image_coders._decoded(buffer.getvalue())[None]
    assert found["psnr"] == pytest.approx(psnr(back, image).item(), abs=1e-4)
    assert found["psnr"] > 25


def test_photographs_are_read_or_left_out(monkeypatch, tmp_path, capsys):
    for split in ("train", "test"):
        (tmp_path / split / "cat").mkdir(parents=True)
        for number in range(9):
            Image.new("RGB", (32, 32), (number, 0, 0)).save(tmp_path / split / f"cat/{number}.png")
    found = benchmark.photographs(str(tmp_path))
    assert found.train.shape == (3, 3, 32, 32)
    assert found.train[:, 0, 0, 0].tolist() == [0, 4, 8]
    assert found.measured["test"].shape == (1, 3, 32, 32)
    monkeypatch.setenv("VQVAE_LITE_DATA", str(tmp_path / "nowhere"))
    assert benchmark.photographs(None) is None
    assert "photographs are left out" in capsys.readouterr().out
