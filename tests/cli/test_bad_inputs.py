"""Bad settings, options and outputs: each ends in one line, before the work, and leaves nothing."""

import os
import re
import sys
from contextlib import contextmanager

import pytest
import torch

from commands import (
    SECONDS,
    SHORT,
    TINY_SOUND,
    make_clips,
    make_pictures,
    make_sounds,
    run_cli,
    settings,
)
from vqvae_lite.cli import commands
from vqvae_lite.distributed import Place

TINY = ["width=8", "code_dim=4", "num_codes=20", "size=16"]
VIDEO = ["history=2", "embedding=4", "width=6", "pixelcnn_width=5", "num_layers=2", "window=3"]
ROWS = ["width=4", "skip_width=4", "num_cycles=1", "layers_per_cycle=2", "window=8"]
PICTURES = ["train", "folder", "--folder", "pictures", "--run", "new", *settings(*TINY, *SHORT)]
SAID = ["train", "sound", "--folder", "said", "--run", "new", *settings(*TINY_SOUND, *SHORT)]
MAPS = ["train", "prior", "--codes-of", "vqvae", "--run", "new", *settings(*SHORT)]
CODED = ["--codes-of", "vqvae", "--folder", "clips"]
CLIPS = ["train", "video", *CODED, "--run", "new", *settings(*VIDEO, *SHORT)]
SAMPLE = {
    "pictures": ["sample", "vqvae", "prior", "out", "--count", "1"],
    "sound": ["sample", "sound", "rows", "out", "--speaker", "ann", "--seconds", "0.1"],
    "films": ["sample", "vqvae", "video", "out", "--clip", "clips/a", "--actions", "1"],
}
WRITE = {
    "encode": ["encode", "vqvae", "pictures", "OUT"],
    "encode sound": ["encode", "sound", "said", "OUT"],
    "score": ["score", "vqvae", "pictures", "--csv", "OUT"],
    "decode": ["decode", "vqvae", "pictures.codes", "OUT"],
    "decode sound": ["decode", "sound", "said.codes", "OUT"],
    "convert": ["convert", "sound", "said", "OUT", "--speaker", "ann"],
    **{f"sample {name}": ["OUT" if w == "out" else w for w in SAMPLE[name]] for name in SAMPLE},
    "train": ["OUT" if word == "new" else word for word in PICTURES],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data, models and codes, where the commands are run."""
    root = tmp_path_factory.mktemp("bad")
    make_pictures(root / "pictures")
    make_sounds(root / "said", SECONDS)
    make_clips(root / "clips", {"a": 9, "b": 4})
    (root / "file").write_text("x")
    before = os.getcwd()
    os.chdir(root)
    for run, command in [
        ("vqvae", PICTURES),
        ("sound", SAID),
        ("prior", [*MAPS, *settings("width=4", "num_layers=1")]),
        ("rows", ["train", "prior", "--codes-of", "sound", "--run", "new",
                  *settings(*ROWS, *SHORT)]),
        ("video", CLIPS),
    ]:  # fmt: skip
        assert run_cli(*[run if word == "new" else word for word in command]) == 0
    assert run_cli("encode", "vqvae", "pictures", "pictures.codes") == 0
    assert run_cli("encode", "sound", "said", "said.codes") == 0
    os.chdir(before)
    return root


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def refused(place, monkeypatch, capsys):
    """Runs a command that must end in one line, with nothing left of it, and gives the line."""
    monkeypatch.chdir(place)
    before = files(place)

    def run(*words):
        capsys.readouterr()
        try:
            status = run_cli(*words)
        except SystemExit as end:
            status = end.code
        told = capsys.readouterr().err
        lines = [line for line in re.split(r"[\r\n]", told) if line.strip() and "%|" not in line]
        assert status in (1, 2), told
        assert len(lines) == 1, told
        assert lines[0].startswith("vqvae-lite: ")
        assert files(place) == before
        return lines[0]

    return run


@pytest.mark.parametrize(
    ("command", "bad"),
    [
        *((PICTURES, f"{name}={value}")
          for name in ("width", "num_codes", "code_dim", "size", "steps", "batch_size",
                       "checkpoint_every", "num_codebooks", "num_halvings")
          for value in ("", "x", "-1", "0", "1.5", "nan", "1,2", "true")),
        *((PICTURES, f"learning_rate={value}") for value in ("", "x", "-1", "0", "nan", "inf")),
        *((PICTURES, f"{name}={value}")
          for name in ("decay", "restart_below", "commitment") for value in ("x", "-1", "nan")),
        *((PICTURES, text) for text in ("=", "x", "=8", "width", "folder=x", "codes_of=x",
                                        "precision=x", "compile=maybe", "likelihood=x")),
        *((PICTURES, f"{name}=1000000000000") for name in ("width", "num_codes", "code_dim")),
        *((SAID, f"{name}={value}") for name in ("strides", "rate", "window", "num_cycles")
          for value in ("", "x", "-1", "0", "1.5")),
        *((SAID, text) for text in ("disguise=2", "disguise=nan", "speakers=ann,ann", "window=63",
                                    "num_speakers=3")),
        *((MAPS, text) for text in ("num_classes=10", "num_codes=4", "window=3", "kernel_size=2",
                                    "dropout=1", "dropout=nan", "classes=a", "width=x")),
        *((CLIPS, text) for text in ("window=1", "window=none", "window=50", "history=0",
                                     "num_actions=4", "num_codes=4", "num_codebooks=2")),
    ],
)  # fmt: skip
def test_settings(command, bad, refused):
    refused(*command, "--set", bad)


def test_a_window_longer_than_every_clip_is_refused_before_one_is_encoded(refused, monkeypatch):
    monkeypatch.setattr("vqvae_lite.recipes.video.encode_clips", None)
    said = refused(*CLIPS, "--set", "window=50")
    assert said.endswith("no clip has a window of 50 frames: the longest has 9")


@pytest.mark.parametrize("device", ["foo", "cuda:x", "cuda:-1", "CPU", "gpu", "meta", "cpu "])
def test_devices(device, refused):
    for command in (PICTURES, ["encode", "vqvae", "pictures", "out"], SAMPLE["sound"]):
        refused(*command, "--device", device)


@pytest.mark.parametrize("medium", list(SAMPLE))
@pytest.mark.parametrize(
    "bad",
    ["--count=0", "--count=-1", "--count=1000000000", "--count=x", "--count=1.5", "--seed=-1",
     f"--seed={10**25}", "--temperature=0", "--temperature=nan", "--temperature=inf",
     "--temperature=-1", "--top-k=0", "--top-k=-1", f"--top-k={10**12}", "--device=x"],
)  # fmt: skip
def test_numbers_of_samples_are_refused_before_a_checkpoint_is_read(
    bad, medium, refused, monkeypatch
):
    if not bad.startswith("--device"):
        monkeypatch.setattr(commands, "load_checkpoint", None)
    said = refused(*SAMPLE[medium], bad)
    assert bad.partition("=")[0].strip("-") in said


@pytest.mark.parametrize(
    ("command", "message"),
    [
        *(([*SAMPLE["sound"], f"--seconds={value}"], "--seconds must be above 0, and at most 36000")
          for value in ("0", "-1", "nan", "inf", "1e15", "1e5")),
        ([*SAMPLE["sound"], "--count=100000", "--seconds=1"], "100000 sounds of 1.0"),
        ([*SAMPLE["films"], "--seen=0"], "--seen must be at least 1, got 0"),
        ([*SAMPLE["films"], "--seen=10"], "has 9 frames, fewer than 10"),
        ([*SAMPLE["films"], "--seen=1000000000"], "--seen must be at most 10000"),
        ([*SAMPLE["films"], "--actions=" + "1," * 20000], "--actions must be at most 10000"),
        ([*SAMPLE["films"], "--actions="], "an action must be one of 0, 1, 2; got ''"),
        ([*SAMPLE["films"][:-2], "--frames=1000000000"], "--frames must be at most 10000"),
        ([*SAMPLE["sound"], "--format=mp3"], "path must end in"),
        ([*SAMPLE["sound"], "--format=opus"], "rate of an .opus file must be one of"),
        ([*SAMPLE["sound"], "--speaker="], "speaker must be one of ann, bob; got ''"),
        (["decode", "sound", "said.codes", "out", "--speaker="], "must be one of ann, bob; got ''"),
        ([*SAMPLE["sound"], "--speaker=eve"], "speaker must be one of ann, bob; got 'eve'"),
        (["evaluate", "vqvae", "--folder", "pictures", "--samples=0"], "--samples must be at"),
        (["evaluate", "vqvae", "--folder", "pictures", "--prior=vqvae"], "is no prior over codes"),
        (["train", "folder", "--folder", "pictures"], "required: --run (see `vqvae-lite train"),
        (["train", "folder", "--folder=", "--run", "new"], "argument --folder: the path is empty"),
        (["encode", "vqvae", "", "out"], "argument folder: the path is empty"),
        (["foo"], "invalid choice: 'foo'"),
        ([], "required: COMMAND"),
        (["info", "~nobodyatall/x"], "argument path: ~nobodyatall/x: Could not determine home"),
    ],
)  # fmt: skip
def test_options(command, message, refused):
    if sys.version_info >= (3, 13) and message.startswith("invalid choice"):
        message = "invalid choice: foo"
    said = refused(*command)
    assert message in said or message.replace("'", "") in said.replace("'", "")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (name, target)
        for name in WRITE
        for target in ("file/x", "a" * 300, "/dev/null/x",
                       "pictures" if name.startswith(("encode", "score")) else "file")
    ],
)  # fmt: skip
def test_outputs_are_tried_before_anything_is_computed(name, target, refused, monkeypatch):
    """A folder is none for a file of codes, and a file none for a folder of what is decoded."""
    for function in ("commands.load_checkpoint", "train.train_by", "train.load_checkpoint"):
        monkeypatch.setattr(f"vqvae_lite.cli.{function}", None)
    said = refused(*[target if word == "OUT" else word for word in WRITE[name]])
    assert target in said


@pytest.mark.parametrize("name", list(WRITE))
def test_a_path_may_begin_with_the_home_and_lead_to_new_folders(name, place, tmp_path, monkeypatch):
    monkeypatch.chdir(place)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "link").symlink_to(place)
    words = ["~/new/out" if word == "OUT" else word for word in WRITE[name]]
    here = ("vqvae", "sound", "prior", "rows", "video", "pictures", "said", "pictures.codes",
            "said.codes", "clips/a")  # fmt: skip
    fixed = words[:2] if words[0] == "train" else words[:1]  # its recipe may be called "sound"
    words = [*fixed, *(f"~/link/{w}" if w in here else w for w in words[len(fixed) :])]
    assert run_cli(*words) == 0
    assert (tmp_path / "new" / "out").exists()
    assert not (place / "~").exists()


@pytest.mark.parametrize("name", [name for name in WRITE if name.split()[0] != "train"])
def test_what_was_not_finished_is_taken_away_and_can_be_run_again(name, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    before, calls = files(place), []
    real = os.replace

    def stop(error):
        def replace(path, target, **options):
            calls.append(target)
            if len(calls) == 2 or name.startswith(("encode", "sample", "score")):
                raise error
            return real(path, target, **options)

        return replace

    more = ["--count=2"] if name.startswith("sample") else []
    command = [*["out" if word == "OUT" else word for word in WRITE[name]], *more]
    for error, status in ((OSError(28, os.strerror(28)), 1), (KeyboardInterrupt(), 130)):
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr("pathlib.os.replace", stop(error))
            assert run_cli(*command) == status
        assert calls
        assert files(place) == before
    assert "stopped; what it had written is taken away" in capsys.readouterr().err


def test_what_is_kept_of_a_run_that_was_stopped_is_said(place, tmp_path, monkeypatch, capsys):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.chdir(place)
    command = [tmp_path / "run" if word == "new" else word for word in PICTURES]
    with monkeypatch.context() as patch:
        patch.setattr("vqvae_lite.cli.train.train_by", stop)
        assert run_cli(*command) == 130
        assert "stopped before its first checkpoint: nothing is kept" in capsys.readouterr().err
    assert run_cli(*command) == 0
    monkeypatch.setattr("vqvae_lite.cli.train.train_by", stop)
    assert run_cli(*command, "--resume") == 130
    last = tmp_path / "run" / "step-00000004"
    assert f"stopped; {last} is kept, and --resume goes on from it" in capsys.readouterr().err


ALONE = ["decode sound", "convert", *(f"sample {name}" for name in SAMPLE)]


@pytest.mark.parametrize("name", ALONE)
def test_of_several_processes_one_alone_draws_and_prints(name, place, monkeypatch, capsys):
    """Seen from the second of two; what torchrun can share, the tests of `distributed` share."""

    @contextmanager
    def second(device):
        yield Place(1, 2, torch.device("cpu"))

    for module in ("images", "sound", "video"):
        monkeypatch.setattr(f"vqvae_lite.cli.{module}.processes", second)
    monkeypatch.chdir(place)
    before = files(place)
    capsys.readouterr()
    assert run_cli(*["out" if word == "OUT" else word for word in WRITE[name]]) == 0
    assert capsys.readouterr() == ("", "")
    assert files(place) == before
