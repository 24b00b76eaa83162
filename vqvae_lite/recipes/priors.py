"""A prior over the codes of a trained VQ-VAE: its recipe and its training (section 3.3)."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vqvae_lite.checkpoints import Checkpoint, CheckpointError
from vqvae_lite.distributed import Place
from vqvae_lite.encoding import CodeMaps, encode_images
from vqvae_lite.model import VQVAE
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.modules import fingerprint
from vqvae_lite.priors.pixelcnn import PixelCNNConfig
from vqvae_lite.recipes.images import recipe_of, training_images
from vqvae_lite.recipes.recipe import PROFILES, with_setting
from vqvae_lite.sound.model import SoundVQVAE
from vqvae_lite.training import TrainingConfig, train

_MODELS = {
    "quick": PixelCNNConfig(width=64, num_layers=8),
    "paper": PixelCNNConfig(width=128, num_layers=15, dropout=0.1),
}
_TRAINING = {
    "quick": TrainingConfig(steps=400, batch_size=16, learning_rate=1e-3, checkpoint_every=100),
    "paper": TrainingConfig(steps=100_000, batch_size=64, learning_rate=3e-4),
}


@dataclass(frozen=True)
class PriorRecipe:
    """All that the training of a prior is made from.

    Attributes:
        profile: "quick" or "paper".
        model: see `PixelCNNConfig`; codes and codebooks are the VQ-VAE's.
        training: see `TrainingConfig`.
        codes_of: fingerprint of the VQ-VAE.
    """

    profile: str
    model: PixelCNNConfig
    training: TrainingConfig
    codes_of: str


def get_prior_recipe(vqvae: VQVAE, profile: str, settings: Iterable[str] = ()) -> PriorRecipe:
    """The recipe for a prior over the codes of a model.

    Args:
        vqvae: the trained model.
        profile: "quick" or "paper".
        settings: such as "steps=1000" or "width=128": any field of `PixelCNNConfig` or of
            `TrainingConfig`.

    Raises:
        ValueError: for an unknown profile or setting, or other codes than the VQ-VAE's.
    """
    if profile not in PROFILES:
        raise ValueError(f"profile must be one of {PROFILES}, got {profile!r}")
    codes = {
        "num_codes": vqvae.config.num_codes,
        "num_codebooks": vqvae.config.num_codebooks,
    }
    model = replace(_MODELS[profile], **codes)
    recipe = PriorRecipe(profile, model, _TRAINING[profile], fingerprint(vqvae))
    for setting in settings:
        recipe = with_setting(recipe, setting)
    for name, value in codes.items():
        if getattr(recipe.model, name) != value:
            raise ValueError(f"{name} must be the VQ-VAE's {value}")
    return recipe


def train_prior(
    run: str | Path,
    vqvae: Checkpoint,
    recipe: PriorRecipe,
    place: Place,
    resume: Checkpoint | None = None,
) -> None:
    """Encodes the images that the VQ-VAE was trained on, once, and trains a prior on the codes.

    Args:
        run: the folder for the checkpoints.
        vqvae: with the recipe that it was trained by.
        recipe: from `get_prior_recipe`.
        place: of this process.
        resume: the run's last checkpoint, to go on from.

    Raises:
        CheckpointError: the VQ-VAE has no recipe, or the run belongs to another one.
        ValueError, TrainingError: as `train`.
    """
    model = start_prior("pixelcnn", recipe, vqvae, resume)
    images = training_images(recipe_of(vqvae))
    codes = encode_images(vqvae.model.to(place.device), images, progress=place.rank == 0)
    train(
        model,
        CodeMaps(codes),
        recipe.training,
        place=place,
        run=run,
        details=prior_details(recipe, map=list(codes.shape[-2:])),
        resume=resume,
        prepare=Tensor.long,
    )


def start_prior(kind: str, recipe: Any, vqvae: Checkpoint, resume: Checkpoint | None) -> nn.Module:
    """The prior to train: that of the checkpoint to go on from, or a new one.

    Args:
        kind: a name of `models.MODELS`.
        recipe: with `model`, the settings, and `training`.
        vqvae: whose codes it is for.
        resume: the run's last checkpoint, or None.

    Raises:
        CheckpointError: the run is a prior over another model's codes.
        ValueError: it has other settings than the recipe.
    """
    if resume is None:
        return new_model(kind, recipe.model, recipe.training.seed)
    check_codes_of(resume, vqvae.model)
    if resume.model.config != recipe.model:
        raise ValueError(
            f"{resume.path} has {resume.model.config}; it cannot go on as {recipe.model}"
        )
    return resume.model


def prior_details(recipe: Any, **more: Any) -> dict[str, Any]:
    """What the checkpoints of a prior say beside its settings; a recipe as for `start_prior`."""
    return {
        "codes_of": recipe.codes_of,
        "profile": recipe.profile,
        "training": asdict(recipe.training),
        **more,
    }


def load_prior(path: str | Path, vqvae: VQVAE | SoundVQVAE) -> Checkpoint:
    """A prior's checkpoint, which must be one for this model's codes.

    Raises:
        FileNotFoundError, CheckpointError: there is none, or it is no prior of this model.
    """
    checkpoint = load_checkpoint(path)
    check_codes_of(checkpoint, vqvae)
    return checkpoint


def check_codes_of(prior: Checkpoint, vqvae: VQVAE | SoundVQVAE) -> None:
    """Raises CheckpointError unless a checkpoint is a prior over this model's codes."""
    if "codes_of" not in prior.config:
        kind = type(prior.model).__name__
        raise CheckpointError(f"{prior.path} holds a {kind} that is no prior over codes")
    if prior.config["codes_of"] != fingerprint(vqvae):
        raise CheckpointError(
            f"{prior.path} was trained on the codes of model {prior.config['codes_of']}, "
            f"not of {fingerprint(vqvae)}"
        )
