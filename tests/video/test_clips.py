"""Clips from folders, films and mazes; their codes in windows and in a file."""

import re
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from commands import make_clips
from vqvae_lite.codefile import read_codes, write_codes
from vqvae_lite.images import read_image, shrink, to_float
from vqvae_lite.maze import ACTIONS, load_maze
from vqvae_lite.model import ModelConfig
from vqvae_lite.models import new_model
from vqvae_lite.modules import fingerprint
from vqvae_lite.video.clips import (
    FolderClips,
    MazeClips,
    action_numbers,
    open_clips,
    read_clip,
    write_film,
)
from vqvae_lite.video.coding import (
    VideoCodes,
    VideoWindows,
    encode_clips,
)

SMALL = ModelConfig(width=4, num_residual=1, num_codes=10, code_dim=3)


def test_mazes_are_clips(monkeypatch):
    maze = load_maze("test")
    monkeypatch.setattr("vqvae_lite.video.clips.load_maze", lambda split, root: maze)
    clips = MazeClips("test")
    assert len(clips) == 4
    first, second, *_ = clips
    assert (first.name, second.name) == ("maze_007", "maze_015")
    assert torch.equal(torch.cat([clip.frames for clip in clips]), maze.frames)
    assert torch.equal(second.actions, maze.actions[140:279].long())
    assert clips.actions == ACTIONS
    small = next(iter(MazeClips("test", 28)))
    assert torch.equal(small.frames, shrink(first.frames, 28))
    with pytest.raises(ValueError, match="size of the mazes' frames must be at most 84, got 96"):
        MazeClips("test", 96)


def test_clips_of_a_folder_come_in_order(tmp_path):
    folder = make_clips(tmp_path / "clips", {"b": 3, "a": 4})
    (folder / ".hidden").mkdir()
    (folder / "a" / "notes.md").write_text("no frame")
    (folder / "empty").mkdir()
    clips = FolderClips(folder, 16)
    assert [clip.name for clip in clips] == ["a", "b"]
    first = next(iter(clips))
    assert first.frames.shape == (4, 3, 16, 16)
    assert torch.equal(first.frames[2], read_image(folder / "a" / "002.png", 16))
    numbers = [int(word) for word in (folder / "a.txt").read_text().split()]
    assert first.actions.tolist() == numbers
    assert clips.actions == ("0", "1", "2")
    assert isinstance(open_clips(folder, "train", 16), FolderClips)
    (folder / "maze.json").write_text("{}")
    with pytest.raises(ValueError, match=r"cannot be read as what make_maze\.py wrote"):
        list(open_clips(folder, "train", 16))


def test_a_film_in_a_file_is_a_clip(tmp_path):
    frames = torch.randint(256, (5, 3, 16, 16), dtype=torch.uint8)
    write_film(tmp_path / "film.webp", frames)
    clip = read_clip(tmp_path / "film.webp", 16)
    assert clip.actions is None
    assert torch.equal(clip.frames, frames)
    (tmp_path / "film.txt").write_text("0\n2\n1\n0")
    assert read_clip(tmp_path / "film.webp", 8).actions.tolist() == [0, 2, 1, 0]
    assert read_clip(tmp_path / "film.webp", 8).frames.shape == (5, 3, 8, 8)
    assert FolderClips(tmp_path, 16).actions == ("0", "1", "2")


def test_what_is_wrong_with_clips_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a folder of clips; there is none"):
        FolderClips(tmp_path / "no", 16)
    with pytest.raises(ValueError, match="must hold clips, each a folder of images"):
        FolderClips(tmp_path, 16)
    folder = make_clips(tmp_path / "clips", {"a": 3, "b": 3})
    (folder / "b.txt").unlink()
    with pytest.raises(ValueError, match=re.escape(f"there is no {folder / 'b.txt'}")):
        FolderClips(folder, 16)
    for text, message in [
        ("1 x", "invalid literal"),
        ("-1 0", "it must hold whole numbers from 0 to 999"),
        ("", "it must hold whole numbers from 0"),
        ("1 1000000000", "it must hold whole numbers from 0 to 999"),
        (f"1 {'9' * 5000}", "Exceeds the limit"),
    ]:
        (folder / "b.txt").write_text(text)
        expected = f"{folder / 'b.txt'} cannot be read as a list of actions: {message}"
        with pytest.raises(ValueError, match=re.escape(expected)):
            FolderClips(folder, 16)
    (folder / "b.txt").write_bytes(b"\xff0 1")
    with pytest.raises(ValueError, match=r"b\.txt cannot be read as a list of actions: 'utf-8'"):
        FolderClips(folder, 16)
    (folder / "b.txt").write_text("1 0 1")
    with pytest.raises(ValueError, match=r"must hold 2 actions, .* between 3 frames; got 3"):
        read_clip(folder / "b", 16)
    make_clips(tmp_path / "short", {"a": 1}, actions=False)
    with pytest.raises(ValueError, match="must hold at least 2 frames, got 1"):
        read_clip(tmp_path / "short" / "a", 16)
    (tmp_path / "cut.gif").write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'cut.gif'} cannot be read as a")):
        read_clip(tmp_path / "cut.gif", 16)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.gif: expected a film"):
        read_clip(tmp_path / "none.gif", 16)


def test_frames_come_in_the_order_of_their_numbers(tmp_path):
    levels = {number: 20 * number for number in range(1, 13)}
    (tmp_path / "walk").mkdir()
    for number, level in levels.items():
        Image.new("L", (8, 8), level).save(tmp_path / "walk" / f"frame{number}.png")
    frames = read_clip(tmp_path / "walk", 8).frames
    assert frames.float().mean((1, 2, 3)).tolist() == list(levels.values())
    for number in (10, 9):
        shutil.copytree(tmp_path / "walk", tmp_path / f"walk{number}")
    clips = FolderClips(tmp_path, 8)
    assert [clip.name for clip in clips] == ["walk", "walk9", "walk10"]


def test_a_folder_keeps_its_whole_name(tmp_path):
    make_clips(tmp_path, {"walk.left": 3, "walk.right": 3})
    assert [clip.name for clip in FolderClips(tmp_path, 16)] == ["walk.left", "walk.right"]
    write_film(tmp_path / "walk.left.webp", torch.zeros(3, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(
        ValueError, match=r"walk\.left and .*walk\.left\.webp are both the clip 'walk"
    ):
        FolderClips(tmp_path, 16)


def test_a_byte_order_mark_is_no_action(tmp_path):
    folder = make_clips(tmp_path / "clips", {"a": 3})
    (folder / "a.txt").write_text("0 1", encoding="utf-8-sig")
    assert read_clip(folder / "a", 16).actions.tolist() == [0, 1]


def test_what_is_transparent_in_a_film_is_white(tmp_path):
    frames = [Image.new("RGBA", (8, 8), (0, 255, 0, alpha)) for alpha in (0, 255)]
    for suffix in ("gif", "webp", "png", "avif"):
        path = tmp_path / f"a.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
        seen = read_clip(path, 8).frames.float().mean((2, 3))
        assert (seen - torch.tensor([[255.0, 255, 255], [0, 255, 0]])).abs().max() < 3, suffix


def test_a_film_that_needs_more_memory_than_its_bytes_tell(tmp_path, monkeypatch):
    frames = [Image.new("1", (2000, 2000), number % 2) for number in range(4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (tmp_path / "a.gif").stat().st_size < 20_000
    monkeypatch.setenv("VQVAE_LITE_MAX_FILM_PIXELS", "15000000")
    with pytest.raises(
        ValueError, match=r"a\.gif cannot be read as a film: it holds 16,000,000 pix"
    ):
        read_clip(tmp_path / "a.gif", 8)
    monkeypatch.delenv("VQVAE_LITE_MAX_FILM_PIXELS")
    assert read_clip(tmp_path / "a.gif", 8).frames.shape == (4, 3, 8, 8)


def test_a_film_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"a\.webp cannot be written"):
        write_film(tmp_path / "file" / "a.webp", torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    write_film(tmp_path / "new" / "a.webp", torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.webp"]


def test_actions_have_names_and_numbers():
    assert action_numbers("forward, right,1", ACTIONS).tolist() == [0, 2, 1]
    assert action_numbers("2", ("0", "1", "2")).tolist() == [2]
    with pytest.raises(ValueError, match="must be one of forward, left, right; got 'back'"):
        action_numbers("forward,back", ACTIONS)


def codes_of(lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    codes = [torch.randint(10, (length, 3, 2), generator=generator) for length in lengths]
    actions = [torch.randint(3, (length - 1,), generator=generator) for length in lengths]
    return codes, actions


@given(st.lists(st.integers(2, 9), min_size=1, max_size=4), st.integers(2, 9))
@settings(max_examples=40)
def test_windows_are_all_there_are_with_their_actions(lengths, length):
    codes, actions = codes_of(lengths)
    if max(lengths) < length:
        with pytest.raises(ValueError, match=f"no clip has a window of {length} frames"):
            VideoWindows(codes, actions, length)
        return
    windows = VideoWindows(codes, actions, length)
    batch = windows.__getitems__(range(len(windows)))
    expected = [
        (clip[start : start + length], done[start : start + length - 1])
        for clip, done in zip(codes, actions, strict=True)
        for start in range(len(clip) - length + 1)
    ]
    assert torch.equal(batch.codes, torch.stack([part for part, _ in expected]))
    assert torch.equal(batch.actions, torch.stack([part for _, part in expected]))
    assert torch.equal(windows[0].codes, batch.codes[0])
    without = VideoWindows(codes, None, length).__getitems__([0])
    assert without.actions.shape == (1, 0)


def test_windows_need_two_frames():
    with pytest.raises(ValueError, match="length must be at least 2 frames, got 1"):
        VideoWindows(*codes_of([4]), 1)


@pytest.mark.parametrize("actions", [True, False])
def test_clips_are_encoded_and_stored(actions, tmp_path):
    model = new_model("vqvae", SMALL, seed=0).eval()
    clips = FolderClips(make_clips(tmp_path / "clips", {"a": 4, "b": 2}, actions), 16)
    file = encode_clips(model, clips, "here")
    for clip, codes in zip(clips, file.codes, strict=True):
        assert torch.equal(codes, model.encode(to_float(clip.frames)))
    assert (file.model, file.num_codes, file.names) == (fingerprint(model), 10, ["a", "b"])
    assert file.source == "here"
    write_codes(tmp_path / "x.codes", file)
    stored = read_codes(tmp_path / "x.codes", VideoCodes)
    for name in ("num_codes", "names", "model", "action_names", "source"):
        assert getattr(stored, name) == getattr(file, name)
    for before, after in zip(file.codes, stored.codes, strict=True):
        assert torch.equal(before, after)
    if actions:
        for before, after in zip(file.actions, stored.actions, strict=True):
            assert torch.equal(before, after)
    else:
        assert stored.actions is None


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"names": ["one"]}, ValueError, "names must be 2 strings, got 1"),
        ({"action_names": ["a"]}, ValueError, r"actions must lie in \[0, 1\)"),
        ({"action_names": None}, ValueError, "must be given together"),
        ({"action_names": "abc"}, TypeError, "action_names must be strings, got 'abc'"),
        ({"actions": None}, ValueError, "must be given together"),
        ({"actions": [torch.zeros(3).long()]}, ValueError, "actions must be of 2 clips, got 1"),
        ({"actions": [torch.zeros(3).long()] * 2}, ValueError, r"must have the shape \(2,\)"),
        ({"source": None}, TypeError, "source must be strings"),
        ({"codes": [torch.zeros(4, 1).long()] * 2}, ValueError, "cannot have the shape"),
        (
            {"codes": [torch.zeros(4, 1, 2).long(), torch.zeros(3, 2, 1).long()]},
            ValueError,
            r"maps of one shape, got \[\(1, 2\), \(2, 1\)\]",
        ),
    ],
)
def test_what_does_not_fit_the_codes_of_clips(change, error, message):
    codes, actions = codes_of([4, 3])
    given = {
        "codes": codes,
        "num_codes": 10,
        "names": ["one", "two"],
        "model": "m",
        "actions": actions,
        "action_names": ["a", "b", "c"],
        "source": "",
    }
    assert VideoCodes(**given).action_names == ["a", "b", "c"]
    with pytest.raises(error, match=message):
        VideoCodes(**{**given, **change})


def test_several_codebooks_are_refused():
    model = new_model("vqvae", ModelConfig(width=4, num_codes=4, code_dim=4, num_codebooks=2), 0)
    with pytest.raises(ValueError, match="one codebook, got 2 of them"):
        encode_clips(model, [])
