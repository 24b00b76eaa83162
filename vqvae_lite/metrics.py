"""What is measured: use of the codes, fidelity, size of the code, and means while training."""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.checks import check_codes, check_integers, check_type
from vqvae_lite.distributed import sum_over_processes, world_size
from vqvae_lite.modules import with_float64


class CodeUsage:
    """Counts codes over a whole epoch.

    Perplexity and the share of codes used depend on how many codes are counted: one batch of
    64 latents cannot use 512 codes. So they belong to a data set, not to a batch.

    Args:
        num_codes: K.
        num_codebooks: C.

    Attributes:
        counts: int64 (C, K), how often each code was chosen so far.
    """

    def __init__(self, num_codes: int, num_codebooks: int = 1):
        self.counts = torch.zeros(num_codebooks, num_codes, dtype=torch.int64)

    def update(self, codes: Tensor) -> None:
        """Adds codes of shape (B, *spatial), or (B, C, *spatial) with C > 1 codebooks.

        Raises:
            TypeError: codes are not integers.
            ValueError: a code is out of range, or the shape has no place for the codebooks.
        """
        num_codebooks, num_codes = self.counts.shape
        check_integers("codes", codes)
        codes = codes.detach().cpu()
        check_codes(codes, num_codes, num_codebooks)
        rows = codes.movedim(1, 0) if num_codebooks > 1 else codes[None]
        for counts, row in zip(self.counts, rows, strict=True):
            counts += torch.bincount(row.flatten(), minlength=num_codes)

    @property
    def perplexity(self) -> float:
        """The exponential of the codes' entropy, in [1, K]; the geometric mean over codebooks.

        Raises:
            ValueError: nothing was counted yet.
        """
        self._check_counted()
        p = self.counts.double() / self.counts.sum(1, keepdim=True)
        return torch.special.entr(p).sum(1).mean().exp().item()

    @property
    def fraction_used(self) -> float:
        """The share of codes chosen at least once, in (0, 1], over all codebooks."""
        self._check_counted()
        return (self.counts > 0).double().mean().item()

    def _check_counted(self) -> None:
        if not self.counts.any():
            raise ValueError("no codes were counted yet: call update(codes) first")


def psnr(images: Tensor, references: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, in dB; infinite where nothing differs.

    Args:
        images: uint8 (N, C, H, W).
        references: the same shape.

    Returns:
        (N,) float64: 10 log10(255^2 / mean squared error).
    """
    _check_pair(images, references)
    exact, wanted = with_float64(images).double(), with_float64(references).double()
    error = (exact - wanted).square().flatten(1).mean(1)
    return 10 * torch.log10(255**2 / error)


def ssim(images: Tensor, references: Tensor) -> Tensor:
    """Structural similarity of each image, at most 1 (Wang, Bovik, Sheikh, Simoncelli 2004).

    The published settings: a Gaussian window of 11 pixels and sigma 1.5, K1 = 0.01, K2 = 0.03,
    only where the window lies inside the image; each channel by itself, then the mean.

    Args:
        images: uint8 (N, C, H, W), H and W at least 11.
        references: the same shape.

    Returns:
        (N,) float64.
    """
    x, y = _with_room_for_the_window(images, references)
    return _similarities(x, y)[0].mean(1)


# Wang, Simoncelli and Bovik 2003, from the full size on; each scale is half of the one before.
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ms_ssim(images: Tensor, references: Tensor) -> Tensor:
    """Multi-scale structural similarity of each image (Wang, Simoncelli, Bovik 2003), in [0, 1].

    The images are halved again and again, by the mean of 2 x 2 pixels; an odd last row or column is
    left out. Contrast and structure are compared at every scale, luminance at the smallest, each as
    by `ssim`, and their means are multiplied with the published weights as exponents. A negative
    mean counts as 0. Each channel by itself, then the mean.

    The published five scales need 176 pixels. A smaller image has as many as leave room for the
    window of 11, and their weights are divided by their sum: three from 44 pixels on (0.071, 0.453,
    0.476), two from 22 (0.136, 0.864), one below. So images of different sizes are judged by
    different measures.

    Args:
        images: uint8 (N, C, H, W), H and W at least 11.
        references: the same shape.

    Returns:
        (N,) float64.
    """
    x, y = _with_room_for_the_window(images, references)
    scales = min(len(_SCALE_WEIGHTS), int(math.log2(min(x.shape[2:]) / 11)) + 1)
    weights = _SCALE_WEIGHTS[:scales]
    product = torch.ones(x.shape[:2], dtype=torch.float64)
    for scale, weight in enumerate(weights, 1):
        similarity, structure = _similarities(x, y)
        mean = similarity if scale == scales else structure
        product *= mean.clamp(min=0) ** (weight / sum(weights))
        if scale < scales:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return product.mean(1)


def _with_room_for_the_window(images: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float64 on the CPU, if they can be compared at windows of 11 x 11."""
    _check_pair(images, references)
    if min(images.shape[2:]) < 11:
        raise ValueError(f"images must be at least 11 x 11, got {tuple(images.shape)}")
    return images.cpu().double(), references.cpu().double()


def _similarities(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Means over all windows of (N, C, H, W) in [0, 255], (N, C) each.

    The first is of luminance times contrast and structure, the second of the latter two alone.
    """
    rows, columns = (_gaussian_windows(length) for length in x.shape[2:])

    def blur(x: Tensor) -> Tensor:
        return rows @ x @ columns.T

    mean_x, mean_y = blur(x), blur(y)
    var_x = blur(x * x) - mean_x**2
    var_y = blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (var_x + var_y + c2)
    return (luminance * structure).mean((2, 3)), structure.mean((2, 3))


def _gaussian_windows(length: int) -> Tensor:
    """(length - 10, length): a Gaussian window of 11 places in each row, one further each time.

    As two products with such matrices the blur takes a fraction of a convolution's time in float64.
    """
    offsets = torch.arange(-5, 6, dtype=torch.float64)
    window = torch.exp(-(offsets**2) / (2 * 1.5**2))
    bands = torch.zeros(length - 10, length, dtype=torch.float64)
    for row, band in enumerate(bands):
        band[row : row + 11] = window / window.sum()
    return bands


def compressed_bits(num_latents: int, num_codes: int) -> float:
    """Bits of an image's codes under the uniform prior: N log2 K (section 3.2).

    Args:
        num_latents: N, the latents of all codebooks together.
        num_codes: K.
    """
    if num_latents < 1 or num_codes < 1:
        raise ValueError(f"expected at least 1 latent and 1 code, got {num_latents}, {num_codes}")
    return num_latents * math.log2(num_codes)


def _check_pair(images: Tensor, references: Tensor) -> None:
    for name, value in [("images", images), ("references", references)]:
        check_type(name, value, Tensor)
        if value.dtype != torch.uint8:
            raise TypeError(f"{name} must be uint8, got {value.dtype}")
        if value.ndim != 4 or not value.numel():
            raise ValueError(f"{name} must be a (N, C, H, W) batch, got {tuple(value.shape)}")
    if images.shape != references.shape:
        raise ValueError(
            f"images and references must have one shape, "
            f"got {tuple(images.shape)} and {tuple(references.shape)}"
        )


class Record(NamedTuple):
    """Means over the steps since the record before it, and over all processes.

    Attributes:
        step: the last step that it covers.
        means: of each scalar in the model's output, by its name ("loss", ...); also "perplexity",
            of all codes of these steps together, where the output has "codes" and the model's
            `config` says of how many, `num_codes`.
    """

    step: int
    means: dict[str, float]


class Window:
    """Sums up the steps between two records."""

    def __init__(self, model: nn.Module, device: torch.device):
        config = getattr(model, "config", None)
        self.num_codes: int | None = getattr(config, "num_codes", None)
        self.num_codebooks: int = getattr(config, "num_codebooks", 1)
        self.device = device
        self._clear()

    def _clear(self) -> None:
        self.names: list[str] = []
        self.sums = torch.zeros(())
        self.steps = 0
        self.usage: CodeUsage | None = None

    def add(self, out: Any) -> None:
        self.steps += 1
        scalars = {
            name: value
            for name, value in out._asdict().items()
            if isinstance(value, Tensor) and value.ndim == 0
        }
        self.names = list(scalars)
        # All of them at once: each transfer from a GPU waits for it.
        values = torch.stack([with_float64(value.detach()).double() for value in scalars.values()])
        self.sums = self.sums + values.cpu()
        if "codes" in out._fields and self.num_codes is not None:
            self.usage = self.usage or CodeUsage(self.num_codes, self.num_codebooks)
            self.usage.update(out.codes)

    def close(self, step: int) -> Record:
        sums = self._over_processes(self.sums) / world_size()
        means = dict(zip(self.names, (sums / self.steps).tolist(), strict=True))
        if self.usage:
            self.usage.counts = self._over_processes(self.usage.counts)
            means["perplexity"] = self.usage.perplexity
        self._clear()
        return Record(step, means)

    def _over_processes(self, values: Tensor) -> Tensor:
        # Alone there is nothing to ask a device for, which may not have float64.
        if world_size() == 1:
            return values
        return sum_over_processes(values.to(self.device)).cpu()


def check_output(out: Any) -> None:
    """Raises TypeError unless a model's output is a named tuple with the scalar "loss"."""
    loss = getattr(out, "loss", None)
    if not (isinstance(out, tuple) and isinstance(loss, Tensor) and loss.ndim == 0):
        raise TypeError(
            f"model must return a named tuple with the scalar 'loss', got {type(out).__name__}"
            + (f" with a loss of the shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else "")
        )
