"""The commands of `vqvae-lite` for images."""

import json
import math
from argparse import Namespace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from vqvae_lite.baselines.bits import evaluate_bits
from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.checks import check_positive_int
from vqvae_lite.cli.files import check_no_split, check_vqvae, new_files
from vqvae_lite.codefile import ImageCodes, read_codes, write_codes
from vqvae_lite.distributed import processes
from vqvae_lite.encoding import encode_images
from vqvae_lite.evaluation import evaluate
from vqvae_lite.files import to_write
from vqvae_lite.images import FolderImages, to_uint8
from vqvae_lite.maze import holds_mazes
from vqvae_lite.metrics import compressed_bits
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import device_of, fingerprint
from vqvae_lite.priors.nats import nats_per_code
from vqvae_lite.recipes.images import load_images, maze_images
from vqvae_lite.recipes.names import KINDS
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.recipes.recipe import Recipe, recipe_of


def run_evaluate(options: Namespace, checkpoint: Checkpoint) -> None:
    """Measures a model on held-out images and prints what it finds as JSON."""
    holds = type(checkpoint.model).__name__
    if checkpoint.model.kind not in KINDS:
        raise ValueError(f"{checkpoint.path} holds a {holds}: expected one of {', '.join(KINDS)}")
    if options.prior is not None:
        check_vqvae(checkpoint)
    if options.samples is not None and checkpoint.model.kind == "vqvae":
        raise ValueError(f"--samples is for a vae or vimco; {checkpoint.path} holds a {holds}")
    recipe = recipe_of(checkpoint)
    with processes(options.device) as place:
        images = _held_out(options, checkpoint, recipe)
        model = checkpoint.model.to(place.device)
        result = {}
        if recipe.kind == "vqvae":
            result = evaluate(model, images)._asdict()
        log_prob = None
        if options.prior:
            prior = load_prior(options.prior, model).model.to(place.device)
            log_prob = prior.log_prob
            result["nats_per_code"] = nats_per_code(prior, encode_images(model, images))
            result["nats_per_code_of_the_uniform_prior"] = math.log(recipe.model.num_codes)
        if recipe.model.likelihood:
            bits = evaluate_bits(
                model,
                images,
                prior=log_prob,
                samples=1 if options.samples is None else options.samples,
                progress=True,
            )
            result["bits_per_dim"] = bits.means()
        print(json.dumps(result, indent=2))


def _held_out(options: Namespace, checkpoint: Checkpoint, recipe: Recipe) -> Dataset:
    """What a model of images is measured on: of its own data a split, or another folder."""
    split = options.split or "test"
    if options.folder is not None:
        if holds_mazes(options.folder):
            return maze_images(split, recipe.data.size, options.folder)
        check_no_split(options)
        return FolderImages(options.folder, recipe.data.size)
    if recipe.name == "folder":
        raise ValueError(
            f"{checkpoint.path} was trained on a folder of images, which has no held-out "
            f"part: name another with --folder"
        )
    return load_images(recipe, split)


def run_encode(options: Namespace, checkpoint: Checkpoint) -> None:
    """A folder of images to one file of codes."""
    check_vqvae(checkpoint)
    output, folder = to_write(options.output), Path(options.folder).expanduser()
    with processes(options.device) as place:
        size = recipe_of(checkpoint).data.size
        images = FolderImages(folder, size)
        model = checkpoint.model.to(place.device)
        codes = encode_images(model, images, progress=True)
    names = [file.relative_to(folder).as_posix() for file in images.files]
    file = ImageCodes(list(codes), model.config.num_codes, names, fingerprint(model))
    size_in_bytes = write_codes(output, file)
    bits = compressed_bits(codes[0].numel(), model.config.num_codes)
    print(
        f"{len(names)} images of {size}x{size} in {size_in_bytes} bytes: "
        f"{bits:.0f} bits an image instead of {size * size * 24}"
    )


@torch.no_grad()
def run_decode(options: Namespace, checkpoint: Checkpoint) -> None:
    """A file of codes to a folder of images."""
    check_vqvae(checkpoint)
    with processes(options.device) as place:
        model = checkpoint.model
        file = read_codes(options.codes, ImageCodes)
        if file.model != fingerprint(model):
            raise ValueError(f"{options.codes} was not made by the model in {options.checkpoint}")
        model.to(place.device)
        folder = Path(options.output)
        # The old suffix stays, so that a.jpg and a.png do not become one file.
        targets = new_files(folder, file.names, ".png")
        for start in tqdm(range(0, len(targets), 64), unit="batch"):
            codes = torch.stack(file.codes[start : start + 64])
            _save_decoded(model, codes, targets[start : start + 64])
    print(f"{len(targets)} images in {folder}")


@torch.no_grad()
def run_sample(options: Namespace, checkpoint: Checkpoint) -> None:
    """Codes drawn from a prior, decoded to a folder of images."""
    check_positive_int(count=options.count)
    check_vqvae(checkpoint)
    with processes(options.device) as place:
        model = checkpoint.model.to(place.device)
        prior = load_prior(options.prior, model)
        folder = Path(options.output)
        targets = new_files(
            folder, [f"sample_{index:04}" for index in range(options.count)], ".png"
        )
        height, width = prior.config["map"]
        prior.model.to(place.device)
        for start in range(0, len(targets), 64):
            batch = targets[start : start + 64]
            codes = prior.model.sample(
                (height, width),
                batch=len(batch),
                temperature=options.temperature,
                top_k=options.top_k,
                seed=None if options.seed is None else options.seed + start,
            )
            _save_decoded(model, codes, batch)
    print(f"{len(targets)} images in {folder}")


def _save_decoded(model: VQVAE, codes: Tensor, targets: list[Path]) -> None:
    """Decodes codes and writes each image to its path."""
    decoded = to_uint8(model.decode(codes.to(device_of(model))))
    for image, path in zip(decoded.cpu(), targets, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
