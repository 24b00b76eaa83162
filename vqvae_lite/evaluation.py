"""A model measured on a whole data set: fidelity, size and use of the codes."""

from typing import NamedTuple

import torch
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
    own = Subset(images, share_of(count, place, batch_size))
    batches = DataLoader(own, batch_size, collate_fn=stack_images)
    with evaluating(model):
        for batch in tqdm(batches, unit="batch", disable=not (progress and place.rank == 0)):
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
