"""A recipe carried out: its data, its model and its training."""

from collections.abc import Sequence
from pathlib import Path

from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.distributed import Place, memory_of
from vqvae_lite.models import check_memory, new_model
from vqvae_lite.recipes.images import image_data
from vqvae_lite.recipes.names import KINDS
from vqvae_lite.recipes.priors import map_data, row_data
from vqvae_lite.recipes.recipe import Recipe, TrainingData, check_can_resume
from vqvae_lite.recipes.sound import for_the_speakers_of_its_folder, sound_data
from vqvae_lite.recipes.video import clip_data
from vqvae_lite.training import check_share, train
from vqvae_lite.video.model import VideoPrior


def train_by(
    recipe: Recipe,
    run: str | Path,
    place: Place,
    *,
    coder: Checkpoint | None = None,
    resume: Checkpoint | None = None,
    codes_in: Sequence[str | Path] | None = None,
    check: bool = True,
) -> None:
    """Trains a model by a recipe, or goes on with it; says first what it does.

    Args:
        recipe: from `get_recipe`.
        run: the folder for the checkpoints.
        place: of this process.
        coder: for a prior, the VQ-VAE whose codes it learns, with the recipe that it was trained
            by: its data are encoded once.
        resume: the run's last checkpoint, to go on from.
        codes_in: for a prior over maps, the files of codes that it learns: see `map_data`.
        check: whether to look at the headers of a folder of images first, for up to a minute.

    Raises:
        CheckpointError: the VQ-VAE, or what is to go on, was saved without a recipe.
        ValueError: the run was begun by another recipe, or the device cannot hold its model or its
            batch; or as what loads the data, and `train`.
        FileNotFoundError: the data are not there.
        TrainingError: as `train`.
    """
    if recipe.kind == "soundvqvae":
        recipe = for_the_speakers_of_its_folder(recipe)
    check_share(recipe.training, place)
    _check_memory(recipe, place)
    if resume is not None:
        check_can_resume(resume, recipe)
        model = resume.model
    else:
        model = new_model(recipe.kind, recipe.model, recipe.training.seed)
        if coder is not None and isinstance(model, VideoPrior):
            model.start_from(coder.model.quantizer.codebook.detach().cpu())
    data = _training_data(recipe, coder, place, run, codes_in, check and place.rank == 0)
    if place.rank == 0:
        training = recipe.training
        others = f" and {place.world - 1} more" if place.world > 1 else ""
        print(
            f"{recipe.name} ({recipe.profile}), {recipe.kind}: {data.text}; {training.steps} steps "
            f"of {training.batch_size} on {place.device}{others}"
        )
    train(
        model,
        data.dataset,
        recipe.training,
        place=place,
        run=run,
        details={"recipe": recipe.to_json(), **data.details},
        resume=resume,
        prepare=data.prepare,
    )


def _check_memory(recipe: Recipe, place: Place) -> None:
    """Raises ValueError where a device can hold a recipe's model, or a batch of it, at no time."""
    check_memory(recipe.kind, recipe.model, place.device)
    batch = recipe.training.batch_size // place.world
    # Of images float32; of sound and codes at the least a byte each.
    each = 12 * recipe.data.size**2 if recipe.kind in KINDS else recipe.data.window or 1
    there = memory_of(place.device)
    if there is not None and batch * each > there:
        raise ValueError(
            f"a batch of {batch} needs {batch * each / 1e9:,.1f} GB, and {place.device} has "
            f"{there / 1e9:,.1f} GB: see batch_size={recipe.training.batch_size} and "
            f"{'size' if recipe.kind in KINDS else 'window'}"
        )


def _training_data(
    recipe: Recipe,
    coder: Checkpoint | None,
    place: Place,
    run: str | Path,
    codes_in: Sequence[str | Path] | None,
    check: bool,
) -> TrainingData:
    if coder is None:
        return sound_data(recipe) if recipe.kind == "soundvqvae" else image_data(recipe, check)
    if recipe.kind == "video":
        return clip_data(recipe, coder, place, run)
    if recipe.kind == "wavenet":
        return row_data(recipe, coder, place)
    return map_data(recipe, coder, place, codes_in)
