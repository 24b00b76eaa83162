"""A dynamics model over the codes of clips: its recipe and its training (section 4.4)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.checks import check_positive_int
from vqvae_lite.codefile import read_codes, write_codes
from vqvae_lite.distributed import Place
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import fingerprint
from vqvae_lite.recipes.images import recipe_of
from vqvae_lite.recipes.priors import prior_details, start_prior
from vqvae_lite.recipes.recipe import PROFILES, with_setting
from vqvae_lite.training import TrainingConfig, train
from vqvae_lite.video.clips import open_clips
from vqvae_lite.video.coding import (
    VideoBatch,
    VideoCodes,
    VideoWindows,
    encode_clips,
)
from vqvae_lite.video.past import VideoConfig

CODES = "clips.codes"  # in the folder of a run: the codes that it is trained on


@dataclass(frozen=True)
class VideoRecipe:
    """All that the training of a dynamics model is made from.

    Attributes:
        profile: "quick" or "paper".
        window: frames that a step of training sees of a clip, at least 2; all but the first of
            them are predicted.
        model: see `VideoConfig`; its codes are the VQ-VAE's.
        training: see `TrainingConfig`.
        codes_of: fingerprint of the VQ-VAE.
    """

    profile: str
    window: int
    model: VideoConfig
    training: TrainingConfig
    codes_of: str


_QUICK = VideoRecipe(
    profile="quick",
    window=8,
    model=VideoConfig(width=64, pixelcnn_width=32, num_layers=4),
    training=TrainingConfig(steps=400, batch_size=4, learning_rate=1e-3, checkpoint_every=50),
    codes_of="",
)
_PAPER = VideoRecipe(
    profile="paper",
    window=16,
    model=VideoConfig(history=6, width=256, pixelcnn_width=128, num_layers=12),
    training=TrainingConfig(steps=100_000, batch_size=32, learning_rate=3e-4),
    codes_of="",
)


def get_video_recipe(
    vqvae: VQVAE, profile: str, num_actions: int | None, settings: Iterable[str] = ()
) -> VideoRecipe:
    """The recipe for a dynamics model over the codes of a model.

    Args:
        vqvae: the trained model, with one codebook.
        profile: "quick" or "paper".
        num_actions: of the clips, or None; a model that is not to see them: "num_actions=none".
        settings: such as "steps=1000", "width=128" or "window=20": any field of `VideoConfig` or
            of `TrainingConfig`, or "window".

    Raises:
        ValueError: for an unknown profile or setting, or one that does not fit.
    """
    if profile not in PROFILES:
        raise ValueError(f"profile must be one of {PROFILES}, got {profile!r}")
    recipe = _QUICK if profile == "quick" else _PAPER
    num_codes = vqvae.config.num_codes
    model = replace(recipe.model, num_codes=num_codes, num_actions=num_actions)
    recipe = replace(recipe, model=model, codes_of=fingerprint(vqvae))
    for setting in settings:
        recipe = with_setting(recipe, setting)
    check_positive_int(window=recipe.window)
    if recipe.model.num_codes != num_codes:
        raise ValueError(f"num_codes must be the VQ-VAE's {num_codes}")
    if recipe.model.num_actions not in (None, num_actions):
        raise ValueError(
            f"num_actions must be the clips' {num_actions} or none, got {recipe.model.num_actions}"
        )
    return recipe


def codes_for_run(
    run: str | Path, vqvae: Checkpoint, folder: str | None, place: Place
) -> VideoCodes:
    """The codes to train on: those that the run has stored, or made now and stored.

    Args:
        run: its folder.
        vqvae: with the recipe that it was trained by.
        folder: of clips, or another set of mazes; None for the mazes that ship with the book.
        place: of this process; the first one writes the file.

    Raises:
        CheckpointError: the VQ-VAE has no recipe.
        ValueError: the stored codes are of another model or other clips; or as `open_clips`.
    """
    path = Path(run) / CODES
    source = "" if folder is None else str(Path(folder).expanduser().resolve())
    if path.is_file():
        stored = read_codes(path, VideoCodes)
        for name, before, now in [
            ("model", stored.model, fingerprint(vqvae.model)),
            ("folder", stored.source, source),
        ]:
            if before != now:
                raise ValueError(f"{path} holds codes of the {name} {before!r}, not of {now!r}")
        return stored
    clips = open_clips(folder, "train", recipe_of(vqvae).size)
    codes = encode_clips(vqvae.model.to(place.device), clips, source, progress=place.rank == 0)
    if place.rank == 0:
        write_codes(path, codes)
    return codes


def train_video(
    run: str | Path,
    vqvae: Checkpoint,
    codes: VideoCodes,
    recipe: VideoRecipe,
    place: Place,
    resume: Checkpoint | None = None,
) -> None:
    """Trains a dynamics model on the codes of clips.

    Args:
        run: the folder for the checkpoints.
        vqvae: whose codes they are.
        codes: from `codes_for_run`.
        recipe: from `get_video_recipe`.
        place: of this process.
        resume: the run's last checkpoint, to go on from.

    Raises:
        CheckpointError: the run belongs to another VQ-VAE.
        ValueError, TrainingError: as `VideoWindows` and `train`.
    """
    windows = VideoWindows(codes.codes, codes.actions, recipe.window)
    model = start_prior("video", recipe, vqvae, resume)
    if resume is None:
        model.start_from(vqvae.model.quantizer.codebook.detach().cpu())
    with_actions = recipe.model.num_actions is not None
    train(
        model,
        windows,
        recipe.training,
        place=place,
        run=run,
        details=prior_details(
            recipe,
            window=recipe.window,
            map=list(codes.codes[0].shape[1:]),
            actions=codes.action_names if with_actions else None,
        ),
        resume=resume,
        prepare=codes_and_actions if with_actions else codes_alone,
    )


def codes_and_actions(batch: VideoBatch) -> tuple[Tensor, Tensor]:
    """A batch of windows as a model with actions takes it."""
    return tuple(batch)


def codes_alone(batch: VideoBatch) -> Tensor:
    """A batch of windows as a model without actions takes it."""
    return batch.codes
