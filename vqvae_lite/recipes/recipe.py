"""What a run is made from: which data, which model, how to train; and where it is stored."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple, get_args, get_origin

from torch.utils.data import Dataset

from vqvae_lite.checkpoints import Checkpoint, CheckpointError
from vqvae_lite.checks import check_positive_int, check_real
from vqvae_lite.files import reading
from vqvae_lite.models import MODELS
from vqvae_lite.recipes.names import KINDS, PROFILES, RECIPES
from vqvae_lite.training import TrainingConfig

PRIORS = ("pixelcnn", "wavenet", "video")
MOST_PIXELS = 16_384  # along a side; a picture of so many takes 0.8 GB
MOST_SAMPLES = 1_000_000  # a second of sound
_GIVEN = ("folder", "codes_of", "classes")  # to `get_recipe`, not as a setting
# A run may go on with others of these; whatever else is another makes it another run.
_MAY_CHANGE = ("folder", "mirrored", "disguise")


@dataclass(frozen=True)
class ImageData:
    """Which images.

    Attributes:
        size: height and width, in pixels.
        folder: the reader's own images; for the recipe "maze" another set of mazes than the
            book's. As `stored_folder` gives it, here and below.
        mirrored: whether left and right of a random half of each batch are swapped in training.
    """

    size: int
    folder: str | None = None
    mirrored: bool = False

    def __post_init__(self):
        check_positive_int(size=self.size)
        if self.size > MOST_PIXELS:
            raise ValueError(f"size must be at most {MOST_PIXELS}, got {self.size}")
        _check_texts(folder=self.folder)
        if not isinstance(self.mirrored, bool):
            raise TypeError(f"mirrored must be a bool, got {self.mirrored!r}")


@dataclass(frozen=True)
class SoundData:
    """Which sound.

    Attributes:
        rate: samples a second; sound of another rate is resampled.
        window: samples that the model sees at once; a multiple of its hop.
        disguise: share of the windows, in [0, 1], that the encoder hears in another voice: see
            `disguise`.
        speakers: their names in the order of the model's speakers; () for all of a folder's.
        folder: the reader's own sound.
    """

    rate: int
    window: int
    disguise: float = 0.0
    speakers: tuple[str, ...] = ()
    folder: str | None = None

    def __post_init__(self):
        check_positive_int(rate=self.rate, window=self.window)
        if self.rate > MOST_SAMPLES:
            raise ValueError(f"rate must be at most {MOST_SAMPLES} a second, got {self.rate}")
        check_real(disguise=self.disguise)
        if not 0 <= self.disguise <= 1:
            raise ValueError(f"disguise must be in [0, 1], got {self.disguise}")
        object.__setattr__(self, "speakers", tuple(self.speakers))  # JSON has lists
        _check_texts(folder=self.folder)
        for speaker in self.speakers:
            _check_texts(speakers=speaker)
        if len(set(self.speakers)) < len(self.speakers):
            raise ValueError(f"speakers must each be named once, got {', '.join(self.speakers)}")


@dataclass(frozen=True)
class CodeData:
    """Whose codes.

    Attributes:
        codes_of: fingerprint of the VQ-VAE.
        window: codes of sound, or frames of a clip, that the prior sees at once; None for images,
            whose maps are seen whole.
        folder: the reader's own clips, or another set of mazes than the book's.
        classes: their names, in the order of the model's; () where it is not told the class.
    """

    codes_of: str = ""
    window: int | None = None
    folder: str | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "classes", tuple(self.classes))  # JSON has lists
        if self.window is not None:
            check_positive_int(window=self.window)
        _check_texts(codes_of=self.codes_of, folder=self.folder)


@dataclass(frozen=True)
class Recipe:
    """All that a run is made from.

    Attributes:
        name: of the recipe, a name of `names.RECIPES`.
        profile: a name of `names.PROFILES`.
        kind: of model, a name of `models.MODELS`.
        model: its settings, such as `ModelConfig`.
        training: see `TrainingConfig`.
        data: `ImageData`, `SoundData` or `CodeData`.
    """

    name: str
    profile: str
    kind: str
    model: Any
    training: TrainingConfig
    data: Any

    def to_json(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Recipe":
        """The inverse of `to_json`.

        Raises:
            TypeError, ValueError, KeyError: for unknown, missing or impossible settings.
        """
        parts = dict(stored)
        if "data" not in parts:  # the first recipes were flat, and did not always name the model
            parts.setdefault("kind", "soundvqvae" if "rate" in parts else "vqvae")
            names = {field.name for field in fields(cls)}
            parts["data"] = {name: parts.pop(name) for name in set(parts) - names}
        kind = parts["kind"]
        data = {"soundvqvae": SoundData, **dict.fromkeys(PRIORS, CodeData)}.get(kind, ImageData)
        parts["model"] = MODELS[kind][0](**parts["model"])
        parts["training"] = TrainingConfig(**parts["training"])
        parts["data"] = data(**parts["data"])
        return cls(**parts)


class TrainingData(NamedTuple):
    """What a recipe trains on.

    Attributes:
        dataset: as `training.train` takes it.
        prepare: what makes a batch of it into what the model takes.
        text: how much there is, in words.
        details: for the checkpoints, beside the recipe.
    """

    dataset: Dataset
    prepare: Callable[[Any], Any]
    text: str
    details: dict[str, Any]


def with_setting(recipe: Recipe, setting: str) -> Recipe:
    """A recipe with another value for one setting of its model, its training or its data.

    Args:
        recipe: to change.
        setting: NAME=VALUE; a tuple's values stand between commas.

    Raises:
        ValueError: there is no such setting, or the value is of another type.
    """
    key, equals, text = setting.partition("=")
    known = {
        field.name: (owner, field.type)
        for owner in ("model", "training", "data")
        for field in fields(getattr(recipe, owner))
        if field.name not in _GIVEN
    }
    if not equals or key not in known:
        raise ValueError(
            f"unknown setting {setting!r}: expected NAME=VALUE with one of {', '.join(known)}"
        )
    owner, kind = known[key]
    part = replace(getattr(recipe, owner), **{key: _parse(key, text, kind)})
    return replace(recipe, **{owner: part})


def recipe_of(checkpoint: Checkpoint) -> Recipe:
    """The recipe that a checkpoint was trained by.

    Raises:
        CheckpointError: none is stored in it (its model was saved without one), or an impossible.
    """
    config = checkpoint.config
    stored = config.get("recipe", _recipe_of_old_prior(config))
    if stored is None:
        raise CheckpointError(
            f"{checkpoint.path} was saved without a recipe, so its data are not known: pass "
            f"details={{'recipe': recipe.to_json()}} to save_checkpoint"
        )
    with reading(checkpoint.path / "config.json", "the recipe of a run", CheckpointError):
        recipe = Recipe.from_json(stored)
        if recipe.name not in RECIPES:
            raise ValueError(f"its name must be one of {', '.join(RECIPES)}, got {recipe.name!r}")
        if recipe.profile not in PROFILES:
            raise ValueError(f"its profile must be one of {PROFILES}, got {recipe.profile!r}")
        check_sizes(recipe)
    if (recipe.kind, recipe.model) != (checkpoint.model.kind, checkpoint.model.config):
        raise CheckpointError(f"{checkpoint.path}: its recipe is of another model than it holds")
    return recipe


def check_sizes(recipe: Recipe) -> None:
    """Raises ValueError unless what the model sees at once is what it can divide."""
    model, data = recipe.model, recipe.data
    if recipe.kind in KINDS:
        halvings = model.num_halvings
        # A power of a number that somebody mistyped could take longer to compute than any training.
        if halvings >= data.size.bit_length() or data.size % 2**halvings:
            factor = 2**halvings if halvings < 64 else f"2 ** {halvings}"
            raise ValueError(f"size must be a multiple of {factor}, got {data.size}")
    if recipe.kind == "soundvqvae" and data.window % model.hop:
        raise ValueError(f"window must be a multiple of {model.hop}, got {data.window}")
    if recipe.kind == "pixelcnn" and data.window is not None:
        raise ValueError("window must be none: maps of codes are seen whole")
    least = {"wavenet": 1, "video": 2}.get(recipe.kind, 0)
    if least and (data.window or 0) < least:
        raise ValueError(f"window must be at least {least}, got {data.window}")


def check_can_resume(resume: Checkpoint, recipe: Recipe) -> None:
    """Raises ValueError unless a run can go on by a recipe: begun with the same settings, not done.

    Those of the training may change, and "folder", "mirrored" and "disguise".
    """
    before, now = (
        {"name": one.name, "kind": one.kind, **asdict(one.data), **asdict(model)}
        for one, model in ((recipe_of(resume), resume.model.config), (recipe, recipe.model))
    )
    for name in now:
        if name not in _MAY_CHANGE and before.get(name) != now[name]:
            raise ValueError(
                f"{resume.path} was trained with {name} {before.get(name)}; it cannot go on as "
                f"{now[name]}"
            )
    taken, steps = resume.config["step"], recipe.training.steps
    if taken >= steps:
        raise ValueError(f"{resume.path} has taken {taken} of {steps} steps already")


def _check_texts(**arguments: str | None) -> None:
    """Raises TypeError, naming the argument, unless each is a text or None."""
    for name, value in arguments.items():
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a text, got {value!r}")


def _recipe_of_old_prior(config: dict[str, Any]) -> dict[str, Any] | None:
    """The recipe out of what the first checkpoints of priors say of it; None if it is none."""
    if not {"codes_of", "profile", "training"} <= set(config):
        return None
    return {
        "name": "video" if config["kind"] == "video" else "prior",
        **{name: config[name] for name in ("profile", "kind", "model", "training")},
        "data": {"codes_of": config["codes_of"], "window": config.get("window")},
    }


def _parse(key: str, text: str, kind: Any) -> object:
    optional = kind in (float | None, str | None, int | None)
    several = get_origin(kind) is tuple
    single = get_args(kind)[0] if optional or several else kind
    if optional and text.lower() == "none":
        return None
    try:
        if single is bool:
            return {"true": True, "false": False}[text.lower()]
        return tuple(single(part) for part in text.split(",")) if several else single(text)
    except (KeyError, ValueError):
        ending = " or none" if optional else " values, commas between them" if several else ""
        raise ValueError(
            f"setting {key!r} expects {single.__name__}{ending}, got {text!r}"
        ) from None
