"""Likelihoods of 8-bit images: exact probabilities of the 256 values, never densities.

A decoder gives some parameters for each sub-pixel; a likelihood turns them into a probability for
each of 0 to 255, and these sum to 1. So -log2 of it, divided by the number of sub-pixels, is a
number of bits per dimension that a real code could reach (section 4.1). Given the latents, the
sub-pixels are independent.
"""

import math
from typing import NamedTuple, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from vqvae_lite.checks import check_tensor
from vqvae_lite.images import check_uint8
from vqvae_lite.modules import with_float64

Nats = TypeVar("Nats", Tensor, float)

# Where training starts, in levels: about the spread of the values of natural images.
_FIRST_SCALE = 25.0
_LOG_SCALE_RANGE = (-3.0, 7.0)  # of exp in float32 far inside; a scale of 0.05 to 1097 levels
_NUM_COMPONENTS = 5


class Likelihood(Protocol):
    """Independent distributions over 0..255, one for each sub-pixel of a batch of images.

    A likelihood is made from the output of a decoder: float (B, C * parameters_per_value, H, W).
    """

    parameters_per_value: int

    def __init__(self, parameters: Tensor): ...

    def log_prob(self, x: Tensor) -> Tensor:
        """Nats, float32 (B, C, H, W), of uint8 images x of that shape."""
        ...

    def mean(self) -> Tensor:
        """The mean before rounding, (B, C, H, W), in [-1, 1] as `images.to_float` maps levels."""
        ...

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draws uint8 images (B, C, H, W)."""
        ...


class Categorical:
    """A softmax over the 256 values: no value is nearer to another (reported of the authors).

    Args:
        parameters: (B, C * 256, H, W), the logits.
    """

    parameters_per_value = 256

    def __init__(self, parameters: Tensor):
        self.log_probs = _per_value(parameters, self).log_softmax(2)

    def log_prob(self, x: Tensor) -> Tensor:
        _check_levels(x, self.log_probs)
        return self.log_probs.gather(2, x.long()[:, :, None]).squeeze(2)

    def mean(self) -> Tensor:
        levels = torch.linspace(-1, 1, 256, device=self.log_probs.device)
        return (self.log_probs.exp() * levels[:, None, None]).sum(2)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        drawn = _choose(self.log_probs, generator)
        return drawn.to(torch.uint8)


class DiscretizedLogistic:
    """A logistic of learned mean and scale, cut into 256 bins (Kingma et al. 2016, section 4).

    Value v gets the mass between v - 1/2 and v + 1/2; 0 and 255 get all that lies beyond them.

    Args:
        parameters: (B, C * 2, H, W): the mean, 0 being the middle of the range and -1 and 1 its
            ends, and the logarithm of the scale, 0 being 25 levels.
    """

    parameters_per_value = 2

    def __init__(self, parameters: Tensor):
        location, log_scale = _per_value(parameters, self).unbind(2)
        self.location, self.log_scale = _in_levels(location, log_scale)

    def log_prob(self, x: Tensor) -> Tensor:
        _check_levels(x, self.location[:, :, None])
        return _log_bin(x, self.location, self.log_scale)

    def mean(self) -> Tensor:
        return self.location.clamp(0, 255) / 127.5 - 1

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        return _draw_logistic(self.location, self.log_scale, generator)


class LogisticMixture:
    """A mixture of five discretised logistics (Salimans et al. 2017, section 2.1).

    Args:
        parameters: (B, C * 15, H, W): five logits of the weights, then five means, then five
            logarithms of scales, in the units of `DiscretizedLogistic`.
    """

    parameters_per_value = 3 * _NUM_COMPONENTS

    def __init__(self, parameters: Tensor):
        weight, location, log_scale = _per_value(parameters, self).chunk(3, dim=2)
        self.log_weight = weight.log_softmax(2)
        # Equal components would get equal gradients and stay equal: they start side by side.
        spread = torch.linspace(-1, 1, _NUM_COMPONENTS, device=location.device)
        location = location + 0.5 * spread[:, None, None]
        self.location, self.log_scale = _in_levels(location, log_scale)

    def log_prob(self, x: Tensor) -> Tensor:
        _check_levels(x, self.location)
        of_component = _log_bin(x[:, :, None], self.location, self.log_scale)
        return torch.logsumexp(self.log_weight + of_component, dim=2)

    def mean(self) -> Tensor:
        mean = (self.log_weight.exp() * self.location.clamp(0, 255)).sum(2)
        return mean / 127.5 - 1

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        chosen = _choose(self.log_weight, generator)[:, :, None]
        location = self.location.gather(2, chosen).squeeze(2)
        log_scale = self.log_scale.gather(2, chosen).squeeze(2)
        return _draw_logistic(location, log_scale, generator)


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "categorical": Categorical,
    "logistic": DiscretizedLogistic,
    "mixture": LogisticMixture,
}


def get_likelihood(name: str) -> type[Likelihood]:
    """The class of a likelihood.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in LIKELIHOODS:
        raise ValueError(f"likelihood must be one of {list(LIKELIHOODS)}, got {name!r}")
    return LIKELIHOODS[name]


def bits_per_dim(nats: Nats, num_values: int) -> Nats:
    """Bits per dimension: nats / (num_values log 2); 8 for a uniform model of 8-bit values.

    Args:
        nats: minus a log-likelihood, of one image or of each.
        num_values: the sub-pixels of an image, C * H * W.

    Raises:
        ValueError: num_values is below 1.
    """
    if num_values < 1:
        raise ValueError(f"num_values must be at least 1, got {num_values}")
    return nats / (num_values * math.log(2))


class Bound(NamedTuple):
    """The parts of an upper bound on -log p(x), each float64 (B,), in nats an image.

    Attributes:
        reconstruction: -log p(x | z).
        prior: what the latents cost: -log p(z) of a code, or the KL divergence of a posterior.
    """

    reconstruction: Tensor
    prior: Tensor

    @property
    def total(self) -> Tensor:
        """The bound itself; minus it is at most log p(x)."""
        return self.reconstruction + self.prior


def negative_log_likelihood(
    likelihood: type[Likelihood], parameters: Tensor, images: Tensor
) -> Tensor:
    """-log p(x | z) of whole images: float64 (B,), in nats.

    Args:
        likelihood: a class of `LIKELIHOODS`.
        parameters: what a decoder gave for it.
        images: uint8 (B, C, H, W).
    """
    log_prob = with_float64(likelihood(parameters).log_prob(images))
    return -log_prob.flatten(1).sum(1, dtype=torch.float64)


def _per_value(parameters: Tensor, likelihood: Likelihood) -> Tensor:
    """(B, C, parameters_per_value, H, W) in float32, also under autocast."""
    count = likelihood.parameters_per_value
    check_tensor("parameters", parameters)
    if parameters.ndim != 4 or parameters.shape[1] % count or not parameters.numel():
        raise ValueError(
            f"parameters must have the shape (B, C * {count}, H, W), got {tuple(parameters.shape)}"
        )
    return parameters.float().unflatten(1, (-1, count))


def _check_levels(x: Tensor, parameters: Tensor) -> None:
    check_uint8(x)
    batch, channels, _, *size = parameters.shape
    if x.shape != (batch, channels, *size):
        raise ValueError(
            f"images must have the shape {(batch, channels, *size)} of the parameters, "
            f"got {tuple(x.shape)}"
        )


def _in_levels(location: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
    log_scale = (log_scale + math.log(_FIRST_SCALE)).clamp(*_LOG_SCALE_RANGE)
    return 127.5 * (location + 1), log_scale


def _log_bin(x: Tensor, location: Tensor, log_scale: Tensor) -> Tensor:
    """The logarithm of a logistic's mass between x - 1/2 and x + 1/2.

    With a and b the two ends in units of the scale, sigmoid(a) - sigmoid(b) is
    sigmoid(a) sigmoid(-b) (1 - exp(b - a)): three factors whose logarithms are exact everywhere,
    while the difference itself would be 0 in the tails.
    """
    centred = x - location
    inverse = torch.exp(-log_scale)
    below = F.logsigmoid((centred + 0.5) * inverse)
    above = F.logsigmoid((0.5 - centred) * inverse)
    between = torch.log(-torch.expm1(-inverse))
    inside = below + above + between
    return torch.where(x == 0, below, torch.where(x == 255, above, inside))


def _draw_logistic(
    location: Tensor, log_scale: Tensor, generator: torch.Generator | None
) -> Tensor:
    uniform = torch.rand(location.shape, generator=generator, device=location.device)
    drawn = location + log_scale.exp() * torch.logit(uniform, eps=1e-7)
    return drawn.round().clamp(0, 255).to(torch.uint8)


def _choose(log_probs: Tensor, generator: torch.Generator | None) -> Tensor:
    """An index along dimension 2 for each place, by the Gumbel maximum."""
    uniform = torch.rand(log_probs.shape, generator=generator, device=log_probs.device)
    return (log_probs - (-uniform.clamp_min(1e-30).log()).log()).argmax(2)
