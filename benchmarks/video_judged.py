"""How soon imagined films are told from real walks: a classifier looks at single frames.

    python benchmarks/video_judged.py checkpoints/maze checkpoints/video checkpoints/video_at_once

A film of a hundred frames begins at every place of a test walk that a hundred frames follow, and
takes the walk's own actions. The classifier is chapter 6's: at each number of frames ahead it
learns to tell the films' frames from the walks', both decoded and made 32 pixels wide, on three of
the four mazes, and is tested on the fourth. The yardstick are the real frames of the validation
walks, which it is to tell from those of the test walks: it then finds what differs between mazes.
"""

import argparse

import torch
from record import percent, run
from sample_quality import told_apart
from torch import Tensor

from video import SEEN, decode
from vqvae_lite.images import shrink
from vqvae_lite.model import VQVAE
from vqvae_lite.models import load_checkpoint
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.video.clips import MazeClips
from vqvae_lite.video.coding import encode_clips
from vqvae_lite.video.evaluation import cut_clips
from vqvae_lite.video.model import VideoPrior

AHEAD = (1, 5, 10, 30, 100)
SIDE = 32  # pixels, of what the classifier sees
SEEDS = (0, 1, 2)  # of the classifier
EVERY = 1  # a film begins at every so many frames


def cut(model: VQVAE, split: str) -> tuple[Tensor, Tensor]:
    """Codes (N, 106, h, w) of a split's walks and actions (N, 105), the walks one by one."""
    walks = encode_clips(model, MazeClips(split))
    length = SEEN + max(AHEAD)
    return cut_clips(walks.codes, length, EVERY), cut_clips(walks.actions, length - 1, EVERY)


def films(prior: VideoPrior, codes: Tensor, actions: Tensor) -> Tensor:
    """The frames seen and then those imagined, (N, 106, h, w)."""
    seen = codes[:, :SEEN]
    drawn = prior.sample(seen, max(AHEAD), actions, seed=0)
    return torch.cat([seen, drawn], 1)


def seen_at(model: VQVAE, codes: Tensor, ahead: int) -> Tensor:
    """What the classifier sees of all films at one time, uint8 (N, 3, 32, 32)."""
    return shrink(decode(model, codes[:, SEEN + ahead - 1]), SIDE)


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vqvae", help="a checkpoint of a model of the mazes")
    parser.add_argument("video", help="a checkpoint of `train video`, over its codes")
    parser.add_argument("at_once", help="the same with num_layers=0")
    parser.add_argument("--name", default="video_judged", help="of the results file")
    options = parser.parse_args()
    model = load_checkpoint(options.vqvae).model
    real, actions = cut(model, "test")
    judged = {
        "code by code": films(load_prior(options.video, model).model, real, actions),
        "all at once": films(load_prior(options.at_once, model).model, real, actions),
        "real, other mazes": cut(model, "validation")[0],
    }
    told = {
        name: {
            str(ahead): percent(
                told_apart(seen_at(model, codes, ahead), seen_at(model, real, ahead), SEEDS)
            )
            for ahead in AHEAD
        }
        for name, codes in judged.items()
    }
    print(told)
    return options.name, {"films": len(real), "seeds": len(SEEDS), "told_from_walks_percent": told}


if __name__ == "__main__":
    run(main)
