"""What codes cost in nats: under a prior, and under how often each code is used."""

from collections.abc import Callable

import torch
from torch import Tensor

from vqvae_lite.metrics import CodeUsage


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
        num_codebooks = codes.shape[1] if codes.ndim == 4 else 1
        usage = CodeUsage(num_codes, num_codebooks)
        usage.update(codes)
        counts = (usage.counts + 1).double()
        self.log_probs = (counts / counts.sum(1, keepdim=True)).log()

    def __call__(self, codes: Tensor) -> Tensor:
        """Log p(codes) in nats, float64 (B,)."""
        rows = codes[:, None] if codes.ndim == 3 else codes
        log_probs = self.log_probs.to(codes.device)
        each = [log_probs[index][row] for index, row in enumerate(rows.unbind(1))]
        return sum(row.flatten(1).sum(1) for row in each)


@torch.no_grad()
def nats_per_code(prior: Callable[[Tensor], Tensor], codes: Tensor, batch_size: int = 64) -> float:
    """What a code costs under a prior, the mean over all codes; log K under the uniform one.

    Args:
        prior: log p(codes) in nats, (B,), of a batch of maps, such as `GatedPixelCNN.log_prob`.
        codes: (N, h, w), or (N, num_codebooks, h, w), on the prior's device.
        batch_size: how many maps at a time.

    Raises:
        ValueError: there are no codes.
    """
    if not codes.numel():
        raise ValueError(f"there are no codes to measure, the shape is {tuple(codes.shape)}")
    total = sum(prior(part).double().sum().item() for part in codes.split(batch_size))
    return -total / codes.numel()
