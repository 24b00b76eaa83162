"""The commands of `vqvae-lite` for films as codes."""

import json
import math
from argparse import Namespace

import torch

from vqvae_lite.checkpoints import Checkpoint, CheckpointError
from vqvae_lite.cli.files import all_or_none, check_no_split, new_files
from vqvae_lite.distributed import processes
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages, to_uint8
from vqvae_lite.recipes.recipe import recipe_of
from vqvae_lite.video.clips import (
    Clip,
    MazeClips,
    action_numbers,
    open_clips,
    read_clip,
    write_film,
)
from vqvae_lite.video.coding import encode_clips
from vqvae_lite.video.evaluation import nats_per_video_code


def run_evaluate(options: Namespace, vqvae: Checkpoint, prior: Checkpoint) -> None:
    """Measures a dynamics model on held-out clips and prints what it finds as JSON."""
    clips = open_clips(options.folder, options.split or "test", recipe_of(vqvae).data.size)
    if not isinstance(clips, MazeClips):
        check_no_split(options)
    with processes(options.device) as place:
        if place.rank:
            return  # one process is enough
        codes = encode_clips(vqvae.model.to(place.device), clips, progress=True)
        model = prior.model.to(place.device)
        actions = codes.actions if model.config.num_actions is not None else None
        result = {
            "clips": len(codes.codes),
            "nats_per_code": nats_per_video_code(model, codes.codes, actions),
            "nats_per_code_of_the_uniform_prior": math.log(codes.num_codes),
        }
        print(json.dumps(result, indent=2))


@torch.no_grad()
def run_sample(options: Namespace, vqvae: Checkpoint, prior: Checkpoint) -> None:
    """Frames imagined after a few that were seen, steered by actions, as films."""
    names = _action_names(prior)
    if (options.actions is None) != (names is None):
        wanted = f"name what is done, of {', '.join(names)}" if names else "not be given"
        raise ValueError(f"--actions must {wanted}: see `vqvae-lite info {prior.path}`")
    if (options.frames is None) != (names is not None):
        raise ValueError(
            "--frames says how many for a model without actions; --actions for one with them"
        )
    to_come = None if names is None else action_numbers(options.actions, names)
    frames = options.frames if to_come is None else len(to_come)
    targets = new_files(
        options.output, [f"sample_{index:04}" for index in range(options.count)], ".webp"
    )
    clip = _first_frames(options, vqvae, prior, names is not None)
    with processes(options.device) as place:
        if place.rank:
            return
        model = vqvae.model.to(place.device)
        seen = encode_images(model, TensorImages(clip.frames)).to(place.device)
        actions = None
        if to_come is not None and clip.actions is not None:
            actions = torch.cat([clip.actions, to_come]).expand(options.count, -1).to(place.device)
        imagined = prior.model.to(place.device).sample(
            seen.expand(options.count, -1, -1, -1),
            frames,
            actions,
            temperature=options.temperature,
            top_k=options.top_k,
            seed=options.seed,
        )
        with all_or_none(targets):
            for codes, target in zip(imagined, targets, strict=True):
                write_film(target, to_uint8(model.decode(torch.cat([seen, codes]))))
    print(
        f"{len(targets)} films in {options.output}: the {len(seen)} frames seen, as their codes "
        f"have them, and {frames} imagined"
    )


def _action_names(prior: Checkpoint) -> list[str] | None:
    """What can be done, by name, as a dynamics model was told; None where it knows of nothing.

    Raises:
        CheckpointError: no names are stored in it, or not as many as it has.
    """
    names, expected = prior.config.get("actions"), prior.model.config.num_actions
    fits = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if (names is None) != (expected is None) or (names and not (fits and len(names) == expected)):
        raise CheckpointError(
            f"{prior.path}: 'actions' must hold {expected or 'no'} names, got {names!r}"
        )
    return names


def _first_frames(
    options: Namespace, vqvae: Checkpoint, prior: Checkpoint, with_actions: bool
) -> Clip:
    """The first frames of the clip to go on from, with what was done between them."""
    size = recipe_of(vqvae).data.size
    if options.clip is not None:
        clip = read_clip(options.clip, size)
    else:  # of what the model knows: the mazes, or the reader's own clips
        clip = next(iter(open_clips(recipe_of(prior).data.folder, "test", size)))
    if len(clip.frames) < options.seen:
        raise ValueError(f"{clip.name} has {len(clip.frames)} frames, fewer than {options.seen}")
    seen = Clip(clip.name, clip.frames[: options.seen], None)
    if not with_actions:
        return seen
    if clip.actions is None:
        raise ValueError(f"{clip.name} needs a list of actions, since the model heeds them")
    return seen._replace(actions=clip.actions[: options.seen - 1])
