"""The benchmark of films that turn away and back, in miniature: `benchmarks/turn_back.py`."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import turn_back as benchmark

from vqvae_lite import VQVAE, ModelConfig
from vqvae_lite.video.model import VideoConfig, VideoPrior

POSES = torch.tensor(
    [[0.0, 0, 0], [0, 0, 12], [9, 0, 12], [9, 0.2, 24], [9, 0.2, 356], [0, 0, 359]]
)


def test_a_walker_stands_still_where_it_only_turned():
    assert benchmark.standing(POSES[:5]).tolist() == [1, 3, 4]


def test_views_are_the_same_in_one_maze_at_one_place_in_one_direction():
    poses = torch.cat([POSES, torch.zeros(6, 1)], 1)
    same = benchmark.same_view(poses)
    assert torch.equal(same, same.T)
    assert same.nonzero().tolist() == [
        [0, 0],
        [0, 5],
        *([n, n] for n in range(1, 5)),
        [5, 0],
        [5, 5],
    ]
    poses[5, 3] = 1
    assert torch.equal(benchmark.same_view(poses), torch.eye(6, dtype=torch.bool))


def test_a_picture_is_recognised_by_the_nearest_view_or_one_of_the_same():
    generator = torch.Generator().manual_seed(0)
    views = torch.randint(256, (4, 3, 42, 42), dtype=torch.uint8, generator=generator)
    apart = torch.eye(4, dtype=torch.bool)
    assert benchmark.recognised(views, views, apart) == 1
    swapped = views[[1, 0, 2, 3]]
    assert benchmark.recognised(swapped, views, apart) == 0.5
    twins = apart.clone()
    twins[0, 1] = twins[1, 0] = True
    assert benchmark.recognised(swapped, views, twins) == 1


@pytest.fixture
def film():
    model = VQVAE(ModelConfig(width=4, num_codes=16, code_dim=4)).eval()
    prior = VideoPrior(
        VideoConfig(num_codes=16, width=16, pixelcnn_width=16, num_layers=1, num_actions=3)
    )
    seen = torch.randint(16, (3, 6, 3, 3), generator=torch.Generator().manual_seed(0))
    return model, prior, seen, torch.full((3, 5), benchmark.LEFT)


def test_a_film_turns_on_to_the_side_to_which_the_walker_turned(film):
    _, prior, seen, done = film
    told = []

    def sample(codes, frames, actions, **_):
        told.append(actions)
        return codes[:, :frames]

    done[1, -1] = benchmark.RIGHT
    prior.sample = sample
    benchmark.film(prior, seen, done, [1, 1, -1])
    assert torch.equal(told[0][:, :5], done)
    left, right = benchmark.LEFT, benchmark.RIGHT
    assert told[0][:, 5:].tolist() == [
        [left, left, right],
        [right, right, left],
        [left, left, right],
    ]


def test_a_film_follows_what_was_done_and_is_measured_where_it_ends(film):
    model, prior, seen, done = film
    codes = benchmark.film(prior, seen, done, [1, -1])
    assert codes.shape == (3, 2, 3, 3)
    begin = benchmark.decode(model, codes[:, 1])
    found = benchmark.measure(
        model, codes[:, 1], codes[:, 0], begin, torch.eye(3, dtype=torch.bool)
    )
    assert found["recognised"] == 1
    assert found["psnr"] == float("inf") > found["away"] > 0


def test_films_of_every_length_are_measured(film, monkeypatch):
    model, _, seen, done = film
    monkeypatch.setattr(benchmark, "TURNS", (1, 2))
    monkeypatch.setattr(benchmark, "CIRCLE", 4)
    config = VideoConfig(
        num_codes=16, width=16, pixelcnn_width=16, num_layers=1, num_actions=3,
        turns=(0, 1, -1), circle=4,
    )  # fmt: skip
    prior = VideoPrior(config).eval()
    torch.manual_seed(0)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    begin = benchmark.decode(model, seen[:, -1])
    same = torch.eye(3, dtype=torch.bool)
    found = benchmark.measure_films(model, prior, (seen, done), begin, same)
    assert [row["frames"] for row in found.values()] == [2, 4, 4]
    assert [list(row)[1:] for row in found.values()] == [
        ["away_and_back"], ["away_and_back", "to_and_fro"], ["away_and_back", "the_other_way"]
    ]  # fmt: skip
