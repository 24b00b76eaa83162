"""The codes of clips that a dynamics model learns (section 4.4), kept in the folder of its run."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.codefile import read_codes, write_codes
from vqvae_lite.distributed import Place
from vqvae_lite.files import reading, visible_files
from vqvae_lite.images import IMAGE_SUFFIXES
from vqvae_lite.modules import fingerprint
from vqvae_lite.recipes.recipe import Recipe, TrainingData, recipe_of
from vqvae_lite.video.clips import Clips, MazeClips, open_clips
from vqvae_lite.video.coding import (
    VideoBatch,
    VideoCodes,
    VideoWindows,
    encode_clips,
)

CODES = "clips.codes"  # in the folder of a run: the codes that it is trained on


def clip_data(recipe: Recipe, coder: Checkpoint, place: Place, run: str | Path) -> TrainingData:
    """The codes of clips, made once for a run.

    Args:
        recipe: of the dynamics model.
        coder: the VQ-VAE, with the recipe that it was trained by.
        place: of this process; the first one stores the codes.
        run: its folder.

    Raises:
        CheckpointError: the VQ-VAE has no recipe.
        ValueError: the stored codes are of another model or other clips; or as `open_clips` and
            `VideoWindows`.
    """
    codes = _stored_codes(run, coder, recipe.data.folder)
    codes = codes or _make_codes(run, coder, recipe, place)
    window, with_actions = recipe.data.window, recipe.model.num_actions is not None
    clips = list(codes.codes)  # in memory: a window is a part of one
    return TrainingData(
        VideoWindows(clips, codes.actions, window),
        codes_and_actions if with_actions else codes_alone,
        f"{len(clips)} clips, {sum(map(len, clips))} frames, in windows of {window}",
        {
            "map": list(clips[0].shape[1:]),
            "actions": codes.action_names if with_actions else None,
        },
    )


def actions_for_run(run: str | Path, coder: Checkpoint, folder: str | None) -> Sequence[str] | None:
    """The names of what is done in the clips of a run, None where nothing is known of it.

    Decodes no clip, and raises as `clip_data`.
    """
    stored = _stored_codes(run, coder, folder)
    if stored is not None:
        return stored.action_names
    return open_clips(folder, "train", recipe_of(coder).data.size).actions


def codes_and_actions(batch: VideoBatch) -> tuple[Tensor, Tensor]:
    """A batch of windows as a model with actions takes it."""
    return batch.codes, batch.actions


def codes_alone(batch: VideoBatch) -> Tensor:
    """A batch of windows as a model without actions takes it."""
    return batch.codes


def _stored_codes(run: str | Path, coder: Checkpoint, folder: str | None) -> VideoCodes | None:
    path = Path(run) / CODES
    if not path.is_file():
        return None
    stored = read_codes(path, VideoCodes)
    for name, before, now in [
        ("model", stored.model, fingerprint(coder.model)),
        ("folder", stored.source, _source(folder)),
    ]:
        if before != now:
            raise ValueError(f"{path} holds codes of the {name} {before!r}, not of {now!r}")
    return stored


def _make_codes(run: str | Path, coder: Checkpoint, recipe: Recipe, place: Place) -> VideoCodes:
    folder = recipe.data.folder
    clips = open_clips(folder, "train", recipe_of(coder).data.size)
    longest, window = _longest(clips), recipe.data.window
    if longest < window:
        raise ValueError(f"no clip has a window of {window} frames: the longest has {longest}")
    model = coder.model.to(place.device)
    codes = encode_clips(model, clips, _source(folder), progress=place.rank == 0)
    if place.rank == 0:
        write_codes(Path(run) / CODES, codes)
    return codes


def _longest(clips: Clips) -> int:
    """Frames of the longest clip, counted before any is encoded."""
    if isinstance(clips, MazeClips):
        return int(clips.maze.maze.bincount().max())
    return max(map(_count_frames, clips.paths))


def _count_frames(path: Path) -> int:
    if path.is_dir():
        return len(visible_files(path, IMAGE_SUFFIXES))
    with reading(path, "a film"), Image.open(path) as film:
        return getattr(film, "n_frames", 1)


def _source(folder: str | None) -> str:
    """Where clips come from, as a file of codes says it; "" for the mazes of the book."""
    return "" if folder is None else str(Path(folder).expanduser().resolve())
