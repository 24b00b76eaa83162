"""Where the bits go, in miniature: `benchmarks/rate_distortion.py`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import rate_distortion as benchmark

SMALL = {
    "vqvae K=8 C=1": ("vqvae", ["num_codes=8", "code_dim=2", "commitment=1"]),
    "vae weight=1.0": ("vae", ["latent_channels=2"]),
}


@pytest.fixture
def miniature(monkeypatch, tmp_path):
    shared = ["size=32", "width=4", "likelihood=logistic", "batch_size=4", "steps=2"]
    for name, value in {"SHARED": shared, "LAST_STEPS": 1, "SEEDS": 2}.items():
        monkeypatch.setattr(benchmark, name, value)
    monkeypatch.setattr(benchmark, "variants", lambda: SMALL)
    monkeypatch.setattr(sys, "argv", ["rate_distortion.py", "--run", str(tmp_path)])
    return tmp_path


def test_every_model_has_every_seed_and_their_means(miniature, monkeypatch):
    name, figures = benchmark.main()
    assert name == "rate_distortion"
    assert len(list(miniature.iterdir())) == 4
    for model, (kind, settings) in SMALL.items():
        found = figures["models"][model]
        assert (found["kind"], found["settings"]) == (kind, settings)
        one, other = (seed["test"] for seed in found["seeds"])
        assert one != other
        for what, mean in found["test"].items():
            assert mean == pytest.approx((one[what] + other[what]) / 2, abs=1e-5)
        assert ("frequencies" in one) == (kind == "vqvae")

    monkeypatch.setattr(benchmark, "measure", None)  # what was measured is not measured again
    assert benchmark.main()[1] == figures
