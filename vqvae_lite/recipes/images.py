"""Recipes by name: which data, which model, how to train; each for a laptop and for a GPU."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch.utils.data import Dataset

from vqvae_lite.baselines.vae import VAEConfig
from vqvae_lite.baselines.vimco import VIMCOConfig
from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.images import FolderImages, TensorImages, load_cifar10, shrink
from vqvae_lite.maze import load_maze
from vqvae_lite.model import ModelConfig
from vqvae_lite.models import MODELS
from vqvae_lite.recipes.recipe import PROFILES, stored_recipe, with_setting
from vqvae_lite.training import TrainingConfig

KINDS = ("vqvae", "vae", "vimco")

# The models by profile. A short run on two cores has no time for the codes to be found one by one:
# shorter memory and earlier restarts put all of them to use within a hundred steps.
_MODELS = {
    ("vqvae", "quick"): ModelConfig(width=64, decay=0.95, restart_below=0.1),
    ("vqvae", "paper"): ModelConfig(),
    ("vae", "quick"): VAEConfig(width=64, likelihood="logistic"),
    ("vae", "paper"): VAEConfig(),
    ("vimco", "quick"): VIMCOConfig(width=64, likelihood="logistic"),
    ("vimco", "paper"): VIMCOConfig(),
}
_TRAINING = {
    "quick": TrainingConfig(steps=400, batch_size=16, learning_rate=1e-3, checkpoint_every=100),
    "paper": TrainingConfig(),
}
# Height and width of the images, in pixels: cifar10 is section 4.1; maze stands for DeepMind Lab
# (section 4.2) and folder, laid out like ImageNet or in any other way, for the other images there.
_SIZES = {
    ("cifar10", "quick"): 32,
    ("cifar10", "paper"): 32,
    ("folder", "quick"): 64,
    ("folder", "paper"): 128,
    ("maze", "quick"): 84,
    ("maze", "paper"): 84,
}


@dataclass(frozen=True)
class Recipe:
    """All that a run is made from.

    Attributes:
        name: of the recipe.
        profile: "quick" or "paper".
        size: height and width of the images, in pixels.
        kind: of model, a name of `models.MODELS`.
        model: its settings, such as `ModelConfig`.
        training: see `TrainingConfig`.
        folder: the reader's own images, where the recipe reads a folder.
    """

    name: str
    profile: str
    size: int
    kind: str
    model: ModelConfig | VAEConfig | VIMCOConfig
    training: TrainingConfig
    folder: str | None = None

    def to_json(self) -> dict:
        """A dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> "Recipe":
        """The inverse of `to_json`.

        Raises:
            TypeError, ValueError: for unknown, missing or impossible settings.
        """
        # The first recipes knew no other models.
        kind = data.get("kind", "vqvae")
        model, training = MODELS[kind][0](**data["model"]), TrainingConfig(**data["training"])
        return cls(**{**data, "kind": kind, "model": model, "training": training})


def get_recipe(
    name: str,
    profile: str,
    *,
    kind: str = "vqvae",
    folder: str | Path | None = None,
    settings: Iterable[str] = (),
) -> Recipe:
    """A recipe, with settings of one's own.

    Args:
        name: "cifar10", "folder" or "maze".
        profile: "quick" or "paper".
        kind: "vqvae", "vae" or "vimco".
        folder: for the recipe "folder", the images.
        settings: such as "steps=1000", "width=128" or "decay=none": any field of the model's
            settings or of `TrainingConfig`, or "size".

    Raises:
        ValueError: for an unknown name, profile or setting, a value of another type, or a
            folder where none is read or none where one is.
    """
    if (name, profile) not in _SIZES or (kind, profile) not in _MODELS:
        raise ValueError(
            f"unknown recipe {name!r} with profile {profile!r} and model {kind!r}: expected one of "
            f"{sorted({name for name, _ in _SIZES})} with one of {list(PROFILES)} and one of "
            f"{list(KINDS)}"
        )
    training = _TRAINING[profile]
    if (name, profile) == ("folder", "paper"):
        training = replace(training, workers=8)
    size = _SIZES[name, profile]
    recipe = Recipe(name, profile, size, kind, _MODELS[kind, profile], training)
    if (name == "folder") != (folder is not None):
        need = "needs" if name == "folder" else "takes no"
        raise ValueError(f"the recipe {name!r} {need} folder of images, got {folder!r}")
    if folder is not None:
        recipe = replace(recipe, folder=str(folder))
    for setting in settings:
        recipe = with_setting(recipe, setting)
    factor = 2**recipe.model.num_halvings
    if recipe.size % factor:
        raise ValueError(f"size must be a multiple of {factor}, got {recipe.size}")
    return recipe


def recipe_of(checkpoint: Checkpoint) -> Recipe:
    """The recipe that a checkpoint was trained by.

    Raises:
        CheckpointError: none is stored in it (its model was saved without one), or an impossible.
    """
    return stored_recipe(checkpoint, Recipe, "the size and kind of its images")


def training_images(recipe: Recipe) -> Dataset:
    """The images that a recipe trains on: a whole folder, or the split "train"."""
    return load_images(recipe, "all" if recipe.name == "folder" else "train")


def load_images(recipe: Recipe, split: str) -> Dataset:
    """The images of a recipe as a data set of uint8 (3, size, size).

    Args:
        recipe: "maze" and "cifar10" have splits; a folder is one set, and its split is "all".
            The maze's frames can also be had smaller than they are.
        split: "train", "validation", "test" or "all".

    Raises:
        ValueError: the data have no such split, or another size.
        FileNotFoundError: they are not there; the message says what to do.
    """
    if recipe.name == "folder":
        return FolderImages(recipe.folder, recipe.size)
    native = _SIZES[recipe.name, recipe.profile]
    if recipe.size > native or (recipe.size < native and recipe.name != "maze"):
        raise ValueError(
            f"the recipe {recipe.name!r} has images of {native} pixels, "
            f"so size={recipe.size} cannot be had"
        )
    if recipe.name == "cifar10":
        return load_cifar10(split)
    frames = load_maze(split).frames
    return TensorImages(frames if recipe.size == native else shrink(frames, recipe.size))
