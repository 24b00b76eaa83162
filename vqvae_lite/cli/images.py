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

from vqvae_lite.baselines.bits import evaluate_bits
from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.checks import check_positive_int, size_of
from vqvae_lite.cli.files import check_no_split, check_vqvae, new_files
from vqvae_lite.codefile import ImageCodes, check_room_for, read_codes
from vqvae_lite.distributed import Meeting, Place, processes, share_of
from vqvae_lite.encoding import code_batches
from vqvae_lite.evaluation import evaluate
from vqvae_lite.files import to_write
from vqvae_lite.images import FolderImages, to_uint8
from vqvae_lite.maze import holds_mazes
from vqvae_lite.metrics import compressed_bits
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import device_of, fingerprint
from vqvae_lite.priors.nats import Prior, nats_per_code
from vqvae_lite.recipes.images import load_images, maze_images
from vqvae_lite.recipes.names import KINDS
from vqvae_lite.recipes.priors import load_prior
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
        raise ValueError(f"--samples is for a vae or vimco; {checkpoint.path} holds a {holds}")
    recipe = recipe_of(checkpoint)
    with processes(options.device) as place:
        images = _held_out(options, checkpoint, recipe)
        model = checkpoint.model.to(place.device)
        result = {}
        if recipe.kind == "vqvae":
            result = evaluate(model, images, place=place, progress=True)._asdict()
        log_prob = None
        if options.prior:
            prior = load_prior(options.prior, model).model.to(place.device)
            log_prob = prior.log_prob
            result["nats_per_code"] = _nats_of_codes(prior, model, images, place)
            result["nats_per_code_of_the_uniform_prior"] = math.log(recipe.model.num_codes)
        if recipe.model.likelihood:
            bits = evaluate_bits(
                model,
                images,
                prior=log_prob,
                samples=1 if options.samples is None else options.samples,
                place=place,
                progress=True,
            )
            result["bits_per_dim"] = bits.means()
        if place.rank == 0:
            print(json.dumps(result, indent=2))


def _nats_of_codes(prior: Prior, model: VQVAE, images: Dataset, place: Place) -> float:
    """What a code of these images costs under a prior: see `nats_per_code`."""
    meeting, own = Meeting(place), share_of(size_of(images, "evaluate on"), place, _BATCH)
    nats, count = 0.0, 0
    if own:
        for codes in code_batches(model, Subset(images, own), _BATCH, place.rank == 0):
            nats += nats_per_code(prior, codes) * codes.numel()
            count += codes.numel()
    nats, count = (sum(parts) for parts in zip(*meeting.gather((nats, count)), strict=True))
    return nats / count


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
        names = [file.relative_to(folder).as_posix() for file in images.files]
        check_room_for(names)
        model = checkpoint.model.to(place.device)
        parts = _encoded(model, images, names, place)
        size_in_bytes = write_together(output, parts, len(names), place)
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
    for codes in code_batches(model, Subset(images, own), _BATCH, progress=place.rank == 0):
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
        for start in tqdm(own[::_BATCH], unit="batch", disable=place.rank > 0):
            batch = slice(start, min(start + _BATCH, own.stop))
            _save_decoded(model, torch.stack(file.codes[batch]), targets[batch])
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
