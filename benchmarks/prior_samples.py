"""How much the samples of a prior look like frames: judged as pictures, as places and as a set.

All pictures come from one decoder, so only the codes differ: samples of the prior, the codes of
test frames, and as yardsticks the codes of validation frames, of training frames, and codes drawn
by their frequencies. (Training frames are not shown to the second and third judge, who know them.)
The judges are small networks, trained with three seeds:

- apart: tells a set from the decoded test frames, 32 pixels wide; 0.5 is chance;
- places: trained on decoded frames of the training mazes to say which of nine places of the picture
  a piece of 32 pixels was cut from. Where floors, walls and ceilings are where they belong, pieces
  are placed as well as those of test frames;
- halves: trained to say whether two halves of a picture, a band between them left out, are of one
  frame or of two. Given is the share of a set's own halves that it takes for one picture.

Precision and recall (Kynkäänniemi et al. 2019) ask in the features of a network that knows mazes
apart: which share of a set lies where test frames lie, and which share of the test frames lies
where the set does. They are to be taken with care here: frames of one walk are near copies of each
other and lie in narrow heaps, so that even validation frames have little of either. Spread is the
mean distance of two members, beside that of test frames.

    python benchmarks/prior_samples.py checkpoints/maze checkpoints/prior
"""

import argparse
import statistics
from collections.abc import Callable

import torch
import torch.nn.functional as F
from record import run
from binned_autoencoder import of_all
from sample_quality import (
    BATCH,
    FEATURES,
    FeatureNetwork,
    body,
    fit,
    told_apart,
    train_features,
    variety,
)
from torch import Tensor, nn

from vqvae_lite import sample
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages, shrink, to_float, to_uint8
from vqvae_lite.maze import load_maze
from vqvae_lite.models import load_checkpoint
from vqvae_lite.priors.nats import CodeFrequencies
from vqvae_lite.recipes.priors import load_prior

SEEDS = (0, 1, 2)
STEPS = 1000  # of each judge
PIECE, PLACES = 32, 3  # pixels; along each side
GAP = slice(12, 20)  # of 32 lines: what the judge of halves does not see
NEIGHBOURS = 3  # of precision and recall
AT_ONCE = 70
Batch = Callable[[], tuple[Tensor, Tensor]]  # inputs (B, C, 32, 32) and classes (B,)


def train_judge(draw: Batch, classes: int, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = nn.Sequential(body(16, FEATURES), nn.ReLU(), nn.Linear(FEATURES, classes))

        def loss() -> Tensor:
            inputs, target = draw()
            return F.cross_entropy(judge(inputs), target)

        fit(judge, loss, STEPS)
    return judge


def pieces(images: Tensor) -> tuple[Tensor, Tensor]:
    """Nine pieces of each picture, (9 N, 3, 32, 32), and their places, 0 to 8."""
    starts = torch.linspace(0, images.shape[-1] - PIECE, PLACES).long().tolist()
    cut = [images[..., y : y + PIECE, x : x + PIECE] for y in starts for x in starts]
    return torch.cat(cut), torch.arange(PLACES**2).repeat_interleave(len(images))


def place_batch(images: Tensor) -> Batch:
    cut, places = pieces(images)

    def draw() -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(cut), (BATCH,))
        return to_float(cut[chosen]), places[chosen]

    return draw


@torch.no_grad()
def placed_well(judge: nn.Module, images: Tensor) -> dict[str, float]:
    """The share of pieces put in their place, and in their row of three."""
    cut, places = pieces(images)
    found = judge(to_float(cut)).argmax(1)
    return {
        "place": (found == places).double().mean().item(),
        "height": (found // PLACES == places // PLACES).double().mean().item(),
    }


def halves(first: Tensor, second: Tensor) -> Tensor:
    """The upper lines of one, the lower lines of the other: float (B, 3, 32, 32), a gap between."""
    pair = torch.cat([first[:, :, : GAP.start], second[:, :, GAP.start :]], 2)
    pair = to_float(pair)
    pair[:, :, GAP] = 0.0
    return pair


def halves_batch(images: Tensor, maze: Tensor) -> Batch:
    """Half of each batch has halves of one frame, half has those of two frames of two mazes."""

    def draw() -> tuple[Tensor, Tensor]:
        one = torch.randint(len(images), (BATCH,))
        other = torch.randint(len(images), (BATCH,))
        same = torch.arange(BATCH) < BATCH // 2
        other = torch.where(same | (maze[one] == maze[other]), one, other)
        return halves(images[one], images[other]), (one == other).long()

    return draw


@torch.no_grad()
def taken_for_one(judge: nn.Module, first: Tensor, second: Tensor) -> float:
    return judge(halves(first, second)).argmax(1).double().mean().item()


def covered(points: Tensor, references: Tensor) -> float:
    """The share of points within the distance of a reference's third neighbour from it."""
    radius = torch.cdist(references, references).kthvalue(NEIGHBOURS + 1, dim=1).values
    return (torch.cdist(points, references) <= radius).any(1).double().mean().item()


@torch.no_grad()
def as_a_set(network: FeatureNetwork, images: Tensor, references: Tensor) -> dict[str, float]:
    mine, theirs = network(to_float(images)), network(to_float(references))
    return {
        "precision": round(covered(mine, theirs), 3),
        "recall": round(covered(theirs, mine), 3),
        "spread": round(variety(network, images, references), 3),
    }


def over_seeds(values: list[float]) -> dict[str, float]:
    return {
        "mean": round(statistics.mean(values), 3),
        "smallest": round(min(values), 3),
        "largest": round(max(values), 3),
    }


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vqvae", help="the checkpoint `maze` or a run folder")
    parser.add_argument("prior", help="a checkpoint or run folder of `train prior`")
    options = parser.parse_args()
    vqvae = load_checkpoint(options.vqvae).model
    prior = load_prior(options.prior, vqvae)
    mazes = {split: load_maze(split) for split in ("train", "validation", "test")}
    codes = {
        split: encode_images(vqvae, TensorImages(maze.frames)) for split, maze in mazes.items()
    }
    count, side = len(codes["test"]), codes["test"].shape[-1]
    generator = torch.Generator().manual_seed(0)
    frequencies = CodeFrequencies(codes["train"], vqvae.config.num_codes).log_probs[0].exp()
    by_frequency = torch.multinomial(frequencies, count * side**2, True, generator=generator)
    drawn = [
        sample(prior.model, (side, side), batch=AT_ONCE, seed=seed)
        for seed in range(-(-count // AT_ONCE))
    ]
    codes["samples"] = torch.cat(drawn)[:count]
    codes["frequencies"] = by_frequency.view(count, side, side)
    some = torch.randperm(len(codes["train"]), generator=generator)[:count]
    codes["training"] = codes["train"][some]
    pictures = {
        name: of_all(lambda part: to_uint8(vqvae.decode(part)), some)
        for name, some in codes.items()
    }
    small = {name: shrink(some, 32) for name, some in pictures.items()}

    maze, training, test = mazes["train"].maze, small["train"], small["test"]
    network = train_features(training, maze)
    place_judges = [train_judge(place_batch(pictures["train"]), PLACES**2, s) for s in SEEDS]
    turned = {name: some.transpose(2, 3) for name, some in small.items()}
    half_judges = {
        name: [train_judge(halves_batch(some["train"], maze), 2, seed) for seed in SEEDS]
        for name, some in (("upper_and_lower", small), ("left_and_right", turned))
    }
    found = {}
    for name in ("test", "validation", "training", "samples", "frequencies"):
        images, found[name] = small[name], {}
        if name != "training":
            places = [placed_well(judge, pictures[name]) for judge in place_judges]
            found[name] |= {part: over_seeds([p[part] for p in places]) for part in places[0]}
            for way, some in (("upper_and_lower", small), ("left_and_right", turned)):
                one = [taken_for_one(judge, some[name], some[name]) for judge in half_judges[way]]
                found[name][way] = over_seeds(one)
        if name != "test":
            apart = [told_apart(images, test, seeds=(seed,)) for seed in SEEDS]
            found[name] |= {"apart": over_seeds(apart), **as_a_set(network, images, test)}
        print(name, found[name])
    # What the judges of halves say of halves that are not of one picture: the shares to beat.
    other = torch.arange(count).roll(count // 2)
    mixed = {}
    for (way, judges), some in zip(half_judges.items(), (small, turned), strict=True):
        one = [taken_for_one(judge, some["test"], some["test"][other]) for judge in judges]
        mixed[way] = over_seeds(one)
    print("halves of two test frames", mixed)
    figures = {"step": prior.config["step"], "pictures": count, "seeds": len(SEEDS)}
    return "prior_samples", {**figures, "sets": found, "halves_of_two_frames": mixed}


if __name__ == "__main__":
    run(main)
