"""A codebook: whose code is nearest, and how codes learn without a gradient.

Source: equation 1 and appendix A.1 of van den Oord, Vinyals and Kavukcuoglu (NIPS 2017). What is
learned, by moving averages and restarts of unused codes, changes the codebook in place, and under
`torch.distributed` from the vectors of all processes.
"""

import math

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from vqvae_lite.checks import check_tensor
from vqvae_lite.distributed import world_size

# How many scores (vectors x codes) are held at a time off the CPU: enough to keep a GPU busy.
_SCORES_PER_CHUNK = 2**27
# On a CPU, a tile of so many vectors and codes, which its cache holds, and groups of so many codes.
# Each tile is a few operations, and after each the threads wait for the last of them: with smaller
# tiles they wait longer than they work as soon as something else runs on the machine.
_TILE_VECTORS, _TILE_CODES, _GROUP = 2048, 2048, 64

# For `row_keys`: an odd number whose bits are mixed well (from SplitMix64), a key that no row has,
# and how many numbers fit into a CPU's cache.
_BASE = 0xBF58476D1CE4E5B9 - 2**64
_NO_KEY = 2**63 - 1
_NUMBERS_PER_PART = 2**18


def nearest_codes(vectors: Tensor, codebook: Tensor) -> Tensor:
    """The index of each vector's nearest code (equation 1 of the paper).

    Args:
        vectors: (N, D), floating point.
        codebook: (K, D), K and D at least 1, of the same dtype and device.

    Returns:
        (N,) int64 in [0, K); the lowest index where codes tie.

    Raises:
        TypeError: one is no tensor of floating point, or they have two dtypes.
        ValueError: they have other shapes.
    """
    check_tensor("vectors", vectors)
    check_tensor("codebook", codebook)
    if codebook.ndim != 2 or not codebook.numel():
        raise ValueError(
            f"codebook must have the shape (K, D), neither of them 0, got {tuple(codebook.shape)}"
        )
    if vectors.ndim != 2 or vectors.shape[1] != codebook.shape[1]:
        raise ValueError(
            f"vectors must have the shape (N, {codebook.shape[1]}) for the codebook "
            f"{tuple(codebook.shape)}, got {tuple(vectors.shape)}"
        )
    if vectors.dtype != codebook.dtype:
        raise TypeError(
            f"vectors must have the dtype of the codebook, {codebook.dtype}, got {vectors.dtype}"
        )
    return codes_and_scores(vectors, codebook)[0]


@torch.no_grad()
def codes_and_scores(vectors: Tensor, codebook: Tensor) -> tuple[Tensor, Tensor]:
    """`nearest_codes` without its checks, and how well each vector's code has scored.

    The squared distance is |x|^2 - 2 x.e + |e|^2. Neither |x|^2, which is the same for every
    code, nor the square root changes which code is nearest, so the score x.e - |e|^2 / 2 is enough.
    Both sides are first shifted by the mean code, which changes no distance and keeps the digits
    that a common offset would cost.

    Args:
        vectors: (N, D).
        codebook: (K, D).

    Returns:
        codes, (N,) int64; scores, (N,): the score of each one's code, NaN or infinite wherever the
        vector holds NaN or Inf.
    """
    mean = codebook.mean(0)
    codebook = codebook - mean
    penalties = -0.5 * codebook.square().sum(1)
    if is_exporting():  # for any number of vectors: they are not cut
        return _best(torch.addmm(penalties, vectors - mean, codebook.t()))
    if vectors.device.type == "cpu" and len(vectors) and not torch.compiler.is_compiling():
        buffer = vectors.new_empty(
            min(_TILE_CODES, len(codebook)) * min(_TILE_VECTORS, len(vectors))
        )
        found = [
            _best_of_tiles(chunk - mean, codebook, penalties, buffer)
            for chunk in vectors.split(_TILE_VECTORS)
        ]
    else:
        transposed = codebook.t().contiguous()
        found = [
            _best(torch.addmm(penalties, chunk - mean, transposed))
            for chunk in vectors.split(max(1, _SCORES_PER_CHUNK // len(codebook)))
        ]
    codes, scores = zip(*found, strict=True)
    return torch.cat(codes), torch.cat(scores)


def _best(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The place of the largest score of each row, and that score, both (N,)."""
    codes = scores.argmax(1, keepdim=True)
    return codes[:, 0], scores.gather(1, codes)[:, 0]


def _best_of_tiles(
    vectors: Tensor, codebook: Tensor, penalties: Tensor, buffer: Tensor
) -> tuple[Tensor, Tensor]:
    """`_best` of the scores of some vectors, tile by tile of the codes, in two stages.

    The largest of each group of codes comes from `max_pool2d`, which takes many vectors side by
    side (`argmax` takes one number after another), then the largest of these from `argmax`.

    Args:
        vectors: (N, D), shifted.
        codebook: (K, D), shifted.
        penalties: (K,).
        buffer: for the scores of a tile: to allocate it anew costs more than to fill it.
    """
    columns = vectors.t()
    tops, places = [], []
    for start in range(0, len(codebook), _TILE_CODES):
        part = codebook[start : start + _TILE_CODES]
        scores = buffer[: len(part) * len(vectors)].view(len(part), len(vectors))
        torch.addmm(penalties[start : start + _TILE_CODES, None], part, columns, out=scores)
        # A picture of K pixels, one below the other, whose channels are the vectors: channels last.
        picture = scores.view(1, len(part), 1, len(vectors)).permute(0, 3, 1, 2)
        top, place = F.max_pool2d(picture, (_GROUP, 1), ceil_mode=True, return_indices=True)
        tops.append(top[0, :, :, 0].t())
        places.append(place[0, :, :, 0].t() + start)
    scores = torch.cat(tops)
    groups = scores.argmax(0, keepdim=True)
    return torch.cat(places).gather(0, groups)[0], scores.gather(0, groups)[0]


def is_exporting() -> bool:
    """Whether a graph for any batch is being made: by `torch.export`, or by `torch.jit.trace`."""
    exporting = getattr(torch.compiler, "is_exporting", None)  # since PyTorch 2.7
    # Documented, but not in the list of what the module exports.
    tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return tracing or bool(exporting and exporting())


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
