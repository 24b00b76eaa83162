"""Files of codes that several processes write, and what those measure together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from commands import SHORT, run_cli, settings
from vqvae_lite.codefile import ImageCodes, read_codes, write_codes
from vqvae_lite.distributed import ALONE, Meeting, Place, share_of
from vqvae_lite.recipes import shards

ROOT = Path(__file__).resolve().parents[2]
TINY = ["width=8", "code_dim=4", "num_codes=20", "size=16", "likelihood=logistic"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run, its prior, and 130 pictures: two whole batches and one of two."""
    root = tmp_path_factory.mktemp("shards")
    generator = np.random.default_rng(0)
    (root / "pictures").mkdir()
    for index in range(130):
        pixels = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "pictures" / f"{index:03}.png")
    train = ["train", "folder", "--folder", root / "pictures", "--run", root / "run"]
    assert run_cli(*train, *settings(*TINY, *SHORT), "--device", "cpu") == 0
    prior = ["train", "prior", "--codes-of", root / "run", "--run", root / "prior"]
    assert run_cli(*prior, *settings("width=4", "num_layers=2", *SHORT), "--device", "cpu") == 0
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
@pytest.mark.parametrize("count", [2, 4])
def test_processes_write_the_file_that_one_writes(count, place, tmp_path, capsys):
    encode = ["encode", place / "run", place / "pictures"]
    assert run_cli(*encode, tmp_path / "one" / "x", "--device", "cpu") == 0
    said = capsys.readouterr().out
    done = together(count, *encode, tmp_path / "all" / "x")
    assert (done.returncode, done.stdout) == (0, said), done.stderr
    assert (tmp_path / "all" / "x").read_bytes() == (tmp_path / "one" / "x").read_bytes()
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["x"]
    assert done.stderr.count("0/") <= 1, "one bar"


@pytest.mark.slow
def test_processes_decode_and_measure_what_one_does(place, tmp_path, capsys):
    evaluate = ["evaluate", place / "run", "--folder", place / "pictures"]
    evaluate += ["--prior", place / "prior"]
    assert run_cli(*evaluate, "--device", "cpu") == 0
    alone = json.loads(capsys.readouterr().out)
    done = together(2, *evaluate)
    found = json.loads(done.stdout)
    for part, others in [(alone, found), (alone.pop("bits_per_dim"), found.pop("bits_per_dim"))]:
        assert others == pytest.approx(part, rel=1e-6)
    assert (alone["images"], len(alone) > 8) == (130, True)
    file = tmp_path / "x"
    assert run_cli("encode", place / "run", place / "pictures", file, "--device", "cpu") == 0
    assert run_cli("decode", place / "run", file, tmp_path / "one", "--device", "cpu") == 0
    done = together(2, "decode", place / "run", file, tmp_path / "all")
    assert done.stdout == f"130 images in {tmp_path / 'all'}\n", done.stderr
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "all" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_if_one_process_fails_all_end_and_nothing_is_left(place, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for path in (place / "pictures").iterdir():
        (pictures / path.name).write_bytes(path.read_bytes())
    (pictures / "129.png").write_bytes(b"no picture")
    done = together(2, "encode", place / "run", pictures, tmp_path / "out" / "x")
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
