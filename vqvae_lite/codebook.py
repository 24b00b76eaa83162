"""A codebook: whose code is nearest, and how codes learn without a gradient.

Source: equation 1 and appendix A.1 of van den Oord, Vinyals and Kavukcuoglu (NIPS 2017). What is
learned, by moving averages and restarts of unused codes, changes the codebook in place, and under
`torch.distributed` from the vectors of all processes.
"""

import math

import torch
import torch.distributed as dist
from torch import Tensor

from vqvae_lite.distributed import world_size

# How many scores (vectors x codes) one chunk of `nearest_codes` holds at a time: few enough
# to stay in a CPU's cache, many enough to keep a GPU busy.
_SCORES_PER_CHUNK = {"cpu": 2**20, "cuda": 2**27}

# For `row_keys`: an odd number whose bits are mixed well (from SplitMix64), a key that no row has,
# and how many numbers fit into a CPU's cache.
_BASE = 0xBF58476D1CE4E5B9 - 2**64
_NO_KEY = 2**63 - 1
_NUMBERS_PER_PART = 2**18


@torch.no_grad()
def nearest_codes(vectors: Tensor, codebook: Tensor) -> Tensor:
    """The index of each vector's nearest code (equation 1 of the paper).

    The squared distance is |x|^2 - 2 x.e + |e|^2. Neither |x|^2, which is the same for every
    code, nor the square root changes which code is nearest, so |e|^2 / 2 - x.e is enough. Both
    sides are first shifted by the mean code, which changes no distance and keeps the digits
    that a common offset would cost.

    Args:
        vectors: (N, D), floating point.
        codebook: (K, D), of the same dtype and device.

    Returns:
        (N,) int64 in [0, K); the lowest index where codes tie.
    """
    mean = codebook.mean(0)
    codebook = codebook - mean
    half_squared_norms = 0.5 * codebook.square().sum(1)
    transposed = codebook.t().contiguous()
    budget = _SCORES_PER_CHUNK.get(vectors.device.type, _SCORES_PER_CHUNK["cuda"])
    rows = max(1, budget // len(codebook))
    # One buffer for all chunks: to allocate each anew costs more than to fill it.
    scores = vectors.new_empty(min(rows, len(vectors)), len(codebook))
    codes = []
    for chunk in vectors.split(rows):
        out = scores[: len(chunk)]
        torch.addmm(half_squared_norms, chunk - mean, transposed, alpha=-1, out=out)
        codes.append(out.argmin(1))
    return torch.cat(codes)


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
    if world_size() > 1:
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
    if world_size() > 1:
        dist.all_reduce(sums)
    step = (1 - decay) * (sums - used[:, None] * codebook) / count[:, None]
    codebook.add_(torch.where(used[:, None] > 0, step, 0).to(codebook.dtype))


def restart_codes(
    codebook: Tensor, count: Tensor, rows: Tensor, share: float, passes: Tensor
) -> None:
    """Puts vectors of the batch in the place of unused codes, in place.

    A code is unused where its count is at most `share` of the uniform use N / K, or where it is a
    copy of one before it, which every vector then chooses. The vector that replaces it is equal
    neither to a code in use nor to another such vector, and starts with the uniform use as its
    count. Where a batch has fewer different vectors than there are codes to replace, the others
    wait for the next batch.

    Args:
        codebook: (K, D).
        count: (K,).
        rows: (N, D), the vectors of the batch, of the codebook's dtype.
        share: in [0, 1).
        passes: a whole number, another one each time, so that other rows are taken.
    """
    rank, lengths = _rank_and_lengths(rows)
    total, before = sum(lengths), sum(lengths[:rank])
    uniform = total / len(codebook)
    keys = row_keys(codebook)
    unused = (count <= share * uniform) | ~_is_first(keys)
    if not torch.compiler.is_compiling() and not unused.any():
        return
    # The rows of all processes, one after another, as if they were one batch, in the order in which
    # they are tried.
    tried = torch.arange(total, device=rows.device) * _coprime_stride(total) + passes
    tried %= total
    new_keys = _join(row_keys(rows), before, total)[tried]
    fresh = _is_first(new_keys) & ~_is_among(new_keys, keys.where(~unused, _NO_KEY))
    # The first unused code gets the first fresh row, and so on.
    place = torch.searchsorted(fresh.cumsum(0), unused.cumsum(0))
    unused &= place < total
    row = tried[place.clamp_max(total - 1)] - before
    here = unused & (row >= 0) & (row < len(rows))
    new = rows[row.clamp(0, len(rows) - 1)] * here[:, None]
    if len(lengths) > 1:
        dist.all_reduce(new)
    codebook.copy_(torch.where(unused[:, None], new, codebook))
    count.copy_(torch.where(unused, uniform, count))


def row_keys(rows: Tensor) -> Tensor:
    """A number for each row, int64 (N,): the same for equal rows, and for no others.

    Others would have to meet by chance, one pair in about 2**64.

    Args:
        rows: float32 or float64, (N, D).
    """
    whole, half = (torch.int32, 16) if rows.dtype == torch.float32 else (torch.int64, 32)
    powers = torch.full((rows.shape[1],), _BASE, device=rows.device).cumprod(0)
    keys = []
    for part in rows.split(max(1, _NUMBERS_PER_PART // rows.shape[1])):
        # To add 0 makes 0 of -0, which is equal to it and has other bits.
        bits = (part + 0.0).view(whole)
        # The last bits of short numbers are 0: they take in the first ones.
        keys.append(((bits ^ (bits >> half)) * powers).sum(1))
    return torch.cat(keys)


def _is_first(keys: Tensor) -> Tensor:
    """Whether no key before it is the same: bool (N,)."""
    ordered, places = keys.sort(stable=True)
    new = torch.ones_like(keys, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return torch.empty_like(new).scatter_(0, places, new)


def _is_among(keys: Tensor, others: Tensor) -> Tensor:
    """Whether a key is one of the others: bool (N,)."""
    others = others.sort().values
    place = torch.searchsorted(others, keys).clamp_max(len(others) - 1)
    return others[place] == keys


def _join(own: Tensor, before: int, total: int) -> Tensor:
    """The keys of all processes, one after another; `before` of them come before one's own."""
    if len(own) == total:
        return own
    joined = own.new_zeros(total)
    joined[before : before + len(own)] = own
    dist.all_reduce(joined)
    return joined


def _rank_and_lengths(rows: Tensor) -> tuple[int, list[int]]:
    """The number of this process, and how many rows each process has."""
    if world_size() == 1:
        return 0, [len(rows)]
    own = torch.tensor([len(rows)], device=rows.device)
    lengths = [torch.empty_like(own) for _ in range(world_size())]
    dist.all_gather(lengths, own)
    return dist.get_rank(), torch.cat(lengths).tolist()


def _coprime_stride(total: int) -> int:
    """A step that visits all of `total` rows and spreads any few of them evenly.

    Steps of the golden section are the most even ones; to visit every row the step and the
    total may share no factor.
    """
    stride = max(1, round(total * (math.sqrt(5) - 1) / 2))
    while math.gcd(stride, total) != 1:
        stride += 1
    return stride
