"""Does the same wall come back? Films that turn away and back, with a memory and without.

The views are those of the test walks at which the walker stands still: there so many turns to one
side and as many to the other lead back to the same view, and a full circle does too. (Views that
follow each other in one turn are of one spot.) The first side is the one to which the walker has
just turned, so that the film leaves what was seen. The last frame is compared with the last one
seen, both decoded. A circle to that side passes other views that were seen before it comes home; it
is drawn the other way as well, where it comes home from views that nobody has seen.

Beside each film is one of the same length that turns to and fro by one step: it has drawn as many
frames, and the view never leaves the last few. (For one turn the two are the same film.) All are
drawn by a model with a memory, and by the one that it was before it had any.

- psnr: of the two pictures;
- recognised: the share of films whose last frame is nearer to where they began, at 21 by 21 pixels,
  than to any other of the views; views of the same count as one;
- away: the same PSNR at the turning point, where the two should differ.

    python benchmarks/turn_back.py checkpoints/maze checkpoints/video runs/chain/video
"""

import argparse

import torch
import torch.nn.functional as F
from record import run
from torch import Tensor

from video import LEFT, RIGHT, SEEN, decode
from vqvae_lite.images import to_float
from vqvae_lite.maze import load_maze
from vqvae_lite.metrics import psnr
from vqvae_lite.model import VQVAE
from vqvae_lite.models import load_checkpoint
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.video.clips import MazeClips
from vqvae_lite.video.coding import encode_clips
from vqvae_lite.video.model import VideoPrior

TURNS = (1, 2, 3, 5, 8)
CIRCLE = 30  # turns by 12 degrees
STILL = 0.5  # map units in a step, of up to 30
SAME = 6  # degrees: half a turn's


def standing(poses: Tensor) -> Tensor:
    """The frames of a walk at which the walker is where it was in the frame before.

    Args:
        poses: x, y and angle of each frame, (N, 3).
    """
    moved = (poses[1:, :2] - poses[:-1, :2]).norm(dim=1)
    return (moved < STILL).nonzero()[:, 0] + 1


def same_view(poses: Tensor) -> Tensor:
    """Which pairs of poses (N, 4), x, y, angle and number of the maze, show the same: (N, N)."""
    apart = (poses[:, None, 2] - poses[None, :, 2]).abs()
    turned = torch.minimum(apart, 360 - apart) < SAME
    near = torch.cdist(poses[:, :2], poses[:, :2]) < 2 * STILL
    return turned & near & (poses[:, None, 3] == poses[None, :, 3])


def recognised(pictures: Tensor, views: Tensor, same: Tensor) -> float:
    """The share of pictures (N, 3, H, W) whose nearest view is their own, or looks the same."""
    small, those = (F.adaptive_avg_pool2d(to_float(some), 21) for some in (pictures, views))
    nearest = torch.cdist(small.flatten(1), those.flatten(1)).argmin(1)
    return same[torch.arange(len(views)), nearest].double().mean().item()


def film(prior: VideoPrior, seen: Tensor, done: Tensor, turns: list[int]) -> Tensor:
    """Films of codes (N, turns, h, w), after frames that were seen and what was done there.

    Args:
        prior: draws them.
        seen: (N, SEEN, h, w).
        done: (N, SEEN - 1), the last a turn.
        turns: 1 goes on turning to the side of that turn, -1 turns to the other side.
    """
    last = done[:, -1:]
    actions = torch.where(torch.tensor(turns) == 1, last, LEFT + RIGHT - last)
    actions = torch.cat([done, actions], 1)
    return prior.sample(seen, len(turns), actions, seed=0, progress=False)


def measure(model: VQVAE, frames: Tensor, away: Tensor, begin: Tensor, same: Tensor) -> dict:
    last, turned = decode(model, frames), decode(model, away)
    return {
        "psnr": round(psnr(last, begin).mean().item(), 2),
        "away": round(psnr(turned, begin).mean().item(), 2),
        "recognised": round(recognised(last, begin, same), 3),
    }


def measure_films(
    model: VQVAE, prior: VideoPrior, start: tuple[Tensor, Tensor], begin: Tensor, same: Tensor
) -> dict[str, dict]:
    """Films of every length from frames seen and what was done there; what they come back to."""
    rows: dict[str, dict] = {}
    for turns in TURNS:
        back = film(prior, *start, [1] * turns + [-1] * turns)
        rows[f"{turns} and back"] = {
            "frames": 2 * turns,
            "away_and_back": measure(model, back[:, -1], back[:, turns - 1], begin, same),
        }
        if turns > 1:
            fro = film(prior, *start, [1, -1] * turns)
            rows[f"{turns} and back"]["to_and_fro"] = measure(
                model, fro[:, -1], fro[:, 0], begin, same
            )
        print(turns, rows[f"{turns} and back"], flush=True)
    rows["circle"] = {"frames": CIRCLE}
    for way, side in (("away_and_back", 1), ("the_other_way", -1)):
        circle = film(prior, *start, [side] * CIRCLE)
        rows["circle"][way] = measure(model, circle[:, -1], circle[:, CIRCLE // 2], begin, same)
    print("circle", rows["circle"], flush=True)
    return rows


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vqvae", help="the checkpoint `maze` or a run folder")
    parser.add_argument("video", help="a dynamics model with a memory")
    parser.add_argument("before", help="one without")
    options = parser.parse_args()
    model = load_checkpoint(options.vqvae).model
    priors = {
        "with a memory": load_prior(options.video, model).model,
        "without": load_prior(options.before, model).model,
    }
    maze, walks = load_maze("test"), encode_clips(model, MazeClips("test"))
    seen, done, poses, spots = [], [], [], set()
    for walk, (codes, actions) in enumerate(zip(walks.codes, walks.actions, strict=True)):
        path = maze.poses[walk * len(codes) : (walk + 1) * len(codes)]
        still = standing(path).tolist()
        for last in still:
            if last >= SEEN - 1 and actions[last - 1] in (LEFT, RIGHT):
                stops = [frame for frame in still if frame <= last and frame - 1 not in still]
                spots.add((walk, stops[-1]))
                seen.append(codes[last - SEEN + 1 : last + 1])
                done.append(actions[last - SEEN + 1 : last])
                poses.append(torch.cat([path[last], torch.tensor([float(walk)])]))
    seen, done, same = torch.stack(seen), torch.stack(done), same_view(torch.stack(poses))
    begin = decode(model, seen[:, -1])
    other = begin.roll(len(begin) // 2, 0)
    films = {
        name: measure_films(model, prior, (seen, done), begin, same)
        for name, prior in priors.items()
    }
    return "turn_back", {
        "views": len(seen),
        "spots": len(spots),
        "recognised_by_chance": round(same.double().mean().item(), 3),
        "history": {name: prior.config.history for name, prior in priors.items()},
        "psnr_of_another_view": round(psnr(other, begin).mean().item(), 2),
        "films": films,
    }


if __name__ == "__main__":
    run(main)
