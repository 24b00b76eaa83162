"""What a dynamics model looks at: the equations of its blocks, by hand, at one position."""

import pytest
import torch
from torch import nn

from vqvae_lite.video.past import DILATIONS, Past, PastBlock, VideoConfig

CONFIG = VideoConfig(num_codes=7, num_actions=3, history=3, embedding=4, width=6, dropout=0.5)


def randomised(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.double().eval()


@pytest.mark.parametrize("dilation", [1, 2])
def test_a_block_follows_its_equation(dilation):
    block = randomised(PastBlock(CONFIG, dilation))
    x = torch.randn(1, 6, 5, 7, dtype=torch.float64)
    action = torch.randn(1, 6, dtype=torch.float64)
    row, column = 2, 4
    seen = x.relu()[0, :, row - dilation : row + dilation + 1 : dilation]
    seen = seen[:, :, column - dilation : column + dilation + 1 : dilation]
    hidden = torch.einsum("oiyx,iyx->o", block.spread.weight, seen) + block.spread.bias
    for vector in (action, None):
        moved = hidden if vector is None else hidden + vector[0]
        by_hand = block.out.weight[:, :, 0, 0] @ moved.relu() + block.out.bias
        found = block(x, vector)[0, :, row, column]
        torch.testing.assert_close(found, x[0, :, row, column] + by_hand)


def test_dropout_only_in_training():
    block = randomised(PastBlock(CONFIG, 1))
    x = torch.randn(1, 6, 5, 7, dtype=torch.float64)
    assert torch.equal(block(x, None), block(x, None))
    block.train()
    assert not torch.equal(block(x, None), block(x, None))


def test_each_frame_and_action_has_its_own_weights_and_each_block_its_own_share():
    past = randomised(Past(CONFIG))
    codes = torch.randint(7, (2, 3, 5, 6))
    actions = torch.randint(3, (2, 3))
    found = past(codes, actions)
    frames = [past.embedding.weight[codes[:, t]].permute(0, 3, 1, 2) for t in range(3)]
    x = past.mix(torch.cat(frames, 1))
    vectors = [table.weight[actions[:, t]] for t, table in enumerate(past.actions)]
    shares = torch.stack(vectors).sum(0).unflatten(1, (len(DILATIONS), 6)).unbind(1)
    for block, share in zip(past.blocks, shares, strict=True):
        x = block(x, share)
    torch.testing.assert_close(found, x)
    assert [block.spread.dilation[0] for block in past.blocks] == list(DILATIONS)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_of_own_draws_is_between_none_and_all(share):
    with pytest.raises(ValueError, match=r"own_draws must be in \[0, 1\], got"):
        VideoConfig(own_draws=share)
