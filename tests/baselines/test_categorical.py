"""Categorical latents: their bounds and draws, on models small enough to enumerate."""

import math

import pytest
import torch

from enumerable import IMAGE, log_joint_and_posterior, make
from vqvae_lite.baselines.categorical import sample_codes, uniform_kl
from vqvae_lite.baselines.gumbel import GumbelSoftmax
from vqvae_lite.baselines.vimco import VIMCO
from vqvae_lite.images import to_float

KINDS = pytest.mark.parametrize("kind", [VIMCO, GumbelSoftmax])


@KINDS
def test_the_bound_by_enumeration(kind):
    """Of each draw, and of the KL divergence, the number that the table of all 9 codes gives."""
    model = make(kind)
    joint, posterior = log_joint_and_posterior(model)
    noise = model.noise(IMAGE, 20, torch.Generator().manual_seed(0))
    log_q = model.posterior(to_float(IMAGE))
    first, second = sample_codes(log_q, noise[None])[0, :, :, 0, 0].unbind(1)
    rows = 3 * first + second
    assert len(rows.unique()) > 4
    parts, importance = model.bound(IMAGE, noise[None])
    expected = math.log(20) - (joint - posterior)[rows].logsumexp(0)
    assert importance.item() == pytest.approx(expected.item(), rel=1e-5)
    nats = -(joint + math.log(9))[rows].mean()
    assert parts.reconstruction.item() == pytest.approx(nats.item(), rel=1e-5)
    kl = (posterior.exp() * (posterior + math.log(9))).sum()
    assert parts.prior.item() == pytest.approx(kl.item(), abs=1e-5)
    # The ELBO is below the likelihood by the distance from the true posterior.
    elbo, exact = (posterior.exp() * (joint - posterior)).sum(), joint.logsumexp(0)
    distance = (posterior.exp() * (posterior - joint.log_softmax(0))).sum()
    assert (exact - elbo).item() == pytest.approx(distance.item(), abs=1e-4)
    assert distance > 0


@KINDS
def test_bounds_are_ordered_around_the_exact_likelihood(kind):
    model = make(kind)
    joint, _ = log_joint_and_posterior(model)
    exact = -joint.logsumexp(0).item()
    many = IMAGE.expand(4000, -1, -1, -1)
    generator = torch.Generator().manual_seed(0)
    noise = model.noise(many, 4000 * 20, generator).unflatten(0, (4000, 20))
    parts, one = model.bound(many, noise[:, :1])
    elbo = parts.total.mean().item()
    assert one.mean().item() == pytest.approx(elbo, rel=0.01)
    five = model.bound(many, noise[:, :5])[1].mean().item()
    twenty = model.bound(many, noise)[1].mean().item()
    assert elbo > five > twenty > exact - 1e-3
    assert twenty - exact < 0.3 * (elbo - exact)


def test_values_are_drawn_as_often_as_the_posterior_says():
    probabilities = torch.tensor([0.5, 0.0, 0.3, 0.2])
    log_q = probabilities.log().view(1, 1, 1, 1, 4)
    noise = torch.rand(1, 50_000, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    found = torch.bincount(sample_codes(log_q, noise).flatten(), minlength=4) / 50_000
    assert (found - probabilities).abs().max() < 0.01
    ends = sample_codes(log_q, torch.tensor([0.0, 1 - 2**-24]).view(1, 2, 1, 1, 1))
    assert ends.flatten().tolist() == [0, 3]


@KINDS
def test_each_latent_has_vectors_of_its_own(kind):
    model = make(kind)
    model.parameters_of(torch.tensor([1, 2]).view(1, 2, 1, 1)).sin().sum().backward()
    used = model.codebook.grad.abs().sum(2) > 0
    assert used.nonzero().tolist() == [[0, 1], [1, 2]]


@pytest.mark.parametrize("values", range(1, 40))
def test_a_value_of_no_probability_is_never_drawn(values):
    """Before the others, or after them: 3 times 1/3 is not quite 1."""
    log_q = torch.full((values,), -math.log(values))
    impossible = torch.tensor([-math.inf])
    log_q = torch.cat([impossible, log_q, impossible]).view(1, 1, 1, 1, -1)
    ends = sample_codes(log_q, torch.tensor([0.0, 1 - 2**-24]).view(1, 2, 1, 1, 1))
    assert ends.flatten().tolist() == [1, values]


def test_the_divergence_from_the_uniform_prior():
    certain = torch.tensor([1.0, 0, 0, 0]).log().view(1, 1, 1, 1, 4)
    assert uniform_kl(certain).tolist() == pytest.approx([math.log(4)])
    equal = torch.full((2, 3, 2, 2, 4), 0.25).log()
    assert uniform_kl(equal).tolist() == pytest.approx([0, 0], abs=1e-5)


@KINDS
def test_images_that_do_not_fit(kind):
    model = make(kind)
    with pytest.raises(TypeError, match="images must be a uint8 tensor"):
        model.bound(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 1, 1))
    with pytest.raises(ValueError, match="8-bit values"):
        model(torch.full((1, 1, 4, 4), -1.5))
    with pytest.raises(ValueError, match="batch of images must not be empty"):
        model(torch.zeros(0, 1, 4, 4))
