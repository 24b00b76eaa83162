"""The benchmark of posterior collapse, in miniature: `benchmarks/collapse.py`."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import collapse as benchmark

from vqvae_lite.models import load_checkpoint
from vqvae_lite.secondstage.pixelvqvae import PixelVQVAEConfig
from vqvae_lite.training import TrainingConfig

LIGHT = PixelVQVAEConfig(
    rows=4, columns=4, num_values=8, width=8, num_layers=1, num_codebooks=2, num_codes=4,
    code_dim=4, commitment=0.01, decay=0.9,
)  # fmt: skip


def test_a_late_commitment_begins_with_the_weights_of_the_early_one(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "EARLY_STEPS", 3)
    monkeypatch.setattr(benchmark, "train_maps", partial(benchmark.train_maps, last_steps=1))
    maps = torch.randint(8, (8, 4, 4), dtype=torch.uint8)
    training = TrainingConfig(steps=5, batch_size=4, learning_rate=1e-2, seed=1)
    heavy = replace(LIGHT, commitment=0.25)
    early, late = (tmp_path / f"{name}-1" for name in ("vqvae_early_light", "vqvae_late_heavy"))
    benchmark.train_one("vqvae_early_light", LIGHT, maps, training, early)
    still = replace(training, learning_rate=1e-12)
    benchmark.train_one("vqvae_late_heavy", heavy, maps, still, late)
    before, after = (load_checkpoint(run) for run in (early, late))
    assert before.config["step"] == 3
    assert after.config["step"] == 2
    assert after.model.config == heavy
    learned = dict(before.model.named_parameters())
    for name, value in after.model.named_parameters():
        torch.testing.assert_close(value, learned[name], atol=1e-6, rtol=0)


def test_what_begins_with_another_comes_after_it_and_has_the_other_commitment():
    settings = benchmark.configurations()
    names = list(settings)
    for late, early in benchmark.BEGINS.items():
        assert names.index(early) < names.index(late)
        weights = {settings[name].commitment for name in (early, late)}
        assert weights == {0.01, 0.25}
        assert replace(settings[early], commitment=settings[late].commitment) == settings[late]
    assert settings["vqvae_early_heavy"].commitment == 0.25


def test_figures_of_seeds_have_their_means_and_the_extremes_of_their_latents():
    one = {"settings": {"width": 8}, "nats": 3.0, "codes_used": 0.5, "rise_by_latent": [0.5, -0.1]}
    other = {**one, "nats": 4.0, "rise_by_latent": [0.2, 0.3]}
    found = benchmark.of_seeds([one, other])
    assert found["settings"] == {"width": 8}
    assert found["nats"] == 3.5
    assert found["least_rise"] == pytest.approx(0.05)
    assert [seed["most_rise"] for seed in found["seeds"]] == [0.5, 0.3]
    assert [seed["nats"] for seed in found["seeds"]] == [3.0, 4.0]
