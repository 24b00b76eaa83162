"""What image files hold as 8-bit RGB: transparency, every mode, several pictures, and bounds."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from vqvae_lite.data.pictures import read_film, read_frames, read_headers, read_image

WHITE, GREEN = [255, 255, 255], [0, 255, 0]


def level_of(path):
    """The one colour of an image, as three numbers."""
    colours = read_image(path, 8).flatten(1)
    assert (colours == colours[:, :1]).all()
    return colours[:, 0].tolist()


def png(path, depth, colour, row, key=None):
    """An image of 8 x 8 of any depth and kind of colour, each row the same bytes."""

    def chunk(name, content):
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, depth, colour, 0, 0, 0))]
    parts += [chunk(b"tRNS", key)] if key is not None else []
    parts += [chunk(b"IDAT", zlib.compress((b"\0" + row) * 8)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def tiff(path, photometric, bits, data):
    """A grey image of 8 x 8 as tags and bare values."""
    tags = [(256, 3, 8), (257, 3, 8), (258, 3, bits), (259, 3, 1), (262, 3, photometric)]
    tags += [(273, 4, 8 + 2 + 12 * 8 + 4), (278, 3, 8), (279, 4, len(data))]
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    rows = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    path.write_bytes(head + rows + b"\0\0\0\0" + data)
    return path


@pytest.mark.parametrize("suffix", ["png", "webp", "avif", "tif", "gif"])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_is_white(tmp_path, suffix, mode):
    hidden = Image.new("RGBA", (8, 8), (0, 255, 0, 0))
    if suffix == "gif":
        hidden.save(tmp_path / "a.gif")
    elif (suffix, mode) != ("png", "PA"):
        hidden.convert(mode).save(tmp_path / f"a.{suffix}")
    else:
        palette = Image.new("P", (8, 8), 1)
        palette.putpalette([255, 0, 0, *GREEN])
        palette.save(tmp_path / "a.png", transparency=1)
    assert level_of(tmp_path / f"a.{suffix}") == WHITE


def test_what_is_half_transparent_is_half_white_and_no_colour_bleeds(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 102)).save(tmp_path / "a.png")
    assert level_of(tmp_path / "a.png") == [153, 153, 153]
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:] = (*GREEN, 0)
    pixels[::2] = (*WHITE, 255)
    Image.fromarray(pixels).save(tmp_path / "b.png")
    assert level_of(tmp_path / "b.png") == WHITE


@pytest.mark.parametrize(
    ("depth", "colour", "row", "key", "shown"),
    [
        (1, 0, b"\x00", b"\0\0", 0),
        (1, 0, b"\xff", b"\0\1", 255),
        (2, 0, b"\x55" * 2, b"\0\1", 85),
        (4, 0, b"\x33" * 4, b"\0\3", 51),
        (8, 0, b"\x33" * 8, b"\0\x33", 51),
        (16, 0, b"\x40\x80" * 8, b"\x40\x80", 0x40),
        (8, 2, b"\0\xff\0" * 8, b"\0\0\0\xff\0\0", GREEN),
        (16, 2, b"\0\0\xff\xff\0\0" * 8, b"\0\0\xff\xff\0\0", GREEN),
    ],
)
def test_one_transparent_colour_of_any_depth(tmp_path, depth, colour, row, key, shown):
    assert level_of(png(tmp_path / "a.png", depth, colour, row, key)) == WHITE
    other = bytes([key[0] ^ 1, *key[1:-1], key[-1] ^ 1])
    opaque = level_of(png(tmp_path / "b.png", depth, colour, row, other if depth > 1 else None))
    assert opaque == (shown if isinstance(shown, list) else [shown] * 3)


@pytest.mark.parametrize(
    ("mode", "value", "suffix", "shown"),
    [
        ("I;16", 40000, "png", 156),
        ("I;16", 40000, "tif", 156),
        ("I;16B", 40000, "tif", 156),
        ("I", 40000, "ppm", 156),
        ("1", 1, "png", 255),
        ("L", 7, "bmp", 7),
        ("CMYK", (0, 0, 0, 0), "tif", 255),
        ("CMYK", (0, 0, 0, 0), "jpg", 255),
        ("LAB", (255, 128, 128), "tif", 255),
        ("YCbCr", (90, 128, 128), "tif", 90),
        ("RGBX", (9, 9, 9, 0), "tif", 9),
    ],
)
def test_every_mode_is_scaled_as_its_type_says(tmp_path, mode, value, suffix, shown):
    Image.new(mode, (8, 8), value).save(tmp_path / f"a.{suffix}")
    assert level_of(tmp_path / f"a.{suffix}") == pytest.approx([shown] * 3, abs=mode == "LAB")


@pytest.mark.parametrize(
    ("photometric", "bits", "data", "shown"),
    [
        (1, 16, b"\0\x10" * 64, 16),
        (0, 16, b"\0\x10" * 64, 239),
        (0, 8, b"\x10" * 64, 239),
        (1, 12, b"\x80\x08\x00" * 32, 128),
    ],
)
def test_grey_of_a_tiff(tmp_path, photometric, bits, data, shown):
    assert level_of(tiff(tmp_path / "a.tif", photometric, bits, data)) == [shown] * 3


@pytest.mark.parametrize("highest", [100, 1023, 65535])
def test_grey_with_a_white_of_its_own(tmp_path, highest):
    value = highest // 2
    pixels = struct.pack(">64H", *[value] * 64) if highest > 255 else bytes([value] * 64)
    (tmp_path / "a.ppm").write_bytes(b"P5 8 8 %d\n" % highest + pixels)
    assert level_of(tmp_path / "a.ppm") == pytest.approx([127] * 3, abs=1)


@pytest.mark.parametrize(("mode", "what"), [("F", "floating-point numbers"), ("I", "of 32 bits")])
def test_what_states_no_white_is_refused(tmp_path, mode, what):
    Image.new(mode, (8, 8), 1).save(tmp_path / "a.tif")
    for read in (lambda: read_image(tmp_path / "a.tif", 8), lambda: read_frames(tmp_path / "a.tif"),
                 lambda: read_headers([tmp_path / "a.tif"], 8, 1.0)):  # fmt: skip
        with pytest.raises(ValueError, match=rf"a\.tif cannot be read as .*{what}, and no white"):
            read()


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "avif", "tif"])
def test_several_pictures_are_no_image(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in (0, 100, 200)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=rf"a\.{suffix} cannot .*: it holds 3 pictures, not one"):
        read_image(tmp_path / f"a.{suffix}", 8)
    with pytest.raises(ValueError, match="it holds 3 pictures, not one"):
        read_headers([tmp_path / f"a.{suffix}"], 8, 1.0)
    levels = read_frames(tmp_path / f"a.{suffix}")[:, 0, 0, 0]
    assert np.abs(levels.astype(int) - [0, 100, 200]).max() < 5


def test_a_photograph_with_its_preview_is_one_picture(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert level_of(tmp_path / "a.jpg") == [254, 0, 0]


def test_films_are_upright_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    frames = [Image.new("RGB", (12, 8), (level, 0, 0)) for level in (0, 200)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], exif=exif)
    assert read_frames(tmp_path / "a.png").shape == (2, 12, 8, 3)
    frames = torch.stack(read_film(tmp_path / "a.png", 8))
    assert frames[:, 0, 0, 0].tolist() == [0, 200]


@pytest.mark.filterwarnings("error")
def test_a_small_file_of_many_pixels_is_refused_before_it_is_decoded(tmp_path, monkeypatch, capfd):
    Image.new("1", (13000, 13000)).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 50_000
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("it was decoded"))
    said = r"a\.png cannot .*: it holds 169,000,000 pixels, more than 134,217,728: .*_MAX_PIXELS to"
    for read in (read_image, read_film):
        with pytest.raises(ValueError, match=said):
            read(tmp_path / "a.png", 8)
    assert capfd.readouterr().err == ""


def test_the_limit_can_be_set(tmp_path, monkeypatch):
    Image.new("1", (200, 100)).save(tmp_path / "a.png")
    monkeypatch.setenv("VQVAE_LITE_MAX_PIXELS", "19999")
    with pytest.raises(ValueError, match="it holds 20,000 pixels, more than 19,999"):
        read_image(tmp_path / "a.png", 8)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's, beyond which it raises
    with pytest.raises(ValueError, match="it holds 20,000 pixels, more than 19,999"):
        read_image(tmp_path / "a.png", 8)
    monkeypatch.setenv("VQVAE_LITE_MAX_PIXELS", "20000")
    assert level_of(tmp_path / "a.png") == [0, 0, 0]


def test_programs_are_not_run(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n{} loop\n")
    with pytest.raises(ValueError, match=r"a\.png cannot be read as an image: its content is none"):
        read_image(tmp_path / "a.png", 8)


@pytest.mark.parametrize("error", [RuntimeError("x"), IndexError("x"), MemoryError(), KeyError(1)])
def test_whatever_a_decoder_raises_names_the_file(tmp_path, monkeypatch, error):
    def load(image):
        raise error

    Image.new("L", (8, 8)).save(tmp_path / "a.gif")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    for read in (read_image, read_film):
        with pytest.raises(ValueError, match=r"a\.gif cannot be read as"):
            read(tmp_path / "a.gif", 8)


def test_headers_are_read_in_order_until_the_time_is_over(tmp_path, monkeypatch):
    files = [tmp_path / f"{index}.png" for index in range(4)]
    for size, file in zip((4, 8, 16), files, strict=False):
        Image.new("RGB", (32, size)).save(file)
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("it was decoded"))
    assert read_headers(files[:3], 8, 60.0) == (3, 1)
    assert read_headers(files[:3], 8, -1.0) == (0, 0)
    files[3].write_text("no image")
    with pytest.raises(ValueError, match=r"3\.png cannot be read as an image: its content is none"):
        read_headers(files, 8, 60.0)
