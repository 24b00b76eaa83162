"""The maze data: what the card promises, what the loader does, and that the scripts make it."""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vqvae_lite.checks import SPLITS
from vqvae_lite.data import places
from vqvae_lite.data.pictures import read_frames
from vqvae_lite.maze import ACTIONS, load_maze

DATA = Path(__file__).resolve().parents[1] / "data" / "maze"
SUMMARY = json.loads((DATA / "maze.json").read_text())


@pytest.fixture(scope="module")
def splits():
    return {split: load_maze(split) for split in SPLITS}


@pytest.fixture
def scripts(monkeypatch):
    """The two scripts that need ViZDoom, as modules."""
    pytest.importorskip("vizdoom", reason="vizdoom is not installed (see requirements-dev.txt)")
    monkeypatch.syspath_prepend(str(DATA))
    import make_maze
    import maze_walk

    return make_maze, maze_walk


@pytest.fixture
def copy(tmp_path):
    """A folder with all that the test split needs, to be broken."""
    for name in (
        "maze.json",
        "walks.npz",
        *[f"maze_{k:03d}.avif" for k in SUMMARY["splits"]["test"]],
    ):
        shutil.copy(DATA / name, tmp_path)
    return tmp_path


def test_the_data_are_small():
    files = [file for file in DATA.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    assert sum(file.stat().st_size for file in files) <= 8_000_000


def test_counts(splits):
    assert sum(len(data.frames) for data in splits.values()) >= 4000
    assert len(torch.cat([data.maze for data in splits.values()]).unique()) >= 24
    assert len(splits["train"].frames) > 4 * len(splits["test"].frames)


@pytest.mark.parametrize("split", SPLITS)
def test_shapes_and_types(splits, split):
    data = splits[split]
    n = len(data.frames)
    assert data.frames.shape == (n, 3, 84, 84)
    assert data.frames.dtype == torch.uint8
    assert data.actions.shape == data.maze.shape == (n,)
    assert data.actions.dtype == torch.uint8
    assert data.maze.dtype == torch.int64
    assert data.poses.shape == (n, 3)
    assert data.poses.dtype == torch.float32
    assert data.frames.is_contiguous()


def test_no_maze_is_in_two_splits(splits):
    seen = [set(data.maze.tolist()) for data in splits.values()]
    assert len(set.union(*seen)) == sum(map(len, seen))
    assert [sorted(s) for s in seen] == [SUMMARY["splits"][split] for split in SPLITS]


@pytest.mark.parametrize("split", SPLITS)
def test_each_maze_is_one_unbroken_walk(splits, split):
    data = splits[split]
    changes = (data.maze.diff() != 0).sum()
    assert changes == len(data.maze.unique()) - 1
    for frames, _, poses in walks_of(data):
        assert len(frames) == SUMMARY["frames_per_maze"]
        # A step is far shorter than a cell, which is 128 wide.
        assert poses[:, :2].diff(dim=0).norm(dim=1).max() < 32


@pytest.mark.parametrize("split", SPLITS)
def test_actions_explain_the_poses(splits, split):
    """Action t turns or pushes between pose t and t + 1."""
    forward, left, right = range(len(ACTIONS))
    for _, actions, poses in walks_of(splits[split]):
        step, actions = poses.diff(dim=0), actions[:-1]
        turn = (step[:, 2] + 180) % 360 - 180
        assert turn[actions == forward].abs().max() == 0
        assert (turn[actions == left] - 12).abs().max() < 0.1
        assert (turn[actions == right] + 12).abs().max() < 0.1
        heading = poses[:-1, 2].deg2rad()
        ahead = step[:, 0] * heading.cos() + step[:, 1] * heading.sin()
        assert ahead[actions == forward].min() > 0


@pytest.mark.parametrize("split", SPLITS)
def test_every_action_is_common(splits, split):
    shares = splits[split].actions.bincount() / len(splits[split].actions)
    assert len(shares) == len(ACTIONS)
    assert shares.min() > 0.15


def test_turning_left_moves_the_picture_to_the_right(splits):
    """Frames, actions and poses belong together: a turn of 12 degrees shifts the middle so far."""
    shift = round(42 * np.tan(np.deg2rad(12)))  # 90 degrees over 84 pixels
    wins = {1: [], 2: []}
    for frames, actions, poses in walks_of(splits["validation"]):
        still = poses[:, :2].diff(dim=0).norm(dim=1) < 4
        middle = frames[:, :, 36:48].float()
        for t in range(len(frames) - 1):
            action = int(actions[t])
            if action in wins and still[t]:
                before, after = middle[t], middle[t + 1]
                to_right = (after[..., 30:54] - before[..., 30 - shift : 54 - shift]).abs().mean()
                to_left = (after[..., 30:54] - before[..., 30 + shift : 54 + shift]).abs().mean()
                wins[action].append(bool(to_right < to_left))
    assert np.mean(wins[1]) > 0.9
    assert np.mean(wins[2]) < 0.1


@pytest.mark.slow
def test_frames_are_bright_and_varied(splits):
    for data in splits.values():
        assert 70 < data.frames.float().mean() < 150
        contrast = data.frames.float().flatten(1).std(dim=1)
        assert (contrast < 8).float().mean() < 0.02
        means = torch.stack([walk.float().mean(dim=(0, 2, 3)) for walk, *_ in walks_of(data)])
        assert means.std(dim=0).min() > 5


def test_each_maze_keeps_its_fidelity():
    assert len(SUMMARY["fidelity_db"]["mean_of_each_maze"]) >= 24
    assert min(SUMMARY["fidelity_db"]["mean_of_each_maze"]) >= 36


def test_one_maze_made_again(scripts):
    """The same walk, the same render, and the fidelity that the summary states."""
    make_maze, maze_walk = scripts
    number = SUMMARY["splits"]["test"][0]
    walk = maze_walk.record_walk(seed=number, num_frames=SUMMARY["frames_per_maze"])
    with np.load(DATA / "walks.npz") as stored:
        np.testing.assert_array_equal(walk.actions, stored["actions"][number])
        np.testing.assert_array_equal(walk.poses, stored["poses"][number])
    decoded = read_frames(DATA / f"maze_{number:03d}.avif")
    fidelity = make_maze.measure_fidelity(walk.frames, decoded).mean()
    assert fidelity >= 36
    assert fidelity == pytest.approx(SUMMARY["fidelity_db"]["mean_of_each_maze"][number], abs=0.05)
    made_with = SUMMARY["made_with"]
    here = f"{platform.system()} {platform.machine()}"
    if (make_maze.vizdoom.__version__, here) == (made_with["vizdoom"], made_with["platform"]):
        assert make_maze.hash_frames(walk) == SUMMARY["sha256_of_lossless_frames"][number]


def test_encoding(scripts, tmp_path):
    """The same frames give the same bytes, on any day, and the bytes the frames."""
    make_maze, _ = scripts
    frames = read_frames(DATA / "maze_000.avif")[:6]
    sequence = make_maze.encode(frames, 70)
    assert make_maze.encode(frames, 70) == sequence
    for box in (b"mvhd", b"tkhd", b"mdhd"):
        dates = sequence.index(box) + 8
        assert sequence[dates : dates + 16] == bytes(16)
    (tmp_path / "a.avif").write_bytes(sequence)
    assert make_maze.measure_fidelity(frames, read_frames(tmp_path / "a.avif")).min() > 33


def test_a_wrong_picture_is_noticed(scripts):
    """The fidelity that is measured falls where the frames are not those of the walk."""
    make_maze, _ = scripts
    frames = read_frames(DATA / "maze_000.avif")[:4]
    assert make_maze.measure_fidelity(frames, frames).min() > 90
    assert make_maze.measure_fidelity(frames, frames[:, :, ::-1]).max() < 30
    off_by_one = (frames // 2 + 1, frames // 2)
    assert make_maze.measure_fidelity(*off_by_one) == pytest.approx(20 * np.log10(255))


def test_a_larger_set_moves_no_maze_between_splits(scripts):
    make_maze, _ = scripts
    small, large = make_maze.split_mazes(32), make_maze.split_mazes(100)
    assert small == SUMMARY["splits"]
    for split in SPLITS:
        assert large[split][: len(small[split])] == small[split]


@pytest.mark.slow
def test_a_set_of_ones_own(tmp_path):
    """The command line makes a small set that the loader reads, and leaves nothing else."""
    pytest.importorskip("vizdoom", reason="vizdoom is not installed (see requirements-dev.txt)")
    out = tmp_path / "mine"
    command = [sys.executable, str(DATA / "make_maze.py"), "--frames", "16", "--mazes", "8"]
    done = subprocess.run(
        [*command, "--out", str(out)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "16 frames of 8 mazes" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    data = load_maze("train", root=out)
    assert data.frames.shape == (12, 3, 84, 84)
    shipped = load_maze("train")
    torch.testing.assert_close(data.poses[:2], shipped.poses[:2])
    assert (data.frames[0].float() - shipped.frames[0].float()).abs().mean() < 8


def test_a_run_that_breaks_off_leaves_the_old_set(scripts, monkeypatch, tmp_path):
    make_maze, _ = scripts
    (tmp_path / "maze.json").write_text("old")
    (tmp_path / "maze_000.avif").write_text("old")

    def break_off(num_mazes, length, folder):
        (folder / "maze_000.avif").write_text("new")
        raise KeyboardInterrupt

    monkeypatch.setattr(make_maze, "_make_files", break_off)
    with pytest.raises(KeyboardInterrupt):
        make_maze.make(8, 2, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["maze.json", "maze_000.avif"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"old"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mazes", "7"], "--mazes must be at least 8"),
        (["--frames", "15"], "--frames must be at least 16"),
        (["--frames", "many"], "--frames"),
    ],
)
def test_make_refuses(scripts, monkeypatch, capsys, arguments, message):
    make_maze, _ = scripts
    monkeypatch.setattr(sys, "argv", ["make_maze.py", *arguments])
    monkeypatch.setattr(make_maze, "make", lambda *_: pytest.fail("it started"))
    with pytest.raises(SystemExit):
        make_maze.main()
    assert message in capsys.readouterr().err


def test_another_number_of_frames_goes_elsewhere(scripts, monkeypatch, tmp_path):
    """Only the shipped set may land in data/maze unasked."""
    make_maze, _ = scripts
    monkeypatch.setenv("VQVAE_LITE_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["make_maze.py", "--frames", "5000"])
    asked = []

    def note(mazes, length, out):
        asked.append((mazes, length, out))
        out.mkdir()
        return SUMMARY

    monkeypatch.setattr(make_maze, "make", note)
    make_maze.main()
    assert asked == [(36, 139, tmp_path / "maze-5000")]


@pytest.mark.parametrize("split", ["valid", "", None, 0])
def test_unknown_split(split):
    with pytest.raises(ValueError, match="split must be one of train, validation, test; got"):
        load_maze(split)


def test_no_data_anywhere(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "_CHECKOUT", tmp_path)
    monkeypatch.setenv("VQVAE_LITE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="`vqvae-lite data get maze` fetches it"):
        load_maze("test")


def test_no_data_where_asked(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load_maze("test", root=tmp_path / "absent")
    assert f"root is {tmp_path / 'absent'}, which has no maze.json" in str(caught.value)
    assert str(DATA) not in str(caught.value)  # a root that was given is the only place


def test_data_under_the_data_root(monkeypatch, copy):
    monkeypatch.setenv("VQVAE_LITE_DATA", str(copy / "downloads"))
    (copy / "downloads").mkdir()
    (copy / "downloads" / "maze").symlink_to(copy, target_is_directory=True)
    assert load_maze("test").maze.unique().tolist() == SUMMARY["splits"]["test"]


@pytest.mark.parametrize("name", ["walks.npz", "maze_015.avif"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(
        FileNotFoundError,
        match=f"{name} is missing; remove that folder, and",
    ):
        load_maze("test", root=copy)


@pytest.mark.parametrize("name", ["maze.json", "walks.npz", "maze_015.avif"])
@pytest.mark.parametrize("keep", [0, 100, 20_000])
def test_a_truncated_file_is_named(copy, name, keep):
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[: min(keep, len(whole) // 2)])
    with pytest.raises(ValueError, match=name):
        load_maze("test", root=copy)


def test_a_foreign_sequence_is_named(copy):
    frames = [Image.new("RGB", (84, 84), colour) for colour in ("red", "blue")]
    frames[0].save(copy / "maze_007.avif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"maze_007.avif should hold .* frames of 84x84"):
        load_maze("test", root=copy)


@pytest.mark.parametrize(
    "change",
    [
        {"frames_per_maze": 10**12},
        {"frames_per_maze": SUMMARY["frames_per_maze"] - 1},
        {"frames_per_maze": "139"},
        {"splits": {"test": [10**6]}},
        {"splits": {"test": [-1]}},
        {"splits": {"test": []}},
        {"splits": {"test": 7}},
        {"splits": []},
    ],
)
def test_a_summary_of_other_walks_is_named(copy, change):
    (copy / "maze.json").write_text(json.dumps(SUMMARY | change))
    with pytest.raises(
        ValueError, match=r"(maze\.json|walks\.npz) cannot be read as what make_maze"
    ):
        load_maze("test", root=copy)


@pytest.mark.parametrize("nested", ["[" * 100_000, "null", "\ufeff{}"])
def test_a_summary_that_is_none(copy, nested):
    (copy / "maze.json").write_text(nested)
    with pytest.raises(ValueError, match=r"maze\.json cannot be read as what make_maze\.py wrote"):
        load_maze("test", root=copy)


def test_the_card_states_what_is_there(splits):
    card = (DATA / "README.md").read_text()
    for split, data in splits.items():
        mazes = SUMMARY["splits"][split]
        fidelity = np.mean([SUMMARY["fidelity_db"]["mean_of_each_maze"][k] for k in mazes])
        row = f"| {split} | {len(mazes)} | {len(data.frames):,} | {fidelity:.2f} |"
        assert row in card
    assert f"{SUMMARY['fidelity_db']['min']:.2f} dB" in card
    assert f"{min(SUMMARY['fidelity_db']['mean_of_each_maze']):.2f} dB" in card


def test_the_licence_carries_the_notice():
    notice = (DATA / "LICENSE").read_text()
    assert "Contributors to the Freedoom project.  All rights reserved." in notice
    assert "THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS" in notice


def walks_of(data):
    """Frames, actions and poses of each maze in turn."""
    for number in data.maze.unique():
        here = data.maze == number
        yield data.frames[here], data.actions[here], data.poses[here]
