"""Files of codes changed at random: what is read is right, or one line names the file."""

import copy
import json
import random
import zipfile
from pathlib import Path

import pytest

from test_codefile import (
    BEFORE,
    ITEMS,
    KINDS,
    SOUND,
    SOUND_TODAY,
    TODAY,
    VIDEO,
    VIDEO_TODAY,
    everything,
    written,
    written_now,
)
from test_codefile import NOW as IMAGES
from test_codefile import THEN as IMAGES_THEN
from vqvae_lite.codefile import read_codes, write_codes

VALUES = [
    *(None, True, False, 0, -1, 1, 2, 3, 4, 8, 16, 2**31, 2**62, 2**63, 10**30, 1e30, 0.5),
    *(float("inf"), float("nan"), "", "a", "images", "sound", "video", "x" * 5000, [], {}),
    *([[]], [1], [2, 4], [4, 2], [-2, -4], ["a", "b"], [None, None], {"a": 1}, [2**40, 2**40]),
    "vqvae-lite codes 1",
]


def places(value, way=()):
    """Where in a header something stands: the header itself, and all that it holds."""
    yield way
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*way, key))


def changed(value, chance):
    """A header with one thing taken away, added, doubled, swapped, or another."""
    value = copy.deepcopy(value)
    *above, last = chance.choice([way for way in places(value) if way])
    holder = value
    for key in above:
        holder = holder[key]
    kind = chance.randrange(5)
    if kind == 0:
        del holder[last]
    elif kind == 1 and isinstance(holder, dict):
        holder[chance.choice(["hop", "shape", "names", "more", "other"])] = chance.choice(VALUES)
    elif kind == 2 and isinstance(holder, list):
        holder.insert(last, chance.choice([holder[last], *VALUES]))
    elif kind == 3 and isinstance(holder, list):
        holder.reverse()
    else:
        holder[last] = chance.choice(VALUES)
    return value


def mutants(path, seed, count):
    """Writes one changed file after another; says of each whether it may differ if it is read."""
    chance = random.Random(seed)
    now = Path(f"{path}.now")
    whole = []
    for source in sorted(BEFORE.iterdir()):
        whole.append(source.read_bytes())
        write_codes(now, read_codes(source, *KINDS))
        whole.append(now.read_bytes())
    now.unlink()
    old, today = [IMAGES, IMAGES_THEN, SOUND, VIDEO], [TODAY, SOUND_TODAY, VIDEO_TODAY]
    for _ in range(count):
        kind = chance.randrange(6)
        before = None
        if kind < 3:
            content = bytearray(chance.choice(whole))
            path.write_bytes(content)
            before = everything(read_codes(path, *KINDS))
            if kind == 0:
                del content[chance.randrange(len(content)) :]
            elif kind == 1:
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            else:
                start = chance.randrange(len(content))
                content[start : start + chance.randrange(1, 9)] = chance.randbytes(4)
            path.write_bytes(content)
        elif kind == 3:
            written(path, json.dumps(changed(chance.choice(old), chance)))
        else:
            header = chance.choice(today)
            items = ITEMS[header["kind"]]
            if kind == 4:  # as an editor of zips would leave it: the digest is the one before
                with zipfile.ZipFile(written_now(path, header, items)) as archive:
                    header = json.loads(archive.read("header.json"))
                before = everything(read_codes(path, *KINDS))
            if chance.randrange(2):
                header = changed(header, chance)
            else:
                items = changed(items, chance)
            written_now(path, header, items)
        yield before


def outcome(path, before):
    """What comes of reading a changed file: "clear", "right", or what is wrong about it."""
    try:
        file = read_codes(path, *KINDS)
        found = everything(file)  # all of its codes too
    except ValueError as error:
        text = str(error)
        clear = text.startswith(f"{path} cannot be read as a file of codes: ")
        return "clear" if clear and len(text.splitlines()) == 1 and len(text) < 500 else text
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if before is not None:
        return "right" if found == before else "read as something else"
    return "right" if len(file.names) == len(file.codes) else "names and codes do not fit"


@pytest.mark.parametrize("seed", range(4))
def test_changed_files_are_read_right_or_refused_in_one_line(seed, tmp_path):
    path = tmp_path / "changed.codes"
    found = [outcome(path, before) for before in mutants(path, seed, 60)]
    assert {"clear"} <= set(found) <= {"clear", "right"}
