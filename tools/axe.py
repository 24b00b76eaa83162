"""Fetches axe-core, with which the tests look at the pages, where npm is there: `make test` does.

    python tools/axe.py

Without npm, or where npm reaches no registry, those tests are skipped and say so.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "node_modules" / "axe-core" / "axe.min.js"
INSTALL = ("install", "--no-audit", "--no-fund", "--silent", "--fetch-retries=0")
SECONDS = 180  # npm may take


def install() -> None:
    """Installs what package.json names; says nothing of a failure."""
    npm = shutil.which("npm")
    if not npm:
        return
    print("axe: installing axe-core and eslint with npm", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        subprocess.run([npm, *INSTALL], cwd=ROOT, timeout=SECONDS, **quiet)
    except subprocess.TimeoutExpired:
        return


def main() -> int:
    if not SCRIPT.exists():
        install()
    print(f"axe: {SCRIPT if SCRIPT.exists() else 'none: its tests are skipped'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
