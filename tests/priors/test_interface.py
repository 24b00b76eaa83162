"""What priors have in common: `log_prob` of each, and two names for one way to sample."""

import pytest
import torch
from torch import Tensor, nn

import vqvae_lite
from vqvae_lite.models import new_model
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig
from vqvae_lite.priors.wavenet import WaveNetConfig
from vqvae_lite.video.past import VideoConfig

GENERATOR = torch.Generator().manual_seed(0)
CLIPS = torch.randint(7, (2, 5, 4, 4), generator=GENERATOR)
ACTIONS = torch.randint(2, (2, 7), generator=GENERATOR)
MAPS, ROWS, LABEL = CLIPS[0], CLIPS[0, :, 0], torch.tensor([0, 1, 1, 0, 1])
DRAW = {"seed": 1, "progress": False}

CONFIGS = {
    "pixelcnn": PixelCNNConfig(num_codes=7, width=8, num_layers=2, num_classes=2, dropout=0.5),
    "wavenet": WaveNetConfig(num_codes=7, width=8, skip_width=8, num_classes=2, dropout=0.5),
    "video": VideoConfig(
        num_codes=7, num_actions=2, history=2, embedding=4, width=8, pixelcnn_width=8,
        num_layers=2, dropout=0.5,
    ),
}  # fmt: skip


def make(kind: str) -> nn.Module:
    """A small model that heeds all that it is given."""
    model = new_model(kind, CONFIGS[kind], seed=0)
    torch.manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


@pytest.mark.parametrize("kind", CONFIGS)
def test_log_prob_is_that_of_the_forward_pass_in_eval_mode_and_has_gradients(kind):
    model = make(kind)
    codes: Tensor = {"pixelcnn": MAPS, "wavenet": ROWS, "video": CLIPS}[kind]
    condition = ACTIONS[:, :4] if kind == "video" else LABEL
    log_prob = model.log_prob(codes, condition)
    assert log_prob.shape == (len(codes),)
    awake, evaluated = (
        model.train(mode)(codes, condition).log_prob.view(len(codes), -1).sum(1).to(log_prob)
        for mode in (True, False)
    )
    torch.testing.assert_close(log_prob, evaluated)
    assert (log_prob - awake).abs().max() > 1e-3
    log_prob.sum().backward()
    assert next(model.parameters()).grad.any()


def test_the_public_function_is_the_method():
    assert vqvae_lite.sample is GatedPixelCNN.sample
    model = make("pixelcnn")
    drawn = vqvae_lite.sample(model, (3, 4), batch=5, label=LABEL, **DRAW)
    assert torch.equal(drawn, model.sample((3, 4), batch=5, label=LABEL, **DRAW))
