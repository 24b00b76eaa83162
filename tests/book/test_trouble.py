"""The page of what goes wrong: its lines run, one block after another, and print what it says."""

import contextlib
import io
import re
from pathlib import Path

import torch

PAGE = (Path(__file__).resolve().parents[2] / "book" / "trouble.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?ms)^```(python|text)\n(.*?)^```", PAGE)


def test_each_symptom_has_its_cause_and_its_cure():
    symptoms = PAGE.split("\n## ")[1:]
    assert len(symptoms) >= 8
    for symptom in symptoms:
        name = symptom.splitlines()[0]
        for part in ("**You see**", "**Cause.**", "**Cure.**", "```python"):
            assert part in symptom, (name, part)


def test_the_lines_run_and_print_what_the_page_says():
    assert all(len(line) <= 72 for _, block in BLOCKS for line in block.splitlines())
    names: dict = {}
    pairs = zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True)
    with torch.random.fork_rng():
        for (kind, block), (next_kind, expected) in pairs:
            if kind == "python":
                said = io.StringIO()
                with contextlib.redirect_stdout(said):
                    exec(block, names)
                assert said.getvalue() == (expected if next_kind == "text" else "")
