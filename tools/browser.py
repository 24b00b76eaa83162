"""Finds a Chromium or Chrome for the tests of the built book, or installs Debian's.

    python tools/browser.py            # prints where it is; installs one as root on Debian

CHROMIUM=/path/to/chrome names another one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/opt/google/chrome/chrome",
    "/snap/bin/chromium",
)


def find() -> str | None:
    """The path of a browser that starts, or None."""
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), *PLACES]
    return next((path for path in candidates if path and starts(path)), None)


def starts(path: str) -> bool:
    """Whether a program is a browser: Ubuntu has a `chromium` that only points to a snap."""
    try:
        result = subprocess.run([path, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0 and b"Chrom" in result.stdout


def install() -> None:
    """Installs Debian's Chromium, where this is Debian and we are root; else does nothing."""
    system = Path("/etc/os-release")
    debian = system.exists() and "\nID=debian\n" in "\n" + system.read_text(encoding="utf-8") + "\n"
    if not (debian and os.geteuid() == 0 and shutil.which("apt-get")):
        return
    print("browser: none found; installing Debian's chromium", flush=True)
    quiet = {
        "stdout": subprocess.DEVNULL,
        "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    }
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    subprocess.run(["apt-get", "install", "-y", "-qq", "chromium", "fonts-dejavu-core"], **quiet)


def main() -> int:
    if not find():
        install()
    browser = find()
    print(f"browser: {browser or 'none found: the browser tests cannot run'}")
    return 0 if browser else 1


if __name__ == "__main__":
    sys.exit(main())
