"""A WaveNet prior over the codes of a trained `SoundVQVAE`: unconditional speech (section 4.3)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.checks import check_positive_int
from vqvae_lite.distributed import Place
from vqvae_lite.modules import fingerprint
from vqvae_lite.priors.wavenet import WaveNetConfig
from vqvae_lite.recipes.priors import prior_details, start_prior
from vqvae_lite.recipes.recipe import PROFILES, with_setting
from vqvae_lite.recipes.sound import load_utterances, sound_recipe_of
from vqvae_lite.sound.coding import (
    code_windows,
    encode_utterances,
    for_all_speakers,
    for_each_speaker,
)
from vqvae_lite.sound.model import SoundVQVAE
from vqvae_lite.training import TrainingConfig, train


@dataclass(frozen=True)
class SoundPriorRecipe:
    """All that the training of a prior over codes of sound is made from.

    Attributes:
        profile: "quick" or "paper".
        window: codes that the model sees at once.
        model: see `WaveNetConfig`; its codes are the VQ-VAE's. With `num_classes`, the number of
            the VQ-VAE's speakers, it is a prior for each of them; by default one for all.
        training: see `TrainingConfig`.
        codes_of: fingerprint of the VQ-VAE.
    """

    profile: str
    window: int
    model: WaveNetConfig
    training: TrainingConfig
    codes_of: str


# A step of the quick WaveNet sees the 127 codes before it, of the paper's the 1534: at 250 codes a
# second half a second, and 6 seconds.
_QUICK = SoundPriorRecipe(
    profile="quick",
    window=256,
    model=WaveNetConfig(num_cycles=2, layers_per_cycle=6, dropout=0.1),
    training=TrainingConfig(steps=400, batch_size=16, learning_rate=1e-3, checkpoint_every=100),
    codes_of="",
)
_PAPER = SoundPriorRecipe(
    profile="paper",
    window=2048,
    model=WaveNetConfig(width=128, skip_width=256, num_cycles=3, layers_per_cycle=9, dropout=0.1),
    training=TrainingConfig(steps=100_000, batch_size=64, learning_rate=3e-4),
    codes_of="",
)


def get_sound_prior_recipe(
    vqvae: SoundVQVAE, profile: str, settings: Iterable[str] = ()
) -> SoundPriorRecipe:
    """The recipe for a prior over the codes of a model of sound.

    Args:
        vqvae: the trained model.
        profile: "quick" or "paper".
        settings: such as "steps=1000", "width=128" or "window=500": any field of
            `WaveNetConfig` or of `TrainingConfig`, or "window".

    Raises:
        ValueError: for an unknown profile or setting, or one that does not fit the VQ-VAE.
    """
    if profile not in PROFILES:
        raise ValueError(f"profile must be one of {PROFILES}, got {profile!r}")
    recipe = _QUICK if profile == "quick" else _PAPER
    num_codes, num_speakers = vqvae.config.num_codes, vqvae.config.num_speakers
    model = replace(recipe.model, num_codes=num_codes)
    recipe = replace(recipe, model=model, codes_of=fingerprint(vqvae))
    for setting in settings:
        recipe = with_setting(recipe, setting)
    check_positive_int(window=recipe.window)
    for name, allowed in [
        ("num_codes", [num_codes]),
        ("num_classes", [None, num_speakers]),
        ("condition_channels", [None]),
    ]:
        value = getattr(recipe.model, name)
        if value not in allowed:
            expected = " or ".join(str(value).lower() for value in allowed)
            raise ValueError(f"{name} must be {expected} to fit the VQ-VAE, got {value}")
    return recipe


def train_sound_prior(
    run: str | Path,
    vqvae: Checkpoint,
    recipe: SoundPriorRecipe,
    place: Place,
    resume: Checkpoint | None = None,
) -> None:
    """Encodes the speech that the VQ-VAE was trained on, once, and trains a prior on the codes.

    Args:
        run: the folder for the checkpoints.
        vqvae: with the recipe that it was trained by.
        recipe: from `get_sound_prior_recipe`.
        place: of this process.
        resume: the run's last checkpoint, to go on from.

    Raises:
        CheckpointError: the VQ-VAE has no recipe, or the run belongs to another one.
        ValueError, TrainingError: as `train`.
    """
    model = start_prior("wavenet", recipe, vqvae, resume)
    data = sound_recipe_of(vqvae)
    utterances = load_utterances(data)
    codes = encode_utterances(vqvae.model.to(place.device), utterances, place.rank == 0)
    train(
        model,
        code_windows(utterances, codes, data.speakers, recipe.window),
        recipe.training,
        place=place,
        run=run,
        details=prior_details(recipe, window=recipe.window),
        resume=resume,
        prepare=for_each_speaker if recipe.model.num_classes else for_all_speakers,
    )
