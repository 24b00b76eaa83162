"""Likelihoods: exactly normalised over the 256 values, and what they say of bad input."""

import math

import pytest
import torch

from vqvae_lite.images import exact_uint8, to_float
from vqvae_lite.likelihoods import (
    LIKELIHOODS,
    Bound,
    DiscretizedLogistic,
    bits_per_dim,
    get_likelihood,
    negative_log_likelihood,
)

EVERY = pytest.mark.parametrize("name", LIKELIHOODS)


def parameters_of(name, scale=1.0, batch=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    channels = 3 * LIKELIHOODS[name].parameters_per_value
    return scale * torch.randn(batch, channels, 2, 5, generator=generator)


def every_level():
    """Images (256, 3, 2, 5), the v-th all v."""
    levels = torch.arange(256, dtype=torch.uint8)
    return levels[:, None, None, None].expand(256, 3, 2, 5)


@EVERY
@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0, 30.0])
def test_probabilities_of_all_values_sum_to_one(name, scale):
    parameters = parameters_of(name, scale)
    distribution = LIKELIHOODS[name](parameters.expand(256, -1, -1, -1))
    total = distribution.log_prob(every_level()).double().exp().sum(0)
    assert (total - 1).abs().max() < 1e-5


@EVERY
def test_sub_pixels_are_told_apart(name):
    """Parameters of one sub-pixel change its own probability and no other's."""
    parameters = parameters_of(name).requires_grad_()
    images = torch.randint(0, 256, (1, 3, 2, 5), dtype=torch.uint8)
    log_prob = LIKELIHOODS[name](parameters).log_prob(images)
    log_prob[0, 1, 1, 3].backward()
    count = LIKELIHOODS[name].parameters_per_value
    touched = parameters.grad[0].abs().unflatten(0, (3, count)).sum(1) > 0
    assert touched.nonzero().tolist() == [[1, 1, 3]]


def test_bins_of_the_logistic_against_its_cumulative_distribution():
    parameters = parameters_of("logistic", 0.5)
    location, log_scale = parameters.double().unflatten(1, (3, 2)).unbind(2)
    location, scale = 127.5 * (location + 1), 25 * log_scale.exp()
    edges = torch.arange(255, dtype=torch.float64)[:, None, None, None] + 0.5
    below = torch.sigmoid((edges - location) / scale)
    zero, one = torch.zeros_like(location), torch.ones_like(location)
    expected = torch.cat([below, one]) - torch.cat([zero, below])
    found = DiscretizedLogistic(parameters.expand(256, -1, -1, -1)).log_prob(every_level())
    assert (found.double().exp() - expected).abs().max() < 1e-6


def test_far_from_the_mean_the_logistic_is_exact_and_has_a_gradient():
    """Twelve levels off a scale of a twentieth, where the difference of two sigmoids is 0."""
    parameters = torch.tensor([0.0, -50.0]).view(1, 2, 1, 1).requires_grad_()
    distribution = DiscretizedLogistic(parameters)
    scale = math.exp(-3)
    log_prob = distribution.log_prob(torch.full((1, 1, 1, 1), 115, dtype=torch.uint8))
    assert log_prob.item() == pytest.approx(-(127.5 - 115.5) / scale, rel=1e-3)
    log_prob.backward()
    assert parameters.grad[0, 0].item() == pytest.approx(-127.5 / scale, rel=1e-3)


@EVERY
def test_a_likelihood_can_be_fitted(name):
    """Half of the images are 40, half 200: the fit comes near to 1 bit."""
    torch.manual_seed(0)
    images = torch.tensor([40, 200], dtype=torch.uint8).repeat(8)[:, None, None, None]
    count = LIKELIHOODS[name].parameters_per_value
    parameters = torch.zeros(1, count, 1, 1, requires_grad=True)
    optimizer = torch.optim.Adam([parameters], lr=0.1)
    for _ in range(400):
        nats = -LIKELIHOODS[name](parameters.expand(16, -1, -1, -1)).log_prob(images).mean()
        optimizer.zero_grad()
        nats.backward()
        optimizer.step()
    # One logistic can only be wide.
    limit = {"categorical": 1.1, "logistic": 8.5, "mixture": 1.6}[name]
    assert 1 <= bits_per_dim(nats.item(), 1) < limit


@EVERY
def test_samples_follow_the_probabilities(name):
    parameters = parameters_of(name, 0.7)[:, :, :1, :1]
    likelihood = LIKELIHOODS[name]
    exact = likelihood(parameters.expand(256, -1, -1, -1))
    probabilities = exact.log_prob(every_level()[:, :, :1, :1]).exp()[..., 0, 0]  # (256, 3)
    count = 20_000
    generator = torch.Generator().manual_seed(1)
    drawn = likelihood(parameters.expand(count, -1, -1, -1)).sample(generator)
    assert drawn.dtype == torch.uint8
    for channel in range(3):
        found = torch.bincount(drawn[:, channel].flatten().long(), minlength=256) / count
        assert (found.cumsum(0) - probabilities[:, channel].cumsum(0)).abs().max() < 0.016


@pytest.mark.slow
@EVERY
def test_the_mean_is_that_of_the_samples(name):
    # Far from the ends, where what lies beyond them counts for nothing.
    parameters = parameters_of(name, 0.1)
    if name != "categorical":
        count = LIKELIHOODS[name].parameters_per_value
        parameters.unflatten(1, (3, count))[:, :, -max(1, count // 3) :] -= 1.5
    likelihood = LIKELIHOODS[name]
    mean = likelihood(parameters).mean()
    generator = torch.Generator().manual_seed(1)
    drawn = likelihood(parameters.expand(20_000, -1, -1, -1)).sample(generator)
    assert mean.shape == (1, 3, 2, 5)
    assert (to_float(drawn).mean(0) - mean[0]).abs().max() < 0.03


@pytest.mark.parametrize("name", ["logistic", "mixture"])
@pytest.mark.parametrize("beyond", [-1.5, 1.5])
def test_the_mean_stays_in_range_where_the_locations_do_not(name, beyond):
    """All that lies beyond the ends is 0 or 255: its mean is there too."""
    count = LIKELIHOODS[name].parameters_per_value
    parameters = torch.zeros(1, 3, count, 2, 5)
    first = 0 if name == "logistic" else count // 3
    parameters[:, :, first : first + max(1, count // 3)] = beyond
    mean = LIKELIHOODS[name](parameters.flatten(1, 2)).mean()
    assert torch.allclose(mean, torch.tensor(beyond).sign())


def test_draws_reach_far_into_the_tails():
    """A share of 1 - sigmoid(6) = 0.0025 to each side lies more than six scales away."""
    parameters = torch.tensor([0.0, math.log(10 / 25)]).view(1, 2, 1, 1)
    generator = torch.Generator().manual_seed(0)
    drawn = DiscretizedLogistic(parameters.expand(20_000, -1, -1, -1)).sample(generator)
    assert 20 < (drawn > 127.5 + 60).sum() < 100
    assert 20 < (drawn < 127.5 - 60).sum() < 100


def test_a_draw_is_the_nearest_level():
    """As sharp as it gets around level 100, a twentieth of a level wide."""
    parameters = torch.tensor([100 / 127.5 - 1, -50.0]).view(1, 2, 1, 1).expand(100, -1, -1, -1)
    drawn = DiscretizedLogistic(parameters).sample(torch.Generator().manual_seed(0))
    assert drawn.unique().tolist() == [100]


@EVERY
def test_half_precision_is_left_before_any_sum(name):
    images = torch.randint(0, 256, (1, 3, 2, 5), dtype=torch.uint8)
    parameters = parameters_of(name).bfloat16()
    log_prob = LIKELIHOODS[name](parameters).log_prob(images)
    assert log_prob.dtype == torch.float32
    assert torch.equal(log_prob, LIKELIHOODS[name](parameters.float()).log_prob(images))


def test_a_uniform_model_takes_exactly_eight_bits():
    images = torch.randint(0, 256, (4, 3, 2, 5), dtype=torch.uint8)
    nats = negative_log_likelihood(
        get_likelihood("categorical"), torch.zeros(4, 3 * 256, 2, 5), images
    )
    assert nats.dtype == torch.float64
    assert bits_per_dim(nats, 30).tolist() == pytest.approx([8] * 4, abs=1e-6)
    assert bits_per_dim(30 * math.log(256), 30) == 8


def test_parts_of_a_bound_add_up():
    bound = Bound(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    assert bound.total.tolist() == [4, 6]


def test_floats_back_to_the_very_levels():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(exact_uint8(to_float(levels)), levels)


@pytest.mark.parametrize("value", [1.01, -1.2, 0.0])
def test_floats_that_are_no_levels(value):
    """Outside the range, and between two levels: 0 is level 127.5."""
    images = to_float(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
    images[0, 1, 2, 3] = value
    with pytest.raises(ValueError, match=r"8-bit values, .* levels away"):
        exact_uint8(images)


@EVERY
def test_errors_name_what_was_wrong(name):
    likelihood = LIKELIHOODS[name]
    parameters = parameters_of(name)
    with pytest.raises(TypeError, match="images must be a uint8 tensor"):
        likelihood(parameters).log_prob(torch.zeros(1, 3, 2, 5))
    with pytest.raises(ValueError, match=r"shape \(1, 3, 2, 5\) of the parameters"):
        likelihood(parameters).log_prob(torch.zeros(1, 3, 5, 2, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"parameters must have the shape \(B, C \* "):
        likelihood(parameters[:, :-1])
    with pytest.raises(ValueError, match="parameters must have the shape"):
        likelihood(parameters[:0])
    with pytest.raises(TypeError, match=r"floating point, got torch\.int64"):
        likelihood(parameters.long())


def test_unknown_likelihood_and_no_values():
    with pytest.raises(ValueError, match="one of .*'logistic'.* got 'gauss'"):
        get_likelihood("gauss")
    with pytest.raises(ValueError, match="at least 1, got 0"):
        bits_per_dim(1.0, 0)
