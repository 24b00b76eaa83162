"""Windows of sound to train on, and training on them."""

import pytest
import torch

from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.sound.files import Utterance
from vqvae_lite.sound.model import SoundConfig
from vqvae_lite.sound.mulaw import to_levels
from vqvae_lite.sound.windows import Sound, SoundWindows, crop
from vqvae_lite.training import TrainingConfig, train

SMALL = SoundConfig(
    num_speakers=2, strides=(4, 4), width=8, num_residual=1, num_codes=8, code_dim=4,
    decoder_width=8, skip_width=8, num_cycles=1, layers_per_cycle=3,
)  # fmt: skip


def utterance(speaker: str, length: int, seed: int) -> Utterance:
    generator = torch.Generator().manual_seed(seed)
    return Utterance(f"{speaker}_{seed}", speaker, torch.rand(length, generator=generator), "", ())


SAID = [utterance("ann", 70, 0), utterance("bob", 50, 1), utterance("ann", 33, 2)]


def test_windows_are_cut_from_all_that_a_speaker_says():
    windows = SoundWindows(SAID, ["ann", "bob"], 20)
    ann = to_levels(torch.cat([SAID[0].wave, SAID[2].wave]))
    assert len(windows) == 4 + 1
    levels, speaker = windows.__getitems__([0, 3, 4])
    assert speaker.tolist() == [0, 0, 1]
    assert torch.equal(levels[0], ann[:40])
    assert torch.equal(levels[1], ann[60:100])
    assert torch.equal(levels[2], to_levels(SAID[1].wave)[:40])
    assert torch.equal(windows[3].levels, levels[1])


def test_a_speaker_has_the_number_of_their_place_among_the_names():
    assert SoundWindows(SAID, ["bob", "carl", "ann"], 20)[0].speaker == 0
    assert SoundWindows(SAID, ["bob", "carl", "ann"], 20)[1].speaker == 2


def test_crops_begin_everywhere_in_the_first_half_and_follow_the_seed():
    window = torch.arange(40, dtype=torch.uint8).expand(4000, 40)
    torch.manual_seed(0)
    cropped = crop(Sound(window, torch.arange(4000)))
    assert cropped.levels.shape == (4000, 20)
    assert (cropped.levels.diff(dim=1) == 1).all()
    assert torch.bincount(cropped.levels[:, 0].long(), minlength=20).min() > 140  # of 200
    assert torch.bincount(cropped.levels[:, 0].long()).shape == (20,)
    assert torch.equal(cropped.speaker, torch.arange(4000))
    torch.manual_seed(0)
    assert torch.equal(crop(Sound(window, torch.arange(4000))).levels, cropped.levels)


def test_a_run_that_was_stopped_goes_on_to_the_same_numbers(tmp_path):
    windows = SoundWindows(SAID, ["ann", "bob"], 16)
    weights = []
    for stop in (None, 3):
        model = new_model("soundvqvae", SMALL, seed=0)
        run = tmp_path / str(stop)
        settings = {"batch_size": 3, "learning_rate": 1e-2, "precision": "float32"}
        resume = None
        for steps in filter(None, (stop, 6)):
            config = TrainingConfig(steps=steps, **settings)
            history = train(
                resume.model if resume else model,
                windows, config, run=run, resume=resume, prepare=crop, progress=False,
            )  # fmt: skip
            resume = load_checkpoint(run)
        weights.append(resume.model.state_dict())
        assert set(history[-1].means) >= {"loss", "reconstruction_loss", "perplexity"}
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


@pytest.mark.parametrize(
    ("speakers", "length", "error", "message"),
    [
        (["ann"], 20, ValueError, r"\['bob'\] also speak"),
        (["ann", "bob"], 0, ValueError, "length must be at least 1"),
        (["ann", "bob"], 2.0, TypeError, "length must be an int"),
        (["ann", "bob"], 60, ValueError, "window of 120 samples: nobody says more than 103"),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(speakers, length, error, message):
    with pytest.raises(error, match=message):
        SoundWindows(SAID, speakers, length)


def test_without_utterances_there_are_no_windows():
    with pytest.raises(ValueError, match="nobody says more than 0"):
        SoundWindows([], [], 20)
