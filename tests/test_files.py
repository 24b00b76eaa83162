"""Files read whatever they hold, and written whole or not at all."""

import errno
import os
import re
import shutil
import stat
import subprocess
import sys

import pytest

from vqvae_lite.files import reading, reason, to_write, writing


def test_whatever_a_library_raises_over_a_file_names_the_file():
    for error in (RuntimeError("bad"), IndexError("bad"), MemoryError(), RecursionError("x")):
        said = pytest.raises(ValueError, match=r"^a\.png cannot be read as an image: ")
        with said, reading("a.png", "an image"):
            raise error


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

    named = "" if error is ValueError else re.escape(f"{path} cannot be written: ")
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
