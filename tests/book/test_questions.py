"""The page of questions: what it tells to type, and what it says that one reads, is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "questions.md").read_text(encoding="utf-8")
PROGRAMS = [*(ROOT / "tools").glob("*.py"), *(ROOT / "tests").glob("*.py")]


def test_what_is_to_be_typed_is_there():
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    named = set(re.findall(r"`make ([a-z]+)`", PAGE))
    assert len(named) >= 6
    assert named <= targets
    programs = set(re.findall(r"(?:tools|book)/\w+\.(?:py|ipynb)", PAGE))
    assert len(programs) >= 5
    assert all((ROOT / path).is_file() for path in programs)


def test_what_is_said_to_be_read_is_what_the_programs_print():
    sources = " ".join(path.read_text(encoding="utf-8") for path in PROGRAMS)
    told = [
        line for block in re.findall(r"(?s)```text\n(.*?)```", PAGE) for line in block.split("\n")
    ]
    assert sum(map(bool, told)) >= 4
    assert all(line in sources for line in told)


def test_folders_and_settings_are_those_of_the_project():
    for path in ("data/maze", "data/speech", "checkpoints", "benchmarks/results"):
        assert f"`{path}`" in PAGE
        assert (ROOT / path).is_dir()
    package = " ".join(p.read_text(encoding="utf-8") for p in (ROOT / "vqvae_lite").rglob("*.py"))
    for name in ("VQVAE_LITE_DATA", "batch_size", "chunk", "precision", "--device", "--resume"):
        assert name in PAGE
        assert name in package
