"""What a code costs: of every kind of prior, by row and by condition, the same as by hand."""

import math

import pytest
import torch
from torch import nn

from vqvae_lite.priors.nats import CodeFrequencies, nats_per_code
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig
from vqvae_lite.priors.wavenet import WaveNet, WaveNetConfig

GENERATOR = torch.Generator().manual_seed(0)
MAPS = torch.randint(6, (10, 3, 4), generator=GENERATOR)
ROWS = [torch.randint(6, (length,), generator=GENERATOR) for length in (3, 10, 4)]
LABEL = torch.randint(3, (10,), generator=GENERATOR)


def pixelcnn(**settings) -> GatedPixelCNN:
    torch.manual_seed(0)
    return GatedPixelCNN(PixelCNNConfig(num_codes=6, width=4, num_layers=1, **settings))


def wavenet(**settings) -> WaveNet:
    torch.manual_seed(0)
    small = {"num_codes": 6, "width": 4, "skip_width": 4, "layers_per_cycle": 2}
    return WaveNet(WaveNetConfig(**small, **settings))


def unlike_uniform(prior: nn.Module) -> nn.Module:
    for parameter in prior.parameters():
        nn.init.normal_(parameter, std=0.5)
    return prior


@pytest.mark.parametrize(("prior", "codes"), [(pixelcnn(), MAPS), (wavenet(), ROWS)])
def test_under_the_uniform_prior_a_code_costs_log_k(prior, codes):
    assert nats_per_code(prior, codes) == pytest.approx(math.log(6))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_maps_are_measured_with_their_own_labels(batch_size):
    prior = unlike_uniform(pixelcnn(num_classes=3))
    by_hand = -prior(MAPS, LABEL).log_prob.sum().item() / MAPS.numel()
    found = nats_per_code(prior, MAPS, batch_size, label=LABEL, condition=None)
    assert found == pytest.approx(by_hand, rel=1e-6)
    turned = nats_per_code(prior, MAPS, batch_size, label=LABEL.flip(0))
    assert abs(turned - by_hand) > 1e-3


def test_rows_of_different_lengths_are_measured_one_by_one():
    prior = unlike_uniform(wavenet(num_classes=3))
    nats = [-prior(row[None], LABEL[i : i + 1]).log_prob.item() for i, row in enumerate(ROWS)]
    found = nats_per_code(prior, ROWS, label=LABEL[:3])
    assert found == pytest.approx(sum(nats) / 17, rel=1e-6)


def test_frequencies_are_a_prior_too():
    counted = CodeFrequencies(MAPS, 6)
    shares = (torch.bincount(MAPS.flatten(), minlength=6) + 1) / (MAPS.numel() + 6)
    by_hand = -shares.log()[MAPS].mean().item()
    assert nats_per_code(counted, MAPS, batch_size=3) == pytest.approx(by_hand)


@pytest.mark.parametrize("codes", [MAPS[:0], MAPS[:, :0], [], [ROWS[0][:0]]])
def test_no_codes_cannot_be_measured(codes):
    with pytest.raises(ValueError, match="no codes to measure"):
        nats_per_code(pixelcnn(), codes)


def test_every_row_has_its_condition():
    with pytest.raises(ValueError, match="label must have 10 rows, as codes; got 11"):
        nats_per_code(pixelcnn(num_classes=3), MAPS, label=torch.zeros(11, dtype=torch.int64))
