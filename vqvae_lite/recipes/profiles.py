"""The recipes: each for a laptop, "quick", and for a GPU, "paper".

In "paper" codebooks learn by gradient, as in the paper's experiments (section 3.2); "paper-ema" is
the same with the moving averages of its appendix A.1.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vqvae_lite.baselines.autoencoder import Autoencoder
from vqvae_lite.baselines.gumbel import GumbelConfig
from vqvae_lite.baselines.vae import VAEConfig
from vqvae_lite.baselines.vimco import VIMCOConfig
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.modules import fingerprint
from vqvae_lite.priors.pixelcnn import PixelCNNConfig
from vqvae_lite.priors.wavenet import WaveNetConfig
from vqvae_lite.recipes.names import KINDS, PROFILES, check_recipe
from vqvae_lite.recipes.recipe import (
    CodeData,
    ImageData,
    Recipe,
    SoundData,
    check_sizes,
    with_setting,
)
from vqvae_lite.sound.files import RATE
from vqvae_lite.sound.model import SoundConfig, SoundVQVAE
from vqvae_lite.sound.speech import SPEAKERS
from vqvae_lite.training import TrainingConfig
from vqvae_lite.video.past import VideoConfig

# The models by kind and profile. A short run on two cores has no time for the codes to be found one
# by one: shorter memory and earlier restarts put all of them to use within a hundred steps. Two
# minutes are enough for two voices at half the rate, in which five convolutions give as many codes
# a second as section 4.3 has: six of stride 2, K = 512, a deep WaveNet. Of widths, batch and steps
# it says nothing. A step of the quick prior of sound sees the 127 codes before it, of the paper's
# the 1534: at 250 codes a second half a second, and 6 seconds.
_MODELS: dict[tuple[str, str], Any] = {
    ("vqvae", "quick"): ModelConfig(width=64, decay=0.95, restart_below=0.1),
    ("vqvae", "paper"): ModelConfig(decay=None),
    ("vae", "quick"): VAEConfig(width=64, likelihood="logistic"),
    ("vae", "paper"): VAEConfig(),
    ("vimco", "quick"): VIMCOConfig(width=64, likelihood="logistic"),
    ("vimco", "paper"): VIMCOConfig(),
    ("gumbel", "quick"): GumbelConfig(width=64, likelihood="logistic", annealing_steps=400),
    ("gumbel", "paper"): GumbelConfig(),
    ("soundvqvae", "quick"): SoundConfig(
        strides=(2, 2, 2, 2, 2), width=64, decay=0.95, restart_below=0.1, decoder_width=32,
        skip_width=96, layers_per_cycle=8,
    ),
    ("soundvqvae", "paper"): SoundConfig(
        width=256, decay=None, decoder_width=128, skip_width=256, num_cycles=3, layers_per_cycle=10
    ),
    ("pixelcnn", "quick"): PixelCNNConfig(width=64, num_layers=8),
    ("pixelcnn", "paper"): PixelCNNConfig(width=128, num_layers=15, dropout=0.1),
    ("wavenet", "quick"): WaveNetConfig(num_cycles=2, layers_per_cycle=6, dropout=0.1),
    ("wavenet", "paper"): WaveNetConfig(
        width=128, skip_width=256, num_cycles=3, layers_per_cycle=9, dropout=0.1
    ),
    ("video", "quick"): VideoConfig(width=64, pixelcnn_width=32, num_layers=4),
    ("video", "paper"): VideoConfig(history=6, width=256, pixelcnn_width=128, num_layers=12),
}  # fmt: skip
_SHORT = TrainingConfig(steps=400, batch_size=16, learning_rate=1e-3, checkpoint_every=100)
_LONG = TrainingConfig(steps=100_000, batch_size=64, learning_rate=3e-4)
_EMA_DECAY = 0.99  # gamma of appendix A.1
# Training and data, by recipe and profile; of "prior" by its kind. cifar10 is section 4.1; maze
# stands for DeepMind Lab (section 4.2) and folder, laid out like ImageNet or in any other way, for
# the other images there. A window of the paper's sound is a third of a second longer than what the
# WaveNet sees, 3070 samples.
_ROWS: dict[tuple[str, str], tuple[TrainingConfig, Any]] = {
    ("maze", "quick"): (_SHORT, ImageData(size=84)),
    ("maze", "paper"): (TrainingConfig(), ImageData(size=84)),
    ("cifar10", "quick"): (_SHORT, ImageData(size=32)),
    ("cifar10", "paper"): (TrainingConfig(), ImageData(size=32)),
    ("folder", "quick"): (_SHORT, ImageData(size=64)),
    ("folder", "paper"): (TrainingConfig(workers=8), ImageData(size=128)),
    ("speech", "quick"): (
        TrainingConfig(steps=420, batch_size=8, learning_rate=1e-3, checkpoint_every=105),
        SoundData(rate=8000, window=2048, speakers=("kal", "slt")),
    ),
    ("speech", "paper"): (
        TrainingConfig(steps=500_000, batch_size=64),
        SoundData(rate=RATE, window=8192, speakers=SPEAKERS),
    ),
    ("pixelcnn", "quick"): (_SHORT, CodeData()),
    ("pixelcnn", "paper"): (_LONG, CodeData()),
    ("wavenet", "quick"): (_SHORT, CodeData(window=256)),
    ("wavenet", "paper"): (_LONG, CodeData(window=2048)),
    ("video", "quick"): (replace(_SHORT, batch_size=4, checkpoint_every=50), CodeData(window=8)),
    ("video", "paper"): (replace(_LONG, batch_size=32), CodeData(window=16)),
}
Coder = VQVAE | Autoencoder | SoundVQVAE
# The prior over the codes of a kind of model.
_PRIOR_OF = {
    ("prior", "vqvae"): "pixelcnn",
    ("prior", "autoencoder"): "pixelcnn",
    ("prior", "soundvqvae"): "wavenet",
    ("video", "vqvae"): "video",
}


def get_recipe(
    name: str,
    profile: str,
    settings: Iterable[str] = (),
    *,
    kind: str | None = None,
    folder: str | Path | None = None,
    codes_of: Coder | None = None,
    num_actions: int | None = None,
    classes: Sequence[str] | None = None,
) -> Recipe:
    """A recipe, with settings of one's own.

    Args:
        name: a name of `names.RECIPES`.
        profile: a name of `names.PROFILES`; "paper-ema" is for a VQ-VAE alone.
        settings: such as "steps=1000", "width=128", "decay=none" or "speakers=kal,slt": any field
            of the model's settings, of `TrainingConfig`, or of `ImageData`, `SoundData` or
            `CodeData`, but those that are given or that follow from the data.
        kind: for images, the model: a name of `names.KINDS`; None is "vqvae".
        folder: for "folder" images, and for "sound" a folder with a folder of sound for each
            speaker, or in the layout of VCTK or LibriSpeech: see `files.read_folder`. "maze" and
            "video" take another set of mazes than the book's, and "video" a folder of clips.
        codes_of: for "prior" and "video", the trained model whose codes they learn.
        num_actions: for "video", of the clips; None where nothing is known of what was done. A
            model that is not to see them: "num_actions=none".
        classes: for "prior", the names of what it is to be told, from `classes.classes_of`; None:
            it is told nothing.

    Raises:
        ValueError: for an unknown name, profile or setting, a value of another type or one that
            does not fit, or for what the recipe takes none of or lacks.
    """
    check_recipe(name, kind=kind, folder=folder, codes_of=codes_of, classes=classes)
    if profile not in PROFILES:
        raise ValueError(f"profile must be one of {PROFILES}, got {profile!r}")
    kind, follows = _kind_of(name, kind, codes_of), {}
    training, data = _row(name, kind, profile)
    if folder is not None:
        data = replace(data, folder=stored_folder(folder))
    if codes_of is not None:
        data = replace(data, codes_of=fingerprint(codes_of), classes=tuple(classes or ()))
        follows = _follows(kind, codes_of.config, num_actions, len(data.classes) or None)
    first = {key: allowed[0] for key, allowed in follows.items()}
    model = replace(_model_of(kind, profile), **first)
    recipe = Recipe(name, profile, kind, model, training, data)
    for setting in settings:
        if setting.partition("=")[0] == "num_speakers":
            raise ValueError("num_speakers cannot be set: it follows from the data")
        recipe = with_setting(recipe, setting)
    for key, allowed in follows.items():
        value = getattr(recipe.model, key)
        if value not in allowed:
            expected = " or ".join(str(value).lower() for value in allowed)
            hint = "; --classes tells a prior its classes" if key == "num_classes" else ""
            raise ValueError(
                f"{key} must be {expected} to fit what it is to learn, got {value}{hint}"
            )
    check_sizes(recipe)
    if kind == "soundvqvae" and recipe.data.speakers:
        return for_speakers(recipe, recipe.data.speakers)
    return recipe


def stored_folder(folder: str | Path) -> str:
    """A folder as a recipe keeps it: found from any working folder, and by whose home "~" is."""
    return str(folder) if str(folder).startswith("~") else os.path.abspath(folder)


def for_speakers(recipe: Recipe, speakers: Sequence[str]) -> Recipe:
    """A recipe for sound with a model of these speakers, by name."""
    model = replace(recipe.model, num_speakers=len(speakers))
    return replace(recipe, model=model, data=replace(recipe.data, speakers=tuple(speakers)))


def _row(name: str, kind: str, profile: str) -> tuple[TrainingConfig, Any]:
    size = profile.removesuffix("-ema")
    if name == "sound":
        training, data = _ROWS["speech", size]
        return training, replace(data, speakers=())
    return _ROWS[kind if name == "prior" else name, size]


def _model_of(kind: str, profile: str) -> Any:
    """A model's settings, as far as they follow from neither the data nor the reader."""
    if profile != "paper-ema":
        return _MODELS[kind, profile]
    model = _MODELS[kind, "paper"]
    if not hasattr(model, "decay"):
        raise ValueError(
            f"a {kind} has no codebook that could follow moving averages: its profile is 'paper'"
        )
    return replace(model, decay=_EMA_DECAY)


def _kind_of(name: str, kind: str | None, codes_of: Coder | None) -> str:
    """The kind of model that a recipe trains."""
    if codes_of is not None:
        if (name, codes_of.kind) not in _PRIOR_OF:
            coders = [coder for recipe, coder in _PRIOR_OF if recipe == name]
            raise ValueError(
                f"the recipe {name!r} is for the codes of a {' or '.join(coders)}, "
                f"got a {codes_of.kind}"
            )
        return _PRIOR_OF[name, codes_of.kind]
    if name in ("speech", "sound"):
        return "soundvqvae"
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    return kind or "vqvae"


def _follows(
    kind: str, coder: Any, num_actions: int | None, num_classes: int | None
) -> dict[str, tuple[int | None, ...]]:
    """What a prior's settings may be to fit the codes: for each the values, the default first."""
    follows: dict[str, tuple[int | None, ...]] = {"num_codes": (coder.num_codes,)}
    if kind == "video":
        return {**follows, "num_actions": (num_actions, None)}
    if kind == "wavenet":
        classes = (num_classes,) if num_classes else (None, coder.num_speakers)
        follows |= {"num_classes": classes, "hop": (1,)}
    else:
        follows |= {"num_codebooks": (coder.num_codebooks,), "num_classes": (num_classes,)}
    return {**follows, "condition_channels": (None,)}
