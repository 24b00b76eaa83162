"""Conversions, the data sets of images, and every error that they promise."""

import sys
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from vqvae_lite.images import (
    FolderImages,
    TensorImages,
    data_root,
    gray,
    load_cifar10,
    read_image,
    shrink,
    to_float,
    to_uint8,
)

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def save(path, size=(12, 8), colour=RED, mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path, **options)
    return path


def colour_of(image):
    return tuple(image.float().mean(dim=(1, 2)).round().int().tolist())


def test_every_value_comes_back():
    values = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    floats = to_float(values)
    assert floats.dtype == torch.float32
    assert floats.shape == values.shape
    assert floats.min() == -1
    assert floats.max() == 1
    assert torch.equal(to_uint8(floats), values)


def test_to_uint8_rounds_and_clips():
    floats = torch.tensor([-7.0, -1.0, 1 / 255, 0.999, 1.0, 1.5])
    assert to_uint8(floats).tolist() == [0, 0, 128, 255, 255, 255]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_to_uint8_takes_any_floating_point(dtype):
    assert to_uint8(torch.tensor([-1, 1], dtype=dtype)).tolist() == [0, 255]


@pytest.mark.parametrize("images", [torch.zeros(2), torch.zeros(2).long(), np.zeros(2, np.uint8)])
def test_to_float_refuses(images):
    with pytest.raises(TypeError, match=r"images must be a uint8 tensor of 0 to 255; got"):
        to_float(images)


@pytest.mark.parametrize("images", [torch.zeros(2, dtype=torch.uint8), np.zeros(2), [0.0]])
def test_to_uint8_refuses(images):
    with pytest.raises(TypeError, match=r"images must be a floating-point tensor .*; got"):
        to_uint8(images)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_to_uint8_refuses_what_is_not_finite(value):
    with pytest.raises(ValueError, match="images must be finite"):
        to_uint8(torch.tensor([0.0, value]))


def test_tensor_images():
    pixels = torch.randint(0, 256, (5, 3, 4, 6), dtype=torch.uint8)
    images = TensorImages(pixels)
    assert len(images) == 5
    assert torch.equal(images[3], pixels[3])
    assert torch.equal(images.__getitems__([4, 0]), pixels[[4, 0]])


def test_a_loader_gets_whole_batches():
    pixels = torch.randint(0, 256, (5, 3, 4, 4), dtype=torch.uint8)
    batches = list(DataLoader(TensorImages(pixels), batch_size=2, collate_fn=lambda batch: batch))
    assert torch.equal(torch.cat(batches), pixels)


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 1, 4, 4), (2, 4, 4, 3), (0, 3, 4, 4)])
def test_tensor_images_refuse_a_shape(shape):
    with pytest.raises(ValueError, match=r"images must have the shape \(N, 3, height, width\)"):
        TensorImages(torch.zeros(shape, dtype=torch.uint8))


def test_tensor_images_refuse_floats():
    with pytest.raises(TypeError, match=r"got a tensor of torch\.float32"):
        TensorImages(torch.zeros(2, 3, 4, 4))


def test_folder_images_are_found_in_order(tmp_path):
    save(tmp_path / "b" / "deep" / "1.JPG", colour=GREEN)
    save(tmp_path / "a.png", colour=RED)
    save(tmp_path / "c.webp", colour=BLUE, lossless=True)
    (tmp_path / "notes.txt").write_text("no image")
    save(tmp_path / "._a.png")  # what macOS leaves beside a file
    save(tmp_path / ".thumbnails" / "a.png")
    images = FolderImages(tmp_path, 8)
    assert [file.name for file in images.files] == ["a.png", "1.JPG", "c.webp"]
    assert len(images) == 3
    batch = images.__getitems__([0, 2])
    assert batch.shape == (2, 3, 8, 8)
    assert batch.dtype == torch.uint8
    assert [colour_of(image) for image in batch] == [RED, BLUE]
    assert images[0].is_contiguous()


def test_shrunk_pixels_are_means_of_those_that_they_cover():
    images = torch.randint(0, 256, (3, 3, 12, 12), dtype=torch.uint8)
    small = shrink(images, 4)
    expected = images.double().unflatten(3, (4, 3)).unflatten(2, (4, 3)).mean((3, 5))
    assert small.shape == (3, 3, 4, 4)
    assert (small - expected).abs().max() <= 1  # rounded along rows, then along columns
    # 84 to 32 is no whole factor; the mean of a smooth picture stays all the same.
    image = torch.linspace(0, 255, 84).round().to(torch.uint8).expand(1, 3, 84, 84)
    assert shrink(image, 32).double().mean() == pytest.approx(image.double().mean(), abs=0.5)


def test_what_cannot_be_shrunk():
    with pytest.raises(TypeError, match="uint8"):
        shrink(torch.zeros(1, 3, 8, 8), 4)
    for shape, size in [((1, 3, 8, 6), 4), ((1, 3, 8, 8), 8), ((1, 3, 8, 8), 0), ((3, 8, 8), 4)]:
        with pytest.raises(ValueError, match=f"square and larger than {size} pixels"):
            shrink(torch.zeros(shape, dtype=torch.uint8), size)


@pytest.mark.parametrize("size", [4, 10, 40])
@pytest.mark.parametrize("wide", [True, False])
def test_the_center_crop_is_kept(tmp_path, size, wide):
    picture = np.zeros((20, 60, 3), np.uint8)
    picture[:, :20], picture[:, 20:40], picture[:, 40:] = RED, GREEN, BLUE
    Image.fromarray(picture if wide else picture.transpose(1, 0, 2)).save(tmp_path / "a.png")
    image = FolderImages(tmp_path, size)[0]
    assert image.shape == (3, size, size)
    assert colour_of(image) == pytest.approx(GREEN, abs=25)  # the edges mix with what is beside


def test_a_photograph_is_turned_upright(tmp_path):
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[:10], picture[10:] = RED, BLUE
    exif = Image.Exif()
    exif[0x0112] = 3  # orientation: upside down
    Image.fromarray(picture).save(tmp_path / "a.png", exif=exif)
    image = FolderImages(tmp_path, 20)[0]
    assert colour_of(image[:, :10]) == BLUE
    assert colour_of(image[:, 10:]) == RED


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    suffix = "tif" if mode == "CMYK" else "png"
    save(tmp_path / f"a.{suffix}", colour=(255, 255, 255), mode=mode)
    assert colour_of(FolderImages(tmp_path, 8)[0]) == (255, 255, 255)


def test_sixteen_bit_grey_keeps_its_range(tmp_path):
    Image.fromarray(np.full((8, 8), 0x4080, np.uint16)).save(tmp_path / "a.png")
    assert colour_of(FolderImages(tmp_path, 8)[0]) == (0x40, 0x40, 0x40)


def test_a_large_jpeg_is_read_as_a_small_one_would_be(tmp_path):
    """The shortcut of decoding at a fraction of the size shows no difference worth having."""
    blocks = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    picture = Image.fromarray(blocks).resize((512, 512), Image.Resampling.BICUBIC).convert("RGB")
    picture.save(tmp_path / "a.jpg", quality=95)
    image = read_image(tmp_path / "a.jpg", 128).permute(1, 2, 0).float()
    full = np.array(picture.resize((128, 128), Image.Resampling.LANCZOS))
    assert (image - torch.from_numpy(full)).abs().mean() < 3


def test_folder_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="path must be a folder .*absent"):
        FolderImages(tmp_path / "absent", 8)
    with pytest.raises(FileNotFoundError, match=r"path must be a folder .*a\.png"):
        FolderImages(save(tmp_path / "a.png"), 8)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no image")
    with pytest.raises(
        ValueError, match=r"at least one image \(.*\.png.*\); none found in .*empty"
    ):
        FolderImages(tmp_path / "empty", 8)


@pytest.mark.parametrize(
    ("size", "error"), [(0, ValueError), (-3, ValueError), (8.0, TypeError), (True, TypeError)]
)
def test_folder_refuses_a_size(tmp_path, size, error):
    save(tmp_path / "a.png")
    with pytest.raises(error, match=f"size must be .*, got {size}"):
        FolderImages(tmp_path, size)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp", "tif", "avif", "ppm"])
@pytest.mark.parametrize("keep", [0.0, 0.2, 0.6])
def test_a_broken_image_is_named(tmp_path, suffix, keep):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    good, broken = tmp_path / f"good.{suffix}", tmp_path / f"broken.{suffix}"
    Image.fromarray(noise).save(good)
    whole = good.read_bytes()
    broken.write_bytes(whole[: int(keep * len(whole))])
    images = FolderImages(tmp_path, 16)
    assert images[1].shape == (3, 16, 16)
    with pytest.raises(ValueError, match=rf"broken\.{suffix} cannot be read as an image"):
        images[0]


def test_a_text_file_called_png_is_named(tmp_path):
    (tmp_path / "a.png").write_text("this is no image")
    with pytest.raises(ValueError, match=r"a\.png cannot be read as an image"):
        FolderImages(tmp_path, 8)[0]


def test_an_image_that_has_gone_is_named(tmp_path):
    images = FolderImages(save(tmp_path / "a.png").parent, 8)
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        images[0]


def test_data_root(monkeypatch):
    monkeypatch.setenv("VQVAE_LITE_DATA", "~/somewhere")
    assert data_root() == Path.home() / "somewhere"
    for unset in (lambda: monkeypatch.setenv("VQVAE_LITE_DATA", ""), lambda: monkeypatch.undo()):
        unset()
        monkeypatch.delenv("VQVAE_LITE_DATA", raising=False)
        assert data_root() == Path.home() / ".cache" / "vqvae_lite"


@pytest.fixture
def cifar10(monkeypatch):
    """A stand-in for torchvision's class, which notes its calls; image k is all k % 251."""

    class CIFAR10:
        url, filename = "https://example.org/cifar.tar.gz", "cifar.tar.gz"
        calls: ClassVar[list] = []
        error = None

        def __init__(self, root, train, download):
            self.calls.append((root, train, download))
            if self.error:
                raise self.error
            count = 50_000 if train else 10_000
            values = (np.arange(count) % 251).astype(np.uint8)
            self.data = np.tile(values[:, None, None, None], (1, 32, 32, 3))

    module = types.ModuleType("torchvision.datasets")
    module.CIFAR10 = CIFAR10
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", module)
    return CIFAR10


@pytest.mark.parametrize(
    ("split", "count", "first"),
    [("train", 45_000, 0), ("validation", 5_000, 45_000), ("test", 10_000, 0)],
)
def test_cifar10_splits(cifar10, tmp_path, split, count, first):
    images = load_cifar10(split, root=tmp_path)
    assert images.images.shape == (count, 3, 32, 32)
    assert images[0].unique().tolist() == [first % 251]
    assert images[count - 1].unique().tolist() == [(first + count - 1) % 251]
    assert cifar10.calls == [(tmp_path, split != "test", True)]


def test_cifar10_goes_to_the_data_root(cifar10, monkeypatch, tmp_path):
    monkeypatch.setenv("VQVAE_LITE_DATA", str(tmp_path))
    load_cifar10("test", download=False)
    assert cifar10.calls == [(tmp_path, False, False)]


def test_cifar10_unpacks_an_archive_without_a_network(cifar10, tmp_path):
    (tmp_path / "cifar.tar.gz").touch()
    load_cifar10("test", root=tmp_path, download=False)
    assert cifar10.calls == [(tmp_path, False, True)]


@pytest.mark.parametrize("error", [RuntimeError("not found"), OSError("no network")])
def test_cifar10_says_what_to_do(cifar10, monkeypatch, tmp_path, error):
    monkeypatch.setattr(cifar10, "error", error)
    with pytest.raises(FileNotFoundError) as caught:
        load_cifar10("train", root=tmp_path)
    for part in (str(error), cifar10.url, str(tmp_path / "cifar.tar.gz"), "VQVAE_LITE_DATA"):
        assert part in str(caught.value)


def test_cifar10_refuses_a_split():
    with pytest.raises(ValueError, match="split must be one of train, validation, test; got 'val'"):
        load_cifar10("val")


@pytest.mark.slow
def test_torchvision_is_still_what_we_take_it_for(tmp_path):
    """The real class raises what is turned into the error above, and touches no network."""
    with pytest.raises(FileNotFoundError, match=r"CIFAR-10 is not in .*cifar-10-python\.tar\.gz"):
        load_cifar10("test", root=tmp_path, download=False)


def test_gray_weighs_the_channels_by_the_eye():
    colors = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [9, 9, 9]])
    images = colors.byte().view(1, 5, 1, 3).permute(0, 3, 1, 2).expand(2, -1, -1, 3)
    levels = gray(images)
    assert levels.shape == (2, 5, 3)
    assert levels.dtype == torch.uint8
    assert levels[1, :, 2].tolist() == [76, 150, 29, 255, 9]
    with pytest.raises(TypeError, match="uint8"):
        gray(images.float())
    with pytest.raises(ValueError, match=r"shape \(N, 3, H, W\), got \(2, 1, 5, 3\)"):
        gray(images[:, :1])
