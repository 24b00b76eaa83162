"""Where a position is, and what it sees of all before it."""

import math

import pytest
import torch
from torch import nn

from vqvae_lite.priors.attention import HEAD_WIDTH, AttentionCache, CausalAttention, positions
from vqvae_lite.priors.operations import InNumPy, InTorch
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig


def make(width: int = 32) -> CausalAttention:
    torch.manual_seed(0)
    attention = CausalAttention(width).double()
    nn.init.normal_(attention.out.weight)
    return attention


def test_positions_are_waves_of_the_row_and_of_the_column():
    where = positions(5, 9, 12)
    assert where.shape == (12, 5, 9)
    for place, half in [((3, 7), where[:6]), ((4, 0), where[:6])]:
        row, column = place
        waves = [4, 8, 16]
        by_hand = [math.sin(2 * math.pi * row / wave) for wave in waves]
        by_hand += [math.cos(2 * math.pi * row / wave) for wave in waves]
        assert half[:, row, column].tolist() == pytest.approx(by_hand, abs=1e-6)
        by_hand = [math.sin(2 * math.pi * column / wave) for wave in waves]
        by_hand += [math.cos(2 * math.pi * column / wave) for wave in waves]
        assert where[6:, row, column].tolist() == pytest.approx(by_hand, abs=1e-6)


def test_no_two_places_of_a_map_of_codes_look_alike():
    flat = positions(21, 21, 16).flatten(1).T
    apart = torch.cdist(flat, flat) + 10 * torch.eye(len(flat))
    assert apart.min() > 0.1


def test_attention_follows_its_equation():
    """softmax(q k / sqrt(d)) v over a position and those before it, head by head."""
    attention = make()
    h = torch.randn(1, 32, 2, 3, dtype=torch.float64)
    x = h[0].flatten(1).T
    x = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    queries, keys, values = (attention.look.weight @ x.T).T.chunk(3, 1)
    place, found = 4, []
    for head in range(2):
        part = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
        scores = keys[: place + 1, part] @ queries[place, part] / HEAD_WIDTH**0.5
        found.append(scores.softmax(0) @ values[: place + 1, part])
    by_hand = attention.out.weight @ torch.cat(found)
    assert torch.allclose(attention(h)[0, :, 1, 1], by_hand)


def test_a_new_one_adds_nothing():
    h = torch.randn(2, 32, 3, 4)
    assert not CausalAttention(32)(h).any()


@pytest.mark.parametrize("ops", [InTorch, InNumPy])
@torch.no_grad()
def test_step_by_step_it_gives_the_same(ops):
    attention = make()
    h = torch.randn(2, 32, 3, 4, dtype=torch.float64)
    cache = AttentionCache(attention, 2, 12, ops)
    expected = h + attention(h)
    for row in range(3):
        for column in range(4):
            here = h[:, :, row, column].contiguous()
            cache.step(ops.array(here))
            assert torch.allclose(here, expected[:, :, row, column])


@pytest.mark.parametrize("rows", [1, 3])
def test_it_reaches_over_the_whole_map(rows):
    """A code in the first corner moves the last logits, far out of the reach of one layer."""
    settings = {"num_codes": 5, "width": 16, "num_layers": 1, "position_channels": 4}
    codes = torch.zeros(1, rows, 20, dtype=torch.int64)
    other = codes.clone()
    other[0, 0, 0] = 3
    for every, seen in [(None, False), (1, True)]:
        torch.manual_seed(0)
        model = GatedPixelCNN(PixelCNNConfig(**settings, attention_every=every)).double()
        nn.init.normal_(model.head.weight)
        for attention in model.attention.values():
            nn.init.normal_(attention.out.weight)
        difference = (model(codes).logits - model(other).logits).abs().amax(1)
        assert bool(difference[0, -1, -1] > 0) == seen
