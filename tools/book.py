"""Builds the book from the notebooks' stored outputs: `make book`. Any warning is a failure."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import api_pages

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "_build"


def main() -> int:
    start = time.perf_counter()
    print("book: building", flush=True)
    # From nothing: Sphinx does not repeat the warnings, nor remove the pages, of an earlier build.
    shutil.rmtree(BUILT, ignore_errors=True)
    BUILT.mkdir()
    api_pages.write()
    # On Windows it has a suffix.
    program = shutil.which("jupyter-book", path=str(Path(sys.executable).parent))
    build = subprocess.run(
        [program, "build", ".", "-W", "--keep-going"],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    (BUILT / "build.log").write_text(build.stdout, encoding="utf-8")
    if build.returncode:
        lines = build.stdout.splitlines()
        told = [line for line in lines if "WARNING" in line or "ERROR" in line]
        print(*(told or lines[-40:]), sep="\n")
        print("book: failed, as any warning counts; all that was said is in _build/build.log")
        return 1
    seconds = time.perf_counter() - start
    print(f"book: ready after {seconds:.0f} s: open _build/html/index.html, or `make serve`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
