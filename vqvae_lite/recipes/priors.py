"""The codes that a prior learns (sections 3.3 and 4.3), and whose codes those were."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from vqvae_lite.checkpoints import Checkpoint, CheckpointError, detail
from vqvae_lite.checks import check_positive_int
from vqvae_lite.distributed import Place
from vqvae_lite.encoding import CodeMaps, encode_images
from vqvae_lite.images import FolderImages
from vqvae_lite.models import load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.recipes.classes import WithLabels, codes_and_label, labels_of
from vqvae_lite.recipes.images import MirroredImages, training_images
from vqvae_lite.recipes.recipe import PRIORS, Recipe, TrainingData, recipe_of
from vqvae_lite.recipes.shards import StoredMaps, maps_in
from vqvae_lite.recipes.sound import load_utterances
from vqvae_lite.sound.coding import (
    code_windows,
    encode_utterances,
    for_all_speakers,
    for_each_speaker,
)

MOST_CODES = 4096  # along a side of a map: those of a picture of 16,384 pixels


def map_data(
    recipe: Recipe, coder: Checkpoint, place: Place, codes_in: Sequence[str | Path] | None = None
) -> TrainingData:
    """The codes of the images that a VQ-VAE was trained on, as they are and mirrored if it was.

    Args:
        recipe: of the prior.
        coder: the VQ-VAE, with the recipe that it was trained by.
        place: of this process.
        codes_in: files of codes, or folders of them, that are learned instead: see `maps_in`.

    Raises:
        CheckpointError: the VQ-VAE has no recipe.
        ValueError, FileNotFoundError: as `training_images`, or as `maps_in`.
    """
    if codes_in:
        maps = maps_in(codes_in, fingerprint(coder.model))
        return _of_maps(maps, maps.files[0].shape)
    source = recipe_of(coder)
    images = training_images(source)
    if place.rank == 0 and isinstance(images, FolderImages):
        images.check()
    if recipe.data.classes:
        labels = labels_of(images, recipe.data.classes, source.data.folder, "train")
    sets = [images, MirroredImages(images)] if source.data.mirrored else [images]
    model = coder.model.to(place.device)
    codes = torch.cat([encode_images(model, each, progress=place.rank == 0) for each in sets])
    maps = CodeMaps(codes)
    data = _of_maps(maps, codes.shape)
    if recipe.data.classes:
        return data._replace(
            dataset=WithLabels(maps, labels.repeat(len(sets))),
            prepare=codes_and_label,
            text=f"{data.text} in {len(recipe.data.classes)} classes",
        )
    return data


def _of_maps(maps: CodeMaps | StoredMaps, shape: Sequence[int]) -> TrainingData:
    """A data set of maps of codes of a shape that ends in (height, width)."""
    height, width = shape[-2:]
    text = f"{len(maps)} maps of {height}x{width} codes"
    return TrainingData(maps, Tensor.long, text, {"map": [height, width]})


def row_data(recipe: Recipe, coder: Checkpoint, place: Place) -> TrainingData:
    """The codes of the sound that a VQ-VAE was trained on.

    Args:
        recipe: of the prior; with `num_classes` in its model it learns each speaker by itself.
        coder: the VQ-VAE, with the recipe that it was trained by.
        place: of this process.

    Raises:
        CheckpointError: the VQ-VAE has no recipe.
        ValueError, FileNotFoundError: as `load_utterances` and `code_windows`.
    """
    source = recipe_of(coder)
    utterances = load_utterances(source)
    codes = encode_utterances(coder.model.to(place.device), utterances, place.rank == 0)
    window = recipe.data.window
    return TrainingData(
        code_windows(utterances, codes, source.data.speakers, window),
        for_each_speaker if recipe.model.num_classes else for_all_speakers,
        f"{sum(map(len, codes))} codes in windows of {window}",
        {},
    )


def load_prior(path: str | Path, coder: nn.Module) -> Checkpoint:
    """A prior's checkpoint, which must be one for this model's codes.

    Raises:
        FileNotFoundError, CheckpointError: there is none, or it is no prior of this model.
    """
    checkpoint = load_checkpoint(path)
    check_codes_of(checkpoint, coder)
    return checkpoint


def map_of(prior: Checkpoint) -> tuple[int, int]:
    """Height and width of the maps of codes that a prior was trained on.

    Raises:
        CheckpointError: they are not stored in it, or impossible.
    """

    def fits(sides: list) -> bool:
        check_positive_int(height=sides[0], width=sides[1])
        return isinstance(sides, list) and len(sides) == 2 and max(sides) <= MOST_CODES

    expected = f"the height and width of its maps, from 1 to {MOST_CODES}"
    height, width = detail(prior, "map", fits, expected)
    return height, width


def check_codes_of(prior: Checkpoint, coder: nn.Module) -> None:
    """Raises CheckpointError unless a checkpoint is a prior over this model's codes."""
    if prior.model.kind not in PRIORS:
        kind = type(prior.model).__name__
        raise CheckpointError(f"{prior.path} holds a {kind} that is no prior over codes")
    # A prior that was trained by hand may say this alone.
    if "codes_of" in prior.config:
        expected = "the fingerprint of a model"
        codes_of = detail(prior, "codes_of", lambda text: isinstance(text, str), expected)
    else:
        codes_of = recipe_of(prior).data.codes_of
    if codes_of != fingerprint(coder):
        raise CheckpointError(
            f"{prior.path} was trained on the codes of model {codes_of}, not of "
            f"{fingerprint(coder)}"
        )
