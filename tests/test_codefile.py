"""Files of codes: what goes in comes out, what was written before reads, damage is named."""

import dataclasses
import json
import math
import os
import pickle
import random
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vqvae_lite import codefile
from vqvae_lite.codefile import ImageCodes, check_room_for, read_codes, write_codes
from vqvae_lite.data.packed import PackedCodes
from vqvae_lite.sound.coding import SoundCodes
from vqvae_lite.video.coding import VideoCodes

BEFORE = Path(__file__).parent / "data" / "codes"
KINDS = (ImageCodes, SoundCodes, VideoCodes)
MODEL = "0123456789ab"
ZIP = zipfile.ZIP_DEFLATED
INF, NAN = float("inf"), float("nan")
NOISE = random.Random(0).randbytes(2**20).hex()  # which deflates to no less than half


def ramp(*shape, num_codes, first=0):
    """The codes in the files of before: every seventh in turn, from the one numbered `first`."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count) + first) * 7 % num_codes).view(shape)


def same(codes, expected):
    return [row.tolist() for row in codes] == [row.tolist() for row in expected]


def test_files_of_images_written_before_still_read():
    file = read_codes(BEFORE / "images.codes", ImageCodes)
    assert same(file.codes, ramp(3, 4, 5, num_codes=20))
    assert (file.num_codes, file.model) == (20, MODEL)
    assert file.names == ["a.png", "b.jpg", "sub/ü.png"]
    file = read_codes(BEFORE / "images_of_two_codebooks.codes", ImageCodes)
    assert same(file.codes, ramp(2, 2, 3, 4, num_codes=512))
    assert (file.num_codes, file.names, file.model) == (512, ["a.png", "b.jpg"], MODEL)


def test_a_file_of_sound_written_before_still_reads():
    file = read_codes(BEFORE / "sound.codes", SoundCodes)
    lengths = [(1, 0), (3, 1), (8, 4)]
    assert same(file.codes, [ramp(count, num_codes=300, first=at) for count, at in lengths])
    assert (file.num_codes, file.hop, file.rate, file.model) == (300, 64, 8000, MODEL)
    assert (file.names, file.speakers) == (["a", "b/c", "d"], ["ann", "", "bob"])
    assert file.lengths == [1, 192, 449]


@pytest.mark.parametrize("actions", [True, False])
def test_a_file_of_clips_written_before_still_reads(actions):
    name = "video.codes" if actions else "video_without_actions.codes"
    file = read_codes(BEFORE / name, VideoCodes)
    assert same(file.codes, [ramp(3, 2, 3, num_codes=10), ramp(2, 2, 3, num_codes=10, first=18)])
    assert (file.num_codes, file.names, file.model) == (10, ["one", "two"], MODEL)
    assert file.source == ("mazes" if actions else "")
    if actions:
        assert same(file.actions, [torch.tensor([0, 2]), torch.tensor([1])])
        assert file.action_names == ["left", "right", "on"]
    else:
        assert file.actions is None
        assert file.action_names is None


def everything(file):
    """All that a file holds, to compare it."""
    plain = {**vars(file), "kind": type(file)}
    for name in ("codes", "actions"):
        if plain.get(name) is not None:
            plain[name] = [(row.dtype, row.tolist()) for row in plain[name]]
    return plain


@st.composite
def files(draw):
    """Files of codes of every kind, of any shapes and K that the kind may have."""
    kind = draw(st.sampled_from(KINDS))
    num_codes = draw(st.one_of(st.integers(1, 20), st.integers(1, 2**62)))
    few = st.integers(1, 4)
    if kind is ImageCodes:
        shapes = draw(few) * [tuple(draw(st.lists(few, min_size=2, max_size=3)))]
    elif kind is SoundCodes:
        shapes = [(length,) for length in draw(st.lists(few, min_size=1, max_size=4))]
    else:
        height, width = draw(few), draw(few)
        shapes = [(length, height, width) for length in draw(st.lists(few, min_size=1, max_size=4))]
    codes = [
        torch.tensor(
            draw(
                st.lists(
                    st.integers(0, num_codes - 1), min_size=(n := math.prod(shape)), max_size=n
                )
            )
        ).view(shape)
        for shape in shapes
    ]
    texts = st.lists(st.text(max_size=4), min_size=len(shapes), max_size=len(shapes))
    more = {}
    if kind is SoundCodes:
        hop = draw(st.integers(1, 100))
        lengths = [hop * len(row) - draw(st.integers(0, hop - 1)) for row in codes]
        more = {"hop": hop, "rate": draw(few), "speakers": draw(texts), "lengths": lengths}
    elif kind is VideoCodes:
        more = {"actions": None, "action_names": None, "source": draw(st.text(max_size=4))}
        if draw(st.booleans()):
            more["action_names"] = draw(st.lists(st.text(max_size=3), min_size=1, max_size=3))
            number = st.integers(0, len(more["action_names"]) - 1)
            more["actions"] = [
                torch.tensor(
                    draw(st.lists(number, min_size=len(clip) - 1, max_size=len(clip) - 1)),
                    dtype=torch.int64,
                )
                for clip in codes
            ]
    return kind(codes, num_codes, draw(texts), draw(st.text(max_size=12)), **more)


@settings(max_examples=150)
@given(files())
def test_what_goes_in_comes_out(tmp_path_factory, file):
    path = tmp_path_factory.getbasetemp() / "any.codes"
    assert write_codes(path, file) == path.stat().st_size
    assert everything(read_codes(path, *KINDS)) == everything(file)
    wanted = [kind for kind in KINDS if kind is not type(file)]
    with pytest.raises(
        ValueError, match=f"any.codes cannot .*: it holds codes of '{file.kind}', not of"
    ):
        read_codes(path, *wanted)


SAMPLES = {path.name: path.read_bytes() for path in sorted(BEFORE.iterdir())}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Files of before and of now, as bytes."""
    found = dict(SAMPLES)
    for name in SAMPLES:
        path = tmp_path_factory.mktemp("samples") / name
        write_codes(path, read_codes(BEFORE / name, *KINDS))
        found[f"new {name}"] = path.read_bytes()
    return found


@settings(max_examples=400)
@given(data=st.data())
def test_damage_is_named_or_does_no_harm(data, samples, tmp_path_factory):
    content = bytearray(samples[data.draw(st.sampled_from(sorted(samples)))])
    path = tmp_path_factory.getbasetemp() / "damaged.codes"
    path.write_bytes(content)
    whole = everything(read_codes(path, *KINDS))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = read_codes(path, *KINDS)
    except ValueError as error:
        message = str(error)
        assert message.startswith(f"{path} cannot be read as a file of codes: ")
        assert len(message.splitlines()) == 1
    else:
        assert everything(found) == whole


def written_now(path, header, items, packed=b"\0\0"):
    """As `written`, in today's format: items are lines of JSON, and the digest fits."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("codes.bin", packed)
        lines = (item if isinstance(item, str) else json.dumps(item) for item in items)
        archive.writestr("items.txt", "".join(f"{line}\n" for line in lines), ZIP)
        if "digest" not in header:
            header = {**header, "digest": codefile._digest(header, archive)}
        archive.writestr("header.json", json.dumps(header), ZIP)
    return path


def written(path, header, packed=None, **options):
    """A file of codes as its header says, whatever that is; strings are JSON already."""
    text = header if isinstance(header, str) else json.dumps(header)
    options = {"compress_type": zipfile.ZIP_DEFLATED, **options}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("codes.bin", b"\0\0" if packed is None else packed)
        archive.writestr("header.json", text, **options)
    return path


# 16 codes of 1 bit each: two images of 2x4, as they are written now and as they were.
TODAY = {
    "format": "vqvae-lite codes 3",
    "kind": "images",
    "num_codes": 2,
    "model": "m",
    "shape": [2, 4],
    "more": {},
    "count": 2,
}
SOUND_TODAY = {**TODAY, "kind": "sound", "shape": [], "more": {"hop": 4, "rate": 8000}}
VIDEO_TODAY = {
    **TODAY,
    "kind": "video",
    "shape": [2, 2],
    "more": {"action_names": ["x", "y"], "source": ""},
}
ITEMS = {
    "images": [["a"], ["b"]],
    "sound": [["a", 8, "", 32], ["b", 8, "x", 29]],
    "video": [["a", 2, [0]], ["b", 2, [1]]],
}
NOW = {
    "format": "vqvae-lite codes 2",
    "kind": "images",
    "num_codes": 2,
    "names": ["a", "b"],
    "model": "m",
    "shapes": [[2, 4], [2, 4]],
    "more": {},
}
THEN = {
    "format": "vqvae-lite codes 1",
    "num_codes": 2,
    "names": ["a", "b"],
    "model": "m",
    "shape": [2, 2, 4],
}
SOUND = {
    **NOW,
    "kind": "sound",
    "shapes": [[8], [8]],
    "more": {"hop": 4, "rate": 8000, "speakers": ["", "x"], "lengths": [32, 29]},
}
VIDEO = {
    **NOW,
    "kind": "video",
    "shapes": [[2, 2, 2], [2, 2, 2]],
    "more": {"actions": [[0], [1]], "action_names": ["x", "y"], "source": ""},
}


@pytest.mark.parametrize("header", [NOW, THEN, SOUND, VIDEO])
def test_headers_that_the_next_tests_spoil_are_good(header, tmp_path):
    file = read_codes(written(tmp_path / "x", header), *KINDS)
    assert sum(codes.numel() for codes in file.codes) == 16


@pytest.mark.parametrize(
    ("header", "change", "message"),
    [
        (NOW, {"num_codes": INF}, "num_codes must be int, got inf"),
        (NOW, {"num_codes": True}, "num_codes must be int, got True"),
        (NOW, {"num_codes": "2"}, "num_codes must be int, got '2'"),
        (NOW, {"num_codes": 0}, "num_codes must be in"),
        (NOW, {"num_codes": 2**62 + 1}, "num_codes must be in"),
        (NOW, {"num_codes": 3}, "16 codes of 2 bits need 4 bytes, got 2"),
        (NOW, {"names": "ab"}, "names must be strings, got 'ab'"),
        (NOW, {"names": ["a", ["b"]]}, "names must be strings"),
        (NOW, {"names": ["a"]}, "names must be 2 strings, got 1"),
        (NOW, {"model": 5}, "model must be strings"),
        (NOW, {"shapes": [[-2, -4], [2, 4]]}, "a shape must be in"),
        (NOW, {"shapes": [[2.0, 4], [2, 4]]}, "a shape must be int, got 2.0"),
        (NOW, {"shapes": [[True, 8], [True, 8]]}, "a shape must be int, got True"),
        (NOW, {"shapes": [[3, 2], [5, 2]]}, "images must have maps of one shape, got"),
        (NOW, {"shapes": [[8], [8]]}, r"cannot have the shape \(8,\)"),
        (NOW, {"shapes": [[2, 2, 1, 2]] * 2}, r"cannot have the shape \(2, 2, 1, 2\)"),
        (NOW, {"shapes": []}, "maps of one shape, got none"),
        (NOW, {"shapes": 5}, "cannot be read as a file of codes"),
        (NOW, {"shapes": ["24", "24"]}, "a shape must be a list of ints, got '24'"),
        (NOW, {"shapes": [[2, 4]] * 3}, "names must be 3 strings, got 2"),
        (NOW, {"shapes": [[2, 5]] * 2}, "20 codes of 1 bits need 3 bytes, got 2"),
        (NOW, {"hop": 4}, "the header has no .'hop'."),
        (NOW, {"more": {"rate": 1}}, "more has no .'rate'."),
        (SOUND, {"speakers": ["", "x"]}, "the header has no .'speakers'."),
        (NOW, {"shapes": [[2**40, 2**40]] * 2}, "bits need .* bytes, got 2"),
        (NOW, {"shapes": [[2, 1]] * 2}, "codes.bin must have at most 1 bytes by method 0, got 2"),
        (NOW, {"format": "vqvae-lite codes 3"}, "its format is 'vqvae-lite codes 3', not"),
        (NOW, {"format": ["vqvae-lite codes 2"]}, "unhashable"),
        (SOUND, {"more": 5}, "not subscriptable"),
        (SOUND, {"more": {**SOUND["more"], "rate": 10**12}}, r"rate must be in \[1, 2147483647\]"),
        (THEN, {"shape": [-2, -2, 4]}, "shape must be in"),
        (THEN, {"shape": [3, 2, 4]}, "names must be 3 strings, got 2"),
        (THEN, {"shape": [16]}, r"names must be 16 strings, got 2"),
        (THEN, {"shape": [10**15, 2, 4]}, "names must be 1000000000000000 strings, got 2"),
        (THEN, {"shape": []}, "not enough values to unpack"),
        (THEN, {"hop": 4}, "more has no .'hop'."),
        (THEN, {"num_codes": NAN}, "num_codes must be int, got nan"),
        (SOUND, {"more": {**SOUND["more"], "hop": 8}}, "as many hops of 8 as there are codes"),
        (SOUND, {"more": {**SOUND["more"], "hop": 0}}, "hop must be in"),
        (SOUND, {"more": {**SOUND["more"], "lengths": [INF, 29]}}, "lengths must be int, got inf"),
        (SOUND, {"more": {"hop": 4, "rate": 8000, "lengths": [32, 29]}}, "it lacks 'speakers'"),
        (
            VIDEO,
            {"more": {**VIDEO["more"], "actions": [[0], [2]]}},
            r"actions must lie in \[0, 2\)",
        ),
        (VIDEO, {"more": {**VIDEO["more"], "actions": [[0], [-1]]}}, "actions must be in"),
        (VIDEO, {"more": {**VIDEO["more"], "actions": [[0], [True]]}}, "actions must be int"),
        (VIDEO, {"more": {**VIDEO["more"], "actions": [[0]]}}, "actions must be of 2 clips, got 1"),
        (VIDEO, {"more": {**VIDEO["more"], "action_names": "xy"}}, "action_names must be strings"),
    ],
)
def test_what_a_header_cannot_say(header, change, message, tmp_path):
    path = written(tmp_path / "bad.codes", {**header, **change})
    with pytest.raises(ValueError, match=message) as caught:
        read_codes(path, *KINDS)
    assert str(caught.value).startswith(f"{path} cannot be read as a file of codes: ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("header", [TODAY, SOUND_TODAY, VIDEO_TODAY])
def test_headers_and_items_that_the_next_tests_spoil_are_good(header, tmp_path):
    file = read_codes(written_now(tmp_path / "x", header, ITEMS[header["kind"]]), *KINDS)
    assert (file.kind, sum(codes.numel() for codes in file.codes)) == (header["kind"], 16)
    with pytest.raises(ValueError, match="do not fit each other: it was changed"):
        read_codes(
            written_now(tmp_path / "x", {**header, "digest": ""}, ITEMS[header["kind"]]), *KINDS
        )


IMAGES, SPOKEN, FILMED = (ITEMS[name] for name in ("images", "sound", "video"))


@pytest.mark.parametrize(
    ("header", "items", "message"),
    [
        ({**TODAY, "num_codes": INF}, IMAGES, "num_codes must be int, got inf"),
        ({**TODAY, "num_codes": 4}, IMAGES, "16 codes of 2 bits need 4 bytes, got 2"),
        ({**TODAY, "model": 5}, IMAGES, "model must be strings"),
        ({**TODAY, "shape": [2, True]}, IMAGES, "a shape must be int, got True"),
        ({**TODAY, "shape": [-2, -4]}, IMAGES, "a shape must be in"),
        ({**TODAY, "shape": [8]}, IMAGES, r"cannot have the shape \(8,\)"),
        ({**TODAY, "shape": 8}, IMAGES, "cannot be read"),
        ({**TODAY, "shape": [2**40, 2**40]}, IMAGES, "codes of 1 bits need .* bytes, got 2"),
        ({**TODAY, "count": 3}, IMAGES, "names must be 3 strings, got 2"),
        ({**TODAY, "count": True}, IMAGES, "count must be int"),
        ({**TODAY, "more": {"rate": 1}}, IMAGES, "more has no .'rate'."),
        ({**TODAY, "names": ["a"]}, IMAGES, "the header has no .'names'."),
        ({**TODAY, "format": "vqvae-lite codes 2"}, IMAGES, "its format is 'vqvae-lite codes 2'"),
        ({**TODAY, "kind": "films"}, IMAGES, "it holds codes of 'films', not of images or"),
        ({**TODAY, "kind": "sound"}, IMAGES, "it lacks 'hop'"),
        (TODAY, [["a"], [5]], "names must be strings"),
        (TODAY, [["a"], "b"], "Expecting value"),
        (TODAY, [["a"], {"b": 1}], "an item must be a list of 1, got {'b': 1}"),
        (TODAY, [["a"], ["b", 1]], "an item must be a list of 1, got .'b', 1."),
        (TODAY, [["a"], "[" * 10**5], "it nests too deeply"),
        (TODAY, [["a"], ["b" * 2**22]], "items.txt must have at most .* bytes by method 8, got 4"),
        (TODAY, [["a"], [NOISE]], "an item has more than 1048576 bytes"),
        (SOUND_TODAY, [["a", 7, "", 32], ["b", 9, "x", 29]], "as many hops of 4"),
        (SOUND_TODAY, [["a", 8, "", INF], ["b", 8, "x", 29]], "lengths must be int, got inf"),
        (SOUND_TODAY, [["a", -8, "", 32], ["b", 24, "x", 29]], "lengths must be in"),
        (SOUND_TODAY, [["a", 8, None, 32], ["b", 8, "x", 29]], "speakers must be strings"),
        (VIDEO_TODAY, [["a", 2, [0]], ["b", 2, [2]]], r"actions must lie in \[0, 2\)"),
        (VIDEO_TODAY, [["a", 2, [0]], ["b", 2, None]], "actions must be a list of ints, got None"),
        (VIDEO_TODAY, [["a", 1, []], ["b", 3, [1]]], "actions must have the shape"),
        (
            {**VIDEO_TODAY, "more": {"action_names": None, "source": ""}},
            FILMED,
            "must be given together",
        ),
    ],
)
def test_what_todays_headers_and_items_cannot_say(header, items, message, tmp_path):
    path = written_now(tmp_path / "bad.codes", header, items)
    with pytest.raises(ValueError, match=message) as caught:
        read_codes(path, *KINDS)
    assert str(caught.value).startswith(f"{path} cannot be read as a file of codes: ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("header", [NOW, THEN, SOUND, VIDEO])
def test_whatever_is_missing_from_a_header_is_missed(header, tmp_path):
    for name in header:
        short = {key: value for key, value in header.items() if key != name}
        if header is NOW and name == "more":  # images have no more
            continue
        # A list of shapes, or a mapping of more, that is not there is looked for as before.
        with pytest.raises(ValueError, match=f"it lacks '({name}|shape|hop|actions)'"):
            read_codes(written(tmp_path / "x", short), *KINDS)


@pytest.mark.parametrize("text", ["[" * 10**5, "{", "5", "[]", '{"format": 1}', "", "null"])
def test_a_header_that_is_none(text, tmp_path):
    with pytest.raises(ValueError, match="cannot be read as a file of codes: .") as caught:
        read_codes(written(tmp_path / "x", text), *KINDS)
    assert len(str(caught.value)) < 300


def test_a_header_too_large_for_the_memory(tmp_path, monkeypatch):
    def full(text):
        raise MemoryError

    monkeypatch.setattr(json, "loads", full)
    with pytest.raises(
        ValueError, match="x cannot be read as a file of codes: it needs more memory"
    ):
        read_codes(written(tmp_path / "x", json.dumps(NOW)), *KINDS)


def test_zips_that_are_none_of_ours(tmp_path):
    path = tmp_path / "x"
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        written(path, NOW, compress_type=method)
        with pytest.raises(
            ValueError, match="x cannot be read as a file of codes: .*header.json must have"
        ):
            read_codes(path, *KINDS)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("else.txt", "nothing")
    with pytest.raises(
        ValueError, match="x cannot be read as a file of codes: .*it lacks 'header.json'"
    ):
        read_codes(path, *KINDS)
    content = written(path, NOW).read_bytes()
    at = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
    # Of the header's entry in the directory: what it needs, how it is kept, how it is compressed.
    for offset, value, message in [(6, 99, "version"), (8, 1, "encrypted"), (10, 99, "method 99")]:
        path.write_bytes(content[: at + offset] + bytes([value]) + content[at + offset + 1 :])
        with pytest.raises(ValueError, match=f"x cannot be read as a file of codes: .*{message}"):
            read_codes(path, *KINDS)


@pytest.mark.parametrize("size", [2000, 2**63])
def test_codes_that_are_said_to_be_more_than_there_are(size, tmp_path):
    with zipfile.ZipFile(tmp_path / "x", "w") as archive:
        member = zipfile.ZipInfo("codes.bin")
        member.extra = struct.pack("<HHQQ", 1, 16, size, size)
        archive.writestr(member, b"\0\0")
        header = json.dumps({**NOW, "shapes": [[8, size // 2]] * 2})
        archive.writestr("header.json", header, zipfile.ZIP_DEFLATED)
    content = bytearray((tmp_path / "x").read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 20 : at + 28] = b"\xff" * 8  # its two sizes: see the extra field
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match="x cannot be read as a file of codes: ."):
        read_codes(tmp_path / "x", *KINDS)


@pytest.mark.parametrize("honest", [True, False])
def test_a_bomb_does_not_go_off(honest, tmp_path, monkeypatch):
    """A small file whose header would fill the memory, whether it says so or not."""
    monkeypatch.setenv("VQVAE_LITE_MAX_NAMES", "1000")
    loads = []
    monkeypatch.setattr(json, "loads", lambda text: loads.append(text) or {})
    path = written(tmp_path / "x", " " * 10**6)
    if not honest:
        content = path.read_bytes()
        at = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1) + 24
        path.write_bytes(content[:at] + (500).to_bytes(4, "little") + content[at + 4 :])
    with pytest.raises(
        ValueError,
        match="it holds 1,000,000 bytes of names, more than 1,000: " if honest else "CRC",
    ):
        read_codes(path, *KINDS)
    assert not loads
    with pytest.raises(ValueError, match="too many for one file of codes: .*more than 1,000"):
        write_codes(tmp_path / "y", ImageCodes([torch.zeros(1, 1).long()], 2, ["a" * 1000], "m"))
    assert sorted(tmp_path.iterdir()) == [path]


ONE = ImageCodes([torch.zeros(3, 3).long()], 4, ["a"], "m")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"num_codes": 0}, ValueError, "num_codes must be in"),
        ({"num_codes": 4.0}, TypeError, "num_codes must be int, got 4.0"),
        ({"names": ["a", "b"]}, ValueError, "names must be 1 strings, got 2"),
        ({"names": "a"}, TypeError, "names must be strings, got 'a'"),
        ({"model": None}, TypeError, "model must be strings"),
        ({"codes": []}, ValueError, "maps of one shape, got none"),
        ({"codes": [torch.zeros(0, 3).long()]}, ValueError, "a shape must be in"),
        ({"codes": [torch.zeros(3).long()]}, ValueError, "cannot have the shape"),
    ],
)
def test_what_does_not_fit_the_codes_of_images(change, error, message):
    with pytest.raises(error, match=message):
        ImageCodes(**{**vars(ONE), **change})


def test_files_of_codes_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file .*nothing: expected a file of codes"):
        read_codes(tmp_path / "nothing", *KINDS)
    odd = [tmp_path]
    if hasattr(os, "mkfifo"):  # which would keep a reader waiting
        odd.append(tmp_path / "fifo")
        os.mkfifo(odd[1])
    for path in odd:
        with pytest.raises(ValueError, match=f"{path} cannot be .*: (it is a pipe|Is a directory)"):
            read_codes(path, *KINDS)


def test_what_is_not_written_leaves_nothing_behind(tmp_path, monkeypatch):
    for codes, error in [(torch.full((3, 3), 4), ValueError), (torch.zeros(3, 3), TypeError)]:
        with pytest.raises(error):
            write_codes(tmp_path / "new" / "x", ImageCodes([codes], 4, ["a"], "m"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "x").write_text("before")

    with pytest.raises(ValueError, match="there are no codes to write"):
        write_codes(tmp_path / "x", [])

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "open", full)
    with pytest.raises(OSError, match="x cannot be written: No space left"):
        write_codes(tmp_path / "x", ONE)
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]
    assert (tmp_path / "x").read_text() == "before"


def test_where_a_file_of_codes_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file is no folder"):
        write_codes(tmp_path / "file" / "deep" / "x", ONE)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_codes(tmp_path, ONE)
    monkeypatch.setenv("HOME", str(tmp_path))
    write_codes("~/new/folder/x", ONE)
    assert read_codes("~/new/folder/x", ImageCodes).names == ["a"]
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["x"]


def in_parts(file, sizes):
    """A file of codes cut into such of so many items."""
    at = 0
    for size in sizes:
        here = slice(at, at + size)
        each = {name: getattr(file, name) for name in file.of_each}
        each = {name: column and column[here] for name, column in each.items()}
        yield dataclasses.replace(file, codes=file.codes[here], names=file.names[here], **each)
        at += size


@settings(max_examples=60)
@given(data=st.data(), file=files())
def test_parts_give_the_file_that_the_whole_gives(data, file, tmp_path_factory):
    folder, count = tmp_path_factory.getbasetemp(), len(file.codes)
    sizes = data.draw(st.lists(st.integers(1, 3), max_size=count).filter(lambda x: sum(x) < count))
    parts = in_parts(file, [*sizes, count - sum(sizes)])
    write_codes(folder / "whole.codes", file)
    write_codes(folder / "parts.codes", parts)
    again = read_codes(folder / "parts.codes", type(file))
    write_codes(folder / "again.codes", again)
    whole = (folder / "whole.codes").read_bytes()
    assert (folder / "parts.codes").read_bytes() == whole
    assert (folder / "again.codes").read_bytes() == whole


def test_parts_that_are_not_alike(tmp_path):
    for change, what in [
        ({"num_codes": 5}, "num_codes: 4, and 5"),
        ({"model": "n"}, "model: m, and n"),
        ({"codes": [torch.zeros(3, 2).long()]}, r"shape: \[3, 3\], and \[3, 2\]"),
    ]:
        with pytest.raises(ValueError, match=f"all parts must have one {what}"):
            write_codes(tmp_path / "x", [ONE, dataclasses.replace(ONE, **change)])
    assert list(tmp_path.iterdir()) == []


def test_codes_are_read_when_they_are_asked_for(tmp_path, monkeypatch):
    """A file of 50 maps of 21 codes of 9 bits, of which few begin with a byte."""
    codes = torch.randint(512, (50, 3, 7), generator=torch.Generator().manual_seed(0))
    path = tmp_path / "x"
    write_codes(path, ImageCodes(list(codes), 512, [str(n) for n in range(50)], "m"))
    stored = read_codes(path, ImageCodes).codes
    assert isinstance(stored, PackedCodes)
    assert len(stored) == 50
    for at in (0, 7, -1, -50):
        assert torch.equal(stored[at], codes[at])
    for part in (slice(0, 50), slice(3, 9), slice(60, 70), slice(-5, None), slice(40, 2, -9)):
        assert [row.tolist() for row in stored[part]] == [
            codes[at].tolist() for at in range(50)[part]
        ]
    with pytest.raises(IndexError):
        stored[50]
    assert torch.equal(pickle.loads(pickle.dumps(stored))[8], codes[8])
    asked = []
    read = PackedCodes._read
    monkeypatch.setattr(
        PackedCodes, "_read", lambda self, *ends: asked.append(ends) or read(self, *ends)
    )
    read_codes(path, ImageCodes).codes[4:6]
    assert asked == [(84, 126)]
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ValueError, match=f"{path} cannot be read .*: it has changed since"):
        stored[0]
    path.unlink()
    with pytest.raises(FileNotFoundError, match="no file .*x: expected a file of codes"):
        stored[0]


def test_names_for_which_there_is_no_room_are_refused_before_the_work(monkeypatch):
    check_room_for(["a" * 500, "b" * 400])
    monkeypatch.setenv("VQVAE_LITE_MAX_NAMES", "900")
    with pytest.raises(ValueError, match="it holds 910 bytes of names, more than 900: .*MAX_NAMES"):
        check_room_for(["a" * 500, "b" * 400])
