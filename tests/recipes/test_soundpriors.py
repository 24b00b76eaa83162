"""A WaveNet prior over the codes of a model of sound, on the command line and by itself."""

import json
import math

import pytest
import torch

from commands import SHORT, TINY_SOUND, fails, make_sounds, run_cli, settings
from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.models import load_checkpoint
from vqvae_lite.priors.wavenet import WaveNet
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import recipe_of
from vqvae_lite.sound.coding import code_windows, encode_wave
from vqvae_lite.sound.files import read_folder, read_sound
from vqvae_lite.sound.model import SoundConfig, SoundVQVAE

PRIOR = ["width=4", "skip_width=4", "num_cycles=1", "layers_per_cycle=2", "window=8"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Recordings, a run of a model of them, one of its prior, and one of another model."""
    root = tmp_path_factory.mktemp("soundpriors")
    make_sounds(root / "said", {"ann/a.wav": 0.31, "ann/b.wav": 0.5, "bob/a.wav": 0.4})
    train = ["train", "sound", "--folder", root / "said", "--device", "cpu"]
    for name, seed in [("sound", 0), ("other", 1)]:
        more = settings(*TINY_SOUND, *SHORT, f"seed={seed}")
        assert run_cli(*train, "--run", root / name, *more) == 0
    prior = ["train", "prior", "--codes-of", root / "sound", "--run", root / "prior"]
    assert run_cli(*prior, *settings(*PRIOR, *SHORT)) == 0
    return root


def test_a_prior_is_trained_and_resumed(place, tmp_path, capsys):
    checkpoint = load_checkpoint(place / "prior")
    assert isinstance(checkpoint.model, WaveNet)
    assert (checkpoint.model.config.num_codes, checkpoint.model.config.num_classes) == (20, None)
    recipe = recipe_of(checkpoint)
    assert (recipe.name, recipe.kind, recipe.data.window) == ("prior", "wavenet", 8)
    prior = ["train", "prior", "--codes-of", place / "sound", "--run", tmp_path / "run"]
    assert run_cli(*prior, *settings(*PRIOR, *SHORT, "steps=2")) == 0
    assert "add --resume" in fails(capsys, *prior, *settings(*PRIOR, *SHORT))
    assert run_cli(*prior, *settings(*PRIOR, *SHORT), "--resume") == 0
    resumed = load_checkpoint(tmp_path / "run").model.state_dict()
    for name, value in checkpoint.model.state_dict().items():
        assert torch.equal(value, resumed[name]), name
    error = fails(capsys, *prior, *settings(*PRIOR, "width=5", "steps=6"), "--resume")
    assert "cannot go on as" in error
    other = ["train", "prior", "--codes-of", place / "other", "--run", tmp_path / "run"]
    error = fails(capsys, *other, *settings(*PRIOR, "steps=6"), "--resume")
    assert "was trained with codes_of" in error
    save_checkpoint(tmp_path / "bare", load_checkpoint(place / "sound").model, step=1)
    bare = ["train", "prior", "--codes-of", tmp_path / "bare", "--run", tmp_path / "no"]
    assert "was saved without a recipe" in fails(capsys, *bare)
    assert "only a VQ-VAE has codes" in fails(
        capsys, "train", "prior", "--codes-of", place / "prior", "--run", tmp_path / "no"
    )


def test_what_a_prior_saves_is_measured(place, capsys):
    evaluate = ["evaluate", place / "sound", "--folder", place / "said"]
    assert run_cli(*evaluate, "--prior", place / "prior") == 0
    result = json.loads(capsys.readouterr().out)
    model = load_checkpoint(place / "sound").model
    prior = load_prior(place / "prior", model).model
    codes = [encode_wave(model, said.wave) for said in read_folder(place / "said", 1000)]
    with torch.no_grad():
        nats = -sum(prior(row[None]).log_prob.item() for row in codes)
    assert result["nats_per_code"] == pytest.approx(nats / sum(map(len, codes)), rel=1e-5)
    assert result["nats_per_code_of_the_uniform_prior"] == pytest.approx(math.log(20))
    assert "not of" in fails(
        capsys, "evaluate", place / "other", "--folder", place / "said", "--prior", place / "prior"
    )


def test_samples_are_sound_in_the_voice_that_is_named_and_come_again(
    place, tmp_path, capsys, monkeypatch
):
    voices = []
    decode = SoundVQVAE.decode

    def heard(model, codes, speaker, **options):
        voices.append((tuple(codes.shape), speaker.tolist()))
        return decode(model, codes, speaker, **options)

    monkeypatch.setattr(SoundVQVAE, "decode", heard)
    sample = ["sample", place / "sound", place / "prior"]
    more = ["--count", 2, "--seconds", 0.05, "--speaker", "bob", "--seed", 5, "--top-k", 7]
    for name in ("a", "b"):
        assert run_cli(*sample, tmp_path / name, *more, "--temperature", 0.9) == 0
    assert voices == [((2, 4), [1, 1])] * 2
    for name in ("sample_0000.wav", "sample_0001.wav"):
        wave = read_sound(tmp_path / "a" / name, 1000)
        assert len(wave) == 50
        assert torch.equal(wave, read_sound(tmp_path / "b" / name, 1000))
    assert "is there already" in fails(capsys, *sample, tmp_path / "a", *more)
    new = [*sample, tmp_path / "c"]
    assert "must name the voice, one of ann, bob" in fails(capsys, *new)
    assert "one of ann, bob; got 'carl'" in fails(capsys, *new, "--speaker", "carl")
    assert "seconds must be" in fails(capsys, *new, "--speaker", "bob", "--seconds", 0)
    assert "count must be at least 1" in fails(capsys, *new, "--speaker", "bob", "--count", 0)
    assert "no prior over codes" in fails(
        capsys, "sample", place / "sound", place / "other", tmp_path / "c", "--speaker", "bob"
    )
    assert "was trained on the codes of model" in fails(
        capsys, "sample", place / "other", place / "prior", tmp_path / "c", "--speaker", "bob"
    )
    assert not (tmp_path / "c").exists()


def test_a_prior_for_each_speaker(place, tmp_path, monkeypatch):
    train = ["train", "prior", "--codes-of", place / "sound", "--run", tmp_path / "run"]
    assert run_cli(*train, *settings(*PRIOR, *SHORT, "num_classes=2")) == 0
    labels = []
    draw = WaveNet.sample

    def drawn(model, length, **options):
        if model.config.num_codes == 20:
            labels.append(options["label"].tolist())
        return draw(model, length, **options)

    monkeypatch.setattr(WaveNet, "sample", drawn)
    sample = ["sample", place / "sound", tmp_path / "run", tmp_path / "out", "--speaker", "bob"]
    assert run_cli(*sample, "--count", 3, "--seconds", 0.02) == 0
    assert labels == [[1, 1, 1]]
    evaluate = ["evaluate", place / "sound", "--folder", place / "said"]
    assert run_cli(*evaluate, "--prior", tmp_path / "run") == 0


def test_windows_hold_the_codes_of_one_speaker(place):
    utterances = read_folder(place / "said", 1000)
    codes = [torch.arange(10), torch.arange(10, 22), torch.arange(30, 37)]
    windows = code_windows(utterances, codes, ["bob", "ann"], 3)
    batch = windows.__getitems__(range(len(windows)))
    assert batch.speaker.tolist() == [0, 1, 1, 1, 1, 1, 1]
    assert batch.codes.tolist() == [list(range(30, 36))] + [
        list(range(start, start + 6)) for start in (0, 3, 6, 9, 12, 15)
    ]
    with pytest.raises(ValueError, match="window of 60 codes: nobody says more than 22"):
        code_windows(utterances, codes, ["bob", "ann"], 30)


def test_recipes_of_priors():
    vqvae = SoundVQVAE(
        SoundConfig(num_speakers=3, strides=(4,), width=4, num_codes=30, decoder_width=4)
    )
    for profile in ("quick", "paper"):
        settings = ["steps=7", "window=9", "num_classes=3"]
        recipe = get_recipe("prior", profile, settings, codes_of=vqvae)
        assert (recipe.model.num_codes, recipe.model.num_classes) == (30, 3)
        assert (recipe.training.steps, recipe.data.window) == (7, 9)
        whole = get_recipe("prior", profile, codes_of=vqvae)
        assert whole.model.receptive_field < whole.data.window
    for setting, message in [
        ("num_codes=31", "num_codes must be 30"),
        ("num_classes=2", "num_classes must be none or 3"),
        ("condition_channels=2", "condition_channels must be none"),
        ("hop=2", "hop must be 1"),
        ("window=0", "window must be at least 1"),
        ("window=none", "window must be at least 1, got None"),
        ("size=3", "unknown setting"),
    ]:
        with pytest.raises(ValueError, match=message):
            get_recipe("prior", "quick", [setting], codes_of=vqvae)
    with pytest.raises(ValueError, match="is for the codes of a vqvae, got a soundvqvae"):
        get_recipe("video", "quick", codes_of=vqvae)
