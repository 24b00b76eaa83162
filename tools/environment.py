"""Makes .venv, the environment of the book, and keeps it up to date: `make` calls this first.

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

OLDEST, NEWEST = (3, 10), (3, 13)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
RECORD = os.path.join(VENV, "vqvae-book.json")


def main():
    """Makes, updates or keeps .venv; returns the exit status."""
    os.chdir(ROOT)
    old, asked = read_record(), os.environ.get("PYTHON")
    version, _ = probe(VENV_PYTHON)
    if asked and probe(asked)[0] != version:
        version = None
    if suits(version) and old == record(version):
        return 0
    start = time.time()
    # An interrupted run leaves "complete": false, and what it left is not built upon.
    if suits(version) and old.get("complete", True) and old.get("root", ROOT) == ROOT:
        say("updating it: the requirements are not those that it was made from")
        done = update(version, old)
    else:
        version, python = find_python(asked)
        if not suits(version):
            return complain(version, python, asked)
        say("making it with Python {}.{}".format(*version))
        say("about 5 GB of packages, most of it PyTorch: minutes, by your connection")
        done = any(make(tool, version, python) for tool in tools())
    if not done:
        say("failed; the next `make` tries again")
        return 1
    say("ready after {:.1f} min".format((time.time() - start) / 60))
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
        found = "Python {}.{} ({}) is too {}".format(version[0], version[1], python, age)
    elsewhere = "" if asked else ", and none of these is on PATH"
    say("{}; 3.10 to 3.13 expected{}".format(found, elsewhere))
    say("install one and name it: make book PYTHON=/path/to/python3.12")
    return 1


def tools():
    """What can install, the best first."""
    return (["uv"] if shutil.which("uv") else []) + ["pip"]


def make(tool, version, python):
    """Makes .venv from nothing; whether it succeeded."""
    if os.path.islink(VENV) or os.path.isfile(VENV):
        os.remove(VENV)
    elif os.path.isdir(VENV):
        shutil.rmtree(VENV)
    os.mkdir(VENV)
    write_record(dict(record(version), complete=False))
    if tool == "uv":
        created = run(["uv", "venv", "--quiet", "--allow-existing", "--seed", "-p", python, VENV])
    else:
        created = run([python, "-m", "venv", VENV])
        if not created:
            say("no `venv` in {}? On Debian and Ubuntu: apt install python3-venv".format(python))
    if not (created and install(tool)):
        return False
    write_record(record(version))
    return True


def update(version, old):
    """Brings .venv to the present requirements; whether it succeeded."""
    write_record(dict(record(version), complete=False))
    done = any(install(tool) for tool in tools())
    write_record(record(version) if done else dict(old, root=ROOT, requirements="outdated"))
    return done


def install(tool):
    """Installs the pinned packages and, as a link to this checkout, the book's own."""
    say("installing with " + tool)
    command = [VENV_PYTHON, "-m", "pip", "install", "--disable-pip-version-check"]
    if tool == "uv":
        command = ["uv", "pip", "install", "--python", VENV_PYTHON]
    if not sys.stdout.isatty():
        command.append("--quiet")
    packages = ["-r", "requirements-dev.txt", "-c", "constraints.txt"]
    itself = ["--no-deps", "--no-build-isolation", "--editable", "."]
    return run(command + packages) and run(command + itself, speak=False)


def run(command, speak=True):
    """Runs a command; whether it succeeded. One that is not to speak is heard when it fails."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    pipes = {} if speak else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    result = subprocess.run(command, env=environment, **pipes)
    if result.returncode and not speak:
        print(result.stdout.decode())
    return result.returncode == 0


def record(version):
    """What a complete environment is known by."""
    digest = hashlib.sha256()
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            # Of pyproject.toml only what is installed counts, not the settings of the tools.
            digest.update(file.read().split(b"\n[tool.pytest")[0])
    python = "{}.{}".format(*version)
    return {"complete": True, "python": python, "root": ROOT, "requirements": digest.hexdigest()}


def read_record():
    """The record in .venv, empty where there is none."""
    try:
        with open(RECORD) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def write_record(content):
    """Replaces the record in .venv at one blow."""
    with open(RECORD + ".partial", "w") as file:
        json.dump(content, file, indent=1)
    os.replace(RECORD + ".partial", RECORD)


def say(text):
    """Prints a line at once, and says of what it speaks."""
    print(".venv: " + text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
