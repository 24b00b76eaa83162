"""Files of codes that several processes write, and what those measure together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from commands import (
    SECONDS,
    SHORT,
    TINY_SOUND,
    fails,
    make_pictures,
    make_sounds,
    run_cli,
    settings,
)
from vqvae_lite.codefile import ImageCodes, read_codes, write_codes
from vqvae_lite.data.packed import PackedCodes
from vqvae_lite.distributed import ALONE, Meeting, Place, share_of
from vqvae_lite.models import load_checkpoint
from vqvae_lite.recipes import shards

ROOT = Path(__file__).resolve().parents[2]
TINY = ["width=8", "code_dim=4", "num_codes=20", "size=16", "likelihood=logistic"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run, its prior, and 130 pictures: two whole batches and one of two."""
    root = tmp_path_factory.mktemp("shards")
    make_pictures(root / "pictures", 130)
    train = ["train", "folder", "--folder", root / "pictures", "--run", root / "pictures-run"]
    assert run_cli(*train, *settings(*TINY, *SHORT), "--device", "cpu") == 0
    prior = ["train", "prior", "--codes-of", root / "pictures-run", "--run", root / "prior"]
    assert run_cli(*prior, *settings("width=4", "num_layers=2", *SHORT), "--device", "cpu") == 0
    train = ["train", "sound", "--folder", make_sounds(root / "sounds", SECONDS)]
    train += ["--run", root / "sounds-run", *settings(*TINY_SOUND, *SHORT)]
    assert run_cli(*train, "--device", "cpu") == 0
    return root


def together(count, *arguments):
    """A command in so many processes: how it ended, and what it said."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={count}", "-m", "vqvae_lite.cli", *map(str, arguments)]
    return subprocess.run(
        [*command, "--device", "cpu"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("count", "what"), [(4, "pictures"), (2, "sounds")])
def test_processes_write_the_file_that_one_writes(count, what, place, tmp_path, capsys):
    encode = ["encode", place / f"{what}-run", place / what]
    assert run_cli(*encode, tmp_path / "one" / "x", "--device", "cpu") == 0
    said = capsys.readouterr().out
    done = together(count, *encode, tmp_path / "all" / "x")
    assert (done.returncode, done.stdout) == (0, said), done.stderr
    assert (tmp_path / "all" / "x").read_bytes() == (tmp_path / "one" / "x").read_bytes()
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["x"]
    assert done.stderr.count("0/") <= 1, "one bar"


@pytest.mark.slow
def test_processes_decode_and_measure_what_one_does(place, tmp_path, capsys):
    evaluate = ["evaluate", place / "pictures-run", "--folder", place / "pictures"]
    evaluate += ["--prior", place / "prior"]
    assert run_cli(*evaluate, "--device", "cpu") == 0
    alone = json.loads(capsys.readouterr().out)
    done = together(2, *evaluate)
    found = json.loads(done.stdout)
    for part, others in [(alone, found), (alone.pop("bits_per_dim"), found.pop("bits_per_dim"))]:
        assert others == pytest.approx(part, rel=1e-6)
    assert (alone["images"], len(alone) > 8) == (130, True)
    file = tmp_path / "x"
    assert (
        run_cli("encode", place / "pictures-run", place / "pictures", file, "--device", "cpu") == 0
    )
    assert run_cli("decode", place / "pictures-run", file, tmp_path / "one", "--device", "cpu") == 0
    done = together(2, "decode", place / "pictures-run", file, tmp_path / "all")
    assert done.stdout == f"130 images in {tmp_path / 'all'}\n", done.stderr
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "all" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_processes_score_as_one_does(place, tmp_path, capsys):
    score = ["score", place / "pictures-run", place / "pictures", "--prior", place / "prior"]
    assert run_cli(*score, "--csv", tmp_path / "one.csv", "--device", "cpu") == 0
    said = capsys.readouterr().out
    done = together(2, *score, "--csv", tmp_path / "two.csv")
    assert (done.returncode, done.stdout) == (0, said), done.stderr
    assert (tmp_path / "two.csv").read_text() == (tmp_path / "one.csv").read_text()
    assert len(said.splitlines()) == 21, "a header and the strangest"
    assert len((tmp_path / "one.csv").read_text().splitlines()) == 131


@pytest.mark.slow
def test_processes_measure_sound_as_one_does(place, capsys):
    evaluate = ["evaluate", place / "sounds-run", "--folder", place / "sounds"]
    assert run_cli(*evaluate, "--device", "cpu") == 0
    alone = json.loads(capsys.readouterr().out)
    assert json.loads(together(2, *evaluate).stdout) == pytest.approx(alone, rel=1e-6)
    assert alone["utterances"] == 3


@pytest.mark.slow
def test_if_one_process_fails_all_end_and_nothing_is_left(place, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for path in (place / "pictures").iterdir():
        (pictures / path.name).write_bytes(path.read_bytes())
    (pictures / "129.png").write_bytes(b"no picture")
    done = together(2, "encode", place / "pictures-run", pictures, tmp_path / "out" / "x")
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if "vqvae-lite:" in line]
    assert any("129.png cannot be read" in line for line in told), done.stderr
    assert not list(tmp_path.glob("out/*")), "no part of a file is left"


def test_shares_are_whole_batches_and_all_there_is():
    for count in (1, 63, 64, 65, 130, 1000):
        for world in (1, 2, 3, 7):
            shares = [share_of(count, Place(rank, world, CPU), 64) for rank in range(world)]
            assert [item for share in shares for item in share] == list(range(count))
            assert all(share.start % 64 == 0 for share in shares if share)
            assert shares[0], "the first process has some, whatever the others have"
            assert max(map(len, shares)) - min(map(len, shares[:-1] or shares)) <= 64
    assert Meeting(ALONE).gather(3) == [3]


def test_a_part_that_cannot_be_seen_is_missed(tmp_path):
    part = ImageCodes([torch.zeros(2, 2).long()], 4, ["a"], "m")
    write_codes(tmp_path / "a", part)
    files = [tmp_path / "a", tmp_path / "gone"]
    assert [file.names for file in shards._joined(files, 1)] == [["a"]]
    with pytest.raises(ValueError, match=f"1 of 2 items are to be seen in {tmp_path}"):
        list(shards._joined(files, 2))
    size = shards.write_together(tmp_path / "b", iter([part]), 1, ALONE)
    assert size == (tmp_path / "b").stat().st_size
    assert read_codes(tmp_path / "b", ImageCodes).names == ["a"]


def test_a_prior_is_trained_on_files_of_codes(place, tmp_path, capsys):
    """Cut into two files, of one of which a folder is named, the codes give the same numbers."""
    run, whole = place / "pictures-run", tmp_path / "whole"
    assert run_cli("encode", run, place / "pictures", whole) == 0
    file = read_codes(whole, ImageCodes)
    for name, part in [("a.codes", slice(0, 51)), ("deep/b.codes", slice(51, 130))]:
        codes, names = file.codes[part], file.names[part]
        write_codes(tmp_path / name, ImageCodes(codes, file.num_codes, names, file.model))
    train = ["train", "prior", "--codes-of", run, *settings("width=4", "num_layers=2", *SHORT)]
    for name, more in [
        ("encoded", []),
        ("read", ["--codes", tmp_path / "a.codes", tmp_path / "deep"]),
    ]:
        assert run_cli(*train, "--run", tmp_path / name, *more) == 0
    assert capsys.readouterr().out.count(": 130 maps of 4x4 codes") == 2
    wanted, found = (load_checkpoint(tmp_path / name) for name in ("encoded", "read"))
    assert found.config["map"] == wanted.config["map"]
    for key, value in wanted.model.state_dict().items():
        assert torch.equal(value, found.model.state_dict()[key]), key
    (tmp_path / "none").mkdir()
    other = ImageCodes([torch.zeros(4, 4).long()], 20, ["a"], "another")
    wider = ImageCodes([torch.zeros(4, 5).long()], 20, ["a"], file.model)
    write_codes(tmp_path / "other", other)
    write_codes(tmp_path / "wider", wider)
    train = [*train, "--run", tmp_path / "new"]
    for paths, message in [
        (["none"], "none holds no file of codes (.codes)"),
        (["gone"], "there is no file"),
        (["other"], f"other holds codes of the model another, not of {file.model}"),
        (["a.codes", "wider"], "wider has maps of (4, 5), and not of (4, 4) as those before"),
    ]:
        assert message in fails(capsys, *train, "--codes", *(tmp_path / path for path in paths))
    codes = ["--codes", whole]
    assert "--classes" in fails(capsys, *train, *codes, "--classes")
    assert "'maze' takes no codes" in fails(capsys, "train", "maze", "--run", tmp_path, *codes)
    sound = ["train", "prior", "--codes-of", place / "sounds-run", "--run", tmp_path / "new"]
    assert "--codes are of pictures" in fails(capsys, *sound, *codes)
    assert not (tmp_path / "new").exists()


def test_maps_in_files_are_unpacked_when_a_batch_asks_for_them(tmp_path):
    codes = torch.randint(20, (9, 2, 3), generator=torch.Generator().manual_seed(0))
    for name, part in [("a", slice(0, 4)), ("b", slice(4, 5)), ("c", slice(5, 9))]:
        names = [str(number) for number in range(9)][part]
        write_codes(tmp_path / name, ImageCodes(list(codes[part]), 20, names, "m"))
    maps = shards.maps_in([tmp_path / name for name in "abc"], "m")
    assert len(maps) == 9
    assert torch.equal(maps[4], codes[4])
    assert torch.equal(maps.__getitems__([8, 0, 3, 4, 5, 8]), codes[[8, 0, 3, 4, 5, 8]])
    assert all(isinstance(part, PackedCodes) for part in maps.files), "no code is in memory"
