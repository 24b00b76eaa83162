"""The sound of a recipe, and what a model of sound says of its voices."""

from functools import partial

from vqvae_lite.checkpoints import Checkpoint, detail
from vqvae_lite.recipes.profiles import for_speakers
from vqvae_lite.recipes.recipe import Recipe, TrainingData, recipe_of
from vqvae_lite.sound.disguise import crop_and_disguise
from vqvae_lite.sound.files import RATE, Utterance, find_speakers, read_folder, resample
from vqvae_lite.sound.speech import load_speech
from vqvae_lite.sound.windows import SoundWindows, crop


def sound_data(recipe: Recipe) -> TrainingData:
    """The sound that a recipe trains on.

    Args:
        recipe: which names its speakers: see `for_the_speakers_of_its_folder`.

    Raises:
        FileNotFoundError, ValueError: as `load_utterances` and `SoundWindows`.
    """
    data = recipe.data
    utterances = load_utterances(recipe)
    minutes = sum(len(utterance.wave) for utterance in utterances) / data.rate / 60
    return TrainingData(
        SoundWindows(utterances, data.speakers, data.window),
        partial(crop_and_disguise, rate=data.rate, share=data.disguise) if data.disguise else crop,
        f"{minutes:.1f} minutes of {', '.join(data.speakers)} in windows of "
        f"{data.window / data.rate:.3g} s",
        {"speakers": list(data.speakers)},
    )


def load_utterances(recipe: Recipe, split: str = "train") -> list[Utterance]:
    """The utterances of a recipe, at its rate.

    Args:
        recipe: "speech" has splits; a folder is read whole, whatever the split.
        split: "train", "validation" or "test".

    Raises:
        FileNotFoundError, ValueError: as `speech.load_speech` and `files.read_folder`.
    """
    data = recipe.data
    if data.folder is not None:
        return read_folder(data.folder, data.rate, speakers=data.speakers or None, annotated=False)
    return [
        utterance._replace(wave=resample(utterance.wave, RATE, data.rate))
        for utterance in load_speech(split, data.speakers)
    ]


def for_the_speakers_of_its_folder(recipe: Recipe) -> Recipe:
    """The recipe for a model of all that speak in its folder, where it names none itself.

    Raises:
        FileNotFoundError, ValueError: as `files.find_speakers`.
    """
    if recipe.data.speakers:
        return recipe
    return for_speakers(recipe, find_speakers(recipe.data.folder))


def speakers_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The names of a model's speakers, in its order.

    Raises:
        CheckpointError: they are not stored in it, or not as many as it has.
    """
    count = checkpoint.model.config.num_speakers

    def fits(names: list[str]) -> bool:
        given = [name for name in names if isinstance(name, str)]
        return isinstance(names, list) and len({*given}) == len(names) == count

    expected = f"a list of {count} names, as of details={{'speakers': [...]}} to save_checkpoint"
    return tuple(detail(checkpoint, "speakers", fits, expected))


def rate_of(checkpoint: Checkpoint) -> int:
    """Samples a second of a model's sound: its recipe's, or 16,000 where none is stored.

    Raises:
        CheckpointError: an impossible recipe is stored in it.
    """
    return recipe_of(checkpoint).data.rate if "recipe" in checkpoint.config else RATE
