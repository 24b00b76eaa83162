"""Whole data sets as codes: what a prior over codes is trained on."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from vqvae_lite.checks import check_coder, check_integers, size_of
from vqvae_lite.images import stack_images, to_float
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import device_of, evaluating


class CodeMaps(Dataset):
    """Codes that are in memory, one map for each image.

    Args:
        codes: integers (N, h, w), or (N, num_codebooks, h, w).

    Raises:
        TypeError: the codes are not integers.
        ValueError: they have another rank, or there are none.
    """

    def __init__(self, codes: Tensor):
        check_integers("codes", codes)
        if codes.ndim not in (3, 4) or not codes.numel():
            raise ValueError(
                "codes must have the shape (N, h, w) or (N, num_codebooks, h, w), none of them 0; "
                f"got {tuple(codes.shape)}"
            )
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int) -> Tensor:
        return self.codes[index]

    def __getitems__(self, indices: Sequence[int]) -> Tensor:
        return self.codes[indices]


def code_batches(
    model: VQVAE, images: Dataset, batch_size: int = 64, progress: bool = False
) -> Iterator[Tensor]:
    """The codes of batch after batch of images, for as many as no memory holds.

    Arguments and errors are those of `encode_images`, of which it gives the parts.
    """
    check_coder(model)
    size_of(images, "encode")
    device = device_of(model)
    batches = DataLoader(images, batch_size, collate_fn=stack_images)
    for batch in tqdm(batches, unit="batch", disable=not progress):
        with evaluating(model), torch.no_grad():
            codes = model.encode(to_float(batch.to(device))).cpu()
        yield codes


def encode_images(
    model: VQVAE, images: Dataset, batch_size: int = 64, progress: bool = False
) -> Tensor:
    """The codes of every image, in their order, by the model in eval mode.

    Args:
        model: on any device; given back in the mode it was in.
        images: gives uint8 (C, H, W) images of one size.
        batch_size: how many images at a time.
        progress: whether to show a bar.

    Returns:
        int64 on the CPU, (N, h, w), or (N, num_codebooks, h, w) with several codebooks.

    Raises:
        TypeError, ValueError: the data set does not say how many images it has, or has none.
    """
    return torch.cat(list(code_batches(model, images, batch_size, progress)))
