"""Checkpoints that something happened to: seeded, each another."""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

VALUES = (
    None, True, False, 0, -1, 3, 10**6, 10**9, 10**12, 10**15, 10**30, -10**30, 0.5, 1e300,
    float("nan"), float("inf"), "", "x", "\ud800", [], [3], ["a"], {}, {"a": 1}, [[[]]],
)  # fmt: skip


def mutants(whole: Path, folder: Path, count: int, seed: int) -> Iterator[tuple[str, Path]]:
    """Copies of a checkpoint with one thing changed, and what: a byte, an end, a field.

    Args:
        whole: the checkpoint.
        folder: where each copy is made, in the place of the one before.
        count: how many.
        seed: of the changes.
    """
    chance = random.Random(seed)
    for _ in range(count):
        copy = folder / "mutant"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(whole, copy)
        file = chance.choice(sorted(copy.iterdir()))
        if file.suffix == ".json" and chance.random() < 0.7:
            yield _with_another_field(file, chance), copy
        else:
            yield _with_other_bytes(file, chance), copy


def _with_another_field(file: Path, chance: random.Random) -> str:
    config = json.loads(file.read_text(encoding="utf-8"))
    inside, path = config, []
    while True:
        key = chance.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        path.append(key)
        deeper = isinstance(inside[key], dict | list) and inside[key]
        if not deeper or chance.random() < 0.2:
            break
        inside = inside[key]
    if chance.random() < 0.2:
        del inside[key]
        value = "taken away"
    else:
        inside[key] = value = chance.choice(VALUES)
    file.write_text(json.dumps(config), encoding="utf-8")
    return f"{'/'.join(map(str, path))}: {value!r}"


def _with_other_bytes(file: Path, chance: random.Random) -> str:
    content = bytearray(file.read_bytes())
    # The first bytes of a file say what is in the rest of it.
    place = chance.randrange(len(content) if chance.random() < 0.5 else min(len(content), 400))
    change = chance.choice(["bit", "byte", "cut", "more", "doubled"])
    if change == "bit":
        content[place] ^= 1 << chance.randrange(8)
    elif change == "byte":
        content[place] = chance.randrange(256)
    elif change == "cut":
        del content[place:]
    elif change == "more":
        content[place:place] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
    else:
        content[place:place] = content[place : place + 50]
    file.write_bytes(content)
    return f"{file.name}: {change} at {place}"
