"""The VAE: its KL divergence, its bounds, its errors."""

import math

import pytest
import torch

from vqvae_lite.baselines.vae import (
    VAE,
    VAEConfig,
    gaussian_kl,
    shift_noise,
    split_posterior,
)
from vqvae_lite.images import to_float

TINY = {"in_channels": 1, "width": 4, "num_halvings": 1, "num_residual": 1}


def tiny(**settings):
    torch.manual_seed(0)
    config = VAEConfig(**{**TINY, "latent_channels": 1, "likelihood": "logistic", **settings})
    return VAE(config)


def levels(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def standard_noise(model, images, samples, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([model.noise(images, samples, generator) for _ in images])


@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, 0.0), (1.3, -2.0), (-0.4, 1.1)])
def test_kl_is_the_integral(mean, log_variance):
    """Against a sum over a fine grid of q (log q - log p)."""
    z = torch.linspace(-30, 30, 600_001, dtype=torch.float64)
    q = torch.distributions.Normal(mean, math.exp(0.5 * log_variance))
    p = torch.distributions.Normal(0.0, 1.0)
    integrand = q.log_prob(z).exp() * (q.log_prob(z) - p.log_prob(z))
    expected = torch.trapezoid(integrand, z).item()
    found = gaussian_kl(torch.tensor([[mean]]), torch.tensor([[log_variance]]))
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_kl_of_an_image_is_the_sum_over_its_latents():
    mean, log_variance = torch.randn(2, 5, 3, 4, 4).unbind(0)
    each = gaussian_kl(mean.reshape(-1, 1), log_variance.reshape(-1, 1))
    assert torch.allclose(gaussian_kl(mean, log_variance), each.view(5, -1).sum(1), rtol=1e-5)


def test_bounds_are_ordered_around_the_exact_likelihood():
    """One latent, so that p(x) is an integral over a line."""
    model = tiny()
    images = levels(3, 1, 2, 2)
    z = torch.linspace(-12, 12, 4001)
    parameters = model.decoder(z[:, None, None, None])
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z)
    exact = []
    for image in images:
        log_p = model.likelihood(parameters).log_prob(image.expand(len(z), -1, -1, -1))
        joint = (log_p.flatten(1).sum(1) + prior).double()
        exact.append(-torch.logsumexp(joint, 0) - math.log(24 / 4000))
    exact = torch.stack(exact)
    # Many noises for each image, since single estimates scatter around their mean.
    many = images.repeat_interleave(400, 0)
    one, several, lots = (
        model.bound(many, standard_noise(model, many, samples)) for samples in (1, 5, 50)
    )
    elbo = one[0].total.view(3, -1).mean(1)
    means = [importance.view(3, -1).mean(1) for _, importance in (one, several, lots)]
    assert torch.allclose(means[0], elbo, rtol=0.02)
    assert (elbo > means[1]).all()
    assert (means[1] > means[2]).all()
    assert (means[2] > exact - 0.01).all()
    assert torch.allclose(means[2], exact, atol=0.1)


def test_training_loss_is_the_bound():
    model = tiny(latent_channels=3)
    images = levels(64, 1, 4, 4)
    torch.manual_seed(5)
    out = model(to_float(images))
    torch.manual_seed(5)
    noise = torch.randn(64, 3, 2, 2)
    parts, _ = model.bound(images, noise[:, None])
    per_value = 64 * 16
    assert out.kl.item() == pytest.approx(parts.prior.sum().item() / per_value, rel=1e-5)
    nats = parts.reconstruction.sum().item() / per_value
    assert out.reconstruction_loss.item() == pytest.approx(nats, rel=1e-5)
    assert out.loss.item() == pytest.approx(nats + out.kl.item(), rel=1e-5)
    heavy = tiny(latent_channels=3, kl_weight=4.0)
    torch.manual_seed(5)
    out = heavy(to_float(images))
    expected = out.reconstruction_loss + 4 * out.kl
    assert out.loss.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("extreme", [-1e4, 1e4])
def test_no_posterior_overflows(extreme):
    mean, log_variance = split_posterior(torch.tensor([[0.0, extreme]], dtype=torch.bfloat16))
    assert mean.dtype == log_variance.dtype == torch.float32
    assert torch.isfinite(gaussian_kl(mean, log_variance)).all()
    assert (shift_noise(mean, log_variance, torch.ones(1, 1)) > 0).all()


def test_a_vae_in_bfloat16():
    exact, model = tiny(latent_channels=3), tiny(latent_channels=3).bfloat16()
    images = levels(4, 1, 4, 4)
    noise = standard_noise(model, images, 2)
    parts, importance = model.bound(images, noise)
    expected = exact.bound(images, noise)[1]
    assert parts.prior.dtype == importance.dtype == torch.float64
    assert torch.allclose(importance, expected, rtol=0.02)
    assert model.decode(noise[:, 0]).abs().max() <= 1


def test_shapes_of_decoded_images():
    model = VAE(VAEConfig(width=8, latent_channels=5, likelihood="mixture"))
    assert model.decode(torch.randn(2, 5, 3, 7)).shape == (2, 3, 12, 28)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"latent_channels": 0}, ValueError, "latent_channels must be at least 1, got 0"),
        ({"latent_channels": 1.5}, TypeError, "latent_channels must be an int"),
        ({"kl_weight": -1.0}, ValueError, "kl_weight must be finite and at least 0, got -1"),
        ({"likelihood": "gauss"}, ValueError, "likelihood must be one of"),
    ],
)
def test_settings_out_of_range(settings, error, message):
    with pytest.raises(error, match=message):
        tiny(**settings)


def test_images_that_do_not_fit():
    model = tiny()
    with pytest.raises(TypeError, match="images must be a uint8 tensor"):
        model.bound(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 1, 2, 2))
    with pytest.raises(ValueError, match="8-bit values"):
        model(torch.full((1, 1, 4, 4), 1.5))
    with pytest.raises(ValueError, match=r"shape \(B, 1, H, W\)"):
        model(to_float(levels(1, 3, 4, 4)))
    with pytest.raises(ValueError, match="multiples of 2 and the batch not empty"):
        model(to_float(levels(1, 1, 5, 4)))
    with pytest.raises(TypeError, match="must be floating point"):
        model(levels(1, 1, 4, 4))
