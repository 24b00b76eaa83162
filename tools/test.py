"""Runs every check of the project: `make test`. The exit status is 1 if any of them failed.

    python tools/test.py           # all
    python tools/test.py --fast    # `make fast`: lint, types, quick tests, in less than a minute

The notebooks run beside the tests, each in a process of its own (nbval): all stored text must come
out again, but that of cells tagged `nbval-ignore-output`. A cell may run for 20 times what it took
when it was stored (cell_limits.py), or 600 s where that is not known. REQUIRE_BROWSER=1 makes a
missing browser a failure; without it the browser's tests are skipped and say so.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import axe
import browser
import notebook_file

ROOT = Path(__file__).resolve().parent.parent
RUFF = (sys.executable, "-m", "ruff")
PYTEST = (sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile")
LINT = {
    "lint": (*RUFF, "check", "--quiet", "."),
    "format": (*RUFF, "format", "--check", "--quiet", "."),
    "types": (sys.executable, "-m", "basedpyright", "-p", "pyproject.toml", "--level", "error"),
}
FAST = {**LINT, "tests": (*PYTEST, "tests", "-m", "not slow")}
ALL = {
    **LINT,
    "book": (sys.executable, "tools/book.py"),
    "tests": (
        *(*PYTEST, "tests", "book", "-rs", "--durations=5"),
        *("--nbval", "--nbval-current-env", "--nbval-cell-timeout=600"),
        "--nbval-kernel-startup-timeout=180",
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="lint, types and the quick tests alone")
    fast = parser.parse_args().fast
    start = time.perf_counter()
    if not fast:
        browser.main()
        axe.main()
    # Two processes of two threads each, on two cores, would be four times slower than of one.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    # A dozen processes import torch: let the first leave its compiled files to the others.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    notebook_file.make_font_cache()
    failed = []
    for name, command in (FAST if fast else ALL).items():
        print(f"\n== {name}", flush=True)
        if subprocess.run(command, cwd=ROOT, env=environment).returncode:
            failed.append(name)
    minutes = (time.perf_counter() - start) / 60
    print(
        f"\ntest: {'failed: ' + ', '.join(failed) if failed else 'all passed'}, {minutes:.1f} min"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
