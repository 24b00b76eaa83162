"""The benchmark of ways to latents, in miniature: `benchmarks/latent_priors.py`."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import binned_autoencoder
import every_way
import fitted_gaussian
import latent_priors as benchmark
import likelihood
import other_ways
import sample_quality
import sampled_ways
from finite_scalar import FiniteScalarQuantizer
from latent_pixelcnn import LatentPixelCNN, LatentPixelCNNConfig

from vqvae_lite import VAE, GatedPixelCNN, PixelCNNConfig
from vqvae_lite.baselines.vae import VAEConfig, gaussian_kl
from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.modules import fingerprint
from vqvae_lite.recipes.profiles import get_recipe


def frames_of(count, seed=0):
    """Smooth pictures, uint8 (count, 3, 32, 32)."""
    small = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.interpolate(small, 32, mode="bilinear") * 255).to(torch.uint8)


@pytest.fixture
def ways(monkeypatch, tmp_path):
    """Two steps of everything; VAE, VQ-VAE and its prior as a run of likelihood.py leaves them."""
    for module in (binned_autoencoder, other_ways, benchmark):
        for name, value in {"STEPS": 2, "LAST_STEPS": 1, "REFIT_STEPS": 2, "SEEDS": 2}.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(every_way, "SEEDS", 2)
    short = [*likelihood.PRIOR["quick"], "steps=2", "width=4", "num_layers=1"]
    for module in (binned_autoencoder, other_ways):
        monkeypatch.setattr(module, "PRIOR", {"quick": short})
    training = replace(other_ways.LATENT_TRAINING, steps=2, batch_size=4)
    for module in (other_ways, benchmark):
        monkeypatch.setattr(module, "LATENT_TRAINING", training)
        monkeypatch.setattr(module, "PIXEL_TRAINING", training)
    monkeypatch.setattr(other_ways, "PIXEL_LAST_STEPS", 1)
    monkeypatch.setattr(other_ways, "PIXELS", replace(other_ways.PIXELS, width=4, num_layers=1))
    monkeypatch.setattr(benchmark, "SAMPLES", 12)
    monkeypatch.setattr(benchmark, "TIMED_SAMPLES", 8)
    monkeypatch.setattr(benchmark, "TIMED_STEPS", 1)
    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    monkeypatch.setattr(sample_quality, "JUDGE_STEPS", 1)
    monkeypatch.setattr(sample_quality, "STEPS", 2)
    frames = {"train": frames_of(24), "validation": frames_of(12, 1), "test": frames_of(12, 2)}
    given = tmp_path / "likelihood"
    for seed in range(2):
        torch.manual_seed(seed)
        vae = VAE(VAEConfig(width=4, latent_channels=2, likelihood="logistic"))
        vqvae = VQVAE(ModelConfig(width=4, num_codes=8, code_dim=2, likelihood="logistic"))
        prior = GatedPixelCNN(PixelCNNConfig(num_codes=8, width=4, num_layers=1))
        save_checkpoint(given / f"vae-{seed}", vae, step=1)
        save_checkpoint(given / f"vqvae-{seed}", vqvae, step=1)
        details = {"codes_of": fingerprint(vqvae)}
        save_checkpoint(given / f"prior-{seed}", prior, step=1, details=details)
    (tmp_path / "run").mkdir()
    return every_way.Ways(tmp_path / "run", given, frames)


@pytest.mark.slow
def test_in_miniature(ways):
    network = sample_quality.train_features(ways.frames["train"], torch.arange(24) // 6)
    found = benchmark.measure(ways, list(ways.ways), network)
    assert len(found) == 9
    for name, way in found.items():
        parts = way["bits"]["reconstruction"], way["bits"]["latents"]
        assert 2 < way["bits"]["sum"] < 12
        assert way["fine_detail"] > 0
        if name == "pixels, PixelCNN":
            assert parts == (None, None)
            assert way["psnr"] is way["told_from_own_reconstructions"] is None
        else:
            assert sum(parts) == pytest.approx(way["bits"]["sum"], abs=2e-5)
            assert way["psnr"] > 0
        sums = [seed["bits"]["sum"] for seed in way["seeds"]]
        assert len(set(sums)) == 2  # each seed has a model or prior of its own
        assert way["bits"]["sum"] == pytest.approx(sum(sums) / len(sums), abs=2e-5)
    # What was measured is not measured again; what was trained is not trained again.
    before = {path: path.stat().st_mtime_ns for path in ways.run.rglob("*") if path.is_file()}
    assert benchmark.measure(ways, list(found), network) == found
    benchmark.save_samples(ways)
    sheet = np.asarray(Image.open(ways.run / "samples.webp"))
    second = ways.ways["FSQ, PixelCNN"](0).draw(6, 0)[1]
    assert np.array_equal(sheet[:32, 32:64], second.permute(1, 2, 0).numpy())
    assert sheet.shape == (3 * 32, 6 * 32, 3)
    (ways.run / "samples.webp").unlink()
    spent = benchmark.times(ways)
    assert list(spent["processor_milliseconds_a_sample"]) == list(found)
    assert set(spent["training_processor_seconds"]) > {"VAE, prior", "pixels, prior"}
    after = {path: path.stat().st_mtime_ns for path in ways.run.rglob("*") if path.is_file()}
    assert after == before
    model, _ = ways.binned(0)
    assert 2 < sampled_ways.unbinned(model, ways.test)["reconstruction"] < 12
    assert model.edges.any()


def test_the_priors_over_latents_and_over_codes_are_trained_alike():
    vqvae = VQVAE(ModelConfig(width=4))
    recipe = get_recipe("prior", "quick", likelihood.PRIOR["quick"], codes_of=vqvae)
    ours = other_ways.LATENT_TRAINING
    for name in ("steps", "batch_size", "learning_rate", "precision"):
        assert getattr(recipe.training, name) == getattr(ours, name)
    size = LatentPixelCNNConfig(1)
    for name in ("width", "num_layers", "kernel_size", "dropout"):
        assert getattr(recipe.model, name) == getattr(size, name)


def test_scalars_are_rounded_to_their_level_and_the_gradient_is_that_of_tanh():
    quantizer = FiniteScalarQuantizer(8, 1, num_codebooks=2)
    z = torch.linspace(-9, 9, 2 * 5 * 8).view(1, 2, 5, 8).requires_grad_()
    out = quantizer(z)
    assert set(out.codes.unique().tolist()) == set(range(8))
    assert torch.equal(out.quantized, quantizer.lookup(out.codes))
    assert (out.quantized - z.tanh()).abs().max() <= 1 / 7 + 1e-6
    assert torch.equal(quantizer.encode(z), out.codes)
    out.quantized.sum().backward()
    assert torch.allclose(z.grad, 1 - z.detach().tanh().square(), atol=1e-6)
    assert quantizer.lookup(torch.arange(8).view(1, 1, 8).expand(1, 2, 8)).amax() == 1
    with pytest.raises(ValueError, match="code_dim must be 1"):
        FiniteScalarQuantizer(8, 4)


@pytest.fixture
def latent_prior():
    torch.manual_seed(0)
    model = LatentPixelCNN(
        LatentPixelCNNConfig(3, width=8, num_layers=2, dropout=0.0, components=2)
    )
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.3 * torch.randn_like(weights))
    return model


def test_a_latent_depends_on_those_before_it_alone(latent_prior):
    """In the order of positions, then channels; and on every one of them."""
    z = torch.randn(1, 3, 4, 4, requires_grad=True)
    latents = z.transpose(0, 1).flatten(1)
    parameters = latent_prior.head(latent_prior.features(z), latents)
    channel, position = 1, 5
    (gradient,) = torch.autograd.grad(parameters[channel, position].sum(), z)
    order = torch.arange(16).view(4, 4) * 3 + torch.arange(3).view(3, 1, 1)
    before = order < position * 3 + channel
    assert torch.equal(gradient[0] != 0, before)


def test_the_density_is_one():
    """It integrates to 1 over two latents."""
    torch.manual_seed(0)
    model = LatentPixelCNN(LatentPixelCNNConfig(2, width=8, num_layers=1, dropout=0.0))
    line = torch.linspace(-8, 8, 401)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2, 1, 1)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
        whole = model(grid).log_prob.double().exp().sum() * (16 / 400) ** 2
    assert whole.item() == pytest.approx(1, abs=1e-3)


def test_samples_go_by_the_features_of_a_full_pass(latent_prior):
    z = torch.randn(2, 3, 4, 4)
    with torch.no_grad():
        full = latent_prior.features(z).view(2, 16, -1)
        for number, features in latent_prior.walk(z.movedim(1, -1).contiguous()):
            assert torch.allclose(features, full[:, number], atol=1e-5)
    one, two, other = (latent_prior.sample((4, 4), batch=2, seed=seed) for seed in (0, 0, 1))
    assert one.shape == z.shape
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_what_is_drawn_has_the_density():
    """The mean of -log p over samples is the entropy: as by a sum over a grid, for two latents."""
    torch.manual_seed(0)
    model = LatentPixelCNN(LatentPixelCNNConfig(2, width=4, num_layers=1, dropout=0.0))
    with torch.no_grad():
        model.head.weight.add_(0.3 * torch.randn_like(model.head.weight))
        samples = model.sample((1, 1), batch=20_000, seed=0)
        paid = -model(samples).log_prob.mean().item()
        line = torch.linspace(-8, 8, 401)
        grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2, 1, 1)
        log_p = model(grid).log_prob.double()
        entropy = -(log_p.exp() * log_p).sum().item() * (16 / 400) ** 2
    assert paid == pytest.approx(entropy, abs=0.03)


def test_the_cost_of_latents_is_the_divergence():
    """One z a frame estimates KL(q || p): here p is near N(0, 1), whose KL is known."""
    torch.manual_seed(0)
    means, log_variances = torch.randn(400, 2, 4, 4), torch.randn(400, 2, 4, 4) - 1
    prior = LatentPixelCNN(LatentPixelCNNConfig(2, width=4, num_layers=1, components=1))
    with torch.no_grad():
        prior.head.bias.zero_()
    z = means + (0.5 * log_variances).exp() * torch.randn_like(means)
    with torch.no_grad():
        cost = sampled_ways.cost_under(prior)(means, log_variances, z).mean().item()
    assert cost == pytest.approx(gaussian_kl(means, log_variances).mean().item(), rel=0.02)


def test_a_fitted_gaussian_costs_what_the_divergence_says():
    torch.manual_seed(0)
    means, log_variances = torch.randn(50, 2, 1, 1), torch.randn(50, 2, 1, 1)
    gaussian = fitted_gaussian.FittedGaussian(means, log_variances)
    q = torch.distributions.MultivariateNormal(
        means[0].flatten().double(), log_variances[0].flatten().double().exp().diag()
    )
    p = torch.distributions.MultivariateNormal(gaussian.mean, gaussian.full)
    expected = torch.distributions.kl_divergence(q, p).item()
    assert gaussian.kl(means, log_variances)[0].item() == pytest.approx(expected, rel=1e-5)


def test_fine_detail_is_the_energy_of_high_frequencies():
    line = torch.arange(32)
    waves = [
        (100 + 50 * torch.cos(2 * math.pi * times * line / 32)).expand(4, 3, 32, 32)
        for times in (4, 12)
    ]
    coarse, fine = (wave.round().to(torch.uint8) for wave in waves)
    assert sample_quality.fine_detail(fine, fine) == pytest.approx(1)
    assert sample_quality.fine_detail(coarse, fine) < 0.01
    half = (100 + 25 * torch.cos(2 * math.pi * 12 * line / 32)).round().to(torch.uint8)
    assert sample_quality.fine_detail(half.expand(4, 3, 32, 32), fine) == pytest.approx(
        0.25, abs=0.01
    )


def test_variety_is_that_of_a_set_beside_another():
    torch.manual_seed(0)
    network = sample_quality.FeatureNetwork(3).eval()
    frames = frames_of(10)
    assert sample_quality.variety(network, frames, frames) == pytest.approx(1)
    alike = frames[:1].expand_as(frames).clone()
    assert sample_quality.variety(network, alike, frames) < 0.01
