"""The judge of films learns which way a picture moved, and nothing from one frame alone."""

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


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="num_actions must be at least 1"):
        ActionJudge(0)
    with pytest.raises(TypeError, match="uint8"):
        ActionJudge(3).name(torch.zeros(2, 3, 84, 84))
