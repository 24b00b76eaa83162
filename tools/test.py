"""Runs every check of the project: `make test`. The exit status is 1 if any of them failed.

The notebooks run beside the tests, each in a process of its own (nbval): all stored text must come
out again, but that of cells tagged `nbval-ignore-output`. A cell may run for 20 times what it took
when it was stored (cell_limits.py), or 600 s where that is not known. REQUIRE_BROWSER=1 makes a
missing browser a failure; without it the browser's tests are skipped and say so.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import browser
import notebook_file

ROOT = Path(__file__).resolve().parent.parent
RUFF = (sys.executable, "-m", "ruff")
STEPS = {
    "lint": (*RUFF, "check", "--quiet", "."),
    "format": (*RUFF, "format", "--check", "--quiet", "."),
    "book": (sys.executable, "tools/book.py"),
    "tests": (
        *(sys.executable, "-m", "pytest", "tests", "book", "-q", "-rs", "--durations=5"),
        *("--nbval", "--nbval-current-env", "--nbval-cell-timeout=600"),
        "--nbval-kernel-startup-timeout=180",
        *("-n", "2", "--dist", "loadfile"),
    ),
}


def main() -> int:
    start = time.perf_counter()
    browser.main()
    # Two processes of two threads each, on two cores, would be four times slower than of one.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    # A dozen processes import torch: let the first leave its compiled files to the others.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    notebook_file.make_font_cache()
    failed = []
    for name, command in STEPS.items():
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
