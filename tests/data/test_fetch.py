"""Archives of a release: what they hold, and that nothing half or foreign is ever unpacked."""

import hashlib
import http.server
import io
import json
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

import make_archives
import vqvae_lite
from commands import fails, run_cli
from vqvae_lite.data import fetch as fetching
from vqvae_lite.data import find, places
from vqvae_lite.data.fetch import LIST, fetch, file_of
from vqvae_lite.data.places import ARCHIVES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "data/maze"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The folder of a release that has the smallest archive, as an address."""
    folder = tmp_path_factory.mktemp("release")
    (folder / file_of("results")).write_bytes(make_archives.pack("results"))
    return folder.as_uri()


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A machine that has nothing of the book's."""
    monkeypatch.setattr(places, "_CHECKOUT", tmp_path)
    monkeypatch.delenv("VQVAE_LITE_DATA", raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home" / ".cache" / "vqvae_lite"


def packed(*entries):
    """A tar of (name, content or a type of entry)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                entry.type, entry.linkname = content.encode(), "/etc/passwd"
                archive.addfile(entry)
    return file.getvalue()


SMALL = packed((f"{FOLDER}/maze.json", b"{}"), (f"{FOLDER}/below/a", b"a" * 2000))


@pytest.fixture
def release(monkeypatch, tmp_path):
    """Makes a release of a "maze" of one's own, and says where it is."""

    def make(content, sent=None):
        known = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        listed = tmp_path / "archives.json"
        listed.write_text(json.dumps({"repository": "file:///none", "archives": {"maze": known}}))
        monkeypatch.setattr(fetching, "LIST", listed)
        (tmp_path / file_of("maze")).write_bytes(content if sent is None else sent)
        return tmp_path.as_uri()

    return make


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_digests_are_those_of_the_files_here(name):
    """Where this is red because a file has changed: python tools/make_archives.py."""
    content = make_archives.pack(name)
    assert json.loads(LIST.read_text())["archives"][name] == {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        entries = archive.getmembers()
    names = [entry.name for entry in entries]
    assert names == sorted(names)
    for entry in entries:
        assert entry.isreg()
        assert (entry.mtime, entry.uid, entry.gid, entry.uname) == (0, 0, 0, "")
        assert fetching._is_inside(entry.name, ARCHIVES[name])


def test_what_is_fetched_is_found(home, results):
    with pytest.raises(FileNotFoundError, match="`vqvae-lite data get results`"):
        find("benchmarks/results/prior.json")
    target = fetch("results", address=results)
    assert target == home / "benchmarks" / "results"
    found = find("benchmarks/results/prior.json")
    assert found == target / "prior.json"
    original = ROOT / "benchmarks" / "results"
    assert found.read_bytes() == (original / "prior.json").read_bytes()
    assert set(files_in(target)) == {*files_in(original), ".sha256"}
    assert [path.name for path in home.iterdir()] == ["benchmarks"], "nothing else is left behind"
    # Once it is there the network is not asked.
    assert fetch("results", address="file:///nowhere") == target


def test_the_release_is_that_of_this_version(home, monkeypatch):
    def offline(url, timeout):
        raise ConnectionError("no network")

    monkeypatch.setattr(fetching, "urlopen", offline)
    repository = json.loads(LIST.read_text())["repository"]
    address = f"{repository}/releases/download/v{vqvae_lite.__version__}"
    with pytest.raises(OSError, match="no network") as caught:
        fetch("results")
    assert str(caught.value).startswith(f"{address}/vqvae-lite-results.tar cannot be fetched")


@pytest.mark.parametrize(
    ("sent", "error", "message"),
    [
        (SMALL[:-1], OSError, f"broke off after {len(SMALL) - 1} of {len(SMALL)} bytes: try again"),
        (b"", OSError, "broke off after 0 of"),
        (SMALL + b"\0", ValueError, "is not the archive of version"),
        (SMALL[:-1] + b"1", ValueError, "is not the archive of version"),
    ],
)
def test_another_file_is_not_unpacked(home, release, sent, error, message):
    with pytest.raises(error, match=message) as caught:
        fetch("maze", address=release(SMALL, sent))
    assert "\n" not in str(caught.value)
    assert not home.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("/tmp/vqvae-lite-escaped", b"a"),
        (f"{FOLDER}/../../../escaped", b"a"),
        ("../escaped", b"a"),
        ("elsewhere/a", b"a"),
        ("data/speech/a", b"a"),
        (f"{FOLDER}\\..\\..\\escaped", b"a"),
        (f"{FOLDER}/C:escaped", b"a"),
        (f"{FOLDER}/link", tarfile.SYMTYPE.decode()),
        (f"{FOLDER}/link", tarfile.LNKTYPE.decode()),
        (f"{FOLDER}/device", tarfile.CHRTYPE.decode()),
        (f"{FOLDER}/pipe", tarfile.FIFOTYPE.decode()),
        (f"{FOLDER}/folder", tarfile.DIRTYPE.decode()),
    ],
)
def test_an_archive_with_anything_but_plain_files_in_place_is_refused(
    home, release, name, content, tmp_path
):
    """Though its digest is right: whoever makes an archive may be fooled too."""
    archive = packed((f"{FOLDER}/maze.json", b"{}"), (name, content))
    with pytest.raises(ValueError, match="no archive of the book's: it has .*, no plain file in"):
        fetch("maze", address=release(archive))
    assert not home.exists()
    assert not Path("/tmp/vqvae-lite-escaped").exists()
    assert not list(tmp_path.rglob("*escaped*"))


def test_what_is_no_tar_is_refused(home, release):
    with pytest.raises(ValueError, match=r"vqvae-lite-maze.tar is no archive of the book's"):
        fetch("maze", address=release(b"<html>" * 1000))
    assert not home.exists()


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if "missing" in self.path:
            self.send_error(404)
        elif "short" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", str(len(SMALL)))
            self.end_headers()
            self.wfile.write(SMALL[:700])
        else:
            self.send_response(302)
            self.send_header("Location", f"ftp://localhost{self.path}")
            self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("localhost", 0), Server) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://localhost:{serving.server_port}"
        serving.shutdown()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing", "HTTP Error 404: Not Found"),
        ("short", "broke off after 700 of|IncompleteRead"),
        ("ftp", "ftp"),
    ],
)
def test_errors_of_the_network_are_one_line_and_leave_nothing(home, release, server, path, message):
    release(SMALL)
    with pytest.raises(OSError, match=message) as caught:
        fetch("maze", address=f"{server}/{path}")
    assert str(caught.value).startswith(f"{server}/{path}/vqvae-lite-maze.tar ")
    assert "\n" not in str(caught.value)
    assert not home.exists()


def test_a_full_disk_is_told_before_and_while_it_fills(home, release, monkeypatch):
    address = release(SMALL)
    usage = fetching.shutil.disk_usage(home.anchor)
    with monkeypatch.context() as patch:
        patch.setattr(fetching.shutil, "disk_usage", lambda _: usage._replace(free=100))
        with pytest.raises(OSError, match="maze needs 0 MB to be unpacked, and .* has 0"):
            fetch("maze", address=address)

    class Full(io.BytesIO):
        def write(self, part):
            raise OSError("No space left on device")

    whole = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, mode="r", **more: Full() if mode == "xb" else whole(path, mode, **more),
    )
    with pytest.raises(OSError, match=r"vqvae-lite-maze.tar cannot be kept: .*No space left"):
        fetch("maze", address=address)
    assert not home.exists()


def test_an_interrupted_download_leaves_nothing(home, release, monkeypatch):
    def parts(url):
        yield SMALL[:700]
        raise KeyboardInterrupt

    address = release(SMALL)
    monkeypatch.setattr(fetching, "_parts", parts)
    with pytest.raises(KeyboardInterrupt):
        fetch("maze", address=address)
    assert not home.exists()


def test_a_new_version_takes_the_place_of_the_old_and_of_nothing_else(home, release):
    target = fetch("maze", address=release(SMALL))
    assert files_in(target) == [".sha256", "below/a", "maze.json"]
    fetch("maze", address=release(packed((f"{FOLDER}/new", b"new"))))
    assert files_in(target) == [".sha256", "new"]
    (target / ".sha256").unlink()
    with pytest.raises(FileExistsError, match="is there already, and not from `data get`"):
        fetch("maze", address=release(SMALL))
    assert files_in(target) == ["new"]


def test_the_command_fetches_and_says_where(home, results, capsys, tmp_path):
    assert run_cli("data", "get", "results", "--from", results, "--data", tmp_path / "mine") == 0
    assert capsys.readouterr().out == f"results: {tmp_path / 'mine' / 'benchmarks' / 'results'}\n"
    assert not home.exists()
    told = fails(capsys, "data", "get", "mazes", "--from", results)
    assert "no archive 'mazes': expected one of maze, speech, checkpoints, results" in told
    told = fails(capsys, "data", "get", "maze", "--from", results)
    assert "vqvae-lite-maze.tar cannot be fetched" in told


@pytest.mark.parametrize("arguments", [["maze"], ["speech"]])
def test_training_without_data_says_what_fetches_them(home, capsys, arguments, tmp_path):
    told = fails(capsys, "train", *arguments, "--run", tmp_path / "run")
    name = arguments[0]
    assert f"data/{name}/{name}.json is not here: `vqvae-lite data get {name}` fetches it" in told
    assert not (tmp_path / "run").exists()


def test_a_folder_of_ones_own_is_named(home, capsys, tmp_path):
    command = ["train", "maze", "--run", tmp_path / "run", "--set", "steps=1", "--data"]
    assert f"there is none at {tmp_path / 'absent'}" in fails(capsys, *command, tmp_path / "absent")
    told = fails(capsys, *command, ROOT / "data" / "maze")
    assert f"--data must name {ROOT / 'data'}, which has maze in it" in told
    (tmp_path / "mine").mkdir()
    assert str(tmp_path / "mine") in fails(capsys, *command, tmp_path / "mine")
    assert "VQVAE_LITE_DATA" not in places.os.environ
    small = [part for name in ("batch_size=2", "width=8") for part in ("--set", name)]
    assert run_cli(*command, ROOT, *small) == 0
    assert run_cli("evaluate", tmp_path / "run", "--data", ROOT / "data", "--device", "cpu") == 0


def test_a_download_does_not_wait_for_pytorch(home, results):
    script = (
        "import sys; from vqvae_lite.cli.main import main\n"
        f"assert main(['data', 'get', 'results', '--from', {results!r}]) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    environment = {**places.os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)


def test_what_cannot_be_fetched_leaves_no_folder(tmp_path, capsys):
    root = tmp_path / "no" / "x"
    command = ["data", "get", "results", "--from", (tmp_path / "none").as_uri(), "--data", root]
    assert run_cli(*command) == 1
    assert list(tmp_path.iterdir()) == []
