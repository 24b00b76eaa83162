"""The benchmark of bits per dimension, in miniature: `benchmarks/likelihood.py`."""

import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import likelihood as benchmark


def write_pictures(folder, count, seed):
    folder.mkdir()
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(256, (count, 8, 8, 3), generator=generator, dtype=torch.uint8)
    for index, picture in enumerate(values):
        Image.fromarray(picture.numpy()).save(folder / f"{index}.png")


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Runs the benchmark on a few tiny pictures; gives the name and figures that it would write."""
    shared = ["size=8", "width=4", "likelihood=logistic", "batch_size=2", "steps=3"]
    monkeypatch.setitem(benchmark.SHARED, "quick", shared)
    prior = ["width=4", "num_layers=1", "steps=1", "batch_size=2"]
    monkeypatch.setitem(benchmark.PRIOR, "quick", prior)
    monkeypatch.setattr(benchmark, "SAMPLES", 2)
    write_pictures(tmp_path / "train", 4, 0)
    write_pictures(tmp_path / "test", 3, 1)

    folders = ["--folder", str(tmp_path / "train"), "--test", str(tmp_path / "test")]
    command = ["likelihood.py", "folder", *folders, "--run", str(tmp_path / "run")]

    def run(*options):
        monkeypatch.setattr(sys, "argv", [*command, "--last-steps", "1", *options])
        return benchmark.main()

    return run


def test_every_model_with_its_seeds(call, tmp_path):
    once = ["--once", "gumbel", "vimco", "vqvae_8x8x10"]
    options = ["--seeds", "2", "--large-code", *once, "--set", "vqvae.num_codebooks=3"]
    assert call("--only", "vae", *options) is None
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"vae-0", "vae-1"}
    name, result = call(*options)
    assert (name, result["images"]) == ("likelihood", 3)
    models = result["models"]
    counts = {name: len(parts["seeds"]) for name, parts in models.items()}
    assert counts == {
        "vae": 2,
        "vqvae": 2,
        "gumbel": 1,
        "vimco": 1,
        "vqvae_8x8x10": 1,
        "vqvae, frequencies": 2,
        "vqvae, learned prior": 2,
    }
    # Of 2 x 2 positions with 9 bits for each codebook, over 192 sub-pixels.
    assert models["vqvae"]["prior"] == pytest.approx(4 * 3 * 9 / 192)
    assert models["vqvae_8x8x10"]["prior"] == pytest.approx(4 * 10 * 9 / 192)
    for parts in models.values():
        for part in ("reconstruction", "prior", "bound"):
            mean = sum(one[part] for one in parts["seeds"]) / len(parts["seeds"])
            assert parts[part] == pytest.approx(mean)
    first, second = models["vae"]["seeds"]
    assert first["reconstruction"] != second["reconstruction"]
    elbo = (first["bound"] + second["bound"]) / 2
    assert models["vae"]["reconstruction"] + models["vae"]["prior"] >= elbo
    elbos = [one["reconstruction"] + one["prior"] for one in models["vae"]["seeds"]]
    assert result["minus_the_vaes_elbo_by_seed"]["vqvae"] == pytest.approx(
        [one["bound"] - elbos[seed] for seed, one in enumerate(models["vqvae"]["seeds"])],
        abs=1e-4,
    )
    # What was trained and measured is neither trained nor measured again.
    assert call(*options)[1]["models"] == models


def test_what_does_not_fit_together(call, capsys):
    for options, message in [
        (["--large-code", "--profile", "paper"], "--large-code is for the profile quick"),
        (["--only", "vqvae_8x8x10"], "--only vqvae_8x8x10 needs --large-code"),
        (["--once", "vqvae_8x8x10"], "--once vqvae_8x8x10 needs --large-code"),
    ]:
        with pytest.raises(SystemExit):
            call(*options)
        assert message in capsys.readouterr().err
