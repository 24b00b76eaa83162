"""The commands of `vqvae-lite` for images."""

import json
import math
from argparse import Namespace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from vqvae_lite.baselines.bits import evaluate_bits
from vqvae_lite.checkpoints import Checkpoint, last_checkpoint
from vqvae_lite.checks import check_positive_int
from vqvae_lite.cli.files import new_files, to_resume
from vqvae_lite.codefile import ImageCodes, codes_target, read_codes, write_codes
from vqvae_lite.distributed import processes
from vqvae_lite.encoding import encode_images
from vqvae_lite.evaluation import evaluate
from vqvae_lite.images import FolderImages, to_uint8
from vqvae_lite.metrics import compressed_bits
from vqvae_lite.model import VQVAE
from vqvae_lite.models import new_model
from vqvae_lite.modules import device_of, fingerprint
from vqvae_lite.priors.nats import nats_per_code
from vqvae_lite.priors.pixelcnn import GatedPixelCNN
from vqvae_lite.recipes.images import (
    Recipe,
    get_recipe,
    load_images,
    recipe_of,
    training_images,
)
from vqvae_lite.recipes.priors import get_prior_recipe, load_prior, train_prior
from vqvae_lite.training import train


def run_train(options: Namespace) -> None:
    """Trains a model of images by a recipe, or goes on with it."""
    recipe = get_recipe(
        options.recipe,
        options.profile,
        kind=options.model,
        folder=options.folder,
        settings=options.settings,
    )
    resume = _resume(Path(options.run), recipe, options.resume)
    images = training_images(recipe)
    model = resume.model if resume else new_model(recipe.kind, recipe.model, recipe.training.seed)
    with processes(options.device) as place:
        if place.rank == 0:
            print(
                f"{recipe.kind} on {recipe.name} ({recipe.profile}): {len(images)} images, "
                f"{recipe.training.steps} steps of {recipe.training.batch_size} on {place.device}"
                + (f" and {place.world - 1} more" if place.world > 1 else "")
            )
        train(
            model,
            images,
            recipe.training,
            place=place,
            run=options.run,
            details={"recipe": recipe.to_json()},
            resume=resume,
        )
        if place.rank == 0:
            print(f"the last checkpoint is {last_checkpoint(options.run)}")


def run_train_prior(options: Namespace, vqvae: Checkpoint) -> None:
    """Trains a PixelCNN over the codes of a VQ-VAE, or goes on with it."""
    check_vqvae(vqvae)
    recipe = get_prior_recipe(vqvae.model, options.profile, options.settings)
    resume = to_resume(Path(options.run), options.resume)
    with processes(options.device) as place:
        train_prior(options.run, vqvae, recipe, place, resume)
        if place.rank == 0:
            print(f"the last checkpoint is {last_checkpoint(options.run)}")


def run_evaluate(options: Namespace, checkpoint: Checkpoint) -> None:
    """Measures a model on held-out images and prints what it finds as JSON."""
    with processes(options.device) as place:
        if options.prior or isinstance(checkpoint.model, GatedPixelCNN):
            check_vqvae(checkpoint)
        recipe = recipe_of(checkpoint)
        if options.folder:
            images = FolderImages(options.folder, recipe.size)
        elif recipe.name == "folder":
            raise ValueError(
                f"{checkpoint.path} was trained on a folder of images, which has no held-out "
                f"part: name another with --folder"
            )
        else:
            images = load_images(recipe, options.split)
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
                model, images, prior=log_prob, samples=options.samples, progress=True
            )
            result["bits_per_dim"] = bits.means()
        print(json.dumps(result, indent=2))


def run_encode(options: Namespace, checkpoint: Checkpoint) -> None:
    """A folder of images to one file of codes."""
    check_vqvae(checkpoint)
    output, folder = codes_target(options.output), Path(options.folder).expanduser()
    with processes(options.device) as place:
        size = recipe_of(checkpoint).size
        images = FolderImages(folder, size)
        model = checkpoint.model.to(place.device)
        codes = encode_images(model, images, progress=True)
    names = [str(file.relative_to(folder)) for file in images.files]
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


def _resume(run: Path, recipe: Recipe, wanted: bool) -> Checkpoint | None:
    """The checkpoint to go on from, which must be of the same recipe."""
    checkpoint = to_resume(run, wanted)
    if checkpoint is None:
        return None
    stored = recipe_of(checkpoint)
    if stored.model != recipe.model or (stored.name, stored.size) != (recipe.name, recipe.size):
        raise ValueError(
            f"{checkpoint.path} was trained by the recipe {stored.name!r} with {stored.model}; "
            f"it cannot go on as {recipe.name!r} with {recipe.model}"
        )
    return checkpoint


def _save_decoded(model: VQVAE, codes: Tensor, targets: list[Path]) -> None:
    """Decodes codes and writes each image to its path."""
    decoded = to_uint8(model.decode(codes.to(device_of(model))))
    for image, path in zip(decoded.cpu(), targets, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)


def check_vqvae(checkpoint: Checkpoint) -> None:
    """Raises ValueError unless a checkpoint holds a VQ-VAE."""
    if not isinstance(checkpoint.model, VQVAE):
        kind = type(checkpoint.model).__name__
        raise ValueError(f"{checkpoint.path} holds a {kind}: only a VQ-VAE has codes of images")
