"""VIMCO: its estimator against the exact gradient, on a model small enough to enumerate."""

import itertools
import math

import pytest
import torch

import vqvae_lite.baselines.vimco as vimco
from enumerable import IMAGE, log_joint_and_posterior, make
from vqvae_lite.baselines.vimco import VIMCO, leave_one_out
from vqvae_lite.images import to_float


def tiny(**settings):
    return make(VIMCO, **{"samples": 3, **settings})


def gradient_of(model):
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def exact_gradient(model):
    """Of minus the bound, summed over all 9^3 draws of three samples with their probabilities."""
    joint, posterior = log_joint_and_posterior(model)
    draws = torch.tensor(list(itertools.product(range(9), repeat=3)))
    bound = (joint - posterior)[draws].logsumexp(1) - math.log(3)
    loss = -(posterior[draws].sum(1).exp() * bound).sum() / IMAGE.numel()
    model.zero_grad()
    loss.backward()
    return loss.item(), gradient_of(model)


def estimates(model, rounds=100, batch=4000):
    """Gradients, each a mean over a batch of independent draws for the same image."""
    x = to_float(IMAGE).expand(batch, -1, -1, -1)
    losses, gradients = [], []
    for seed in range(rounds):
        torch.manual_seed(seed)
        model.zero_grad()
        out = model(x)
        out.loss.backward()
        losses.append(out.loss.item())
        gradients.append(gradient_of(model))
    return torch.tensor(losses), torch.stack(gradients)


@pytest.mark.slow
def test_estimator_is_unbiased_and_its_variance_below_reinforce(monkeypatch):
    model = tiny(chunk=100_000)
    loss, exact = exact_gradient(model)
    losses, gradients = estimates(model)
    assert losses.mean().item() == pytest.approx(loss, abs=4 * losses.std().item() / 10)
    error = gradients.std(0) / len(gradients) ** 0.5
    # Parameters whose gradient is exactly 0 have no error either.
    live = error > 0
    scores = (gradients.mean(0) - exact)[live] / error[live]
    assert live.sum() > 50
    assert scores.abs().max() < 4
    assert torch.allclose(gradients.mean(0)[~live], exact[~live], atol=1e-7)

    # REINFORCE: every sample has the bound itself for its signal, and no baseline.
    def bound_itself(log_weights):
        bound = log_weights.logsumexp(1, keepdim=True) - math.log(log_weights.shape[1])
        return bound.expand_as(log_weights)

    monkeypatch.setattr(vimco, "leave_one_out", bound_itself)
    _, reinforce = estimates(model)
    assert gradients.var(0).sum() < 0.2 * reinforce.var(0).sum()


def test_signals_are_what_each_sample_adds():
    log_weights = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)) * 3
    found = leave_one_out(log_weights)
    for row, weights in enumerate(log_weights):
        for j in range(5):
            others = torch.cat([weights[:j], weights[j + 1 :]])
            replaced = torch.cat([others, others.mean()[None]])
            expected = weights.logsumexp(0) - replaced.logsumexp(0)
            assert found[row, j].item() == pytest.approx(expected.item(), abs=1e-5)


def test_chunks_change_memory_and_not_results():
    x = to_float(torch.randint(0, 256, (3, 1, 4, 4), dtype=torch.uint8))
    found = []
    for chunk in (1, 4, 1000):
        model = tiny(chunk=chunk)
        torch.manual_seed(1)
        out = model(x)
        out.loss.backward()
        found.append((torch.stack([*out]).detach(), gradient_of(model)))
    for values, gradient in found[1:]:
        assert torch.allclose(values, found[0][0], atol=1e-6)
        assert torch.allclose(gradient, found[0][1], atol=1e-5)


def test_training_loss_is_the_bound():
    model = tiny(samples=4)
    images = torch.randint(0, 256, (8, 1, 4, 4), dtype=torch.uint8)
    torch.manual_seed(2)
    out = model(to_float(images))
    torch.manual_seed(2)
    noise = torch.rand(8, 4, 2, 2, 2)
    parts, importance = model.bound(images, noise)
    assert out.loss.item() == pytest.approx(importance.sum().item() / images.numel(), rel=1e-5)
    assert out.kl.item() == pytest.approx(parts.prior.sum().item() / images.numel(), abs=1e-6)
    nats = parts.reconstruction.sum().item() / images.numel()
    assert out.reconstruction_loss.item() == pytest.approx(nats, rel=1e-5)


def test_a_vimco_in_bfloat16():
    exact, model = tiny(), tiny().bfloat16()
    noise = model.noise(IMAGE, 5, torch.Generator().manual_seed(0))[None]
    parts, importance = model.bound(IMAGE, noise)
    assert model.posterior(to_float(IMAGE)).dtype == torch.float32
    assert parts.prior.dtype == importance.dtype == torch.float64
    assert torch.allclose(importance, exact.bound(IMAGE, noise)[1], rtol=0.02)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"samples": 1}, ValueError, "samples must be at least 2"),
        ({"samples": 0}, ValueError, "samples must be at least 1, got 0"),
        ({"chunk": 0}, ValueError, "chunk must be at least 1"),
        ({"num_codes": 2.0}, TypeError, "num_codes must be an int"),
        ({"likelihood": "gauss"}, ValueError, "likelihood must be one of"),
    ],
)
def test_settings_out_of_range(settings, error, message):
    with pytest.raises(error, match=message):
        tiny(**settings)
