"""What the classifier of films is shown: `benchmarks/video.py`."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import video as benchmark


def test_pieces_are_cut_out_of_two_sets_at_the_same_places():
    places = torch.arange(84 * 60).view(1, 84, 60)
    places = torch.cat([places // 256, places % 256, places * 0]).to(torch.uint8)
    pictures = places.expand(20, -1, -1, -1)
    found = benchmark.pieces(pictures)
    assert found.shape == (20, 3, benchmark.SHOWN, benchmark.SHOWN)
    first = 256 * found[:, 0, 0, 0].int() + found[:, 1, 0, 0].int()
    for number, piece in zip(first.tolist(), found, strict=True):
        row, column = divmod(number, 60)
        assert torch.equal(piece, places[:, row : row + 32, column : column + 32])
    assert len(set(first.tolist())) > 10
    assert torch.equal(benchmark.pieces(pictures), found)
