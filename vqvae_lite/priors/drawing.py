"""What every prior draws with: a seed, a sharpness, one code a row, and on what condition."""

import math
from numbers import Integral
from typing import Protocol

import torch
from torch import Tensor, nn

from vqvae_lite.checks import (
    check_integers,
    check_label,
    check_positive_int,
    check_real,
    check_tensor,
)
from vqvae_lite.modules import with_float64


def generator_for(model: nn.Module, device: torch.device, seed: int | None) -> torch.Generator:
    """What a sample is drawn with; for no seed, seeded from torch's default generator.

    Raises:
        TypeError: the seed is no whole number.
        ValueError: the model has NaN or Inf among its weights.
    """
    if seed is not None and not isinstance(seed, Integral):
        raise TypeError(f"seed must be an int or None, got {seed!r}")
    # One pass over each tensor, and NaN is among its bounds where it is among its values.
    bounds = [bound for parameter in model.parameters() for bound in parameter.aminmax()]
    if not all(bound.isfinite() for bound in bounds):
        raise ValueError("model must have finite weights, got NaN or Inf in them")
    # `draw` draws in float64.
    generator = torch.Generator("cpu" if device.type == "mps" else device)
    generator.manual_seed(int(torch.randint(2**62, ())) if seed is None else int(seed))
    return generator


def check_sharpness(temperature: float, top_k: int | None, num_codes: int) -> None:
    """Raises TypeError or ValueError unless samples of K codes can be drawn with these settings."""
    check_real(temperature=temperature)
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be finite and above 0, got {temperature}")
    if top_k is not None:
        check_positive_int(top_k=top_k)
        if top_k > num_codes:
            raise ValueError(f"top_k must be at most {num_codes}, the codes; got {top_k}")


def draw(
    logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator
) -> Tensor:
    """One code for each row of logits (B, K): int64 (B,). The arguments are those of `sample`."""
    candidates = None
    if top_k is not None:
        logits, candidates = logits.topk(top_k)
    # Less the largest first, so that however small the temperature is, nothing overflows.
    scaled = with_float64(logits - logits.amax(1, keepdim=True)).double() / temperature
    summed = scaled.softmax(1).cumsum(1)
    # A number in [0, 1) falls into the share of one code: the first whose sum exceeds it. That is
    # never a code of no share, and there is always one: in float64 the product stays below the sum.
    level = torch.rand(
        len(logits), 1, dtype=torch.float64, device=scaled.device, generator=generator
    )
    chosen = torch.searchsorted(summed, level * summed[:, -1:], right=True)[:, 0].to(logits.device)
    return chosen if candidates is None else candidates.gather(1, chosen[:, None])[:, 0]


class Conditions(Protocol):
    """Settings of a prior that say what it is conditioned on."""

    @property
    def num_classes(self) -> int | None: ...

    @property
    def condition_channels(self) -> int | None: ...


def check_conditions(
    config: Conditions, label: Tensor | None, condition: Tensor | None, size: tuple[int, ...]
) -> None:
    """Raises TypeError or ValueError unless label and condition fit a model and its size.

    Args:
        config: of the model, such as `PixelCNNConfig` or `WaveNetConfig`.
        label: integers (B,) in [0, num_classes), or None.
        condition: floating point, (B, condition_channels, ...), or None.
        size: the batch and what follows the channels: (B, H, W) or (B, T).
    """
    for name, value, wanted in [
        ("label", label, config.num_classes),
        ("condition", condition, config.condition_channels),
    ]:
        if (value is None) != (wanted is None):
            raise ValueError(f"{name} must be {'None' if wanted is None else 'given'}: see config")
    if label is not None and config.num_classes is not None:
        check_label(label, size[0], config.num_classes)
    if condition is not None:
        check_tensor("condition", condition)
        shape = (size[0], config.condition_channels, *size[1:])
        if condition.shape != shape:
            raise ValueError(f"condition must have the shape {shape}, got {tuple(condition.shape)}")


class Codebooks(Protocol):
    """Settings of a prior that say which codes a position has."""

    @property
    def num_codes(self) -> int: ...

    @property
    def num_codebooks(self) -> int: ...


def arrange_given(given: Tensor, config: Codebooks, size: tuple[int, int, int]) -> Tensor:
    """A copy of the given codes as int64 (B, H, W, C), -1 where there is none, if they fit."""
    num_codes, num_codebooks = config.num_codes, config.num_codebooks
    check_integers("given", given)
    full = size if num_codebooks == 1 else (size[0], num_codebooks, *size[1:])
    if given.shape != full:
        raise ValueError(f"given must have the shape {full}, got {tuple(given.shape)}")
    low, high = (bound.item() for bound in torch.aminmax(given))
    if low < -1 or high >= num_codes:
        raise ValueError(
            f"given must lie in [0, {num_codes}), or be -1 where unknown, "
            f"got values from {low} to {high}"
        )
    return (given.movedim(1, -1) if num_codebooks > 1 else given[..., None]).long().clone()
