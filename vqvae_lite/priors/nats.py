"""What codes cost in nats: under a prior, and under how often each code is used."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vqvae_lite.checks import check_integers
from vqvae_lite.metrics import CodeUsage
from vqvae_lite.modules import device_of, with_float64


class Prior(Protocol):
    """What says how probable codes are, such as `GatedPixelCNN`, `WaveNet`, `CodeFrequencies`."""

    def log_prob(self, codes: Tensor, *args: Any, **conditions: Any) -> Tensor:
        """Log p of each of a batch of codes, given its conditions, in nats: (B,)."""
        ...


class CodeFrequencies:
    """The simplest learned prior: each code costs what it does by how often it was used.

    Positions and codebooks are independent; each codebook has its own frequencies. Every count is
    one more than it was, so that no code is impossible.

    Args:
        codes: of the training images, (N, h, w), or (N, C, h, w) with C > 1 codebooks.
        num_codes: K.

    Raises:
        TypeError, ValueError: codes of another dtype, shape or range.
    """

    def __init__(self, codes: Tensor, num_codes: int):
        check_integers("codes", codes)
        num_codebooks = codes.shape[1] if codes.ndim == 4 else 1
        usage = CodeUsage(num_codes, num_codebooks)
        usage.update(codes)
        counts = (usage.counts + 1).double()
        self.log_probs = (counts / counts.sum(1, keepdim=True)).log()

    def log_prob(self, codes: Tensor) -> Tensor:
        """Log p(codes) of each map, in nats: float64 (B,)."""
        maps = codes[:, None] if codes.ndim == 3 else codes
        maps = with_float64(maps)
        log_probs = self.log_probs.to(maps.device)
        total = log_probs.new_zeros(len(codes))
        for index, of_book in enumerate(maps.unbind(1)):
            total += log_probs[index][of_book].flatten(1).sum(1)
        return total


@torch.no_grad()
def nats_per_code(
    prior: Prior,
    codes: Tensor | Sequence[Tensor],
    batch_size: int = 64,
    **conditions: Tensor | None,
) -> float:
    """What a code costs under a prior, the mean over all codes; log K under the uniform one.

    Args:
        prior: on any device; measured in eval mode and given back in the mode it was in.
        codes: integers, (N, ...), or N tensors of different lengths, each measured by itself.
        batch_size: how many rows of a tensor at a time.
        conditions: as `prior.log_prob` takes them, N rows each: `label=speakers`. None is none.

    Raises:
        TypeError, ValueError: there are no codes, a condition has another number of rows, or as
            `prior.log_prob`.
    """
    for row in [codes] if isinstance(codes, Tensor) or not isinstance(codes, Sequence) else codes:
        check_integers("codes", row)
    count = sum(row.numel() for row in codes)
    if not count:
        raise ValueError(f"there are no codes to measure, only {len(codes)} rows of none")
    given = {name: value for name, value in conditions.items() if value is not None}
    for name, value in given.items():
        if len(value) != len(codes):
            raise ValueError(f"{name} must have {len(codes)} rows, as codes; got {len(value)}")
    parts = codes.split(batch_size) if isinstance(codes, Tensor) else [row[None] for row in codes]
    device = device_of(prior) if isinstance(prior, nn.Module) else None
    total, start = 0.0, 0
    for part in parts:
        rows = slice(start, start + len(part))
        of_part = {name: value[rows].to(device) for name, value in given.items()}
        log_prob = with_float64(prior.log_prob(part.to(device), **of_part))
        total -= log_prob.double().sum().item()
        start = rows.stop
    return total / count
