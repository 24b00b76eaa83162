"""The map from codes to phones, its score, and k-means."""

import pytest
import torch

from vqvae_lite.codebook import nearest_codes
from vqvae_lite.sound.phonemes import count_phones, k_means, phone_accuracy, phone_map

CODES = torch.tensor([0, 0, 0, 1, 1, 3, 3, 3])
SPOKEN = torch.tensor([2, 2, 1, 0, -1, 1, 1, 1])


def test_counts_leave_out_what_has_no_phone():
    counts = count_phones(CODES, SPOKEN, 4, 3)
    assert counts.tolist() == [[0, 1, 2], [1, 0, 0], [0, 0, 0], [0, 3, 0]]
    assert torch.equal(count_phones(CODES.view(2, 4), SPOKEN.view(2, 4), 4, 3), counts)


def test_each_code_gets_its_commonest_phone_and_an_unseen_one_the_commonest_of_all():
    assert phone_map(CODES, SPOKEN, 4, 3).tolist() == [2, 0, 1, 1]


def test_accuracy_on_the_codes_it_is_made_from_and_on_others():
    mapping = phone_map(CODES, SPOKEN, 4, 3)
    assert phone_accuracy(mapping, CODES, SPOKEN) == pytest.approx(6 / 7)
    held_out = torch.tensor([0, 1, 2, 3]), torch.tensor([2, 2, 1, -1])
    assert phone_accuracy(mapping, *held_out) == pytest.approx(2 / 3)
    # A phone that the map never gives is a mistake like any other.
    assert phone_accuracy(mapping, torch.tensor([0, 0]), torch.tensor([7, 2])) == 0.5


def test_the_map_is_the_best_of_all_maps():
    generator = torch.Generator().manual_seed(0)
    codes, phones = (torch.randint(n, (500,), generator=generator) for n in (6, 4))
    best = phone_accuracy(phone_map(codes, phones, 6, 4), codes, phones)
    for _ in range(50):
        other = torch.randint(4, (6,), generator=generator)
        assert phone_accuracy(other, codes, phones) <= best


@pytest.mark.parametrize(
    ("codes", "phones", "error", "message"),
    [
        (torch.tensor([4]), torch.tensor([0]), ValueError, "codes must lie"),
        (torch.tensor([0]), torch.tensor([3]), ValueError, "phones must lie"),
        (torch.tensor([0]), torch.tensor([-2]), ValueError, "phones must lie"),
        (torch.tensor([0, 1]), torch.tensor([0]), ValueError, "one shape"),
        (torch.tensor([0.0]), torch.tensor([0]), TypeError, "codes must be integers"),
        (torch.tensor([0]), torch.tensor([0.0]), TypeError, "phones must be integers"),
        (torch.tensor([0]), torch.tensor([-1]), ValueError, "must name a phone"),
    ],
)
def test_what_does_not_fit_is_refused(codes, phones, error, message):
    with pytest.raises(error, match=message):
        phone_map(codes, phones, 4, 3)


def test_nothing_to_score_is_refused():
    with pytest.raises(ValueError, match="must name a phone"):
        phone_accuracy(torch.tensor([0, 1]), torch.tensor([0]), torch.tensor([-1]))


def blobs() -> tuple[torch.Tensor, torch.Tensor]:
    """Twelve heaps of 50 points, far apart on a circle, and whose is which."""
    angle = torch.arange(12) * torch.pi / 6
    middles = 20 * torch.stack([angle.cos(), angle.sin()], 1)
    owner = torch.arange(600) % 12
    return middles[owner] + torch.randn(600, 2, generator=torch.Generator().manual_seed(1)), owner


def test_k_means_finds_heaps():
    points, owner = blobs()
    centres = k_means(points, 12)
    codes = nearest_codes(points, centres)
    assert len({(a, b) for a, b in zip(codes.tolist(), owner.tolist(), strict=True)}) == 12
    means = torch.stack([points[owner == heap].mean(0) for heap in range(12)])
    assert torch.allclose(centres[nearest_codes(means, centres)], means, atol=1e-4)


def test_k_means_ends_where_nothing_moves():
    points = torch.randn(400, 3, generator=torch.Generator().manual_seed(2))
    centres = k_means(points, 9)
    codes = nearest_codes(points, centres)
    means = torch.stack([points[codes == code].mean(0) for code in range(9)])
    assert torch.allclose(centres, means, atol=1e-5)
    one_round = k_means(points, 9, iterations=1)
    assert error_of(points, centres) < error_of(points, one_round)


def error_of(points: torch.Tensor, centres: torch.Tensor) -> float:
    return (points - centres[nearest_codes(points, centres)]).square().mean().item()


def test_k_means_follows_from_its_seed_alone():
    points, _ = blobs()
    first = k_means(points, 5, seed=7)
    torch.manual_seed(99)
    assert torch.equal(k_means(points, 5, seed=7), first)
    assert not torch.equal(k_means(points, 5, seed=8), first)


def test_k_means_of_fewer_different_points_than_centres():
    points = torch.tensor([[0.0], [1.0]]).repeat(10, 1)
    assert sorted(set(k_means(points, 4).flatten().tolist())) == [0, 1]


@pytest.mark.parametrize(
    ("points", "count", "error", "message"),
    [
        (torch.zeros(5, 2, dtype=torch.int64), 2, TypeError, "floating-point"),
        (torch.zeros(5), 2, ValueError, "shape"),
        (torch.zeros(5, 2), 6, ValueError, "at least 6"),
        (torch.zeros(5, 2), 0, ValueError, "num_clusters"),
        (torch.full((5, 2), torch.nan), 2, ValueError, "NaN"),
    ],
)
def test_k_means_refuses(points, count, error, message):
    with pytest.raises(error, match=message):
        k_means(points, count)
