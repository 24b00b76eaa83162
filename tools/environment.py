"""Makes .venv, the environment of the book, and keeps it up to date: `make` calls this first.

    python tools/environment.py book    # what building the book needs; no PyTorch
    python tools/environment.py         # all: to run notebooks, tests and benchmarks as well

Uses uv where it is installed, and venv with pip where not (or where uv fails: it does not read
pip's settings, so that an index that only pip knows is out of its reach). Nothing is done while
the Python, the place and the requirements are those that .venv was completed with. Runs on any
Python from 3.6, so that an old one is told what is wrong instead of stumbling over the syntax.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

import installing

OLDEST, NEWEST = (3, 10), (3, 13)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
RECORD = os.path.join(VENV, "vqvae-book.json")
# What each stage installs, and what a change of it depends on. The second holds the first.
BOOK = ("requirements-book.txt", "constraints.txt")
STAGES = {
    "book": BOOK,
    "all": ("requirements-dev.txt", "requirements.txt", *BOOK, "pyproject.toml"),
}
SIZES = {
    "book": "what the book is built with, about 300 MB",
    "all": "all packages, about 6 GB, most of it PyTorch: minutes, by your connection",
}


def python_of(venv):
    """The interpreter of a virtual environment."""
    parts = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return os.path.join(venv, *parts)


def main():
    """Makes, updates or keeps .venv; returns the exit status."""
    os.chdir(ROOT)
    stage = sys.argv[1] if len(sys.argv) > 1 else "all"
    if stage not in STAGES or len(sys.argv) > 2:
        say("stage must be book or all, got {}".format(" ".join(sys.argv[1:])))
        return 2
    old, asked = read_record(), os.environ.get("PYTHON")
    version, _ = probe(python_of(VENV))
    if asked and probe(asked)[0] != version:
        version = None
    # An interrupted run leaves "complete": false, and what it left is not built upon.
    there = suits(version) and old == dict(old, complete=True, root=ROOT, python=name_of(version))
    if there and old.get(stage) == digest(stage):
        return 0
    start = time.time()
    if there:
        say("adding " + SIZES[stage] if stage not in old else "updating it: requirements changed")
        done = update(stage, old)
    else:
        version, python = find_python(asked)
        if not suits(version):
            return complain(version, python, asked)
        say("making it with Python {}: {}".format(name_of(version), SIZES[stage]))
        done = any(make(tool, stage, version, python) for tool in tools())
    if not done:
        say("failed; the next call tries again")
        return 1
    say("ready after {:.0f} s".format(time.time() - start))
    return 0


def probe(python):
    """The version (major, minor) and path of an interpreter; (None, its name) if it does not run.

    The path is that of the Python below a virtual environment, which may be about to go.
    """
    program = "import sys; print(*sys.version_info[:2]); "
    program += "print(getattr(sys, '_base_executable', sys.executable))"
    try:
        output = subprocess.check_output([python, "-c", program], stderr=subprocess.DEVNULL)
        version, path = output.decode().splitlines()
        return tuple(int(number) for number in version.split()), path
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None, python


def suits(version):
    """Whether the book's packages exist for that version."""
    return version is not None and OLDEST <= version <= NEWEST


def name_of(version):
    """A version as it is written: 3.12."""
    return "{}.{}".format(*version)


def find_python(asked):
    """Version and path: of the one asked for, of this one, or of the newest of ours on PATH."""
    minors = range(NEWEST[1], OLDEST[1] - 1, -1)
    names = [asked] if asked else [sys.executable] + ["python3.{}".format(m) for m in minors]
    found = [probe(name) for name in names]
    return next((pair for pair in found if suits(pair[0])), found[0])


def complain(version, python, asked):
    """Says that a Python cannot be used, and what to do."""
    found = "{} does not run".format(python)
    if version is not None:
        age = "old" if version < OLDEST else "new"
        found = "Python {} ({}) is too {}".format(name_of(version), python, age)
    elsewhere = "" if asked else ", and none of these is on PATH"
    say("{}; 3.10 to 3.13 expected{}".format(found, elsewhere))
    say("install one and name it: make book PYTHON=/path/to/python3.12")
    return 1


def tools():
    """What can install, the best first."""
    return (["uv"] if shutil.which("uv") else []) + ["pip"]


def make(tool, stage, version, python):
    """Makes .venv from nothing; whether it succeeded."""
    if os.path.islink(VENV) or os.path.isfile(VENV):
        os.remove(VENV)
    elif os.path.isdir(VENV):
        shutil.rmtree(VENV)
    os.mkdir(VENV)
    record = {"complete": False, "python": name_of(version), "root": ROOT}
    write_record(record)
    if tool == "uv":
        command = ["uv", "venv", "--quiet", "--allow-existing", "--seed", "-p", python, VENV]
    else:
        command = [python, "-m", "venv", VENV]
    created = installing.follow(command, "making an empty one", VENV)
    if not created and tool == "pip":
        say("no `venv` in {}? On Debian and Ubuntu: apt install python3-venv".format(python))
    return created and install(tool, stage, record)


def update(stage, old):
    """Brings .venv, complete so far, to a stage's present requirements; whether it succeeded."""
    write_record(dict(old, complete=False))
    if any(install(tool, stage, old) for tool in tools()):
        return True
    write_record(dict(old, **{stage: "outdated"}))
    return False


def install(tool, stage, record):
    """Installs a stage's packages, and notes that they are there; whether it succeeded."""
    command = [python_of(VENV), "-m", "pip", "install", "--disable-pip-version-check"]
    if tool == "uv":
        command = ["uv", "pip", "install", "--python", python_of(VENV)]
    elif stage == "book":
        command.append("--no-compile")  # a quarter of the time; the build compiles what it imports
    packages = ["-r", STAGES[stage][0], "-c", "constraints.txt"]
    if not installing.follow(command + packages, "installing with " + tool, VENV):
        return False
    if stage == "all":  # the package itself, as a link to this checkout
        itself = ["--no-deps", "--no-build-isolation", "--editable", "."]
        if not installing.follow(command + itself, "linking vqvae_lite", VENV):
            return False
    stages = STAGES if stage == "all" else (stage,)
    write_record(dict(record, complete=True, **{name: digest(name) for name in stages}))
    return True


def digest(stage):
    """What the packages of a stage are known by."""
    seen = hashlib.sha256()
    for name in STAGES[stage]:
        with open(os.path.join(ROOT, name), "rb") as file:
            # Of pyproject.toml only what is installed counts, not the settings of the tools.
            seen.update(file.read().split(b"\n[tool.pytest")[0])
    return seen.hexdigest()


def read_record():
    """The record in .venv, empty where there is none."""
    try:
        with open(RECORD, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def write_record(content):
    """Replaces the record in .venv at one blow."""
    with open(RECORD + ".partial", "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
    os.replace(RECORD + ".partial", RECORD)


def say(text):
    """Prints a line at once, and says of what it speaks."""
    print(".venv: " + text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print()
        say("interrupted; the next call starts anew")
        sys.exit(130)
