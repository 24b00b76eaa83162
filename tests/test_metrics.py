"""What is measured: use of the codes, fidelity, size."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vqvae_lite import metrics
from vqvae_lite.metrics import CodeUsage, compressed_bits, ms_ssim, psnr, ssim


def pixels(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def with_noise(x: torch.Tensor) -> torch.Tensor:
    noise = torch.randint(-20, 21, x.shape, generator=torch.Generator().manual_seed(1))
    return (x.int() + noise).clamp(0, 255).to(torch.uint8)


def test_code_usage_counts_over_the_whole_epoch():
    usage = CodeUsage(4)
    for batch in [[0, 0], [1, 1], [2, 2], [2, 0]]:
        usage.update(torch.tensor([batch]))
    assert usage.counts.tolist() == [[3, 2, 3, 0]]
    assert usage.fraction_used == 0.75
    p = np.array([3, 2, 3]) / 8
    assert usage.perplexity == pytest.approx(math.exp(-(p * np.log(p)).sum()))


def test_code_usage_of_several_codebooks():
    usage = CodeUsage(4, 2)
    usage.update(torch.tensor([[[0, 0, 0, 0], [0, 1, 2, 3]]]))
    assert usage.counts.tolist() == [[4, 0, 0, 0], [1, 1, 1, 1]]
    assert usage.perplexity == pytest.approx(2)  # sqrt(1 * 4)
    assert usage.fraction_used == 5 / 8


def test_code_usage_of_nothing_or_of_foreign_codes():
    usage = CodeUsage(4, 2)
    with pytest.raises(ValueError, match="no codes were counted"):
        _ = usage.perplexity
    with pytest.raises(ValueError, match=r"\[0, 4\), got values from 0 to 4"):
        usage.update(torch.tensor([[[0], [4]]]))
    with pytest.raises(ValueError, match=r"\(B, 2, \*spatial\)"):
        usage.update(torch.zeros(1, 3, 2, dtype=torch.int64))
    assert not usage.counts.any()


def test_psnr_by_hand():
    x = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    y = x.clone()
    y[1] = 10
    values = psnr(x, y)
    assert values[0] == math.inf
    assert values[1].item() == pytest.approx(20 * math.log10(255 / 10))


def slow_similarities(a, b):
    """The definition, window by window: means of the whole and of contrast times structure."""
    i = np.arange(-5, 6)
    window = np.exp(-(i[:, None] ** 2 + i[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    whole, structures = [], []
    for row in range(a.shape[0] - 10):
        for column in range(a.shape[1] - 10):
            p = a[row : row + 11, column : column + 11]
            q = b[row : row + 11, column : column + 11]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            cov = (window * (p - mp) * (q - mq)).sum()
            c1, c2 = 6.5025, 58.5225
            luminance = (2 * mp * mq + c1) / (mp**2 + mq**2 + c1)
            structures.append((2 * cov + c2) / (vp + vq + c2))
            whole.append(luminance * structures[-1])
    return np.mean(whole), np.mean(structures)


def test_ssim_of_equal_inverted_and_slow_reference():
    x = pixels(1, 1, 14, 13)
    y = with_noise(x)
    assert ssim(x, x).item() == pytest.approx(1)
    assert ssim(x, 255 - x).item() < 0
    a, b = (image[0, 0].double().numpy() for image in (x, y))
    assert ssim(x, y).item() == pytest.approx(slow_similarities(a, b)[0])


@pytest.mark.parametrize(
    ("height", "width", "weights"),
    [
        (21, 40, [1]),
        (22, 22, [0.0448, 0.2856]),
        (45, 44, [0.0448, 0.2856, 0.3001]),  # its last row is in no 2 x 2
        (88, 88, [0.0448, 0.2856, 0.3001, 0.2363]),
    ],
)
def test_ms_ssim_is_the_product_over_the_scales_that_there_is_room_for(height, width, weights):
    x = pixels(1, 2, height // 8 + 1, width // 8 + 1).float()
    x = F.interpolate(x, (height, width), mode="bilinear").to(torch.uint8)
    y = with_noise(x)
    channels = []
    for a, b in zip(x[0].double().numpy(), y[0].double().numpy(), strict=True):
        product = 1.0
        for weight in weights:
            whole, structure = slow_similarities(a, b)
            mean = whole if weight == weights[-1] else structure
            product *= mean ** (weight / sum(weights))
            rows, columns = a.shape[0] // 2 * 2, a.shape[1] // 2 * 2
            a, b = (
                (c[0:rows:2] + c[1:rows:2])[:, :columns].reshape(rows // 2, -1, 2).sum(2) / 4
                for c in (a, b)
            )
        channels.append(product)
    assert channels[0] != pytest.approx(channels[1], abs=1e-5)
    assert ms_ssim(x, y).item() == pytest.approx(np.mean(channels))
    assert ms_ssim(x, x).item() == pytest.approx(1)


def test_ms_ssim_has_five_scales_at_most_and_is_never_negative():
    large = pixels(1, 1, 352, 352)
    x, y = large, with_noise(large)
    weights, product = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333), 1.0
    a, b = x.double(), y.double()
    for scale, weight in enumerate(weights):
        whole, structure = metrics._similarities(a, b)
        product *= (whole if scale == 4 else structure).item() ** (weight / sum(weights))
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    assert ms_ssim(x, y).item() == pytest.approx(product)
    assert ms_ssim(x, 255 - x).item() == 0


@pytest.mark.parametrize("measure", [psnr, ssim, ms_ssim])
def test_measures_want_two_like_batches_of_bytes(measure):
    x = pixels(1, 3, 12, 12)
    with pytest.raises(TypeError, match="references must be uint8, got torch.float32"):
        measure(x, x.float())
    with pytest.raises(ValueError, match="one shape"):
        measure(x, pixels(2, 3, 12, 12))
    with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
        measure(x[0], x[0])


@pytest.mark.parametrize("measure", [ssim, ms_ssim])
def test_ssim_wants_room_for_its_window(measure):
    with pytest.raises(ValueError, match="at least 11 x 11"):
        measure(pixels(1, 3, 10, 12), pixels(1, 3, 10, 12))


def test_the_papers_compression():
    # Section 4.2: 128 x 128 x 3 bytes to 32 x 32 codes of 512.
    assert 128 * 128 * 24 / compressed_bits(32 * 32, 512) == pytest.approx(42.67, abs=0.01)
    with pytest.raises(ValueError, match="at least 1 latent"):
        compressed_bits(0, 512)
