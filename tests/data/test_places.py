"""Where the book's own files are found."""

import subprocess
import sys
from pathlib import Path

import pytest

from vqvae_lite.data import find, places
from vqvae_lite.data.places import ARCHIVES, data_root, find_data

ROOT = Path(__file__).resolve().parents[2]
NAME = "data/maze/maze.json"


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without a clone, with an empty folder to work in and an empty home."""
    monkeypatch.setattr(places, "_CHECKOUT", tmp_path / "site-packages")
    monkeypatch.delenv("VQVAE_LITE_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    work = tmp_path / "work" / "below"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    return tmp_path


def put(root, name=NAME, clone=False):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    if clone:
        for file in ("vqvae_lite/__init__.py", "pyproject.toml"):
            put(root, file)
    return path


def test_the_order_of_the_places(nowhere, monkeypatch):
    """Each that is added comes before those that were there."""
    for root, clone in (
        (nowhere / "home" / ".cache" / "vqvae_lite", False),
        (nowhere / "site-packages", True),
        (nowhere / "work", True),
        (nowhere / "work" / "below", True),
    ):
        path = put(root, clone=clone)
        assert find(NAME) == path
        assert find("data/maze") == path.parent
    monkeypatch.setenv("VQVAE_LITE_DATA", str(nowhere / "mine"))
    assert find(NAME) == path, "what one's own folder lacks is looked for in the others"
    assert find_data("maze") == path.parent
    mine = put(nowhere / "mine")
    assert find(NAME) == mine


def test_a_folder_that_is_no_clone_is_not_looked_at(nowhere):
    """Somebody's own data/maze is not the book's."""
    put(nowhere / "work" / "below")
    put(nowhere / "site-packages")
    put(nowhere / "site-packages", "vqvae_lite/__init__.py")
    with pytest.raises(FileNotFoundError):
        find(NAME)


def test_data_sets_may_stand_directly_in_ones_own_folder(nowhere, monkeypatch):
    monkeypatch.setenv("VQVAE_LITE_DATA", str(nowhere))
    path = put(nowhere, "maze/maze.json")
    assert find(NAME) == path
    assert find_data("maze") == path.parent


@pytest.mark.parametrize("name", ARCHIVES)
def test_what_is_nowhere_is_told_with_the_command_that_fetches_it(nowhere, name):
    with pytest.raises(FileNotFoundError) as caught:
        find(f"{ARCHIVES[name]}/file")
    told = str(caught.value)
    assert told.startswith(f"{ARCHIVES[name]}/file is not here: `vqvae-lite data get {name}` ")
    assert str(data_root()) in told
    assert "\n" not in told
    with pytest.raises(FileNotFoundError, match="in a clone of the repository alone"):
        find("book/index.md")


@pytest.mark.parametrize("name", ["/etc/passwd", "../data/maze", "data/../../maze", "", "."])
def test_a_name_outside_the_repository_is_refused(name):
    with pytest.raises(ValueError, match="name must be a path inside the repository"):
        find(name)


@pytest.mark.parametrize("name", ["data/maze", "data/speech", "checkpoints/maze"])
def test_a_clone_has_all_of_it(name, monkeypatch, tmp_path):
    monkeypatch.setenv("VQVAE_LITE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert find(name) == ROOT / name
    monkeypatch.chdir(ROOT / "book")
    assert find(name) == ROOT / name


def test_looking_for_a_file_does_not_wait_for_pytorch():
    script = "import sys; from vqvae_lite.data import find; find('data/maze'); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "vqvae_lite.data.places" in loaded
    assert not {"torch", "numpy", "PIL"} & set(loaded)
