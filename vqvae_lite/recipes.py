"""Recipes by name: which data, which model, how to train; each for a laptop and for a GPU."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from torch.utils.data import Dataset

from vqvae_lite.images import FolderImages, TensorImages, load_cifar10
from vqvae_lite.maze import load_maze
from vqvae_lite.model import ModelConfig
from vqvae_lite.training import TrainingConfig

PROFILES = ("quick", "paper")

# A short run on two cores has no time for the codes to be found one by one: shorter memory and
# earlier restarts put all of them to use within a hundred steps.
_QUICK = ModelConfig(width=64, decay=0.95, restart_below=0.1)
_QUICK_TRAINING = TrainingConfig(steps=400, batch_size=16, learning_rate=1e-3, checkpoint_every=100)


@dataclass(frozen=True)
class Recipe:
    """All that a run is made from.

    Attributes:
        name: of the recipe.
        profile: "quick" or "paper".
        size: height and width of the images, in pixels.
        model: see `ModelConfig`.
        training: see `TrainingConfig`.
        folder: the reader's own images, where the recipe reads a folder.
    """

    name: str
    profile: str
    size: int
    model: ModelConfig
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
        model, training = ModelConfig(**data["model"]), TrainingConfig(**data["training"])
        return cls(**{**data, "model": model, "training": training})


RECIPES = {
    # Section 4.1: 32x32 to 8x8.
    ("cifar10", "quick"): Recipe("cifar10", "quick", 32, _QUICK, _QUICK_TRAINING),
    ("cifar10", "paper"): Recipe("cifar10", "paper", 32, ModelConfig(), TrainingConfig()),
    # Section 4.2: 128x128 to 32x32, from a folder laid out like ImageNet or in any other way.
    ("folder", "quick"): Recipe("folder", "quick", 64, _QUICK, _QUICK_TRAINING),
    ("folder", "paper"): Recipe("folder", "paper", 128, ModelConfig(), TrainingConfig(workers=8)),
    # Section 4.2, DeepMind Lab: 84x84 to 21x21.
    ("maze", "quick"): Recipe("maze", "quick", 84, _QUICK, _QUICK_TRAINING),
    ("maze", "paper"): Recipe("maze", "paper", 84, ModelConfig(), TrainingConfig()),
}


def get_recipe(
    name: str, profile: str, *, folder: str | Path | None = None, settings: Iterable[str] = ()
) -> Recipe:
    """A recipe, with settings of one's own.

    Args:
        name: "cifar10", "folder" or "maze".
        profile: "quick" or "paper".
        folder: for the recipe "folder", the images.
        settings: such as "steps=1000", "width=128" or "decay=none": any field of `ModelConfig`
            or `TrainingConfig`, or "size".

    Raises:
        ValueError: for an unknown name, profile or setting, a value of another type, or a
            folder where none is read or none where one is.
    """
    if (name, profile) not in RECIPES:
        known = sorted({recipe for recipe, _ in RECIPES})
        raise ValueError(
            f"unknown recipe {name!r} with profile {profile!r}: expected one of {known} "
            f"with one of {list(PROFILES)}"
        )
    recipe = RECIPES[name, profile]
    if (name == "folder") != (folder is not None):
        need = "needs" if name == "folder" else "takes no"
        raise ValueError(f"the recipe {name!r} {need} folder of images, got {folder!r}")
    if folder is not None:
        recipe = replace(recipe, folder=str(folder))
    for setting in settings:
        recipe = _with_setting(recipe, setting)
    factor = 2**recipe.model.num_halvings
    if recipe.size % factor:
        raise ValueError(f"size must be a multiple of {factor}, got {recipe.size}")
    return recipe


def load_images(recipe: Recipe, split: str) -> Dataset:
    """The images of a recipe as a data set of uint8 (3, size, size).

    Args:
        recipe: "maze" and "cifar10" have splits; a folder is one set, and its split is "all".
        split: "train", "validation", "test" or "all".

    Raises:
        ValueError: the data have no such split, or another size.
        FileNotFoundError: they are not there; the message says what to do.
    """
    if recipe.name == "folder":
        return FolderImages(recipe.folder, recipe.size)
    native = RECIPES[recipe.name, recipe.profile].size
    if recipe.size != native:
        raise ValueError(
            f"the recipe {recipe.name!r} has images of {native} pixels, "
            f"so size={recipe.size} cannot be had"
        )
    return TensorImages(load_maze(split).frames) if recipe.name == "maze" else load_cifar10(split)


def _with_setting(recipe: Recipe, setting: str) -> Recipe:
    key, equals, text = setting.partition("=")
    owners = {
        field.name: (owner, field.type)
        for owner, kind in [("model", ModelConfig), ("training", TrainingConfig)]
        for field in fields(kind)
    }
    if not equals or (key not in owners and key != "size"):
        raise ValueError(
            f"unknown setting {setting!r}: expected NAME=VALUE with one of "
            f"{', '.join([*owners, 'size'])}"
        )
    if key == "size":
        return replace(recipe, size=_parse(key, text, int))
    owner, kind = owners[key]
    part = replace(getattr(recipe, owner), **{key: _parse(key, text, kind)})
    return replace(recipe, **{owner: part})


def _parse(key: str, text: str, kind: type) -> object:
    optional = kind == (float | None)
    if optional and text.lower() == "none":
        return None
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return float(text) if optional else kind(text)
    except (KeyError, ValueError):
        expected = "a number or none" if optional else f"{kind.__name__}"
        raise ValueError(f"setting {key!r} expects {expected}, got {text!r}") from None
