"""The recorded training of a plane's codebook, and the figure that replays it."""

import base64
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from vqvae_lite.figures.learning import draw_codebook, learn, measure, replay_learning
from vqvae_lite.quantizer import VectorQuantizer


def quantizer(**changes):
    generator = torch.Generator().manual_seed(0)
    return VectorQuantizer(4, 2, generator=generator, **changes).double()


def points(count=40, seed=1):
    return torch.randn(count, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def record(vq, phases, **changes):
    settings = {"steps": 30, "batch_size": 8, "generator": torch.Generator().manual_seed(2)}
    return learn(vq, phases, **(settings | changes))


def data_in(page):
    return json.loads(re.search(r'id="data">(.*?)</script', page)[1])


def unpacked(packed):
    raw = np.frombuffer(base64.b64decode(packed["base64"]), dtype="<i2")
    return raw.reshape(packed["shape"]) / 1000


def test_measure_counts_codes_and_averages_squared_distances():
    vq = quantizer()
    vq.codebook.copy_(torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 9.0], [9.0, 9.0]]))
    vectors = torch.tensor([[1.0, 0.0], [0.0, 0.0], [4.0, 2.0], [4.0, 0.0]]).double()
    before = vq.codebook.clone()
    state = measure(vq, vectors)
    assert state.used == 2
    assert state.perplexity == pytest.approx(2.0)
    assert state.distortion == pytest.approx((1 + 0 + 4 + 0) / 4)
    assert vq.codebook.equal(before)
    assert not vq.count.any()


@pytest.mark.parametrize("decay", [None, 0.9])
def test_history_holds_the_codebook_before_each_step_and_at_the_end(decay):
    phases = [points(), points() + 2]
    vq = quantizer(decay=decay)
    first = vq.codebook.detach().clone()
    history = record(vq, phases)
    kept = [*range(21), 24, 28]
    assert history.steps == kept + [30 + step for step in kept] + [60]
    assert history.codebooks.shape == (len(history.steps), 4, 2)
    assert history.codebooks[0].equal(first)
    assert history.codebooks[-1].equal(vq.codebook.detach())
    assert history.states[-1] == measure(vq, phases[1])
    assert not history.codebooks[1].equal(first)


def test_a_state_belongs_to_the_phase_that_begins():
    phases = [points(), points() + 5]
    history = record(quantizer(decay=0.9), phases)
    before, after = (history.states[history.steps.index(step)] for step in (28, 30))
    assert after.distortion > 10 * before.distortion


def test_gradient_codebook_takes_plain_gradient_steps():
    vectors = points(8)
    vq, same = quantizer(decay=None), quantizer(decay=None)
    record(vq, [vectors], steps=1, learning_rate=0.3)
    rows = torch.randint(8, (8,), generator=torch.Generator().manual_seed(2))
    loss = same(vectors[rows]).loss
    loss.backward()
    torch.testing.assert_close(vq.codebook, same.codebook - 0.3 * same.codebook.grad)


@pytest.mark.parametrize("change", [{"steps": 0}, {"batch_size": 0}])
def test_learn_refuses_nothing_to_do(change):
    with pytest.raises(ValueError, match="at least"):
        record(quantizer(), [points()], **change)
    with pytest.raises(ValueError, match="0 phases"):
        record(quantizer(), [])


def all_histories(phases):
    return {
        (rule, care): record(quantizer(decay=decay, restart_below=restart_below), phases)
        for rule, decay in (("gradient", None), ("EMA", 0.9))
        for care, restart_below in (("left alone", None), ("data", 0.0))
    }


@pytest.mark.slow
def test_page_holds_what_was_recorded():
    phases = [points(), points() + 1]
    histories = all_histories(phases)
    figure = replay_learning(phases, histories, news=["still", "moved"])
    data = data_in(figure.page)
    history = histories["EMA", "data"]
    run = data["runs"][-1]
    assert (data["rules"][run["rule"]], data["cares"][run["care"]]) == ("EMA", "data")
    assert data["steps"] == history.steps
    assert data["news"] == ["still", "moved"]
    np.testing.assert_allclose(unpacked(run["codebooks"]), history.codebooks, atol=0.00051)
    np.testing.assert_allclose(unpacked(data["phases"][1]), phases[1], atol=0.00051)
    np.testing.assert_allclose(run["states"], history.states, atol=0.00051)
    assert len(data["runs"]) == 4
    assert data["unit"] == 1000


def test_replay_refuses_what_cannot_be_compared():
    phases = [points()]
    histories = all_histories(phases)
    del histories["EMA", "data"]
    with pytest.raises(ValueError, match=r"\('EMA', 'data'\) is missing"):
        replay_learning(phases, histories, news=[""])
    histories["EMA", "data"] = record(quantizer(), phases, steps=12)
    with pytest.raises(ValueError, match="same steps"):
        replay_learning(phases, histories, news=[""])


def test_dead_codes_have_a_mark_of_their_own():
    figure, axis = plt.subplots()
    codebook = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.5, 2.5], [-2.5, 2.5]]).double()
    vectors = torch.tensor([[0.1, 0.0], [0.9, 0.0], [1.1, 0.2]]).double()
    draw_codebook(axis, vectors, codebook)
    _, used, dead = axis.collections
    np.testing.assert_allclose(used.get_offsets(), codebook[:2])
    np.testing.assert_allclose(dead.get_offsets(), codebook[2:])
    assert len(used.get_paths()[0].vertices) != len(dead.get_paths()[0].vertices)
    plt.close(figure)
