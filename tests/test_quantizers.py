"""A quantizer of one's own, by its name, in every model that has one."""

import itertools
import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from vqvae_lite import ModelConfig, QuantizerOutput, TrainingConfig, VectorQuantizer, train
from vqvae_lite.checkpoints import CheckpointError, save_checkpoint
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages, to_float
from vqvae_lite.models import MODELS, load_checkpoint, new_model
from vqvae_lite.quantizer import straight_through
from vqvae_lite.quantizers import QUANTIZERS, codebook_of, quantizer_of
from vqvae_lite.secondstage.pixelvqvae import PixelVQVAEConfig
from vqvae_lite.sound.cepstral import CepstralConfig
from vqvae_lite.sound.model import SoundConfig

SETTINGS = [ModelConfig, PixelVQVAEConfig, SoundConfig, CepstralConfig]
SMALL = ModelConfig(width=8, num_codes=9, code_dim=2, num_codebooks=3)
IMAGES = torch.randint(
    0, 256, (6, 3, 8, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


class Grid(nn.Module):
    """Rounds each number to -1, 0 or 1: nothing is learned, and nothing is looked up."""

    def __init__(self, num_codes, code_dim, *, num_codebooks, generator, **ignored):
        super().__init__()
        self.num_codes = 3**code_dim
        self.num_codebooks = num_codebooks
        self.code_dim = code_dim

    def forward(self, z_e):
        rounded = z_e.tanh().round()
        zero = z_e.new_zeros(())
        quantized = straight_through(z_e, rounded)
        return QuantizerOutput(quantized, self.encode(z_e), zero, zero, zero)

    def encode(self, z_e):
        digits = (z_e.tanh().round().long() + 1).unflatten(1, (-1, self.code_dim))
        powers = 3 ** torch.arange(self.code_dim)
        codes = (digits.movedim(2, -1) * powers).sum(-1)
        return codes if self.num_codebooks > 1 else codes[:, 0]

    def lookup(self, codes):
        codes = codes if self.num_codebooks > 1 else codes[:, None]
        powers = 3 ** torch.arange(self.code_dim)
        digits = codes[..., None] // powers % 3 - 1
        return digits.movedim(-1, 2).flatten(1, 2).float()


@pytest.fixture
def grid(monkeypatch):
    monkeypatch.setitem(QUANTIZERS, "grid", Grid)


def config_of(settings, **changes):
    """As small as it gets: two dimensions of three values are nine codes."""
    small = {"width": 4, "num_codes": 9, "code_dim": 2, **changes}
    if settings is PixelVQVAEConfig:
        small |= {"rows": 4, "columns": 4, "num_values": 5, "num_layers": 1}
    if settings is SoundConfig:
        small |= {"strides": (4, 4), "decoder_width": 4, "num_cycles": 1, "layers_per_cycle": 2}
    return settings(**small)


def kind_of(settings):
    return next(kind for kind, (config, _) in MODELS.items() if config is settings)


@pytest.mark.parametrize("num_codebooks", [1, 3])
def test_a_model_with_a_quantizer_of_ones_own(grid, tmp_path, num_codebooks):
    config = replace(SMALL, num_codebooks=num_codebooks, quantizer="grid")
    model = new_model("vqvae", config, seed=0)
    assert type(model.quantizer) is Grid
    training = TrainingConfig(steps=30, batch_size=6, learning_rate=1e-2, precision="float32")
    history = train(model, TensorImages(IMAGES), training, run=tmp_path, progress=False)
    assert history[-1].means["loss"] < 0.8 * history[0].means["loss"]
    assert history[-1].means["perplexity"] > 1

    again = load_checkpoint(tmp_path).model
    assert again.config.quantizer == "grid"
    codes = encode_images(again, TensorImages(IMAGES))
    assert torch.equal(codes, model.eval().encode(to_float(IMAGES)))
    shown = model(to_float(IMAGES)).reconstruction
    assert torch.allclose(again.decode(codes), shown, atol=1e-5)


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_model_takes_the_quantizer_of_its_settings(grid, settings):
    plain = new_model(kind_of(settings), config_of(settings), seed=0)
    assert type(plain.quantizer) is VectorQuantizer
    model = new_model(kind_of(settings), config_of(settings, quantizer="grid"), seed=0)
    assert type(model.quantizer) is Grid
    assert model.quantizer.num_codebooks == getattr(model.config, "num_codebooks", 1)


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_setting_reaches_the_quantizer(settings):
    changes = {"commitment": 0.125, "decay": 0.75, "restart_below": 0.5}
    quantizer = new_model(kind_of(settings), config_of(settings, **changes), seed=0).quantizer
    assert {name: getattr(quantizer, name) for name in changes} == changes
    assert (quantizer.num_codes, quantizer.code_dim) == (9, 2)


def test_the_generator_reaches_the_quantizer():
    books = [
        quantizer_of(SMALL, 2, torch.Generator().manual_seed(seed)).codebook for seed in (1, 1, 2)
    ]
    assert torch.equal(books[0], books[1])
    assert not torch.equal(books[0], books[2])
    assert books[0].shape == (2, 9, 2)


@pytest.mark.parametrize("settings", SETTINGS)
def test_an_unknown_name_is_refused_before_anything_is_made(settings):
    config = config_of(settings, quantizer="nonsense")
    state = torch.get_rng_state()
    names = re.escape(str(list(QUANTIZERS)))
    with pytest.raises(ValueError, match=rf"^quantizer must be one of {names}, got 'nonsense'$"):
        MODELS[kind_of(settings)][1](config)
    assert torch.equal(torch.get_rng_state(), state), "no weight has been drawn"


def test_a_checkpoint_whose_quantizer_nobody_knows(tmp_path):
    QUANTIZERS["grid"] = Grid
    try:
        model = new_model("vqvae", replace(SMALL, quantizer="grid"), seed=0)
        save_checkpoint(tmp_path / "model", model, step=1)
    finally:
        del QUANTIZERS["grid"]
    with pytest.raises(CheckpointError, match=r"quantizer must be one of .* got 'grid'"):
        load_checkpoint(tmp_path / "model")


@pytest.mark.parametrize("changes", [{"num_codes": 8}, {"code_dim": 3}])
def test_as_many_codes_as_the_settings_say(grid, changes):
    config = replace(SMALL, quantizer="grid", **changes)
    with pytest.raises(ValueError, match=r"'grid' must have the num_codes .* got \(\d+, 3\)"):
        new_model("vqvae", config, seed=0)


def test_what_needs_a_codebook_says_so():
    quantizer = quantizer_of(SMALL, 2)
    assert torch.equal(codebook_of(quantizer), quantizer.codebook)
    with pytest.raises(TypeError, match=r"needs the codebook of the quantizer, Grid\(\) has none"):
        codebook_of(Grid(9, 2, num_codebooks=2, generator=None))


def test_the_grid_is_a_quantizer():
    """Of the test's own: lookup undoes encode, for all codes of a position."""
    grid = Grid(9, 2, num_codebooks=2, generator=None)
    codes = torch.tensor([*itertools.product(range(9), repeat=2)])[..., None]
    assert torch.equal(grid.encode(grid.lookup(codes)), codes)
