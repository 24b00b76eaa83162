"""Codes against phones: how much a code says about what is being spoken (section 4.3).

Each code is given the phone that it most often stands for on training sentences, and this map is
scored on sentences that it was not made from. The map is many-to-one, so its accuracy grows with K:
it means something only beside the commonest phone alone, beside codes that are drawn at random as
often as the model's, and beside other codes of the same K and rate, such as those of k-means.
"""

import torch
from torch import Tensor

from vqvae_lite.checks import check_codes, check_positive_int
from vqvae_lite.codebook import nearest_codes


def count_phones(codes: Tensor, phones: Tensor, num_codes: int, num_phones: int) -> Tensor:
    """How often each code stands where each phone is spoken: int64 (K, P).

    Args:
        codes: integers in [0, K), any shape.
        phones: integers in [-1, P) of the same shape; -1, no phone, is left out.
        num_codes: K.
        num_phones: P.

    Raises:
        TypeError, ValueError: for another dtype, shape or range.
    """
    check_positive_int(num_codes=num_codes, num_phones=num_phones)
    codes, phones = _labelled(codes, phones, num_codes, num_phones)
    pairs = codes * num_phones + phones
    return torch.bincount(pairs, minlength=num_codes * num_phones).view(num_codes, num_phones)


def phone_map(codes: Tensor, phones: Tensor, num_codes: int, num_phones: int) -> Tensor:
    """The phone that each code most often stands for: int64 (K,).

    A code that is not among these gets the commonest phone of all.

    Args:
        codes: as for `count_phones`, of training sentences.
        phones: as for `count_phones`, at least one of them not -1.
        num_codes: K.
        num_phones: P.

    Raises:
        TypeError, ValueError: as `count_phones`, or nothing has a phone.
    """
    counts = count_phones(codes, phones, num_codes, num_phones)
    if not counts.any():
        raise ValueError(f"phones must name a phone, got none among {phones.numel()} codes")
    return torch.where(counts.any(1), counts.argmax(1), counts.sum(0).argmax())


def phone_accuracy(mapping: Tensor, codes: Tensor, phones: Tensor) -> float:
    """The share of codes whose phone is the one that the map gives them, in [0, 1].

    Args:
        mapping: of `phone_map`, int64 (K,).
        codes: integers in [0, K), any shape.
        phones: integers of the same shape; -1, no phone, is left out.

    Raises:
        TypeError, ValueError: as `count_phones`, or nothing has a phone.
    """
    num_phones = max(int(part.max()) + 1 if part.numel() else 1 for part in (mapping, phones))
    codes, phones = _labelled(codes, phones, len(mapping), max(num_phones, 1))
    if not len(codes):
        raise ValueError("phones must name a phone, got none")
    return (mapping[codes] == phones).double().mean().item()


def k_means(points: Tensor, num_clusters: int, *, seed: int = 0, iterations: int = 100) -> Tensor:
    """Centres such that points are near the nearest of them: float32 (K, D).

    Lloyd's algorithm, until nothing moves, from points chosen each with a probability that goes
    with its squared distance from those before it (Arthur and Vassilvitskii, "k-means++: the
    advantages of careful seeding", 2007). `nearest_codes` tells which centre is whose. A centre
    that is left without points stays where it is.

    Args:
        points: floating point (N, D), N at least K.
        num_clusters: K.
        seed: of the first centres.
        iterations: at most.

    Raises:
        TypeError: points are not floating point, or a number is no int.
        ValueError: a number is below 1, there are fewer points than centres, or a point is NaN or
            Inf.
    """
    check_positive_int(num_clusters=num_clusters, iterations=iterations)
    if not isinstance(points, Tensor) or not points.is_floating_point():
        kind = points.dtype if isinstance(points, Tensor) else type(points).__name__
        raise TypeError(f"points must be a floating-point tensor, got {kind}")
    if points.ndim != 2 or len(points) < num_clusters:
        raise ValueError(
            f"points must have the shape (N, D), N at least {num_clusters}; "
            f"got {tuple(points.shape)}"
        )
    if not points.isfinite().all():
        raise ValueError("points must be finite, got NaN or Inf among them")
    points = points.float()
    centres = _spread_out(points, num_clusters, torch.Generator().manual_seed(seed))
    owner = None
    for _ in range(iterations):
        before, owner = owner, nearest_codes(points, centres)
        if before is not None and torch.equal(owner, before):
            break
        count = torch.bincount(owner, minlength=num_clusters)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, owner, points)
        centres = torch.where(count > 0, sums / count.clamp_min(1), centres)
    return centres


def _spread_out(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    chosen = [int(torch.randint(len(points), (), generator=generator))]
    distance = (points - points[chosen[0]]).square().sum(1)
    while len(chosen) < count:
        # Where all points are taken already, or are the same, any will do.
        weights = distance if distance.any() else torch.ones_like(distance)
        chosen.append(int(torch.multinomial(weights, 1, generator=generator)))
        distance = torch.minimum(distance, (points - points[chosen[-1]]).square().sum(1))
    return points[chosen]


def _labelled(
    codes: Tensor, phones: Tensor, num_codes: int, num_phones: int
) -> tuple[Tensor, Tensor]:
    """Codes and phones (N,), where there is a phone, once they are found to fit."""
    check_codes(codes, num_codes)
    if phones.dtype.is_floating_point or phones.dtype == torch.bool:
        raise TypeError(f"phones must be integers, got {phones.dtype}")
    if codes.shape != phones.shape:
        raise ValueError(
            f"codes and phones must have one shape, got {tuple(codes.shape)} and "
            f"{tuple(phones.shape)}"
        )
    if phones.numel() and not -1 <= phones.min() <= phones.max() < num_phones:
        raise ValueError(
            f"phones must lie in [-1, {num_phones}), got values from {phones.min()} to "
            f"{phones.max()}"
        )
    spoken = phones >= 0
    return codes[spoken].long(), phones[spoken].long()
