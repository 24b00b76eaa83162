"""Models measured in bits per dimension on a whole data set, under one protocol."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm.auto import tqdm

from vqvae_lite.baselines.categorical import CategoricalLatents
from vqvae_lite.baselines.vae import VAE
from vqvae_lite.checks import check_positive_int, size_of
from vqvae_lite.distributed import ALONE, Meeting, Place, share_of
from vqvae_lite.files import reading, writing
from vqvae_lite.images import stack_images
from vqvae_lite.likelihoods import bits_per_dim
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import device_of, evaluating, fingerprint


class BitsPerDim(NamedTuple):
    """Upper bounds on -log2 p(x), in bits per dimension, one number for each image.

    Attributes:
        reconstruction: -log2 p(x | z); with several samples their mean.
        prior: what the latents cost: N log2 K, -log2 p(codes), or a KL divergence.
        bound: what is compared. For a VQ-VAE the sum of the two; for the others the
            importance-weighted bound of all samples, which with many of them is below the sum.
    """

    reconstruction: Tensor
    prior: Tensor
    bound: Tensor

    def means(self) -> dict[str, float]:
        """The mean of each part over the images, and the standard error of the bound's."""
        figures = {name: part.mean().item() for name, part in self._asdict().items()}
        error = self.bound.std().item() / math.sqrt(len(self.bound)) if len(self.bound) > 1 else 0.0
        return {**figures, "standard_error": error}


@torch.no_grad()
def evaluate_bits(
    model: VQVAE | VAE | CategoricalLatents,
    images: Dataset,
    *,
    prior: Callable[[Tensor], Tensor] | None = None,
    samples: int = 1,
    seed: int = 0,
    batch_size: int = 64,
    keep: str | Path | None = None,
    place: Place = ALONE,
    progress: bool = False,
) -> BitsPerDim:
    """Measures every image once, the last partial batch included, in float32.

    The noise of an image follows from the seed and its index alone: neither the size of the
    batches nor a stop in between changes a result by more than rounding.

    Args:
        model: on any device; evaluated in eval mode and given back in the mode it was in.
        images: gives uint8 (C, H, W) images of one size.
        prior: for a VQ-VAE, log p(codes) of a batch of codes; None is the uniform prior.
        samples: of the latents of each image. A VQ-VAE has one code for an image.
        seed: of the samples.
        batch_size: how many images at a time.
        keep: a file that takes the results so far after each batch, and that an evaluation which
            was stopped goes on from. One process alone can be given one.
        place: of this process, from `distributed.processes`. Several take each its share, and all
            of them get the result of the whole.
        progress: whether the first process shows a bar.

    Raises:
        TypeError: the data set does not say how many images it has.
        ValueError: there are no images, a prior or several samples are given to a model that has
            no use for them, or `keep` holds the results of another model or other settings, or
            is given to several processes.
        ConnectionError: another process has ended.
    """
    check_positive_int(samples=samples, batch_size=batch_size)
    count = size_of(images, "evaluate on")
    if isinstance(model, VQVAE) and samples != 1:
        raise ValueError(f"a VQ-VAE has one code for an image: samples must be 1, got {samples}")
    if not isinstance(model, VQVAE) and prior is not None:
        raise ValueError(f"a {type(model).__name__} has its own prior: prior must be None")
    if keep is not None and place.world > 1:
        raise ValueError(f"keep is for one process, and there are {place.world}: it must be None")
    label = f"{fingerprint(model)} {samples} {seed} {prior is None} {count}"
    done = _read(keep, label)
    meeting, device = Meeting(place), device_of(model)
    own = share_of(count, place, batch_size)
    rest = Subset(images, own[len(done.bound) :])
    with evaluating(model):
        for batch in tqdm(
            DataLoader(rest, batch_size, collate_fn=stack_images),
            unit="batch",
            disable=not (progress and place.rank == 0),
        ):
            first = own.start + len(done.bound)
            if isinstance(model, VQVAE):
                parts = model.bound(batch.to(device), prior)
                total = parts.total
            else:
                seeds = range(seed * 1_000_003 + first, seed * 1_000_003 + first + len(batch))
                noise = [
                    model.noise(batch, samples, torch.Generator().manual_seed(number))
                    for number in seeds
                ]
                parts, total = model.bound(batch.to(device), torch.stack(noise).to(device))
            nats = (parts.reconstruction, parts.prior, total)
            new = [bits_per_dim(part.cpu().double(), batch[0].numel()) for part in nats]
            done = BitsPerDim(*(torch.cat(pair) for pair in zip(done, new, strict=True)))
            if keep is not None:
                _write(Path(keep), done, label)
    return BitsPerDim(*map(torch.cat, zip(*meeting.gather(done), strict=True)))


def _read(keep: str | Path | None, label: str) -> BitsPerDim:
    if keep is None or not Path(keep).exists():
        return BitsPerDim(*(torch.zeros(0, dtype=torch.float64) for _ in BitsPerDim._fields))
    with reading(keep, "the results of an evaluation"):
        stored = load_file(keep)
        given = bytes(stored.pop("label").tolist()).decode()
        done = BitsPerDim(**stored)
    if given != label:
        raise ValueError(
            f"{keep} holds the results of another evaluation ({given!r}, not {label!r}): "
            f"name another file"
        )
    return done


def _write(keep: Path, done: BitsPerDim, label: str) -> None:
    """Replaces the file in one step."""
    with writing(keep) as partial:
        save_file({**done._asdict(), "label": torch.tensor(list(label.encode()))}, partial)
