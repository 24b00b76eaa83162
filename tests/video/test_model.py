"""The dynamics model: what a frame may depend on, its likelihood, and its samples."""

import math

import pytest
import torch
from torch import nn

from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.video.model import VideoPrior
from vqvae_lite.video.past import VideoConfig

SMALL = {
    "num_codes": 7, "num_actions": 3, "history": 3, "embedding": 4, "width": 6,
    "pixelcnn_width": 5, "num_layers": 2, "dropout": 0.0,
}  # fmt: skip


def make(**settings) -> VideoPrior:
    """A small model that heeds its past and its actions: zeros at the start would hide faults."""
    model = new_model("video", VideoConfig(**{**SMALL, **settings}), seed=0).eval()
    torch.manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


def clip(batch: int = 2, frames: int = 5, seed: int = 2) -> torch.Tensor:
    return torch.randint(7, (batch, frames, 4, 5), generator=torch.Generator().manual_seed(seed))


def steps(batch: int = 2, count: int = 4, seed: int = 3) -> torch.Tensor:
    return torch.randint(3, (batch, count), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("num_layers", [2, 0])
def test_the_loss_is_the_mean_over_all_frames_but_the_first(num_layers):
    out = make(num_layers=num_layers)(clip(), steps())
    assert out.log_prob.shape == (2, 4)
    torch.testing.assert_close(out.loss, -out.log_prob.sum() / (2 * 4 * 20))


@pytest.mark.parametrize("num_layers", [2, 0])
def test_in_training_the_past_errs_and_what_is_judged_does_not(num_layers):
    model, codes, actions = make(num_layers=num_layers, own_draws=1.0), clip(8), steps(8)
    without = make(num_layers=num_layers)
    assert torch.equal(model(codes, actions).log_prob, without(codes, actions).log_prob)
    model.train()
    torch.manual_seed(0)
    erring = model(codes, actions).log_prob
    before = without(codes, actions).log_prob
    assert torch.equal(erring[:, 0], before[:, 0]), "the first frame is given"
    assert (erring[:, 1:] != before[:, 1:]).any(0).all()
    torch.manual_seed(0)
    past = model._past_that_errs(codes, actions)
    condition = model._look(1, past[:, :-1], actions)
    judged = model.frame(codes[:, 1:].flatten(0, 1), condition=condition).log_prob
    assert torch.equal(judged.view_as(erring), erring)
    assert model.training, "drawing has switched nothing"


@pytest.mark.parametrize("num_layers", [2, 0])
def test_a_past_that_errs_holds_the_models_own_draws(num_layers):
    """A model that is certain of one code puts that one in, in the share that is asked for."""
    model = make(num_layers=num_layers, own_draws=0.5)
    nn.init.zeros_(model.frame.head.weight)
    nn.init.zeros_(model.frame.head.bias)
    model.frame.head.bias.data[..., 4] = 50
    codes = torch.zeros(400, 3, 4, 5, dtype=torch.int64)
    torch.manual_seed(0)
    past = model._past_that_errs(codes, steps(400, 2))
    assert not past[:, 0].any()
    assert past[:, 1:].unique().tolist() == [0, 4]
    shares = (past[:, 1:] == 4).double().flatten(1).mean(1)
    assert shares.mean().item() == pytest.approx(0.25, abs=0.03), "between none and half"
    assert shares.max() > 0.4
    assert shares.min() < 0.1


@pytest.mark.parametrize("num_layers", [2, 0])
def test_each_frame_is_predicted_from_the_frames_and_actions_before_it_alone(num_layers):
    model, codes, actions = make(num_layers=num_layers), clip(), steps()
    before = model(codes, actions).log_prob
    for changed in range(5):
        other = codes.clone()
        other[:, changed] = (other[:, changed] + 1) % 7
        moved = (model(other, actions).log_prob != before).any(0)
        # Prediction p is of frame p + 1, from the three frames p - 2 to p.
        expected = [p + 1 == changed or p - 2 <= changed <= p for p in range(4)]
        assert moved.tolist() == expected
    for changed in range(4):
        other = actions.clone()
        other[:, changed] = (other[:, changed] + 1) % 3
        moved = (model(codes, other).log_prob != before).any(0)
        # Action a lies between the frames a and a + 1.
        assert moved.tolist() == [p - 2 <= changed <= p for p in range(4)]


def test_the_rows_of_a_batch_do_not_meet():
    model, codes, actions = make(), clip(), steps()
    together = model(codes, actions).log_prob
    alone = torch.cat([model(codes[i : i + 1], actions[i : i + 1]).log_prob for i in range(2)])
    torch.testing.assert_close(together, alone)


def test_a_late_frame_has_the_likelihood_that_its_window_gives():
    model, codes, actions = make(), clip(1, 9), steps(1, 8)
    whole = model(codes, actions).log_prob[0, -1]
    window = model(codes[:, -4:], actions[:, -3:]).log_prob[0, -1]
    torch.testing.assert_close(whole, window)


@pytest.mark.parametrize("num_layers", [2, 0])
@pytest.mark.parametrize("first", [1, 2, 4, 6])
def test_log_prob_is_that_of_the_frames_from_the_first_on(num_layers, first):
    model, codes, actions = make(num_layers=num_layers), clip(2, 7), steps(2, 6)
    of_each = model(codes, actions).log_prob.double()
    found = model.log_prob(codes, actions, first=first)
    torch.testing.assert_close(found, of_each[:, first - 1 :].sum(1))
    assert (found.shape, found.dtype) == ((2,), torch.float64)


@pytest.mark.parametrize(
    ("first", "message"),
    [(0, "first must be at least 1, got 0"), (5, "first must be below 5, the frames; got 5")],
)
def test_there_is_a_first_frame_to_judge(first, message):
    with pytest.raises(ValueError, match=message):
        make().log_prob(clip(), steps(), first=first)


def test_at_once_no_code_knows_of_the_others_in_its_frame():
    """The chance of a frame is the product of its codes' chances, whatever the others are."""
    model, codes, actions = make(num_layers=0), clip(), steps()
    logits = model.frame.logits(model.past(codes[:, 1:4], actions[:, 1:4]))
    of_each = logits.log_softmax(1).gather(1, codes[:, 4:])[:, 0]
    wanted = model(codes, actions).log_prob[:, -1]
    torch.testing.assert_close(of_each.flatten(1).sum(1), wanted)


@pytest.mark.parametrize("num_layers", [2, 0])
@pytest.mark.parametrize("seen", [1, 2, 5])
def test_samples_follow_the_model(seen, num_layers):
    """Frequencies of a first drawn code against the model's own probabilities."""
    model = make(num_layers=num_layers)
    codes, actions = clip(1, seen).expand(3000, -1, -1, -1), steps(1, seen).expand(3000, -1)
    drawn = model.sample(codes, 1, actions, seed=0, progress=False)
    assert drawn.shape == (3000, 1, 4, 5)
    # The last three frames; 7 and 3 stand for a frame and an action that are not there.
    window = torch.cat([torch.full((1, 2, 4, 5), 7), codes[:1]], 1)[:, -3:]
    heeded = torch.cat([torch.full((1, 2), 3), actions[:1]], 1)[:, -3:]
    condition = model.past(window, heeded)
    wanted = model.frame(drawn[:1, 0], condition=condition).logits[0, :, 0, 0].softmax(0)
    found = torch.bincount(drawn[:, 0, 0, 0], minlength=7) / 3000
    torch.testing.assert_close(found, wanted, atol=0.04, rtol=0)


def test_frames_are_drawn_one_after_another_from_the_window_before():
    """The third frame of a long sample is what sampling one from the first two gives."""
    model, codes, actions = make(), clip(2, 4), steps(2, 6)
    three = model.sample(codes, 3, actions, temperature=1e-6, seed=0, progress=False)
    assert three.shape == (2, 3, 4, 5)
    seen = torch.cat([codes, three[:, :2]], 1)
    again = model.sample(seen, 1, actions, temperature=1e-6, seed=5, progress=False)
    assert torch.equal(three[:, 2:], again)


@pytest.mark.parametrize("num_layers", [2, 0])
def test_the_seed_decides(num_layers):
    model, codes, actions = make(num_layers=num_layers), clip(), steps(2, 6)
    draw = lambda seed: model.sample(codes, 2, actions, seed=seed, progress=False)  # noqa: E731
    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    # Two frames of the same distribution, the uniform one, are drawn with different numbers.
    model = new_model("video", VideoConfig(**{**SMALL, "num_layers": num_layers}), seed=0)
    assert not torch.equal(draw(1)[:, 0], draw(1)[:, 1])


@pytest.mark.parametrize("num_layers", [2, 0])
@pytest.mark.parametrize("settings", [{"temperature": 1e-9}, {"top_k": 1}])
def test_the_coldest_sample_takes_the_most_probable(num_layers, settings):
    model, codes, actions = make(num_layers=num_layers), clip(2, 3), steps(2, 3)
    drawn = model.sample(codes, 1, actions, seed=0, progress=False, **settings)[:, 0]
    logits = model.frame(drawn, condition=model.past(codes, actions)).logits
    assert torch.equal(logits.argmax(1), drawn)


def test_a_sample_is_drawn_in_eval_mode():
    model, codes, actions = make(dropout=0.5), clip(), steps(2, 6)
    wanted = model.sample(codes, 2, actions, seed=0, progress=False)
    model.train()
    assert torch.equal(model.sample(codes, 2, actions, seed=0, progress=False), wanted)
    assert model.training


def test_other_actions_give_another_film():
    model, codes, actions = make(), clip(), steps(2, 6)
    other = actions.clone()
    other[:, -1] = (other[:, -1] + 1) % 3
    one, two = (model.sample(codes, 2, a, seed=0, progress=False) for a in (actions, other))
    assert torch.equal(one[:, 0], two[:, 0]), "the last action comes after this frame"
    assert not torch.equal(one[:, 1], two[:, 1])


def test_a_model_without_actions():
    model = make(num_actions=None)
    assert model(clip()).log_prob.shape == (2, 4)
    assert model.sample(clip(), 2, seed=0, progress=False).shape == (2, 2, 4, 5)
    with pytest.raises(ValueError, match="actions must be None"):
        model(clip(), steps())


@pytest.mark.parametrize(
    ("codes", "actions", "error", "message"),
    [
        (clip().float(), steps(), TypeError, "codes must be"),
        (clip() + 1, steps(), ValueError, r"codes must lie in \[0, 7\)"),
        (clip()[0], steps(), ValueError, r"codes must have the shape \(B, T, H, W\)"),
        (clip()[:, :1], steps()[:, :0], ValueError, "codes must have at least 2 frames, got 1"),
        (clip(), None, ValueError, "actions must be given"),
        (clip(), steps().float(), TypeError, "actions must be integers"),
        (clip(), steps(2, 5), ValueError, r"actions must have the shape \(2, 4\), got \(2, 5\)"),
        (clip(), steps() + 1, ValueError, r"actions must lie in \[0, 3\)"),
    ],
)
def test_bad_input_is_named(codes, actions, error, message):
    with pytest.raises(error, match=message):
        make()(codes, actions)


def test_a_sample_needs_an_action_for_each_frame():
    with pytest.raises(ValueError, match=r"actions must have the shape \(2, 6\), got \(2, 4\)"):
        make().sample(clip(), 2, steps(), progress=False)
    with pytest.raises(ValueError, match="frames must be at least 1"):
        make().sample(clip(), 0, steps(), progress=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"history": 0}, "history must be at least 1"),
        ({"num_actions": 0}, "num_actions must be at least 1"),
        ({"num_codes": 0}, "num_codes must be at least 1"),
        ({"num_layers": -1}, "num_layers must be at least 1"),
        ({"dropout": 1.0}, "dropout must be in"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        VideoConfig(**settings)


@pytest.mark.parametrize(("num_layers", "dims"), [(2, 3), (2, 9), (0, 3)])
def test_codes_that_look_alike_start_alike(num_layers, dims):
    codebook = torch.randn(7, dims, generator=torch.Generator().manual_seed(4))
    codebook[5] = codebook[2] + 1e-3
    model = new_model("video", VideoConfig(**{**SMALL, "num_layers": num_layers}), seed=0).eval()
    model.start_from(codebook)
    before, nothing = model(clip(), steps()), model.past.embedding.weight[-1].clone()
    model.start_from(codebook + 1)
    torch.testing.assert_close(model(clip(), steps()).log_prob, before.log_prob)
    assert torch.equal(model.past.embedding.weight[-1], nothing), "that of no frame stays"
    vectors = model.past.embedding.weight[:-1]
    assert vectors[:, :dims].square().mean().item() == pytest.approx(1)
    centred = codebook - codebook.mean(0)
    if dims <= 4:  # then nothing of the codebook is lost: distances are as in it, up to a factor
        wanted, found = torch.cdist(centred, centred), torch.cdist(vectors, vectors)
        torch.testing.assert_close(found, wanted * (found[0, 1] / wanted[0, 1]))
    other = clip().where(clip() != 2, 5)
    alike = model(clip(), steps()).log_prob - model(other, steps()).log_prob
    assert alike.abs().max() < 0.1
    assert abs(before.loss.item() - math.log(7)) < 0.1, "nearly uniform"
    with pytest.raises(ValueError, match=r"codebook must have the shape \(7, D\), got \(6, 3\)"):
        model.start_from(torch.zeros(6, 3))


@pytest.mark.parametrize("num_layers", [2, 0])
def test_every_weight_learns(num_layers):
    model = new_model("video", VideoConfig(**{**SMALL, "num_layers": num_layers}), seed=0)
    for _ in range(4):  # what is behind weights that begin as zeros has its gradient steps later
        loss = model(clip(4), steps(4)).loss
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.1 * parameter.grad
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_a_checkpoint_gives_the_same_model(tmp_path):
    model = make()
    save_checkpoint(tmp_path / "model", model, step=1)
    again = load_checkpoint(tmp_path / "model").model
    assert torch.equal(again(clip(), steps()).log_prob, model(clip(), steps()).log_prob)
