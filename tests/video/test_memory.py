"""The memory of a dynamics model: which frame showed the view that is to come."""

import pytest
import torch
from torch import nn

from vqvae_lite.models import new_model
from vqvae_lite.video.evaluation import nats_per_video_code
from vqvae_lite.video.memory import same_view
from vqvae_lite.video.model import VideoPrior
from vqvae_lite.video.past import VideoConfig

FORWARD, LEFT, RIGHT = range(3)
TURNS = (0, 1, -1)
CONFIG = VideoConfig(
    num_codes=7, num_actions=3, history=2, embedding=4, width=6, pixelcnn_width=5, num_layers=1,
    dropout=0.0, turns=TURNS, circle=5,
)  # fmt: skip


def by_hand(actions, turns, circle):
    """Frame by frame backwards, until a place was left or the view is the same."""
    found = []
    for after in range(1, len(actions) + 1):
        turned, frame = 0, -1
        for earlier in range(after - 1, -1, -1):
            if turns[actions[earlier]] == 0:
                break
            turned += turns[actions[earlier]]
            if turned == 0 or (circle and turned % circle == 0):
                frame = earlier
                break
        found.append(frame)
    return found


@pytest.mark.parametrize(
    ("actions", "wanted"),
    [
        ([LEFT, RIGHT], [-1, 0]),
        ([LEFT, LEFT, RIGHT, RIGHT], [-1, -1, 1, 0]),
        ([LEFT, RIGHT, LEFT], [-1, 0, 1]),  # the last of two frames that showed it
        ([LEFT, FORWARD, RIGHT], [-1, -1, -1]),  # from another place
        ([FORWARD, LEFT, RIGHT, RIGHT], [-1, -1, 1, -1]),
        ([RIGHT] * 6, [-1, -1, -1, -1, 0, 1]),  # five turns are a circle
    ],
)
def test_after_turns_that_cancel_a_view_is_the_same(actions, wanted):
    assert same_view(torch.tensor([actions]), TURNS, 5)[0].tolist() == wanted
    assert by_hand(actions, TURNS, 5) == wanted


@pytest.mark.parametrize("turns", [TURNS, (0, 2, -1), (1, -1, 3)])
@pytest.mark.parametrize("circle", [None, 1, 4, 7])
def test_it_is_what_a_search_backwards_finds(turns, circle):
    actions = torch.randint(3, (20, 40), generator=torch.Generator().manual_seed(0))
    found = same_view(actions, turns, circle)
    assert found.tolist() == [by_hand(row, turns, circle) for row in actions.tolist()]
    for first in (2, 17, 40):
        assert torch.equal(same_view(actions, turns, circle, first), found[:, first - 1 :])


def make() -> VideoPrior:
    model = new_model("video", CONFIG, seed=0).eval()
    torch.manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


def film(frames: int, seed: int = 2) -> torch.Tensor:
    return torch.randint(7, (1, frames, 4, 5), generator=torch.Generator().manual_seed(seed))


def test_a_frame_depends_on_the_last_of_the_same_view_however_long_ago():
    model, codes = make(), film(9)
    actions = torch.tensor([[LEFT, LEFT, LEFT, LEFT, RIGHT, RIGHT, RIGHT, RIGHT]])
    before = model(codes, actions).log_prob[0]
    for changed in range(8):
        other = codes.clone()
        other[:, changed] = (other[:, changed] + 1) % 7
        moved = (model(other, actions).log_prob[0] != before).nonzero()[:, 0] + 1
        # Itself, the two after it by the history, and the one that comes back to its view.
        back = {8 - changed} if changed < 4 else set()
        assert set(moved.tolist()) == {changed, changed + 1, changed + 2} - {0, 9} | back


def test_what_it_remembers_is_the_past_that_it_was_given():
    """In training a past that errs is remembered with its errors."""
    model, codes = make(), film(3)
    actions = torch.tensor([[LEFT, RIGHT]])
    erring = codes.clone()
    erring[:, 0] = (erring[:, 0] + 1) % 7
    condition = model._look(2, erring[:, :2], actions)
    wanted = model.past(torch.cat([erring[:, :2], erring[:, :1]], 1), actions)
    torch.testing.assert_close(condition, wanted)


def test_films_are_drawn_and_judged_with_all_that_went_before():
    model, codes = make(), film(40)
    actions = torch.tensor([[LEFT] * 18 + [RIGHT] * 21])
    whole = model(codes, actions).log_prob[0, 3:].double()
    found = nats_per_video_code(model, [codes[0]], [actions[0]], first=4)
    assert found == pytest.approx(-whole.sum().item() / (36 * 20))
    late = model.log_prob(codes, actions, first=30)
    torch.testing.assert_close(late, model(codes, actions).log_prob[:, 29:].double().sum(1))
    two = model.sample(codes[:, :3], 2, actions[:, :4], temperature=1e-6, seed=0, progress=False)
    seen = torch.cat([codes[:, :3], two[:, :1]], 1)
    again = model.sample(seen, 1, actions[:, :4], temperature=1e-6, seed=1, progress=False)
    assert torch.equal(two[:, 1:], again)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"turns": (0, 1)}, ValueError, r"turns must be of all num_actions, 3; got \(0, 1\)"),
        ({"num_actions": None}, ValueError, r"turns must be of all num_actions, None; got"),
        ({"turns": 1}, TypeError, "turns must be a list of ints, got 1"),
        ({"turns": (0, 1.5, -1)}, TypeError, "turns must be int, got 1.5"),
        ({"turns": (0, 1, 10**9)}, ValueError, r"turns must be in \[-1000000, 1000000\], got"),
        ({"circle": 0}, ValueError, "circle must be at least 1, got 0"),
        ({"circle": 2.5}, TypeError, "circle must be an int, got 2.5"),
        ({"turns": ()}, ValueError, "circle is for a model with turns, got 5 and none"),
    ],
)
def test_impossible_settings_are_named(settings, error, message):
    given = {"num_actions": 3, "turns": TURNS, "circle": 5}
    with pytest.raises(error, match=message):
        VideoConfig(**{**given, **settings})


def test_settings_come_back_from_json_as_they_were():
    assert VideoConfig(num_actions=3, turns=[0, 1, -1]) == VideoConfig(num_actions=3, turns=TURNS)
