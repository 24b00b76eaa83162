"""The judge of films learns which way a picture moved, and nothing from one frame alone."""

import math

import pytest
import torch

from vqvae_lite.video.judge import ActionJudge, train_judge


def films(count, seed, length=12):
    """Noise that stays (0), moves to the left (1) or to the right (2) by 6 pixels, as is drawn."""
    generator = torch.Generator().manual_seed(seed)
    result = []
    for _ in range(count):
        blocks = torch.randint(256, (3, 14, 60), generator=generator, dtype=torch.uint8)
        noise = blocks.repeat_interleave(6, 1).repeat_interleave(6, 2)
        actions = torch.randint(3, (length - 1,), generator=generator)
        place, frames = 138, []
        for move in [0, *(6 * torch.tensor([0, 1, -1])[actions]).tolist()]:
            place += move
            frames.append(noise[:, :, place : place + 84])
        result.append((torch.stack(frames), actions))
    return result


@pytest.mark.slow
def test_it_names_the_moves_of_films_that_it_has_not_seen():
    judge = train_judge(films(40, 0), 3, mirrored={1: 2, 2: 1}, steps=250)
    assert not judge.training
    right = [(judge.name(frames) == actions).float() for frames, actions in films(10, 1)]
    assert torch.cat(right).mean() > 0.9


@pytest.mark.slow
def test_mirrors_teach_the_other_side():
    """Films in which nothing moves to the right: mirrored, they show what that looks like."""
    one_way = [
        (frames, actions) for frames, actions in films(200, 2, length=2) if actions.item() < 2
    ]
    judge = train_judge(one_way, 3, mirrored={1: 2, 2: 1}, steps=250)
    right = [
        (judge.name(frames) == actions).float()
        for frames, actions in films(60, 3, length=2)
        if actions.item() == 2
    ]
    assert torch.cat(right).mean() > 0.8


def test_training_is_the_same_each_time_and_moves_no_generator():
    state = torch.random.get_rng_state()
    one, two = (train_judge(films(2, 0), 3, steps=3, seed=4) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name])


def test_another_seed_gives_another_judge():
    one, two = (train_judge(films(2, 0), 3, steps=1, seed=seed) for seed in (0, 1))
    assert not torch.equal(one.layers[0].weight, two.layers[0].weight)


def test_the_learning_rate_falls_along_half_a_cosine(monkeypatch):
    rates, step = [], torch.optim.Adam.step

    def noted(optimizer, *arguments):
        rates.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    train_judge(films(2, 0), 3, steps=4, learning_rate=0.01)
    assert rates == pytest.approx([0.01 * (1 + math.cos(math.pi * t / 4)) / 2 for t in range(4)])


def test_frames_are_seen_small_and_from_minus_one_to_one():
    judge, seen = ActionJudge(3), []
    judge.layers.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    frames = torch.tensor([0, 255, 0], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 3, 84, 84)
    judge.name(frames)
    before, after = seen[0].split(3, 1)
    assert before.shape == (2, 3, 42, 42)
    assert torch.equal(before, -after)
    assert torch.equal(before[:, 0, 0, 0], torch.tensor([-1.0, 1.0]))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="num_actions must be at least 1"):
        ActionJudge(0)
    with pytest.raises(TypeError, match="uint8"):
        ActionJudge(3).name(torch.zeros(2, 3, 84, 84))
