"""Writes the book's page of results, the README's five rows of it, and the costs in book/scale.md.

    python tools/results_page.py

Every number but the paper's own comes out of benchmarks/results; a test compares the page with
them. The page links to files as GitHub does, so that it can be read there as well.
"""

import json
import sys
from pathlib import Path

from results_rows import CHAPTERS, CLAIMS, GROUPS, README_ROWS, Row
from results_told import costs_at_scale

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "book" / "results.md"
README = ROOT / "README.md"
SCALE = ROOT / "book" / "scale.md"
COSTS = "| step | a picture, measured | a billion, extrapolated |"
HEAD = "| what | measured | chapter | file |"


def read() -> dict[str, dict]:
    """The results files, by name."""
    paths = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def chapters(numbers: tuple[int, ...], folder: str) -> str:
    return ", ".join(f"[{number}]({folder}{CHAPTERS[number]}.ipynb)" for number in numbers)


def row(entry: Row, files: dict[str, dict], book: str, results: str) -> str:
    """A line of a table; `book` and `results` are the ways from the page to those folders."""
    where = f"[{entry.file}.json]({results}{entry.file}.json)"
    told = entry.measured(files[entry.file])
    return f"| {entry.what} | {told} | {chapters(entry.chapters, book)} | {where} |"


def claim_table(files: dict[str, dict]) -> list[str]:
    lines = ["| the paper | here | reached? | chapter |", "|---|---|---|---|"]
    for claim in CLAIMS:
        here = claim.here(*(files[name] for name in claim.files))
        where = chapters(claim.chapters, "")
        lines.append(f"| {claim.paper} | {here} | {claim.reached} | {where} |")
    return lines


def source_table(files: dict[str, dict]) -> list[str]:
    """Where each file comes from: command, commit and machine."""
    lines = ["| file | command | commit | machine |", "|---|---|---|---|"]
    for name, content in files.items():
        machine = content["machine"]
        threads = f"{machine['threads']} thread{'s' * (machine['threads'] > 1)}"
        device = machine["gpu"] or f"{machine['processor']}, {machine['cores']} cores, {threads}"
        versions = f"Python {machine['python']}, torch {machine['torch']}"
        link = f"[{name}.json](../benchmarks/results/{name}.json)"
        command, commit = content["command"], content["commit"]
        lines.append(f"| {link} | `{command}` | `{commit}` | {device}; {versions} |")
    return lines


def page(files: dict[str, dict]) -> str:
    """The whole page."""
    text = [INTRODUCTION, *claim_table(files), "", MEASURED]
    for title, entries in GROUPS.items():
        rows = [row(entry, files, "", "../benchmarks/results/") for entry in entries]
        text += [f"### {title}", "", HEAD, "|---|---|---|---|", *rows, ""]
    return "\n".join([*text, SOURCES, *source_table(files), ""])


def readme_rows(files: dict[str, dict]) -> list[str]:
    entries = [entry for group in GROUPS.values() for entry in group]
    chosen = [next(e for e in entries if e.what == what) for what in README_ROWS]
    return [row(entry, files, "book/", "benchmarks/results/") for entry in chosen]


def readme(files: dict[str, dict], text: str) -> str:
    """The README with the rows as they are now."""
    before, head, after = text.partition(HEAD + "\n|---|---|---|---|\n")
    return before + head + "\n".join(readme_rows(files)) + "\n\n" + after.partition("\n\n")[2]


def scale(files: dict[str, dict], text: str) -> str:
    """The page of a billion pictures with what each step costs as it is now."""
    before, head, after = text.partition(COSTS + "\n|---|---|---|\n")
    rows = costs_at_scale(files["scale"])
    return before + head + "\n".join(rows) + "\n\n" + after.partition("\n\n")[2]


INTRODUCTION = """\
# Results

This page lists what the paper claims, what came out here, and everything that was measured on the
way. A program writes its numbers from the results files; only the paper's own are typed in. The
chapters say what the numbers mean, and what they do not.

## The paper's claims

Our models are small. Most were trained on two processor cores; the VQ-VAE of the mazes' frames, its
second stages and the models of films, in minutes on one GPU. The paper's are larger, and were
trained for longer and on more data. "Reached" means that the same thing can be seen and measured
here, not that the values agree.
"""

MEASURED = """\
## All that was measured

Unless a row says otherwise, a number comes from one training, and how much another seed would
change it is not known. Nothing was chosen by its result on test data.
"""

SOURCES = """\
## Where each file comes from

The commands are to be run at the top of the repository. A commit that ends in `-dirty` stands for
files with changes that had not been committed when the results were written.
"""


def main() -> int:
    files = read()
    PAGE.write_text(page(files), encoding="utf-8")
    SCALE.write_text(scale(files, SCALE.read_text(encoding="utf-8")), encoding="utf-8")
    README.write_text(readme(files, README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
