"""Files read whatever they hold, and written whole or not at all."""

import errno
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from vqvae_lite.files import (
    Files,
    check_amount,
    in_order,
    locked,
    reading,
    reason,
    to_write,
    visible_files,
    writing,
)

ROOT = Path(__file__).resolve().parents[1]


def test_whatever_a_library_raises_over_a_file_names_the_file():
    for error in (RuntimeError("bad"), IndexError("bad"), MemoryError(), RecursionError("x")):
        said = pytest.raises(ValueError, match=r"^a\.png cannot be read as an image: ")
        with said, reading("a.png", "an image"):
            raise error


def test_a_module_that_lacks_is_no_fault_of_the_file():
    with pytest.raises(ImportError, match="^pip"), reading("a.png", "an image"):
        raise ImportError("pip install it")


def test_a_reader_in_a_reader_names_the_file_once():
    named = pytest.raises(ValueError, match=r"^a\.png cannot be read as sound: bad$")
    with named, reading("a.png", "data"), reading("a.png", "sound"):
        raise RuntimeError("bad")


def test_absent_is_not_forbidden():
    absent = pytest.raises(FileNotFoundError, match=r"there is no file a\.png: expected an image")
    with absent, reading("a.png", "an image"):
        raise FileNotFoundError
    forbidden = pytest.raises(PermissionError, match=r"a\.png may not be read")
    with forbidden, reading("a.png", "an image"):
        raise PermissionError


def test_a_reason_is_one_line_and_says_what_lacks():
    assert reason(ValueError("\n first \n second")) == "first"
    assert reason(KeyError("map")) == "it lacks 'map'"
    assert reason(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) == "No space left on device"
    assert reason(RecursionError("maximum depth")) == "it nests too deeply"
    assert "memory" in reason(MemoryError())
    text = "[enforce fail at alloc_cpu.cpp:127] can't allocate memory: you tried 64000 bytes."
    assert reason(RuntimeError(text)).startswith("it needs more memory than there is")


def test_what_is_written_is_there_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "deep" / "file"
    with writing(path) as partial:
        partial.write_bytes(b"1")
        assert not path.exists()
        assert partial.parent == path.parent
    assert path.read_bytes() == b"1"
    with writing(path) as partial:
        partial.write_bytes(b"2")
    assert path.read_bytes() == b"2"
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), RuntimeError("I/O"), ValueError])
def test_what_fails_leaves_what_was_there_and_nothing_else(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def write():
        with writing(path) as partial:
            partial.write_bytes(b"ha")
            raise error

    named = None if error is ValueError else re.escape(f"{path} cannot be written: ")
    with pytest.raises(ValueError if error is ValueError else OSError, match=named):
        write()
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_rights_are_what_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        with writing(tmp_path / "run" / "step") as partial:
            partial.mkdir(mode=0o700)
            (partial / "weights").touch(mode=0o600)
    finally:
        os.umask(before)
    made = [tmp_path / "run", tmp_path / "run" / "step", tmp_path / "run" / "step" / "weights"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o750, 0o750, 0o640]


def test_a_target_is_tried_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert to_write("~/new/file") == tmp_path / "new" / "file"
    assert os.listdir(tmp_path) == []
    with pytest.raises(IsADirectoryError, match="name the file"):
        to_write(tmp_path)
    assert to_write(tmp_path, folder=True) == tmp_path
    (tmp_path / "file").touch()
    for folder in (False, True):
        with pytest.raises(NotADirectoryError, match="is no folder"):
            to_write(tmp_path / "file" / "a", folder=folder)
    with pytest.raises(NotADirectoryError, match="is no folder"):
        to_write(tmp_path / "file", folder=True)


@pytest.mark.skipif(not shutil.which("setpriv") or os.name == "nt", reason="needs another user")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="needs root")
def test_a_folder_that_may_not_be_written_to_is_named(tmp_path):
    code = f"from vqvae_lite.files import to_write; to_write({str(tmp_path / 'a')!r})"
    tmp_path.chmod(0o555)
    for folder in [tmp_path.parent, *tmp_path.parent.parents][:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    command = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith(f"PermissionError: {tmp_path / 'a'} cannot be")


def found(folder, *suffixes, **options):
    files = visible_files(folder, suffixes or (".png",), **options)
    return [file.relative_to(folder).as_posix() for file in files]


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_numbers_in_names_are_numbers(tmp_path):
    names = [f"frame{number}.png" for number in range(1, 13)]
    assert in_order(reversed(names)) == names
    touch(tmp_path, *(f"class{number}/{name}" for number in (10, 9) for name in names))
    assert found(tmp_path) == [f"class{number}/{name}" for number in (9, 10) for name in names]


@given(st.lists(st.text("ab.-_~ é/0189", max_size=9)))
def test_names_padded_with_zeros_stay_in_the_order_of_letters(names):
    padded = [re.sub("[0-9]+", lambda run: run[0].zfill(9), name) for name in names]
    assert in_order(padded) == sorted(padded)


def test_files_are_found_as_paths_sort(tmp_path):
    touch(
        tmp_path, "a/b.png", "a.png", "a-1/c.PNG", "._a.png", ".thumbs/d.png", "e.txt", "f/g/h.png"
    )
    assert found(tmp_path) == ["a/b.png", "a-1/c.PNG", "a.png", "f/g/h.png"]
    assert found(tmp_path, inside=False) == ["a.png"]
    files = visible_files(tmp_path, (".png",))
    assert files[-1] == tmp_path / "f/g/h.png"
    assert files[1:3] == list(files)[1:3]
    with pytest.raises(IndexError):
        files[4]


def test_many_names_take_few_bytes():
    files = Files(
        Path(), (f"class_{number // 1000:03}/{number:06}.png" for number in range(20_000))
    )
    assert str(files[19_999]) == "class_019/019999.png"
    assert files._letters.__sizeof__() + files._ends.__sizeof__() < 20_000 * 35


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_to_folders_are_followed_and_loops_are_not(tmp_path):
    touch(tmp_path, "elsewhere/b/c.png", "images/a.png")
    images = tmp_path / "images"
    (images / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (images / "d.png").symlink_to(images / "a.png")
    (images / "loop").symlink_to(images, target_is_directory=True)
    (tmp_path / "elsewhere/b/loop").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (images / "itself").symlink_to(images / "itself")
    assert found(images) == ["a.png", "d.png", "linked/b/c.png"]


def test_a_folder_with_the_name_of_a_file_is_a_folder(tmp_path):
    touch(tmp_path, "x.png/a.png", "y.png/notes.txt")
    assert found(tmp_path) == ["x.png/a.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.parametrize("what", ["a pipe", "a link that leads to nothing"])
def test_what_is_no_file_is_named_and_not_waited_for(tmp_path, what):
    path = tmp_path / "a.png"
    os.mkfifo(path) if what == "a pipe" else path.symlink_to(tmp_path / "gone")
    with pytest.raises(ValueError, match=rf"a\.png is no file but {what}"):
        found(tmp_path)
    assert found(tmp_path, ".jpg") == []

    def read():
        with reading(path, "an image"):
            path.read_bytes()

    named = pytest.raises((ValueError, FileNotFoundError), match=r"a\.png")
    with named:
        read()


@pytest.mark.skipif(not shutil.which("setpriv") or os.name == "nt", reason="needs another user")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="needs root")
def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    touch(tmp_path, "images/a.png", "images/closed/b.png", "images/.hidden/c.png")
    for name in ("closed", ".hidden"):
        (tmp_path / "images" / name).chmod(0)
    for folder in [tmp_path, *tmp_path.parents][:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    code = "from vqvae_lite.files import visible_files as do; from pathlib import Path; "
    code += f"do(Path({str(tmp_path / 'images')!r}), ('.png',))"
    command = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    closed = tmp_path / "images" / "closed"
    assert done.stderr.splitlines()[-1] == f"PermissionError: {closed} may not be read by this user"


@pytest.mark.parametrize("path", [None, 3, b"a.png"])
def test_a_path_of_another_type(path):
    with pytest.raises(TypeError, match="path must be a str or a Path, got "), reading(path, "it"):
        pass


def test_what_a_file_may_hold_can_be_raised(monkeypatch):
    check_amount(1000, "pixels", "VQVAE_LITE_MAX", 1000)
    with pytest.raises(ValueError, match=r"holds 1,001 pixels, more than 1,000: .*VQVAE_LITE_MAX"):
        check_amount(1001, "pixels", "VQVAE_LITE_MAX", 1000)
    monkeypatch.setenv("VQVAE_LITE_MAX", "1001")
    check_amount(1001, "pixels", "VQVAE_LITE_MAX", 1000)
    monkeypatch.setenv("VQVAE_LITE_MAX", "many")
    with pytest.raises(ValueError, match="VQVAE_LITE_MAX must be a whole number, got 'many'"):
        check_amount(1, "pixels", "VQVAE_LITE_MAX", 1000)


class Broken:
    """A data set whose every item is a file that cannot be read."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        with reading("a.png", "an image"):
            raise RuntimeError("it is bad: very\nbad")


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_worker_raises_is_the_same_line(workers):
    with pytest.raises(ValueError, match=r"a\.png") as caught:
        next(iter(DataLoader(Broken(), num_workers=workers)))
    assert reason(caught.value) == "a.png cannot be read as an image: it is bad: very"


HOLD = """
import os, sys, time
from vqvae_lite.files import locked
with locked(sys.argv[1], "used"):
    if sys.argv[2:] and os.fork() == 0:
        time.sleep(60)
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder, *more):
    """Another process that has locked a folder."""
    command = [sys.executable, "-c", HOLD, str(folder), *more]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_locked_folder_is_refused_to_others_until_its_process_ends_however_it_does(tmp_path):
    other = holder(tmp_path / "new" / "run")
    refused = pytest.raises(BlockingIOError, match=r"run is being used by another process")
    try:
        with refused, locked(tmp_path / "new" / "run", "used"):
            pass
    finally:
        other.kill()
        other.communicate()
    assert os.listdir(tmp_path / "new" / "run") == [".lock"], "what the kill left is harmless"
    with locked(tmp_path / "new" / "run", "used"):
        pass
    assert os.listdir(tmp_path / "new" / "run") == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process inherits there")
def test_no_process_that_a_killed_one_started_keeps_the_lock(tmp_path):
    other = holder(tmp_path, "fork")
    os.kill(other.pid, signal.SIGKILL)
    os.waitpid(other.pid, 0)
    with locked(tmp_path, "used"):
        pass


def test_who_has_locked_a_folder_may_again_and_leaves_no_folder_that_it_made(tmp_path):
    with locked(tmp_path / "run", "used"):
        with locked(tmp_path / "run", "used"):
            pass
        other = subprocess.run(
            [sys.executable, "-c", HOLD, str(tmp_path / "run")],
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert b"being used by another process" in other.stderr, "the inner one lets go of nothing"
    assert os.listdir(tmp_path) == []
    with locked(tmp_path / "run", "used"):
        (tmp_path / "run" / "kept").touch()
    assert os.listdir(tmp_path / "run") == ["kept"]
    with (
        pytest.raises(OSError, match="kept cannot be written"),
        locked(tmp_path / "run" / "kept", "used"),
    ):
        pass


def test_what_is_not_flushed_is_whole_or_absent_too(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr("vqvae_lite.files.flush", flushed.append)
    with writing(tmp_path / "a" / "x", flushed=False) as partial:
        partial.write_text("whole")
    assert (tmp_path / "a" / "x").read_text() == "whole"
    assert flushed == [tmp_path], "only the folder that was made"
    with pytest.raises(ValueError, match="half"), writing(tmp_path / "b" / "x") as partial:
        partial.write_text(str(int("half")))
    assert [path.name for path in tmp_path.iterdir()] == ["a"], "nor is the folder for it left"


def test_an_error_over_another_file_is_told_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file gone"), writing(tmp_path / "x"):
        raise FileNotFoundError("there is no file gone")
    many = r"x cannot be read as a file: a{300} \.\.\.$"
    with pytest.raises(ValueError, match=many), reading("x", "a file"):
        raise ValueError("a" * 301)
