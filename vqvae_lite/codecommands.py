"""The commands of `vqvae-lite` that read or write codes: encode, decode, sample."""

from argparse import Namespace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from vqvae_lite.checkpoints import Checkpoint, fingerprint, load_checkpoint
from vqvae_lite.codefile import CodeFile, read_codes, write_codes
from vqvae_lite.distributed import processes
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import FolderImages, to_uint8
from vqvae_lite.metrics import compressed_bits
from vqvae_lite.model import VQVAE
from vqvae_lite.networks import check_positive_int
from vqvae_lite.priors import load_prior
from vqvae_lite.recipes import recipe_of
from vqvae_lite.sampling import sample


def encode(options: Namespace) -> None:
    """A folder of images to one file of codes."""
    with processes(options.device) as place:
        checkpoint = load_vqvae(options.checkpoint)
        size = recipe_of(checkpoint).size
        images = FolderImages(options.folder, size)
        model = checkpoint.model.to(place.device)
        codes = encode_images(model, images, progress=True)
    names = [str(file.relative_to(options.folder)) for file in images.files]
    file = CodeFile(codes, model.config.num_codes, names, fingerprint(model))
    size_in_bytes = write_codes(options.output, file)
    bits = compressed_bits(codes[0].numel(), model.config.num_codes)
    print(
        f"{len(names)} images of {size}x{size} in {size_in_bytes} bytes: "
        f"{bits:.0f} bits an image instead of {size * size * 24}"
    )


@torch.no_grad()
def decode(options: Namespace) -> None:
    """A file of codes to a folder of images."""
    with processes(options.device) as place:
        model = load_vqvae(options.checkpoint).model
        file = read_codes(options.codes)
        if file.model != fingerprint(model):
            raise ValueError(f"{options.codes} was not made by the model in {options.checkpoint}")
        model.to(place.device)
        folder = Path(options.output)
        targets = _targets(folder, file.names)
        for start in tqdm(range(0, len(targets), 64), unit="batch"):
            save_decoded(model, file.codes[start : start + 64], targets[start : start + 64])
    print(f"{len(targets)} images in {folder}")


@torch.no_grad()
def sample_images(options: Namespace) -> None:
    """Codes drawn from a prior, decoded to a folder of images."""
    check_positive_int(count=options.count)
    with processes(options.device) as place:
        model = load_vqvae(options.checkpoint).model.to(place.device)
        prior = load_prior(options.prior, model)
        folder = Path(options.output)
        targets = _targets(folder, [f"sample_{index:04}" for index in range(options.count)])
        height, width = prior.config["map"]
        prior.model.to(place.device)
        for start in range(0, len(targets), 64):
            batch = targets[start : start + 64]
            codes = sample(
                prior.model,
                (height, width),
                batch=len(batch),
                temperature=options.temperature,
                top_k=options.top_k,
                seed=None if options.seed is None else options.seed + start,
            )
            save_decoded(model, codes, batch)
    print(f"{len(targets)} images in {folder}")


def save_decoded(model: VQVAE, codes: Tensor, targets: list[Path]) -> None:
    """Decodes codes and writes each image to its path."""
    decoded = to_uint8(model.decode(codes.to(next(model.parameters()).device)))
    for image, path in zip(decoded.cpu(), targets, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)


def load_vqvae(path: str) -> Checkpoint:
    """A checkpoint that must hold a VQ-VAE.

    Raises:
        ValueError: it holds another model.
    """
    checkpoint = load_checkpoint(path)
    check_vqvae(checkpoint)
    return checkpoint


def check_vqvae(checkpoint: Checkpoint) -> None:
    """Raises ValueError unless a checkpoint holds a VQ-VAE."""
    if not isinstance(checkpoint.model, VQVAE):
        kind = type(checkpoint.model).__name__
        raise ValueError(f"{checkpoint.path} holds a {kind}: only a VQ-VAE has codes of images")


def _targets(folder: Path, names: list[str]) -> list[Path]:
    """A PNG path for each name, all inside the folder and none there already."""
    # The old suffix stays, so that a.jpg and a.png do not become one file.
    targets = [folder / f"{name}.png" for name in names]
    for target in targets:
        if not target.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"a name in the file of codes leads out of {folder}: {target}")
        if target.exists():
            raise FileExistsError(f"{target} is there already; name an empty folder")
    return targets
