"""The package as it is installed: built, without the clone, doing what the README says."""

import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from PIL import Image

import make_archives
from commands import make_sounds
from vqvae_lite.data.fetch import file_of

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = re.search(r'(?m)^Repository = "(.*)"$', (ROOT / "pyproject.toml").read_text())[1]
MADE_OF = ("vqvae_lite", "README.md", "LICENSE", "pyproject.toml", "setup.py")
BUILD = "from setuptools import build_meta as build; print(build.build_{}('built'))"

pytestmark = pytest.mark.slow


def run(command, folder, **environment):
    environment = {key: str(value) for key, value in {**os.environ, **environment}.items()}
    environment.pop("PYTHONPATH", None)
    result = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    assert result.returncode == 0, (command, result.stdout[-2000:], result.stderr[-2000:])
    return result.stdout


def build(kind, source):
    """Builds where nothing is left of another build; what it needs is installed here already."""
    name = run([sys.executable, "-c", BUILD.format(kind)], source).splitlines()[-1]
    return source / "built" / name


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A wheel, made of the source distribution, as whoever installs that makes it."""
    folder = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *MADE_OF],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in listed.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    source = build("sdist", folder)
    with tarfile.open(source) as archive:
        archive.extractall(folder / "again", filter="data")
    return build("wheel", next((folder / "again").iterdir()))


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """An environment with the wheel, and with all of this one's packages but this checkout."""
    folder = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", folder], folder)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / ("python.exe" if os.name == "nt" else "python")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    ours, theirs = (run([one, "-c", where], folder).strip() for one in (sys.executable, python))
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    run([*install, "--no-deps", "--no-index", built], folder)
    Path(theirs, "others.pth").write_text(ours + "\n", encoding="utf-8")
    at = run([python, "-c", "import vqvae_lite; print(vqvae_lite.__file__)"], folder)
    assert at.strip().startswith(str(folder))
    return programs


def test_the_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
    files = [path for path in (ROOT / "vqvae_lite").rglob("*") if path.is_file()]
    files = [path for path in files if path.suffix != ".pyc"]
    assert names == {path.relative_to(ROOT).as_posix() for path in files}


def test_the_readme_leads_to_the_repository_from_anywhere(built):
    with zipfile.ZipFile(built) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
        about = message_from_string(wheel.read(name).decode())
    assert about["Description-Content-Type"] == "text/markdown"
    description = about.get_payload()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", readme)
    relative = [target for target in targets if not re.match(r"[a-z]+:|#", target)]
    assert any(target.startswith("book/_static/") for target in relative)
    for target in targets:
        kind = "raw" if re.search(rf"!\[[^]]*\]\({re.escape(target)}\)", readme) else "blob"
        release = f"{ADDRESS}/{kind}/v{about['Version']}"
        found = f"{release}/{target}" if target in relative else target
        assert f"]({found})" in description
    assert not re.search(r"""(?:src|href)=["'](?!https:|#)""", description)


# What each recipe of the README is made small by.
SMALL = ["steps=2", "batch_size=2", "checkpoint_every=2"]
SMALLER = {
    "maze": ["width=8", "num_codes=16", "code_dim=4"],
    "speech": ["width=8", "num_codes=16", "decoder_width=8", "skip_width=8", "window=256"],
    "sound": ["width=8", "num_codes=16", "decoder_width=8", "skip_width=8", "window=256"],
    "prior": ["width=8", "num_layers=2"],
    "video": ["width=8", "pixelcnn_width=8", "num_layers=2"],
}


def commands_of_the_readme():
    """Every line of the README's that calls the command, but for what has to be downloaded."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```bash\n(.*?)```", readme, re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["vqvae-lite"] and "cifar10" not in words and "data" not in words:
                yield words[1:]


def test_the_commands_of_the_readme_run_in_an_empty_folder(installed, tmp_path):
    home, work, release = (tmp_path / name for name in ("home", "work", "release"))
    for folder in (home / "Pictures", work, release):
        folder.mkdir(parents=True)
    for name in ("maze", "speech"):
        (release / file_of(name)).write_bytes(make_archives.pack(name))
    for number in range(3):
        Image.new("RGB", (90, 90), (80 * number, 9, 9)).save(home / "Pictures" / f"{number}.png")
    make_sounds(home / "Recordings", {"ann/a.wav": 0.3, "bob/b.wav": 0.3})
    program = installed / "vqvae-lite"
    environment = {"HOME": home, "USERPROFILE": home, "OMP_NUM_THREADS": 1, "VQVAE_LITE_DATA": ""}

    def do(*words):
        words = [word.replace("~", str(home)) for word in words]
        return run([program, *words], work, **environment)

    do("data", "get", "maze", "speech", "--from", release.as_uri())
    done = set()
    for words in commands_of_the_readme():
        if words[0] == "train":
            settings = [*SMALL, *SMALLER[words[1]]]
            words += [part for setting in settings for part in ("--set", setting)]
        said = do(*words)
        if words[0] == "evaluate":
            assert json.loads(said)["images"] == 560
        done.add(words[0])
    assert done == {"train", "evaluate", "score", "encode", "decode", "sample", "convert"}
    assert len(list((work / "new-pictures").glob("*.png"))) == 16
    assert len(list((work / "decoded").glob("*.png"))) == 3
    assert len(list((work / "films").glob("*.webp"))) == 4
    assert len(list((work / "as-slt").rglob("*.wav"))) == 2


def test_a_model_of_ones_own_is_trained_as_the_readme_shows(installed, tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    script = next(block for block in blocks if "class Mine" in block)
    run([installed / "python", "-c", script], tmp_path, OMP_NUM_THREADS=1)
    assert (tmp_path / "runs" / "mine" / "step-00000060" / "model.safetensors").is_file()
