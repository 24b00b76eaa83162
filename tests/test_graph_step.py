"""A step that is replayed trains as one that is taken: `benchmarks/graph_step.py`, on a CPU."""

import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from graph_step import CHUNK, GraphStep


class Out(NamedTuple):
    loss: Tensor


class Codes(nn.Module):
    """Code by code a number: what a model of codes does first, and a look at their range."""

    def __init__(self):
        super().__init__()
        self.vectors = nn.Embedding(5, 3)
        self.out = nn.Linear(3, 1)

    def forward(self, codes: Tensor) -> Out:
        return Out(self.out(self.vectors(codes)).square().mean())


def made(model: nn.Module, examples: Tensor) -> GraphStep:
    return GraphStep(
        model, lambda numbers: examples[numbers], len(examples), 4, device=torch.device("cpu"),
        precision="float32",
    )  # fmt: skip


def test_it_trains_as_a_plain_loop_does():
    examples = torch.arange(40) % 5
    torch.manual_seed(1)
    model = Codes()
    first = {name: value.clone() for name, value in model.state_dict().items()}
    step = made(model, examples)
    assert all(torch.equal(value, first[name]) for name, value in model.state_dict().items())
    # The order that it will take, from the same state of the generator.
    state = torch.get_rng_state()
    order = step._orders()
    order = [next(order).clone() for _ in range(CHUNK)]
    torch.set_rng_state(state)
    step.order = step._orders()
    step.run(1e-2, until=time.time())
    assert step.steps == CHUNK
    assert step.history[-1][0] == CHUNK

    plain = Codes()
    plain.load_state_dict(first)
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-2)
    losses = []
    for numbers in order:
        optimizer.zero_grad()
        loss = plain(examples[numbers]).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert step.history[-1][1]["loss"] == pytest.approx(sum(losses) / CHUNK, rel=1e-4)
    for name, value in model.state_dict().items():
        assert torch.allclose(value, plain.state_dict()[name], atol=1e-6), name


def test_restarting_forgets_and_a_loss_that_is_no_number_is_named():
    model = Codes()
    first = model.out.bias.detach().clone()
    step = made(model, torch.arange(8) % 5)
    step.run(1e-2, until=time.time())
    assert not torch.equal(model.out.bias, first)
    step.restart(lambda: model.out.bias.fill_(float("nan")))
    assert (step.steps, step.history) == (0, [])
    with pytest.raises(FloatingPointError, match=f"by step {CHUNK} the means were"):
        step.run(1e-2, until=time.time())
