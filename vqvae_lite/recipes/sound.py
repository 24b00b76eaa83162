"""Recipes for sound: which voices, which model, how to train; for a laptop and for a GPU."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from vqvae_lite.checkpoints import Checkpoint, CheckpointError
from vqvae_lite.checks import check_positive_int
from vqvae_lite.recipes.recipe import PROFILES, stored_recipe, with_setting
from vqvae_lite.sound.files import RATE, Utterance, read_folder, resample
from vqvae_lite.sound.model import SoundConfig
from vqvae_lite.sound.speech import SPEAKERS, load_speech
from vqvae_lite.training import TrainingConfig

SOUND_RECIPES = ("speech", "sound")


@dataclass(frozen=True)
class SoundRecipe:
    """All that a run on sound is made from.

    Attributes:
        name: "speech" for the shipped data, "sound" for a folder of the reader's own.
        profile: "quick" or "paper".
        rate: samples a second; sound of another rate is resampled.
        window: samples that the model sees at once; a multiple of its hop.
        model: see `SoundConfig`. Its number of speakers follows from the data.
        training: see `TrainingConfig`.
        disguise: share of the windows, in [0, 1], that the encoder hears in another voice: see
            `disguise`. It may change where a run goes on.
        speakers: their names in the order of the model's speakers; () until the folder is read.
        folder: the reader's own sound, where the recipe reads a folder.
    """

    name: str
    profile: str
    rate: int
    window: int
    model: SoundConfig
    training: TrainingConfig
    disguise: float = 0.0
    speakers: tuple[str, ...] = ()
    folder: str | None = None

    def to_json(self) -> dict:
        """A dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> "SoundRecipe":
        """The inverse of `to_json`.

        Raises:
            TypeError, ValueError, KeyError: for unknown, missing or impossible settings.
        """
        model, training = SoundConfig(**data["model"]), TrainingConfig(**data["training"])
        speakers = tuple(data["speakers"])
        return cls(**{**data, "model": model, "training": training, "speakers": speakers})


# Two minutes on two cores are enough for two voices at half the rate, in which five convolutions
# give as many codes a second as section 4.3 has. The codebook as in the quick profile of images.
_QUICK = SoundRecipe(
    name="speech",
    profile="quick",
    rate=8000,
    window=2048,
    model=SoundConfig(
        strides=(2, 2, 2, 2, 2), width=64, decay=0.95, restart_below=0.1, decoder_width=32,
        skip_width=96, layers_per_cycle=8,
    ),
    training=TrainingConfig(steps=420, batch_size=8, learning_rate=1e-3, checkpoint_every=105),
    speakers=("kal", "slt"),
)  # fmt: skip
# Section 4.3: six convolutions of stride 2, K = 512, a deep WaveNet. It says nothing of widths,
# batch and steps. A window is a third of a second longer than what the WaveNet sees, 3070 samples.
_PAPER = SoundRecipe(
    name="speech",
    profile="paper",
    rate=RATE,
    window=8192,
    model=SoundConfig(
        width=256, decoder_width=128, skip_width=256, num_cycles=3, layers_per_cycle=10
    ),
    training=TrainingConfig(steps=500_000, batch_size=64),
    speakers=SPEAKERS,
)


def get_sound_recipe(
    name: str,
    profile: str,
    *,
    folder: str | Path | None = None,
    settings: Iterable[str] = (),
) -> SoundRecipe:
    """A recipe for sound, with settings of one's own.

    Args:
        name: "speech" or "sound".
        profile: "quick" or "paper".
        folder: for the recipe "sound", a folder with a folder of sound for each speaker, or in
            the layout of VCTK or LibriSpeech: see `files.read_folder`.
        settings: such as "steps=1000", "strides=2,2,4", "speakers=kal,slt" or "rate=16000": any
            field of `SoundConfig` but its number of speakers, of `TrainingConfig`, or "rate",
            "window", "disguise" and "speakers". All of a folder's speakers are taken where none
            are named.

    Raises:
        ValueError: for an unknown name, profile or setting, a value of another type, a window
            that is no multiple of the hop, or a folder where none is read or none where one is.
    """
    if name not in SOUND_RECIPES or profile not in PROFILES:
        raise ValueError(
            f"unknown recipe {name!r} with profile {profile!r}: expected one of "
            f"{list(SOUND_RECIPES)} with one of {list(PROFILES)}"
        )
    if (name == "sound") != (folder is not None):
        need = "needs a" if name == "sound" else "takes no"
        raise ValueError(f"the recipe {name!r} {need} folder of sound, got {folder!r}")
    recipe = _QUICK if profile == "quick" else _PAPER
    if folder is not None:
        recipe = replace(recipe, name=name, folder=str(folder), speakers=())
    for setting in settings:
        if setting.partition("=")[0] == "num_speakers":
            raise ValueError("num_speakers cannot be set: it follows from the data")
        recipe = with_setting(recipe, setting)
    check_positive_int(rate=recipe.rate, window=recipe.window)
    if not 0 <= recipe.disguise <= 1:
        raise ValueError(f"disguise must be in [0, 1], got {recipe.disguise}")
    if len(set(recipe.speakers)) < len(recipe.speakers):
        raise ValueError(f"speakers must each be named once, got {', '.join(recipe.speakers)}")
    if recipe.window % recipe.model.hop:
        raise ValueError(f"window must be a multiple of {recipe.model.hop}, got {recipe.window}")
    return _for_speakers(recipe, recipe.speakers) if recipe.speakers else recipe


def for_the_speakers_of(recipe: SoundRecipe, utterances: Sequence[Utterance]) -> SoundRecipe:
    """The recipe for a model of these speakers, by name, where it names none itself."""
    names = sorted({utterance.speaker for utterance in utterances})
    return recipe if recipe.speakers else _for_speakers(recipe, names)


def sound_recipe_of(checkpoint: Checkpoint) -> SoundRecipe:
    """The recipe that a checkpoint was trained by.

    Raises:
        CheckpointError: none is stored in it (its model was saved without one), or an impossible.
    """
    return stored_recipe(checkpoint, SoundRecipe, "its data")


def speakers_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The names of a model's speakers, in its order.

    Raises:
        CheckpointError: they are not stored in it, or not as many as it has.
    """
    names = checkpoint.config.get("speakers")
    expected = checkpoint.model.config.num_speakers
    if not isinstance(names, list) or len(names) != expected:
        raise CheckpointError(
            f"{checkpoint.path}: 'speakers' must hold {expected} names, got {names!r}: pass "
            f"details={{'speakers': [...]}} to save_checkpoint"
        )
    return tuple(names)


def rate_of(checkpoint: Checkpoint) -> int:
    """Samples a second of a model's sound: its recipe's, or 16,000 where none is stored.

    Raises:
        CheckpointError: an impossible recipe is stored in it.
    """
    return sound_recipe_of(checkpoint).rate if "recipe" in checkpoint.config else RATE


def load_utterances(recipe: SoundRecipe, split: str = "train") -> list[Utterance]:
    """The utterances of a recipe, at its rate.

    Args:
        recipe: "speech" has splits; a folder is read whole, whatever the split.
        split: "train", "validation" or "test".

    Raises:
        FileNotFoundError, ValueError: as `speech.load_speech` and `files.read_folder`.
    """
    if recipe.folder is not None:
        return read_folder(recipe.folder, recipe.rate, speakers=recipe.speakers or None)
    utterances = load_speech(split, recipe.speakers)
    return [
        utterance._replace(wave=resample(utterance.wave, RATE, recipe.rate))
        for utterance in utterances
    ]


def _for_speakers(recipe: SoundRecipe, speakers: Sequence[str]) -> SoundRecipe:
    model = replace(recipe.model, num_speakers=len(speakers))
    return replace(recipe, model=model, speakers=tuple(speakers))
