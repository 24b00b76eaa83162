"""A model measured on a whole data set, or each of its images by a model."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm.auto import tqdm

from vqvae_lite.checks import check_coder, size_of
from vqvae_lite.distributed import ALONE, Meeting, Place, share_of
from vqvae_lite.images import stack_images, to_float, to_uint8
from vqvae_lite.metrics import CodeUsage, compressed_bits, psnr, ssim
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import device_of, evaluating, with_float64


class Evaluation(NamedTuple):
    """Means over all images of a data set, each image counted once.

    Attributes:
        images: how many.
        psnr: mean of the images' PSNR, dB, of the reconstruction rounded to 8 bits.
        ssim: mean of the images' SSIM.
        mean_squared_error: over all sub-pixels, in the network's range [-1, 1].
        perplexity: of all codes of the data set.
        fraction_used: share of the codes that the data set uses.
        bits_per_image: N log2 K, the size of the codes under the uniform prior.
        raw_bits_per_image: 8 bits for each sub-pixel.
    """

    images: int
    psnr: float
    ssim: float
    mean_squared_error: float
    perplexity: float
    fraction_used: float
    bits_per_image: float
    raw_bits_per_image: int


@torch.no_grad()
def evaluate(
    model: VQVAE,
    images: Dataset,
    batch_size: int = 64,
    *,
    place: Place = ALONE,
    progress: bool = False,
) -> Evaluation:
    """Encodes and decodes every image, the last partial batch included, in float32.

    Args:
        model: on any device; evaluated in eval mode and given back in the mode it was in.
        images: gives uint8 (C, H, W) images of one size.
        batch_size: how many images at a time; it changes no result.
        place: of this process, from `distributed.processes`. Several take each its share, and all
            of them get the result of the whole.
        progress: whether the first process shows a bar.

    Raises:
        TypeError, ValueError: the data set does not say how many images it has, or has none.
        ConnectionError: another process has ended.
    """
    check_coder(model)
    count = size_of(images, "evaluate on")
    meeting, device = Meeting(place), device_of(model)
    usage = CodeUsage(model.config.num_codes, model.config.num_codebooks)
    sums = torch.zeros(3, dtype=torch.float64)
    sizes = (0, 0)  # of an image: latents, and values
    own = share_of(count, place, batch_size)
    with evaluating(model):
        for batch in _batches(images, own, batch_size, progress and place.rank == 0):
            x = to_float(batch.to(device))
            codes = model.encode(x)
            reconstruction = model.decode(codes)
            usage.update(codes)
            error = with_float64(reconstruction - x).double().square().flatten(1).mean(1)
            rounded = to_uint8(reconstruction).cpu()
            measured = psnr(rounded, batch), ssim(rounded, batch), error.cpu()
            sums += torch.stack([values.sum() for values in measured])
            sizes = codes[0].numel(), batch[0].numel()
    parts = meeting.gather((sums, usage.counts, sizes))
    signal, similarity, squared = (torch.stack([part[0] for part in parts]).sum(0) / count).tolist()
    usage.counts = torch.stack([part[1] for part in parts]).sum(0)
    latents, values = max(part[2] for part in parts)  # a process may have had no image
    return Evaluation(
        images=count,
        psnr=signal,
        ssim=similarity,
        mean_squared_error=squared,
        perplexity=usage.perplexity,
        fraction_used=usage.fraction_used,
        bits_per_image=compressed_bits(latents, model.config.num_codes),
        raw_bits_per_image=8 * values,
    )


class Scores(NamedTuple):
    """How strange each image of a data set is to a model, in their order.

    Attributes:
        psnr: (N,) float64, dB, of the reconstruction rounded to 8 bits: the lower, the stranger;
            infinite where nothing differs.
        nats_per_code: (N,) float64, -log p(codes) by the number of codes under a prior: the higher,
            the stranger; None without a prior.
    """

    psnr: Tensor
    nats_per_code: Tensor | None


@torch.no_grad()
def score_images(
    model: VQVAE,
    images: Dataset,
    batch_size: int = 64,
    *,
    log_prob: Callable[..., Tensor] | None = None,
    label: Tensor | None = None,
    place: Place = ALONE,
    progress: bool = False,
) -> Scores:
    """What a model makes of each image by itself: what it was not trained on fares worse.

    The reconstruction error tells what the codes cannot hold, the prior which codes do not go
    together: log p(x) >= log p(x | z_q(x)) + log p(z_q(x)) has both (section 3.2). Neither is a
    probability of being strange; a plain image scores low by either, whatever it shows.

    Args:
        model: on any device; measured in eval mode and given back in the mode it was in.
        images: gives uint8 (C, H, W) images of one size.
        batch_size: how many images at a time are in memory.
        log_prob: of a prior over the model's codes, in nats, (B,) of a batch of codes, such as the
            method of a `GatedPixelCNN` in eval mode.
        label: int64 (N,), what `log_prob` is told of each image as `label`; None: nothing.
        place: of this process, as for `evaluate`; all get the scores of all images.
        progress: whether the first process shows a bar.

    Raises:
        TypeError, ValueError: the data set does not say how many images it has, or has none.
        ConnectionError: another process has ended.
    """
    check_coder(model)
    count = size_of(images, "score")
    meeting, device = Meeting(place), device_of(model)
    own = share_of(count, place, batch_size)
    found, at = [torch.zeros(2, 0, dtype=torch.float64)], own.start
    for batch in _batches(images, own, batch_size, progress and place.rank == 0):
        codes = model.encode(to_float(batch.to(device)))
        signal = psnr(to_uint8(model.decode(codes)).cpu(), batch)
        nats = torch.zeros_like(signal)
        if log_prob is not None:
            told = {} if label is None else {"label": label[at : at + len(batch)].to(device)}
            nats = -with_float64(log_prob(codes, **told)).double().cpu() / codes[0].numel()
        found.append(torch.stack([signal, nats]))
        at += len(batch)
    signals, nats = torch.cat(meeting.gather(torch.cat(found, 1)), 1)
    return Scores(signals, None if log_prob is None else nats)


def _batches(images: Dataset, own: range, batch_size: int, shown: bool) -> Iterable[Tensor]:
    """A process's share of the images, uint8 (B, C, H, W) at a time; a bar where it is shown."""
    batches = DataLoader(Subset(images, own), batch_size, collate_fn=stack_images)
    return tqdm(batches, unit="batch", disable=not shown)
