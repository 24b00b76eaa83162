"""The commands of `vqvae-lite` for images."""

import json
import math
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Subset
from tqdm.auto import tqdm

from vqvae_lite.baselines.bits import BitsPerDim, evaluate_bits
from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.checks import size_of
from vqvae_lite.cli.files import all_or_none, check_no_split, check_vqvae, new_files
from vqvae_lite.codefile import ImageCodes, check_room_for, read_codes
from vqvae_lite.distributed import Meeting, Place, ended_like_an_error, processes, share_of
from vqvae_lite.encoding import code_batches
from vqvae_lite.evaluation import evaluate
from vqvae_lite.files import writing
from vqvae_lite.images import FolderImages, to_uint8
from vqvae_lite.likelihoods import bits_per_dim
from vqvae_lite.maze import holds_mazes
from vqvae_lite.metrics import compressed_bits
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import device_of, fingerprint, with_float64
from vqvae_lite.priors.nats import Prior
from vqvae_lite.recipes.classes import class_number, labels_of
from vqvae_lite.recipes.images import load_images, maze_images
from vqvae_lite.recipes.names import KINDS
from vqvae_lite.recipes.priors import load_prior, map_of
from vqvae_lite.recipes.recipe import Recipe, recipe_of
from vqvae_lite.recipes.shards import write_together

_BATCH = 64  # images at a time


def run_evaluate(options: Namespace, checkpoint: Checkpoint) -> None:
    """Measures a model on held-out images and prints what it finds as JSON."""
    holds = type(checkpoint.model).__name__
    if checkpoint.model.kind not in KINDS:
        raise ValueError(f"{checkpoint.path} holds a {holds}: expected one of {', '.join(KINDS)}")
    if options.prior is not None:
        check_vqvae(checkpoint)
    if options.samples is not None and checkpoint.model.kind == "vqvae":
        raise ValueError(f"--samples is not for a vqvae; {checkpoint.path} holds a {holds}")
    recipe = recipe_of(checkpoint)
    with processes(options.device) as place:
        images = _held_out(options, checkpoint, recipe)
        model = checkpoint.model.to(place.device)
        result = {}
        if recipe.kind == "vqvae":
            result = evaluate(model, images, place=place, progress=True)._asdict()
        nats = None
        if options.prior:
            stored = load_prior(options.prior, model)
            label = _labels_of_held_out(options, stored, recipe, images)
            prior = stored.model.to(place.device)
            nats = _nats_of_codes(prior, model, images, label, place)
            codes_of_one = math.prod(_map_of(model, recipe.data.size))
            result["nats_per_code"] = nats.mean().item() / codes_of_one
            result["nats_per_code_of_the_uniform_prior"] = math.log(recipe.model.num_codes)
        if recipe.model.likelihood:
            bits = evaluate_bits(
                model,
                images,
                samples=1 if options.samples is None else options.samples,
                place=place,
                progress=True,
            )
            if nats is not None:
                of_codes = bits_per_dim(nats, 3 * recipe.data.size**2)
                bits = BitsPerDim(bits.reconstruction, of_codes, bits.reconstruction + of_codes)
            result["bits_per_dim"] = bits.means()
        if place.rank == 0:
            print(json.dumps(result, indent=2))


@torch.no_grad()
def _nats_of_codes(
    prior: Prior, model: VQVAE, images: Dataset, label: Tensor | None, place: Place
) -> Tensor:
    """What the codes of each image cost under a prior, in nats: float64 (N,)."""
    meeting, own = Meeting(place), share_of(size_of(images, "evaluate on"), place, _BATCH)
    nats, at = [torch.zeros(0, dtype=torch.float64)], own.start
    if own:
        for codes in code_batches(model, Subset(images, own), _BATCH, place.rank == 0):
            of_batch = None if label is None else label[at : at + len(codes)].to(place.device)
            conditions = {} if of_batch is None else {"label": of_batch}
            log_prob = with_float64(prior.log_prob(codes.to(place.device), **conditions))
            nats.append(-log_prob.double().cpu())
            at += len(codes)
    return torch.cat(meeting.gather(torch.cat(nats)))


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


def _labels_of_held_out(
    options: Namespace, prior: Checkpoint, recipe: Recipe, images: Dataset
) -> Tensor | None:
    """The class of each image that a model is measured on, None where the prior is told none."""
    if prior.model.config.num_classes is None:
        return None
    classes, split = recipe_of(prior).data.classes, options.split or "test"
    # Images in a folder have its classes; only CIFAR-10's own have those of CIFAR-10.
    return labels_of(images, classes, options.folder, split if recipe.name == "cifar10" else "")


def run_encode(options: Namespace, checkpoint: Checkpoint) -> None:
    """A folder of images to one file of codes."""
    check_vqvae(checkpoint)
    folder = options.folder
    with processes(options.device) as place:
        size = recipe_of(checkpoint).data.size
        images = FolderImages(folder, size)
        if place.rank == 0:
            images.check()
        names = [file.relative_to(folder).as_posix() for file in images.files]
        check_room_for(names)
        model = checkpoint.model.to(place.device)
        parts = _encoded(model, images, names, place)
        size_in_bytes = write_together(options.output, parts, len(names), place)
        if place.rank == 0:
            latents = math.prod(_map_of(model, size))
            bits = compressed_bits(latents, model.config.num_codes)
            print(
                f"{len(names)} images of {size}x{size} in {size_in_bytes} bytes: "
                f"{bits:.0f} bits an image instead of {size * size * 24}"
            )


def _encoded(model: VQVAE, images: Dataset, names: list[str], place: Place) -> Iterator[ImageCodes]:
    """The codes of this process's share of images, batch after batch."""
    own, mark = share_of(len(names), place, _BATCH), fingerprint(model)
    at = own.start
    if not own:
        return
    for codes in code_batches(model, Subset(images, own), _BATCH, place.rank == 0):
        of_batch = names[at : at + len(codes)]
        yield ImageCodes(list(codes), model.config.num_codes, of_batch, mark)
        at += len(codes)


@torch.no_grad()
def run_decode(options: Namespace, checkpoint: Checkpoint) -> None:
    """A file of codes to a folder of images."""
    check_vqvae(checkpoint)
    with processes(options.device) as place:
        model = checkpoint.model
        file = read_codes(options.codes, ImageCodes)
        if file.model != fingerprint(model):
            raise ValueError(f"{options.codes} was not made by the model in {options.checkpoint}")
        if "recipe" in checkpoint.config:
            _check_map(options.codes, file, model, recipe_of(checkpoint).data.size)
        model.to(place.device)
        folder = Path(options.output)
        # The old suffix stays, so that a.jpg and a.png do not become one file.
        targets = new_files(folder, file.names, ".png")
        meeting = Meeting(place)
        meeting.gather(None)  # none is written before all have seen that none is there
        own = share_of(len(targets), place, _BATCH)
        with ended_like_an_error(), all_or_none(targets[own.start : own.stop]):
            for start in tqdm(own[::_BATCH], unit="batch", disable=place.rank > 0):
                batch = slice(start, min(start + _BATCH, own.stop))
                _save_decoded(model, torch.stack(list(file.codes[batch])), targets[batch])
            meeting.gather(None)
        if place.rank == 0:
            print(f"{len(targets)} images in {folder}")


def _map_of(model: VQVAE, size: int) -> tuple[int, ...]:
    """The shape of the codes of a picture of so many pixels along each side."""
    side = size // 2**model.config.num_halvings
    books = model.config.num_codebooks
    return (side, side) if books == 1 else (books, side, side)


def _check_map(path: str, file: ImageCodes, model: VQVAE, size: int) -> None:
    """Raises ValueError unless the codes in a file are of the pictures that a model is for."""
    wanted, found = _map_of(model, size), tuple(file.codes[0].shape)
    if found != wanted:
        raise ValueError(
            f"{path} has codes of the shape {found}, and those of the model's pictures of "
            f"{size}x{size} have {wanted}"
        )


@torch.no_grad()
def run_sample(options: Namespace, checkpoint: Checkpoint) -> None:
    """Codes drawn from a prior, decoded to a folder of images."""
    check_vqvae(checkpoint)
    with processes(options.device) as place:
        if place.rank:
            return  # one process is enough
        model = checkpoint.model.to(place.device)
        prior = load_prior(options.prior, model)
        shape = map_of(prior)
        folder = Path(options.output)
        targets = new_files(
            folder, [f"sample_{index:04}" for index in range(options.count)], ".png"
        )
        labels = _labels_to_draw(options.label, prior, options.count)
        prior.model.to(place.device)
        with all_or_none(targets):
            for start in range(0, len(targets), 64):
                batch = targets[start : start + 64]
                codes = prior.model.sample(
                    shape,
                    batch=len(batch),
                    temperature=options.temperature,
                    top_k=options.top_k,
                    seed=None if options.seed is None else options.seed + start,
                    label=None if labels is None else labels[start : start + 64].to(place.device),
                )
                _save_decoded(model, codes, batch)
    print(f"{len(targets)} images in {folder}")


def _labels_to_draw(label: str | None, prior: Checkpoint, count: int) -> Tensor | None:
    """The class of each image to draw: that which is named, or all in turn; None without any."""
    classes = recipe_of(prior).data.classes if "recipe" in prior.config else ()
    if label is not None:
        return torch.full((count,), class_number(label, classes))
    number = prior.model.config.num_classes
    return None if number is None else torch.arange(count) % number


def _save_decoded(model: VQVAE, codes: Tensor, targets: list[Path]) -> None:
    """Decodes codes and writes each image to its path."""
    decoded = to_uint8(model.decode(codes.to(device_of(model))))
    for image, path in zip(decoded.cpu(), targets, strict=True):
        with writing(path, flushed=False) as partial:
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(partial, format="PNG")
