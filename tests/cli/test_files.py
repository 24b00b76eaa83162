"""Where commands write."""

import os

import pytest

from vqvae_lite.cli import files
from vqvae_lite.cli.files import new_files


def test_a_path_for_each_name(tmp_path):
    names = ["a", "sub/a", "a.png", "..b", "ü"]
    targets = new_files(tmp_path / "new", names, ".png")
    assert targets == [tmp_path / "new" / f"{name}.png" for name in names]
    assert not list(tmp_path.iterdir()), "nothing is made yet"
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    assert new_files(tmp_path / "linked", ["sub/a"], ".png")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "../b"], "a name leads out of"),
        (["a", "sub/../../b"], "a name leads out of"),
        (["/etc/b"], "a name leads out of"),
        (["out/b"], "a name leads out of"),
        (["a", "b", "a"], r"two would be written to .*a\.png: their names must differ"),
        (["a", "sub/a", "./sub//a"], r"two would be written to .*sub/a\.png"),
        (["a", "a.png/b"], r"a\.png would be a file, and a folder of others"),
        (["a.png/b/c/d", "a"], r"a\.png would be a file, and a folder of others"),
    ],
)
def test_names_that_cannot_be_files(names, message, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    with pytest.raises(ValueError, match=message):
        new_files(folder, names, ".png")


def test_what_is_there_is_not_written_over(tmp_path):
    (tmp_path / "a.png").write_text("")
    (tmp_path / "b.png").symlink_to(tmp_path / "nowhere")
    for name in "ab":
        with pytest.raises(FileExistsError, match=rf"{name}\.png is there already; name an empty"):
            new_files(tmp_path, ["c", name], ".png")


def test_many_names_take_no_time_each(tmp_path, monkeypatch):
    """Only folders are resolved, whatever the number of files: a million took for ever."""
    resolved = []
    resolve = files.Path.resolve
    monkeypatch.setattr(
        files.Path, "resolve", lambda self, **options: resolved.append(self) or resolve(self)
    )
    monkeypatch.setattr(os.path, "lexists", None)  # and none is looked for where no folder is
    assert len(new_files(tmp_path / "new", [f"{n % 3}/{n}" for n in range(5000)], ".png")) == 5000
    assert len(resolved) <= 4
    with pytest.raises(ValueError, match="two would be written"):
        new_files(tmp_path / "new", [str(n) for n in (*range(5000), 7)], ".png")
