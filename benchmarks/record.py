"""How a benchmark runs, and what every results file says beside its figures."""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
# What is measured is the package of this checkout, also where another one is installed, or none:
# so this module is imported before those that import the package (isort's force-to-top).
sys.path.insert(0, str(ROOT))


def run(main: Callable[[], tuple[str, dict] | None]) -> None:
    """Runs a benchmark and writes `benchmarks/results/NAME.json`.

    Args:
        main: reads the command line; gives the file's name and what was measured, as JSON, or None
            where there is nothing to write.
    """
    if result := main():
        print(f"written to {write_result(*result)}")


def without_options(doc: str | None) -> None:
    """Reads the command line of a benchmark that takes nothing: --help says what it measures."""
    argparse.ArgumentParser(description=(doc or "").splitlines()[0]).parse_args()


def write_result(name: str, figures: dict, folder: Path | None = None) -> Path:
    """Writes the figures, and beside them the command that made them, commit and machine."""
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    result = {"command": command, "commit": commit(), "machine": machine(), **figures}
    path = (folder or RESULTS) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8", newline="\n")
    return path


def commit() -> str:
    """Of this checkout, with "-dirty" where something in it has changed since."""
    described = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(described, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def percent(share: float) -> float:
    return round(100 * share, 2)


def over_seeds(each: list[Any], digits: int = 5) -> Any:
    """The means of figures that several seeds have, in dictionaries of one form; None stays."""
    if isinstance(each[0], dict):
        return {name: over_seeds([one[name] for one in each], digits) for name in each[0]}
    return None if each[0] is None else round(statistics.fmean(each), digits)


def machine() -> dict:
    """Processor, cores, threads and versions."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line
            for line in cpuinfo.read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ]
        processor = names[0].partition(": ")[2] if names else processor
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
