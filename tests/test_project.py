"""The project's own papers agree with each other."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def requirements(text):
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return {line for line in lines if line and not line.startswith("-")}


def test_package_needs_what_the_book_needs():
    """The dependencies in pyproject.toml are lines of requirements.txt."""
    project = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"(?ms)^dependencies = \[(.*?)\]", project)[1]
    needs = set(re.findall(r'"([^"]+)"', block))
    assert len(needs) == 7
    assert needs <= requirements((ROOT / "requirements.txt").read_text())


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned(name):
    pinned = set(re.findall(r"(?m)^([\w.-]+)==", (ROOT / "constraints.txt").read_text()))
    wanted = {re.match(r"[\w.-]+", line)[0] for line in requirements((ROOT / name).read_text())}
    assert wanted <= pinned


def test_repository_address_is_the_same_everywhere():
    command = [sys.executable, "tools/set_repository.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_old_python_is_told_so(tmp_path):
    """Where PYTHON names nothing usable, the environment tool says what it expects."""
    command = [sys.executable, "tools/environment.py"]
    environment = {"PATH": str(tmp_path), "PYTHON": str(tmp_path / "python3.6")}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert "3.10 to 3.13 expected" in result.stdout


def test_scripts_of_the_figures_are_installed_too():
    """The patterns of package-data cover every file beside the modules."""
    project = (ROOT / "pyproject.toml").read_text()
    listed = set(re.search(r'(?m)^"vqvae_lite\.web" = \[(.*)\]', project)[1].split(", "))
    files = [path for path in (ROOT / "vqvae_lite" / "web").iterdir() if path.is_file()]
    assert files
    assert {f'"*{path.suffix}"' for path in files} <= listed
