"""A dynamics model on the command line: trained, resumed, measured, and its films."""

import json
import math
import shutil
from contextlib import contextmanager

import pytest
import torch

from commands import fails, make_clips, run_cli, settings
from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.codefile import read_codes
from vqvae_lite.distributed import Place
from vqvae_lite.images import to_float, to_uint8
from vqvae_lite.metrics import psnr
from vqvae_lite.model import ModelConfig
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.video import CODES
from vqvae_lite.video.clips import read_clip
from vqvae_lite.video.coding import VideoCodes
from vqvae_lite.video.evaluation import (
    compare_ahead,
    cut_clips,
    nats_ahead,
    nats_per_video_code,
)
from vqvae_lite.video.model import VideoPrior

VQVAE = ["width=8", "code_dim=4", "num_codes=20", "size=16"]
VIDEO = ["history=2", "embedding=4", "width=6", "pixelcnn_width=5", "num_layers=2", "window=3"]
SHORT = ["steps=4", "batch_size=2", "checkpoint_every=2"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Clips with actions and without, a VQ-VAE of their frames, and a dynamics model of each."""
    root = tmp_path_factory.mktemp("video")
    make_clips(root / "done", {"a": 9, "b": 4})
    make_clips(root / "plain", {"a": 5}, actions=False)
    train = ["train", "folder", "--folder", root / "done", "--device", "cpu"]
    for name, seed in [("vqvae", 0), ("other", 1)]:
        run = ["--run", root / name, *settings(*VQVAE, *SHORT, f"seed={seed}")]
        assert run_cli(*train, *run) == 0
    for clips in ("done", "plain"):
        assert run_cli(*video(root, clips), *settings(*VIDEO, *SHORT)) == 0
    return root


def video(root, clips, run=None):
    train = ["train", "video", "--codes-of", root / "vqvae", "--folder", root / clips]
    return [*train, "--run", run or root / f"video-{clips}"]


def test_training_encodes_once_and_resumes_to_the_same_numbers(
    place, tmp_path, capsys, monkeypatch
):
    checkpoint = load_checkpoint(place / "video-done")
    assert isinstance(checkpoint.model, VideoPrior)
    assert (checkpoint.model.config.num_codes, checkpoint.model.config.num_actions) == (20, 3)
    assert checkpoint.config["actions"] == ["0", "1", "2"]
    codes = read_codes(place / "video-done" / CODES, VideoCodes)
    model = load_checkpoint(place / "vqvae").model
    for path, clip in zip(("a", "b"), codes.codes, strict=True):
        frames = read_clip(place / "done" / path, 16).frames
        assert torch.equal(clip, model.encode(to_float(frames)))

    arguments = video(place, "done", tmp_path / "run")
    assert run_cli(*arguments, *settings(*VIDEO, *SHORT, "steps=2")) == 0
    assert "add --resume" in fails(capsys, *arguments, *settings(*VIDEO, *SHORT))
    monkeypatch.setattr("vqvae_lite.recipes.video.encode_clips", None)  # not called again
    assert run_cli(*arguments, *settings(*VIDEO, *SHORT), "--resume") == 0
    resumed = load_checkpoint(tmp_path / "run").model.state_dict()
    for name, value in checkpoint.model.state_dict().items():
        assert torch.equal(value, resumed[name]), name

    more = settings(*VIDEO, "steps=6")
    error = fails(capsys, *arguments, *more, "--set", "width=7", "--resume")
    assert "cannot go on as" in error
    elsewhere = video(place, "plain", tmp_path / "run")
    assert "holds codes of the folder" in fails(capsys, *elsewhere, *more, "--resume")
    arguments[arguments.index("--codes-of") + 1] = place / "other"
    assert "holds codes of the model" in fails(capsys, *arguments, *more, "--resume")


def test_a_model_may_know_nothing_of_the_actions(place, tmp_path, capsys):
    assert load_checkpoint(place / "video-plain").model.config.num_actions is None
    arguments = video(place, "done", tmp_path / "run")
    assert run_cli(*arguments, *settings(*VIDEO, *SHORT, "num_actions=none")) == 0
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint.model.config.num_actions is None
    assert checkpoint.config["actions"] is None
    error = fails(capsys, *video(place, "done", tmp_path / "no"), "--set", "num_actions=4")
    assert "num_actions must be 3 or none to fit what it is to learn, got 4" in error
    error = fails(capsys, *video(place, "done", tmp_path / "no2"), "--set", "num_codes=4")
    assert "num_codes must be 20 to fit" in error


def test_what_a_model_saves_is_measured(place, capsys):
    evaluate = ["evaluate", place / "vqvae", "--folder", place / "done"]
    assert run_cli(*evaluate, "--prior", place / "video-done") == 0
    result = json.loads(capsys.readouterr().out)
    codes = read_codes(place / "video-done" / CODES, VideoCodes)
    model = load_checkpoint(place / "video-done").model
    nats = [
        -model(clip[None], actions[None]).log_prob.sum().item()
        for clip, actions in zip(codes.codes, codes.actions, strict=True)
    ]
    count = sum(clip[1:].numel() for clip in codes.codes)
    assert result["nats_per_code"] == pytest.approx(sum(nats) / count, rel=1e-5)
    assert result["nats_per_code_of_the_uniform_prior"] == pytest.approx(math.log(20))
    assert "not of" in fails(capsys, "evaluate", place / "other", "--prior", place / "video-done")


def test_a_long_clip_is_measured_in_pieces(monkeypatch, place):
    codes = read_codes(place / "video-done" / CODES, VideoCodes)
    model = load_checkpoint(place / "video-done").model
    whole = nats_per_video_code(model, codes.codes, codes.actions, first=2)
    monkeypatch.setattr("vqvae_lite.video.evaluation.FRAMES_AT_ONCE", 3)
    pieces = nats_per_video_code(model, codes.codes, codes.actions, first=2)
    assert pieces == pytest.approx(whole, rel=1e-6)
    by_hand = -sum(
        model(clip[None], actions[None]).log_prob[0, 1:].sum().item()
        for clip, actions in zip(codes.codes, codes.actions, strict=True)
    ) / sum(clip[2:].numel() for clip in codes.codes)
    assert whole == pytest.approx(by_hand, rel=1e-6)
    with pytest.raises(ValueError, match="after the first 9 of each clip"):
        nats_per_video_code(model, codes.codes, codes.actions, first=9)


def test_nats_ahead_are_given_what_was_imagined(place):
    codes = read_codes(place / "video-done" / CODES, VideoCodes)
    model = load_checkpoint(place / "video-done").model
    clip, actions = codes.codes[0][None], codes.actions[0][None]
    seen, true = clip[:, :3], clip[:, 3:6]
    imagined = model.sample(seen, 3, actions[:, :5], seed=0, progress=False)
    found = nats_ahead(model, seen, imagined, true, actions[:, :5])
    one = -model(clip[:, :4], actions[:, :3]).log_prob[0, -1] / 16
    three = torch.cat([seen, imagined[:, :2], true[:, 2:]], 1)
    last = -model(three, actions[:, :5]).log_prob[0, -1] / 16
    torch.testing.assert_close(found[0, 0], one.double())
    torch.testing.assert_close(found[0, 2], last.double())
    # What was imagined is judged as what it is when it stands for the truth.
    own = nats_ahead(model, seen, imagined, imagined, actions[:, :5])
    whole = model(torch.cat([seen, imagined], 1), actions[:, :5]).log_prob[0, -3:]
    torch.testing.assert_close(own[0], -whole.double() / 16)


def test_pieces_begin_so_many_frames_apart_and_codes_and_actions_belong_together():
    codes = [torch.arange(9)[:, None], torch.arange(100, 104)[:, None]]
    pieces = cut_clips(codes, 4, 3)
    assert pieces[:, :, 0].tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [100, 101, 102, 103]]
    steps = cut_clips([clip[:-1] for clip in codes], 3, 3)
    assert torch.equal(steps, pieces[:, :-1])
    with pytest.raises(ValueError, match="no clip is 10 long: the longest has 9"):
        cut_clips(codes, 10, 3)


def test_imagined_frames_are_compared_with_the_true_ones(place):
    model = load_checkpoint(place / "vqvae").model
    frames = torch.stack([read_clip(place / "done" / name, 16).frames[:4] for name in ("a", "b")])
    true = torch.stack([model.encode(to_float(film)) for film in frames])
    other = true.clone()
    other[:, 2, 0] = (other[:, 2, 0] + 1) % 20  # a row of four in the third frame of each
    found = compare_ahead(model, other, true, frames)
    assert found.accuracy.tolist() == [1, 1, 0.75, 1]
    with torch.no_grad():
        wrong, right = (to_uint8(model.decode(codes[:, 2])) for codes in (other, true))
    assert found.psnr_decoded.isinf().tolist() == [True, True, False, True]
    assert found.psnr_decoded[2] == psnr(wrong, right).mean()
    assert found.psnr_frame[2] == psnr(wrong, frames[:, 2]).mean()


def test_films_follow_the_actions_and_come_again(place, tmp_path, capsys):
    sample = ["sample", place / "vqvae", place / "video-done"]
    options = ["--clip", place / "done" / "a", "--seen", 3, "--count", 2, "--seed", 4]
    for name, actions in [("one", "0,1,2"), ("same", "0,1,2"), ("other", "0,1,0")]:
        assert run_cli(*sample, tmp_path / name, *options, "--actions", actions) == 0
    assert "2 films" in capsys.readouterr().out
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["sample_0000.webp", "sample_0001.webp"]
    one, same = (read_clip(tmp_path / name / files[1], 16).frames for name in ("one", "same"))
    assert torch.equal(one, same)
    assert len(one) == 6

    model, prior = load_checkpoint(place / "vqvae").model, load_checkpoint(place / "video-done")
    clip = read_clip(place / "done" / "a", 16)
    seen = model.encode(to_float(clip.frames[:3]))
    actions = torch.cat([clip.actions[:2], torch.tensor([0, 1, 2])]).expand(2, -1)
    drawn = prior.model.sample(seen.expand(2, -1, -1, -1), 3, actions, seed=4, progress=False)
    with torch.no_grad():
        wanted = to_uint8(model.decode(torch.cat([seen, drawn[1]])))
    assert torch.equal(one, wanted)


def test_films_go_on_from_the_models_own_clips_where_none_is_named(place, tmp_path):
    sample = ["sample", place / "vqvae", place / "video-done", "--count", 1, "--actions", "1"]
    sample = [*sample[:3], tmp_path / "own", *sample[3:]]
    assert run_cli(*sample, "--seed", 4) == 0
    named = [tmp_path / "named" if word == tmp_path / "own" else word for word in sample]
    assert run_cli(*named, "--seed", 4, "--clip", place / "done" / "a") == 0
    own, named = (read_clip(tmp_path / name / "sample_0000.webp", 16) for name in ("own", "named"))
    assert torch.equal(own.frames, named.frames)


def test_a_model_without_actions_is_told_how_many_frames(place, tmp_path, capsys):
    sample = ["sample", place / "vqvae", place / "video-plain", tmp_path / "out"]
    clip = ["--clip", place / "plain" / "a", "--seen", 2, "--count", 1]
    assert run_cli(*sample, *clip, "--frames", 2) == 0
    assert len(read_clip(tmp_path / "out" / "sample_0000.webp", 16).frames) == 4
    assert "--actions must not be given" in fails(capsys, *sample, *clip, "--actions", "0")
    assert "--frames says how many" in fails(capsys, *sample, *clip)


def test_bad_requests_leave_nothing_behind(place, tmp_path, capsys):
    sample = ["sample", place / "vqvae", place / "video-done", tmp_path / "out"]
    clip = ["--clip", place / "done" / "b"]
    assert "--actions must name what is done, of 0, 1, 2" in fails(capsys, *sample, *clip)
    assert "got 'up'" in fails(capsys, *sample, *clip, "--actions", "0,up")
    error = fails(capsys, *sample, *clip, "--actions", "0")
    assert "b has 4 frames, fewer than 6" in error
    plain = ["--clip", place / "plain" / "a", "--seen", 2]
    assert "needs a list of actions" in fails(capsys, *sample, *plain, "--actions", "0")
    error = fails(capsys, *sample, *clip, "--actions", "0", "--seen", 0)
    assert "seen must be at least 1" in error
    assert "--seconds is for sound" in fails(capsys, *sample, "--seconds", 2)
    assert not (tmp_path / "out").exists()
    error = fails(capsys, "train", "video", "--run", tmp_path / "run")
    assert "the recipe 'video' needs codes_of (--codes-of on the command line)" in error
    missing = ["train", "video", "--codes-of", place / "vqvae", "--run", tmp_path / "run"]
    assert "there is none at" in fails(capsys, *missing, "--folder", tmp_path / "no")
    assert "no clip has a window of 30 frames" in fails(
        capsys, *video(place, "done", tmp_path / "long"), "--set", "window=30"
    )
    of_video = ["train", "video", "--codes-of", place / "video-done", "--run", tmp_path / "x"]
    assert "only a VQ-VAE has codes of images" in fails(capsys, *of_video)


def test_names_of_actions_that_do_not_fit_the_model_are_refused(place, tmp_path, capsys):
    prior = load_checkpoint(place / "video-done")
    for names in (None, ["up"], [1, 2, 3], "abc"):
        details = {"recipe": prior.config["recipe"], "map": [4, 4], "actions": names}
        save_checkpoint(tmp_path / "prior", prior.model, step=1, details=details)
        sample = ["sample", place / "vqvae", tmp_path / "prior", tmp_path / "out", "--actions", "1"]
        assert "'actions' must hold 3 names, got" in fails(capsys, *sample)
        shutil.rmtree(tmp_path / "prior")


def test_of_several_processes_one_alone_measures_and_prints(place, capsys, monkeypatch):
    """As under torchrun, seen from the second process; it makes no bar either."""

    @contextmanager
    def second(device):
        yield Place(1, 2, torch.device("cpu"))

    monkeypatch.setattr("vqvae_lite.cli.video.processes", second)
    evaluate = ["evaluate", place / "vqvae", "--folder", place / "done"]
    capsys.readouterr()
    assert run_cli(*evaluate, "--prior", place / "video-done") == 0
    assert capsys.readouterr() == ("", "")


def test_a_file_of_codes_says_what_it_holds(place, capsys):
    assert run_cli("info", place / "video-done" / CODES) == 0
    assert "2 clips of 13 frames, codes (4, 4) of 20; actions: 0, 1, 2" in capsys.readouterr().out


def test_profiles(tmp_path, capsys):
    model = new_model("vqvae", ModelConfig(width=4, num_codes=20, code_dim=4), 0)
    quick, paper = (
        get_recipe("video", profile, codes_of=model, num_actions=3)
        for profile in ("quick", "paper")
    )
    assert paper.training.steps > quick.training.steps
    assert paper.model.history == 6
    for setting in ("window=1", "window=none"):
        with pytest.raises(ValueError, match="window must be at least 2"):
            get_recipe("video", "quick", [setting], codes_of=model)
    save_checkpoint(tmp_path / "bare", model, step=1)
    arguments = ["train", "video", "--codes-of", tmp_path / "bare", "--run", tmp_path / "run"]
    assert "was saved without a recipe" in fails(capsys, *arguments)
