"""A model of sound measured on whole utterances, each sample once."""

import math

import pytest
import torch
from torch import nn

from vqvae_lite.models import new_model
from vqvae_lite.sound.coding import whole_hops
from vqvae_lite.sound.evaluation import evaluate_sound
from vqvae_lite.sound.model import SoundConfig, SoundVQVAE

SETTINGS = SoundConfig(
    num_speakers=2, strides=(2, 5), width=8, num_residual=1, num_codes=7, code_dim=4,
    decoder_width=8, skip_width=8, num_cycles=1, layers_per_cycle=2,
)  # fmt: skip
GENERATOR = torch.Generator().manual_seed(0)
WAVES = [torch.rand(length, generator=GENERATOR) - 0.5 for length in (500, 8, 71)]
SPEAKERS = [1, 0, 1]


def make() -> SoundVQVAE:
    model = new_model("soundvqvae", SETTINGS, seed=0).eval()
    torch.manual_seed(1)
    for parameter in (model.decoder.head.weight, model.decoder.label.weight):
        nn.init.normal_(parameter)
    return model


def test_every_sample_counts_once_and_so_does_every_code():
    model = make()
    nats, codes = [], []
    for wave, speaker in zip(WAVES, SPEAKERS, strict=True):
        levels = whole_hops(wave, 10)[None]
        out = model(levels, torch.tensor([speaker]))
        nats += [out.reconstruction_loss.item()] * levels.numel()
        codes += out.codes.flatten().tolist()
    measured = evaluate_sound(model, WAVES, SPEAKERS, rate=8000)
    assert measured.utterances == 3
    assert measured.bits_per_sample == pytest.approx(sum(nats) / len(nats) / math.log(2))
    shares = torch.tensor(codes).bincount() / len(codes)
    assert measured.perplexity == pytest.approx(torch.special.entr(shares).sum().exp().item())
    assert measured.fraction_used == pytest.approx(len(set(codes)) / 7)
    assert measured.bits_per_second == pytest.approx(math.log2(7) * 800)


def test_what_is_measured_depends_on_who_is_said_to_speak():
    one, other = (evaluate_sound(make(), WAVES, who, rate=8000) for who in (SPEAKERS, [0, 1, 0]))
    assert one.perplexity == other.perplexity
    assert one.bits_per_sample != other.bits_per_sample
    with pytest.raises(ValueError, match="no utterances to evaluate on"):
        evaluate_sound(make(), [], [], rate=8000)
