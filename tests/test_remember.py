"""How a dynamics model is taught to remember: `benchmarks/remember.py`, in miniature."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import remember as benchmark

from vqvae_lite.models import new_model
from vqvae_lite.recipes.video import codes_and_actions
from vqvae_lite.training import TrainingConfig, train
from vqvae_lite.video.memory import same_view
from vqvae_lite.video.past import VideoConfig

FORWARD, LEFT, RIGHT = range(3)
SMALL = {
    "num_codes": 7, "num_actions": 3, "history": 2, "embedding": 4, "width": 6,
    "pixelcnn_width": 5, "num_layers": 1, "dropout": 0.1, "own_draws": 0.5,
}  # fmt: skip


def walk(actions):
    """Poses of a walker without inertia: turns of 12 degrees and steps of 10 units."""
    poses = [[0.0, 0.0, 90.0]]
    for action in actions:
        x, y, angle = poses[-1]
        turn = 12 * benchmark.TURNS[action]
        poses.append([x, y + 10 * (action == FORWARD), angle + turn])
    return torch.tensor(poses)


# Two views, too few; then three, one of them twice; after a step, four.
ACTIONS = [LEFT, FORWARD, RIGHT, RIGHT, LEFT, FORWARD, LEFT, LEFT, LEFT, FORWARD]


def test_windows_of_walks_hold_the_actions_between_their_frames():
    actions = torch.tensor([ACTIONS, ACTIONS[::-1]])
    maps = torch.arange(44)[:, None, None].expand(-1, 2, 2)  # each map says which it is
    found = benchmark.training_windows(maps, walk(ACTIONS).expand(2, -1, -1), actions)
    codes, done = found.__getitems__(list(range(2 * 4)))
    frames = codes[:, :, 0, 0]
    assert frames.shape == (2 * 4, 8)
    assert (frames.diff(dim=1) == 1).all()
    # A walk of 11 frames has 10 actions: the second begins with frame 11 and action 10.
    assert torch.equal(done, actions.flatten()[frames[:, :-1] - (frames[:, :1] >= 11).long()])


def test_views_of_a_place_are_the_frames_by_heading():
    found = benchmark.views(walk(ACTIONS), torch.tensor(ACTIONS))
    assert found == [{0: 2, -1: 3, -2: 4}, {0: 6, 1: 7, 2: 8, 3: 9}]


def test_films_on_the_spot_show_what_a_walker_there_would_see():
    poses, actions = walk(ACTIONS), torch.tensor(ACTIONS)
    frames, done = benchmark.turning(benchmark.views(poses, actions), 50)
    assert frames.shape == (50, 8)
    assert torch.equal(frames, benchmark.turning(benchmark.views(poses, actions), 50)[0])
    turns = torch.tensor(benchmark.TURNS)[done]
    assert (turns != 0).all()
    assert torch.equal(poses[frames][:, 1:, 2] - poses[frames][:, :-1, 2], 12.0 * turns)
    assert (poses[frames][:, :, :2] == poses[frames][:, :1, :2]).all()
    # So a frame is the one that the memory finds, where it finds any.
    seen = same_view(done, benchmark.TURNS, benchmark.CIRCLE)
    films = torch.arange(50)[:, None].expand_as(seen)
    known = seen >= 0
    assert known.any()
    assert torch.equal(frames[films[known], seen[known]], frames[:, 1:][known])


def test_walks_mirror_images_and_turns_are_put_together():
    poses, actions = walk(ACTIONS)[None], torch.tensor(ACTIONS)[None]
    maps = torch.arange(22)[:, None, None].expand(-1, 2, 2)  # each map says which it is
    found = benchmark.training_windows(maps, poses, actions)
    assert len(found) == 2 * 4 + 2
    codes, done = found.__getitems__(list(range(8)))
    assert (codes[4:] == codes[:4] + 11).all(), "mirror images come after the frames"
    assert torch.equal(done[4:], torch.tensor([0, 2, 1])[done[:4]])
    spot, turns = found.__getitems__([8, 9])
    assert codes.dtype == spot.dtype == turns.dtype == torch.int64
    mirrored = spot[:, :, 0, 0] >= 11
    assert (mirrored == mirrored[:, :1]).all(), "a film is in the mirror or not"
    assert torch.equal(found[8].codes, spot[0])


def test_at_first_it_is_the_model_that_was_given():
    given = new_model("video", VideoConfig(**SMALL), seed=0)
    torch.manual_seed(1)
    for parameter in given.parameters():
        nn.init.normal_(parameter, std=0.5)
    model = new_model("video", benchmark.with_memory(given.config), seed=0)
    benchmark.begin_from(given, model)
    assert (model.config.turns, model.config.own_draws) == (benchmark.TURNS, 0.5)
    assert benchmark.with_memory(given.config, 0.0).own_draws == 0
    codes, actions = torch.randint(7, (2, 6, 3, 3)), torch.full((2, 5), LEFT)
    actions[:, 2:] = RIGHT
    torch.testing.assert_close(
        model.log_prob(codes, actions), given.eval().log_prob(codes, actions)
    )


def test_it_learns_to_look_at_what_it_remembers():
    generator = torch.Generator().manual_seed(0)
    poses, actions = walk(ACTIONS)[None], torch.tensor(ACTIONS)[None]
    windows = benchmark.training_windows(
        torch.randint(7, (22, 3, 3), generator=generator), poses, actions
    )
    config = VideoConfig(**{**SMALL, "history": 1, "own_draws": 0.0})
    model = new_model("video", benchmark.with_memory(config), seed=0)
    training = TrainingConfig(steps=60, batch_size=8, learning_rate=1e-2)
    train(model, windows, training, prepare=codes_and_actions, progress=False)
    # Of new views, at random, only the memory tells: the history has the frame between.
    codes = torch.randint(7, (64, 3, 3, 3), generator=generator)
    codes[:, 2] = codes[:, 0]
    done = torch.tensor([[LEFT, RIGHT]]).expand(64, -1)
    known = model.log_prob(codes, done, first=2).mean()
    codes[:, 0] = codes[:, 0].roll(1, 0)
    assert known > model.log_prob(codes, done, first=2).mean() + 0.5


def test_codes_are_kept_and_those_of_another_model_refused(tmp_path, monkeypatch):
    path = tmp_path / "run" / "codes.pt"
    path.parent.mkdir()
    torch.save({"codes_of": "another", "maps": torch.zeros(2, 3, 3)}, path)
    monkeypatch.setattr(benchmark, "fingerprint", lambda model: "this")
    with pytest.raises(SystemExit, match="holds codes of another model"):
        benchmark.codes_and_poses(nn.Identity(), None, path)
