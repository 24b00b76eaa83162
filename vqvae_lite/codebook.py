"""How a codebook learns without a gradient: moving averages, and restarts of unused codes.

Source: appendix A.1 of van den Oord, Vinyals and Kavukcuoglu (NIPS 2017). Every function changes
what it is given in place, and under `torch.distributed` works on the vectors of all processes.
"""

import math

import torch
import torch.distributed as dist
from torch import Tensor


def track_use(count: Tensor, codes: Tensor, decay: float) -> Tensor:
    """N_i <- decay N_i + (1 - decay) n_i, in place (equation 6).

    Args:
        count: (K,) float, N.
        codes: (N,) int64, the codes that a batch has chosen.
        decay: gamma.

    Returns:
        (K,) float, n: how often the batch chose each code.
    """
    ones = torch.ones_like(codes, dtype=count.dtype)
    used = torch.zeros_like(count).index_add_(0, codes, ones)
    if _rank_and_world()[1] > 1:
        dist.all_reduce(used)
    count.mul_(decay).add_(used, alpha=1 - decay)
    return used


def move_codes(
    codebook: Tensor, count: Tensor, rows: Tensor, codes: Tensor, used: Tensor, decay: float
) -> None:
    """Moves each code to e_i = m_i / N_i, in place (equations 7 and 8).

    With m_i = N_i e_i before the step, m_i / N_i after it is
    e_i + (1 - decay) (sum of z_e - n_i e_i) / N_i. A code that no vector chose has N and m shrink
    alike, so it stays where it is, however small its count has become.

    Args:
        codebook: (K, D), e.
        count: (K,), N after `track_use`.
        rows: (N, D), the vectors of the batch.
        codes: (N,), the code of each.
        used: (K,), n.
        decay: gamma.
    """
    sums = torch.zeros_like(codebook, dtype=rows.dtype).index_add_(0, codes, rows)
    if _rank_and_world()[1] > 1:
        dist.all_reduce(sums)
    step = (1 - decay) * (sums - used[:, None] * codebook) / count[:, None]
    codebook.add_(torch.where(used[:, None] > 0, step, 0).to(codebook.dtype))


def restart_codes(
    codebook: Tensor, count: Tensor, rows: Tensor, share: float, passes: Tensor
) -> None:
    """Puts vectors of the batch in the place of unused codes, in place.

    A code is unused where its count is at most `share` of the uniform use N / K. The one that
    replaces it starts with the uniform use as its count. Where a batch has fewer vectors than
    there are codes to replace, the others wait for the next batch.

    Args:
        codebook: (K, D).
        count: (K,).
        rows: (N, D), the vectors of the batch; of one length on all processes.
        share: in [0, 1).
        passes: a whole number, another one each time, so that other rows are taken.
    """
    rank, world = _rank_and_world()
    total = len(rows) * world
    uniform = total / len(codebook)
    unused = count <= share * uniform
    turn = unused.cumsum(0) - 1
    unused &= turn < total
    # The rows of all processes, one after another, as if they were one batch.
    row = (turn * _coprime_stride(total) + passes) % total - rank * len(rows)
    here = unused & (row >= 0) & (row < len(rows))
    fresh = rows[row.clamp(0, len(rows) - 1)] * here[:, None]
    if world > 1:
        dist.all_reduce(fresh)
    codebook.copy_(torch.where(unused[:, None], fresh.to(codebook.dtype), codebook))
    count.copy_(torch.where(unused, uniform, count))


def _rank_and_world() -> tuple[int, int]:
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def _coprime_stride(total: int) -> int:
    """A step that visits all of `total` rows and spreads any few of them evenly.

    Steps of the golden section are the most even ones; to visit every row the step and the
    total may share no factor.
    """
    stride = max(1, round(total * (math.sqrt(5) - 1) / 2))
    while math.gcd(stride, total) != 1:
        stride += 1
    return stride
