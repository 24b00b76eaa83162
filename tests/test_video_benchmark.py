"""What the classifier of films is shown: `benchmarks/video.py`."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import video as benchmark


def test_pieces_are_cut_out_of_two_sets_at_the_same_places():
    places = torch.arange(84 * 60).view(1, 84, 60)
    places = torch.cat([places // 256, places % 256, places * 0]).to(torch.uint8)
    pictures = places.expand(3, -1, -1, -1)
    found = benchmark.pieces(pictures)
    assert found.shape == (3 * benchmark.PIECES, 3, benchmark.SHOWN, benchmark.SHOWN)
    first = 256 * found[:, 0, 0, 0].int() + found[:, 1, 0, 0].int()
    for number, piece in zip(first.tolist(), found, strict=True):
        row, column = divmod(number, 60)
        assert torch.equal(piece, places[:, row : row + 32, column : column + 32])
    assert len(set(first.tolist())) > 10
    assert torch.equal(benchmark.pieces(pictures), found)


def painted(_, codes):
    """Each code as 4 by 4 pixels of one grey."""
    large = (16 * codes).repeat_interleave(4, 1).repeat_interleave(4, 2)
    return large[:, None].expand(-1, 3, -1, -1).to(torch.uint8)


def test_pieces_of_films_are_told_by_what_was_learned_from_other_films(monkeypatch):
    monkeypatch.setattr(benchmark, "TOLD", ((1, 2),))
    monkeypatch.setattr(benchmark, "PIECES_STEPS", 30)
    monkeypatch.setattr(benchmark, "SEEDS", (0,))
    monkeypatch.setattr(benchmark, "decode", painted)
    torch.manual_seed(0)
    real = [torch.randint(16, (4, benchmark.SEEN + 2, 9, 9)) for _ in range(2)]
    alike, plain = (
        [
            benchmark.Films(imagined, films, films[:, 1:, 0, 0])
            for imagined, films in zip(others, real, strict=True)
        ]
        for others in ([torch.randint_like(films, 16) for films in real], [f * 0 for f in real])
    )
    assert benchmark.told_by_pieces(None, *plain) == {"1 to 2": 100}
    assert 30 < benchmark.told_by_pieces(None, *alike)["1 to 2"] < 70
