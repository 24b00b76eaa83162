"""The autoencoder whose latents are binned after training."""

import pytest
import torch

from vqvae_lite.baselines.autoencoder import Autoencoder, AutoencoderConfig
from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.images import to_float
from vqvae_lite.likelihoods import negative_log_likelihood
from vqvae_lite.models import load_checkpoint, new_model

SMALL = AutoencoderConfig(
    width=8, num_residual=1, num_codebooks=3, num_codes=5, likelihood="logistic"
)


def images(count=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 16, 16), generator=generator, dtype=torch.uint8)


@pytest.fixture
def model():
    model = new_model("autoencoder", SMALL, seed=0).eval()
    model.fit_bins(model.latents(to_float(images())))
    return model


def test_bins_have_equal_counts_and_their_means(model):
    x = to_float(images())
    latents, codes = model.latents(x), model.encode(x)
    assert codes.shape == latents.shape == (6, 3, 4, 4)
    assert codes.dtype == torch.int64
    for channel in range(3):
        counts = torch.bincount(codes[:, channel].flatten(), minlength=5)
        assert counts.max() - counts.min() <= 1
        for code in range(5):
            mean = latents[:, channel][codes[:, channel] == code].mean()
            assert torch.isclose(model.values[channel, code], mean, atol=1e-6)
        assert (model.values[channel].diff() > 0).all()
        between = (model.values[channel, :-1], model.values[channel, 1:])
        assert (between[0] <= model.edges[channel]).all()
        assert (model.edges[channel] <= between[1]).all()


def test_means_are_the_best_values_and_more_bins_are_closer(model):
    x = to_float(images())
    latents = model.latents(x)

    def error():
        return (model.lookup(model.encode(x)) - latents).square().mean().item()

    best = error()
    model.values.add_(0.01)
    assert error() > best
    finer = new_model("autoencoder", AutoencoderConfig(**{**vars(SMALL), "num_codes": 20}), seed=0)
    finer.fit_bins(latents)
    assert (finer.lookup(finer.encode(x)) - latents).square().mean().item() < best / 4


def test_latents_outside_what_was_seen_fall_into_the_last_bins(model):
    beyond = torch.stack([model.edges[:, 0] - 100, model.edges[:, -1] + 100])
    model.latents = lambda x: beyond[:, :, None, None]
    codes = model.encode(to_float(images(2)))
    assert codes[0].eq(0).all()
    assert codes[1].eq(4).all()


def test_one_channel_has_no_dimension_of_codebooks():
    config = AutoencoderConfig(**{**vars(SMALL), "num_codebooks": 1})
    model = new_model("autoencoder", config, seed=0)
    x = to_float(images())
    model.fit_bins(model.latents(x))
    codes = model.encode(x)
    assert codes.shape == (6, 4, 4)
    assert model.decode(codes).shape == x.shape


def test_bound_is_reconstruction_from_the_bins_plus_the_prior(model):
    pictures = images(4, seed=1)
    parts = model.bound(pictures, lambda codes: -codes.flatten(1).sum(1).float())
    codes = model.encode(to_float(pictures))
    assert torch.equal(parts.prior, codes.flatten(1).sum(1).double())
    parameters = model.decoder(model.lookup(codes))
    assert torch.equal(
        parts.reconstruction, negative_log_likelihood(model.likelihood, parameters, pictures)
    )


def test_bins_keep_their_edges_in_bfloat16(model):
    edges, values = model.edges.clone(), model.values.clone()
    x = to_float(images())
    shown = model.decode(model.encode(x))
    model.bfloat16()
    assert torch.equal(model.edges, edges)
    assert torch.equal(model.values, values)
    assert model.latents(x).dtype == torch.float32, "as they are compared with the edges"
    assert torch.allclose(model.decode(model.encode(x)), shown, atol=0.05)


def test_training_knows_nothing_of_the_bins(model):
    x = to_float(images())
    out = model(x)
    unbinned = Autoencoder(SMALL)
    unbinned.encoder, unbinned.decoder = model.encoder, model.decoder
    assert torch.equal(unbinned(x).loss, out.loss)
    out.loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_bins_are_kept_in_checkpoints(model, tmp_path):
    save_checkpoint(tmp_path / "model", model, step=1)
    again = load_checkpoint(tmp_path / "model").model
    x = to_float(images(2, seed=3))
    assert torch.equal(again.encode(x), model.encode(x))
    assert torch.equal(again.decode(again.encode(x)), model.decode(model.encode(x)))


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"num_codes": 1}, ValueError),
        ({"num_codebooks": 0}, ValueError),
        ({"num_codes": 2.0}, TypeError),
    ],
)
def test_impossible_settings(setting, error):
    with pytest.raises(error, match=next(iter(setting))):
        Autoencoder(AutoencoderConfig(**{**vars(SMALL), **setting}))


def test_bad_input(model):
    x = to_float(images(2))
    with pytest.raises(ValueError, match="fit_bins"):
        Autoencoder(SMALL).encode(x)
    with pytest.raises(ValueError, match="fit_bins"):
        Autoencoder(SMALL).decode(torch.zeros(1, 3, 4, 4, dtype=torch.int64))
    before = model.values.clone()
    with pytest.raises(ValueError, match="shape"):
        model.fit_bins(torch.zeros(2, 4, 4, 4))
    with pytest.raises(ValueError, match="different values"):
        model.fit_bins(torch.ones(2, 3, 4, 4))
    assert torch.equal(model.values, before)
    with pytest.raises(ValueError, match="codes must"):
        model.decode(torch.full((1, 3, 4, 4), 5))
    with pytest.raises(ValueError, match="codes must"):
        model.decode(torch.zeros(1, 3, 4, dtype=torch.int64))
