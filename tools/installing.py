"""Runs what installs packages, and shows how far it is: for environment.py, on any Python from 3.6.

On a terminal one line moves; elsewhere a line comes every 20 seconds. What pip or uv says itself
is printed only when they fail.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import threading
import time

EVERY = 20  # seconds between two lines where the output is no terminal
TOLD = 25  # lines of one that failed


class Progress:
    """How far pip or uv is, by what they have said.

    Args:
        installed: gives the packages that are in place, as a set.
    """

    def __init__(self, installed):
        self.installed = installed
        self.before = installed()
        self.found = 0
        self.total = None  # how many are to be put in place, once that is known
        self.name = ""  # of the package that is being fetched

    def hear(self, line):
        """Takes in a line of their output."""
        collecting = re.match(r"\s*Collecting ([\w.-]+)", line)
        fetching = re.match(r"\s*Downloading (?:\S+/)?([^\s-]+)\S* (\(.*?\))", line)
        placing = re.match(r"\s*Installing collected packages: (.*)", line)
        placing_uv = re.match(r"\s*Prepared (\d+) packages?", line)
        if collecting:
            self.found, self.name = self.found + 1, collecting.group(1)
        elif fetching:
            self.name = " ".join(fetching.groups())
        elif placing:
            self.total = placing.group(1).count(",") + 1
        elif placing_uv:
            self.total = int(placing_uv.group(1))

    def __str__(self):
        if self.total is not None:
            placed = min(len(self.installed() - self.before), self.total)
            return f"{placed} of {self.total} packages in place"
        found = f"packages found: {self.found}" if self.found else ""
        return ", ".join(part for part in (found, self.name) if part)


def follow(command, title, venv):
    """Runs a command that changes a virtual environment and shows its progress.

    Returns whether it succeeded. Nothing of it is left running, also after an interruption.
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    progress, said = Progress(lambda: installed(venv)), []
    show = Line(title)
    try:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        show.end(f"failed: {error}")
        return False

    def listen():
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            said.append(line)
            progress.hear(line)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        while listener.is_alive():
            show.now(progress)
            listener.join(0.2)
        failed = process.wait() != 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    show.end("failed" if failed else "done")
    if failed:
        encoding = sys.stdout.encoding or "utf-8"
        text = "\n".join(said[-TOLD:])
        print(text.encode(encoding, "replace").decode(encoding), flush=True)
    return not failed


def installed(venv):
    """The packages in a virtual environment, by the folders that describe them."""
    places = ("lib/python*/site-packages", "Lib/site-packages")
    return {
        os.path.basename(path)
        for place in places
        for path in glob.glob(os.path.join(venv, place, "*.dist-info"))
    }


class Line:
    """One line that moves, or several where the output is no terminal."""

    def __init__(self, title):
        self.title, self.start = ".venv: " + title, time.time()
        self.moves = sys.stdout.isatty()
        self.next = self.start + EVERY
        self.width = 0  # of what stands on the terminal's line
        if not self.moves:
            print(self.title, flush=True)

    def now(self, progress):
        """Says how far it is, if it is time to say so."""
        if self.moves:
            self.write(str(progress), "\r")
        elif time.time() >= self.next:
            self.next += EVERY
            self.write(str(progress), "\n")

    def end(self, text):
        """The last of it."""
        if self.moves or text != "done":
            self.write(text, "\n")

    def write(self, text, end):
        told = [text, f"{time.time() - self.start:.0f} s"]
        line = f"{self.title}: {', '.join(part for part in told if part)}"
        columns = shutil.get_terminal_size().columns - 1 if self.moves else 200
        line = line[:columns]
        # What the line before had beyond the end of this one is wiped out.
        print(line.ljust(self.width) if self.moves else line, end=end, flush=True)
        self.width = len(line)
