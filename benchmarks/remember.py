"""Teaches a dynamics model to remember: it goes on from one that has no memory.

The model gets a map more to look at, the last one of the view that is to come (`memory.py` of the
package), at first with weights of 0. It is trained on windows of the walks and their mirror images,
and on films that turn to and fro on the spot, one for every four windows: wherever a walker of the
training walks stood still and turned, its frames in another order are such a film, and a true one.

    make data FRAMES=33600  # prints the folder
    python benchmarks/remember.py checkpoints/maze runs/chain/video --run runs/remember \
        --folder '~/.cache/vqvae_lite/maze-33600'

A run that was stopped goes on where it was. With `--own-draws 0` the same is trained without errors
in the past.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from record import run
from chain import MIRRORED_ACTION, actions_of
from stages import last_of, train_stages
from torch import Tensor
from turn_back import CIRCLE, standing

from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages
from vqvae_lite.maze import ACTIONS, load_maze
from vqvae_lite.model import VQVAE
from vqvae_lite.models import load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.recipes.recipe import recipe_of
from vqvae_lite.recipes.video import codes_and_actions
from vqvae_lite.training import TrainingConfig
from vqvae_lite.video.clips import MazeClips
from vqvae_lite.video.coding import VideoWindows, encode_clips
from vqvae_lite.video.evaluation import nats_per_video_code
from vqvae_lite.video.past import VideoConfig

WINDOW = 8
TURNS = (0, 1, -1)  # forward, left, right
VIEWS = 3  # at least, of a place, to turn to and fro between
WINDOWS_A_TURNING = 4  # of walks, for each film on the spot
KEEPS_TURNING = 0.7  # rather than turning back
TRAINING = TrainingConfig(
    steps=1050, batch_size=16, learning_rate=3e-4, checkpoint_every=50, precision="bfloat16"
)
LAST_STEPS = 250  # at a tenth of the step size


def views(poses: Tensor, actions: Tensor) -> list[dict[int, int]]:
    """The places of a walk where the walker stood and turned, each with the views from it.

    Args:
        poses: (T, 3) of the frames.
        actions: (T - 1,) between them.

    Returns:
        For each place the number of a frame for every heading, in steps to the left from the first.
    """
    still, places = set(standing(poses).tolist()), []
    for frame in range(1, len(poses)):
        turn = TURNS[actions[frame - 1]]
        if frame not in still or not turn:
            continue
        if frame - 1 not in still or not TURNS[actions[frame - 2]]:
            heading = 0
            places.append({0: frame - 1})
        heading += turn
        places[-1].setdefault(heading, frame)
    return [place for place in places if len(place) >= VIEWS]


def turning(places: list[dict[int, int]], count: int) -> tuple[Tensor, Tensor]:
    """Films on the spot, the same each time, out of places as `views` gives them."""
    generator = torch.Generator().manual_seed(0)
    left, right = TURNS.index(1), TURNS.index(-1)

    def chance() -> float:
        return torch.rand((), generator=generator).item()

    frames, actions = [], []
    for _ in range(count):
        place = places[int(chance() * len(places))]
        lowest, highest = min(place), max(place)
        heading = lowest + int(chance() * (highest - lowest + 1))
        step = 1 if chance() < 0.5 else -1
        film, done = [place[heading]], []
        while len(film) < WINDOW:
            if chance() > KEEPS_TURNING or not lowest <= heading + step <= highest:
                step = -step
            if lowest <= heading + step <= highest:
                heading += step
                film.append(place[heading])
                done.append(left if step == 1 else right)
        frames.append(film)
        actions.append(done)
    return torch.tensor(frames), torch.tensor(actions)


def training_windows(maps: Tensor, poses: Tensor, actions: Tensor) -> VideoWindows:
    """Windows of walks and of their mirror images, and films on the spot.

    Args:
        maps: the codes of all frames, and then those of their mirror images.
        poses: (walks, T, 3).
        actions: (walks, T - 1).
    """
    both = torch.cat([actions, torch.tensor(MIRRORED_ACTION)[actions]])
    places = []
    for walk, doing in enumerate(both):
        first = walk * poses.shape[1]
        for place in views(poses[walk % len(poses)], doing):
            places.append({heading: first + frame for heading, frame in place.items()})
    walks = maps.unflatten(0, (len(both), -1))
    windows = len(VideoWindows([*walks], [*both], WINDOW))
    spot, turns = turning(places, windows // WINDOWS_A_TURNING)
    print(f"{windows} windows of walks, {len(spot)} of turns at {len(places)} places")
    return VideoWindows([*walks, *maps[spot]], [*both, *turns], WINDOW)


def with_memory(config: VideoConfig, own_draws: float | None = None) -> VideoConfig:
    """The settings of a model with a memory, and with errors in its past as before or as told."""
    errors = config.own_draws if own_draws is None else own_draws
    return replace(config, turns=TURNS, circle=CIRCLE, dropout=0.0, own_draws=errors)


@torch.no_grad()
def begin_from(given: Any, model: Any) -> None:
    """Gives a model with a memory the weights of one without, and weights of 0 for the memory."""
    weights = given.state_dict()
    mix = weights["past.mix.weight"]
    more = model.past.mix.weight.shape[1] - mix.shape[1]
    weights["past.mix.weight"] = torch.cat([mix, mix.new_zeros(len(mix), more, *mix.shape[2:])], 1)
    model.load_state_dict(weights)


def codes_and_poses(model: VQVAE, folder: str | None, path: Path) -> tuple[Tensor, Tensor]:
    """Codes of all training frames and of their mirror images, poses (N, 3); kept in a file."""
    if not path.exists():
        maze = load_maze("train", folder)
        both = (maze.frames, maze.frames.flip(-1))
        maps = torch.cat([encode_images(model, TensorImages(frames)) for frames in both])
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"codes_of": fingerprint(model), "maps": maps, "poses": maze.poses}, path)
    stored = torch.load(path)
    if stored["codes_of"] != fingerprint(model):
        raise SystemExit(f"{path} holds codes of another model")
    return stored["maps"], stored["poses"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vqvae", help="the checkpoint `maze` or a run folder")
    parser.add_argument("video", help="a checkpoint or run folder of `train video`")
    parser.add_argument("--run", type=Path, required=True, help="the folder for the run")
    parser.add_argument("--folder", help="a larger set of mazes; default: the book's")
    parser.add_argument(
        "--own-draws", type=float, help="share of errors in the past; default: the model's"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    coder = load_checkpoint(options.vqvae).model
    given = load_prior(options.video, coder)
    recipe, config = recipe_of(given), with_memory(given.model.config, options.own_draws)
    maps, poses = codes_and_poses(coder, options.folder, options.run / "codes.pt")
    actions = actions_of(options.folder)
    poses = poses.unflatten(0, (len(actions), -1))

    def details(stage: TrainingConfig) -> dict:
        data = replace(recipe.data, folder=options.folder)
        own = replace(recipe, model=config, training=stage, data=data)
        shape = {"map": list(maps.shape[1:]), "actions": list(ACTIONS)}
        return {"recipe": own.to_json(), **shape}

    train_stages(
        "video", config, lambda: training_windows(maps, poses, actions), TRAINING, LAST_STEPS,
        options.run, details, lambda model: begin_from(given.model, model),
        prepare=codes_and_actions,
    )  # fmt: skip
    held_out = encode_clips(coder, MazeClips("validation"))
    nats = nats_per_video_code(last_of(options.run).model, held_out.codes, held_out.actions)
    print(f"validation, the book's walks: {nats:.4f} nats a code")


if __name__ == "__main__":
    run(main)
