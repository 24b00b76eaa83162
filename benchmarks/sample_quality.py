"""Measures of how much samples look like frames, made without anything downloaded.

The first is a Frechet distance (Heusel et al. 2017) between the features of a small network, which
was trained on real frames to say which maze a frame is from. The second asks a classifier of a
fixed budget to tell samples from frames, on a part of both that it was not trained on. The first
looks at the two sets as wholes, the second at one picture at a time. Blur is what is missing of
fine detail; variety is how far apart the members of a set lie in the features of the first.
"""

import statistics
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.images import to_float

FEATURES = 32
STEPS, BATCH = 1000, 64  # of the network for features
APART = 20  # frames of a walk that look different
JUDGE_STEPS = 200  # of the classifier
FOLDS = 4


def body(width: int, out: int) -> nn.Sequential:
    """Three halvings and a mean over the map: (B, 3, 32, 32) to (B, out)."""
    return nn.Sequential(
        nn.Conv2d(3, width, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(2 * width, 2 * width, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * width * 16, out),
    )


class FeatureNetwork(nn.Module):
    """Features (B, 32), each of variance 1 over the training frames, and the mazes' logits."""

    def __init__(self, num_mazes: int):
        super().__init__()
        self.features = nn.Sequential(body(16, FEATURES), nn.BatchNorm1d(FEATURES, affine=False))
        self.maze = nn.Linear(FEATURES, num_mazes)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)


def fit(
    network: nn.Module, loss: Callable[[], Tensor], steps: int, weight_decay: float = 0.0
) -> None:
    """So many steps of Adam, downhill on a loss that draws its own batch; ends in eval mode."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=weight_decay)
    for _ in range(steps):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    network.eval()


def train_features(frames: Tensor, maze: Tensor, seed: int = 0) -> FeatureNetwork:
    """The network for features.

    Args:
        frames: of the training mazes, uint8 (N, 3, 32, 32).
        maze: int64 (N,), which maze each is from.
        seed: of the weights and batches.
    """
    maze = maze.unique(return_inverse=True)[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FeatureNetwork(int(maze.max()) + 1)

        def loss() -> Tensor:
            chosen = torch.randint(len(frames), (BATCH,))
            logits = network.maze(F.relu(network(to_float(frames[chosen]))))
            return F.cross_entropy(logits, maze[chosen])

        fit(network, loss, STEPS, weight_decay=1e-4)
    return network


@torch.no_grad()
def same_maze(network: FeatureNetwork, frames: Tensor, maze: Tensor) -> float:
    """Whether the features know a maze that they were not trained on, in [0, 1].

    The share of frames whose nearest frame, by the features, is of the same maze; the frames
    shortly before and after in the walk, which look nearly the same, are left out.
    """
    features = network(to_float(frames))
    distances = torch.cdist(features, features)
    place = torch.arange(len(frames))
    distances[(place[:, None] - place).abs() < APART] = torch.inf
    return (maze[distances.argmin(1)] == maze).double().mean().item()


@torch.no_grad()
def frechet_distance(network: FeatureNetwork, images: Tensor, references: Tensor) -> float:
    """Between Gaussians fitted to the features of two sets of uint8 images; 0 for the same set."""
    moments = []
    for pictures in (images, references):
        features = network(to_float(pictures)).double()
        moments.append((features.mean(0), torch.cov(features.T)))
    (mean_a, cov_a), (mean_b, cov_b) = moments
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp_min(0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    return distance.item()


def told_apart(images: Tensor, references: Tensor, seeds: tuple[int, ...] = (0, 1)) -> float:
    """The share of held-out images and references that a small classifier puts right; 1/2: none.

    Both sets are cut into four parts in their order, so that no maze of the references is in two
    of them; each part in turn is held out.

    Args:
        images: uint8 (N, 3, 32, 32).
        references: the same shape.
        seeds: of the classifier's weights and batches; the mean over them is given.
    """
    parts = [pictures.chunk(FOLDS) for pictures in (images, references)]
    right = []
    for seed in seeds:
        for fold in range(FOLDS):
            held_out = [part[fold] for part in parts]
            kept = [torch.cat([*part[:fold], *part[fold + 1 :]]) for part in parts]
            right.append(put_right(kept, held_out, JUDGE_STEPS, 1000 * seed + fold))
    return statistics.fmean(right)


def put_right(kept: list[Tensor], held_out: list[Tensor], steps: int, seed: int) -> float:
    """The share of held-out pictures that a classifier puts right, as many of either set.

    Args:
        kept: the two sets that it learns to tell apart, uint8 (N, 3, 32, 32).
        held_out: the same of both, not learned from.
        steps: of its training.
        seed: of its weights and batches.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = _train_judge(*kept, steps)
    with torch.no_grad():
        found = [judge(to_float(pictures)) for pictures in held_out]
    return statistics.fmean(
        (sign * one > 0).double().mean().item() for sign, one in zip((1, -1), found, strict=True)
    )


def fine_detail(images: Tensor, references: Tensor) -> float:
    """The energy of fine detail, relative to that of the references; below 1: softer than they.

    Fine is what repeats more than eight times along a picture of 32 pixels, in any direction; the
    finest that a row of pixels can hold repeats sixteen times.

    Args:
        images: uint8 (N, 3, 32, 32).
        references: the same shape.
    """
    side = images.shape[-1]
    rows = torch.fft.fftfreq(side) * side
    fine = rows[:, None].hypot(rows) > side / 4
    energies = [
        torch.fft.fft2(pictures.double().mean(1)).abs().square()[:, fine].mean()
        for pictures in (images, references)
    ]
    return (energies[0] / energies[1]).item()


@torch.no_grad()
def variety(network: FeatureNetwork, images: Tensor, references: Tensor) -> float:
    """The mean distance of two members in the features, relative to that of the references."""
    mine, theirs = (torch.pdist(network(to_float(some))).mean() for some in (images, references))
    return (mine / theirs).item()


def _train_judge(images: Tensor, references: Tensor, steps: int) -> nn.Sequential:
    """Positive for images, negative for references."""
    judge = nn.Sequential(body(16, FEATURES), nn.ReLU(), nn.Linear(FEATURES, 1))
    target = torch.cat([torch.ones(BATCH // 2, 1), torch.zeros(BATCH // 2, 1)])

    def loss() -> Tensor:
        batch = [
            pictures[torch.randint(len(pictures), (BATCH // 2,))]
            for pictures in (images, references)
        ]
        return F.binary_cross_entropy_with_logits(judge(to_float(torch.cat(batch))), target)

    fit(judge, loss, steps)
    return judge


def quality(
    network: FeatureNetwork, samples: Tensor, reconstructions: Tensor | None, test: Tensor
) -> dict[str, float | None]:
    """How much samples look like the test frames, and like the model's reconstructions of them.

    Args:
        network: from `train_features`.
        samples: uint8 (N, 3, 32, 32).
        reconstructions: of the test frames; None of a model without latents.
        test: the test frames.
    """
    figures = {
        "frechet_samples": frechet_distance(network, samples, test),
        "told_from_frames": told_apart(samples, test),
        "fine_detail": fine_detail(samples, test),
        "variety": variety(network, samples, test),
        "frechet_reconstructions": None,
        "told_from_own_reconstructions": None,
        "fine_detail_of_reconstructions": None,
    }
    if reconstructions is not None:
        figures |= {
            "frechet_reconstructions": frechet_distance(network, reconstructions, test),
            "told_from_own_reconstructions": told_apart(samples, reconstructions),
            "fine_detail_of_reconstructions": fine_detail(reconstructions, test),
        }
    return figures
