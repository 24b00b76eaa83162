"""Two opinions of the next frame: the dynamics model's, and that of a prior that sees no past.

The true frame at each distance is judged after frames that the dynamics model imagined, as in
`video.py`, by each alone and by both: log p = a log p_video + b log p_prior + a constant, code by
code (a logarithmic opinion pool: Genest and Zidek 1986). a and b are fitted on the validation
mazes, for each number of frames ahead. Then films of a hundred frames are drawn with the a and b of
the next frame, and with a and b of the same ratio whose sum is 1, and counted as in `video.py`.

    python benchmarks/second_opinion.py checkpoints/maze checkpoints/video checkpoints/prior
"""

import argparse
from typing import NamedTuple

import torch
import torch.nn.functional as F
from record import run
from torch import Tensor
from tqdm.auto import tqdm

from video import AHEAD, LONG_EVERY, Split, imagine, judge_of, long_films, measure_long
from vqvae_lite.model import VQVAE
from vqvae_lite.models import load_checkpoint
from vqvae_lite.priors.drawing import draw, generator_for
from vqvae_lite.priors.pixelcnn import GatedPixelCNN
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.video.model import VideoPrior

FITTING_STEPS, BATCH = 25, 16


class Opinions(NamedTuple):
    """Of the two about the same codes (B, h, w): log probabilities (B, K, h, w)."""

    video: Tensor
    prior: Tensor
    codes: Tensor

    def nats(self, weights: Tensor) -> Tensor:
        """What a code costs under the pool, the mean over all codes."""
        return F.cross_entropy(pooled(self.video, self.prior, weights), self.codes)


def pooled(video: Tensor, prior: Tensor, weights: Tensor) -> Tensor:
    """Logits of the pool, from log probabilities of the two and their weights (2,)."""
    return weights[0] * video + weights[1] * prior


class Pool:
    """Draws films code by code from the pool, as `VideoPrior.sample` does from one model.

    Args:
        video: the dynamics model.
        prior: of single frames.
        weights: (2,), of the two.
    """

    def __init__(self, video: VideoPrior, prior: GatedPixelCNN, weights: Tensor):
        self.video, self.prior, self.weights = video.eval(), prior.eval(), weights

    @torch.no_grad()
    def sample(
        self, codes: Tensor, frames: int, actions: Tensor, *, seed: int, progress: bool = False
    ) -> Tensor:
        """int64 (B, frames, h, w), from codes (B, T, h, w) and actions (B, T - 1 + frames)."""
        film = codes
        for step in tqdm(range(frames), unit="frame", disable=not progress):
            new = torch.full_like(film[:, 0, ..., None], -1)
            generator = generator_for(self.prior, new.device, seed * 1_000_003 + step)
            condition = self.video._look(film.shape[1], film, actions[:, : film.shape[1]])
            rows = [True] * new.shape[1]
            walks = (
                self.video.frame._walk(new, rows, None, condition),
                self.prior._walk(new, rows, None, None),
            )
            # Each walk reads a code when it goes on after its place, so it is there for both.
            for ((row, column, book), one), (_, other) in zip(*walks, strict=True):
                logits = pooled(one.log_softmax(1), other.log_softmax(1), self.weights)
                new[:, row, column, book] = draw(logits, 1.0, None, generator)
            film = torch.cat([film, new[:, None, ..., 0]], 1)
        return film[:, -frames:]


@torch.no_grad()
def opinions(
    video: VideoPrior, prior: GatedPixelCNN, split: Split, drawn: Tensor, ahead: int
) -> Opinions:
    """Of a split's true frames so far ahead, after those seen and those drawn between."""
    past = torch.cat([split.seen, drawn[:, : ahead - 1]], 1)
    found = video._look(past.shape[1], past, split.actions[:, : past.shape[1]])
    codes = split.true[:, ahead - 1]
    parts = zip(codes.split(BATCH), found.split(BATCH), strict=True)
    ones = [video.frame.logits(part, condition=some).log_softmax(1) for part, some in parts]
    others = [prior.logits(part).log_softmax(1) for part in codes.split(BATCH)]
    return Opinions(torch.cat(ones), torch.cat(others), codes)


def fit(found: Opinions) -> Tensor:
    """The weights under which these codes cost least."""
    weights = torch.tensor([0.5, 0.5], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=FITTING_STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        nats = found.nats(weights)
        nats.backward()
        return nats

    optimizer.step(closure)
    return weights.detach()


def measure_ahead(
    video: VideoPrior, prior: GatedPixelCNN, validation: Split, test: Split
) -> tuple[dict, Tensor]:
    """Nats a code of each and of both by the frames ahead; and the weights of the next frame."""
    drawn = {split: imagine(video, split, 1.0) for split in (validation, test)}
    figures, first = {}, torch.zeros(2)
    for ahead in AHEAD:
        weights = fit(opinions(video, prior, validation, drawn[validation], ahead))
        found = opinions(video, prior, test, drawn[test], ahead)
        every = [("video", (1.0, 0.0)), ("prior", (0.0, 1.0)), ("both", weights)]
        figures[str(ahead)] = {
            "weights": [round(weight, 3) for weight in weights.tolist()],
            **{name: round(found.nats(torch.as_tensor(each)).item(), 4) for name, each in every},
        }
        print(ahead, figures[str(ahead)], flush=True)
        first = weights if ahead == 1 else first
    return figures, first


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vqvae", help="the checkpoint `maze` or a run folder")
    parser.add_argument("video", help="a checkpoint of `train video`, over its codes")
    parser.add_argument("prior", help="one of `train prior`, over its codes")
    options = parser.parse_args()
    model: VQVAE = load_checkpoint(options.vqvae).model
    video, prior = (load_prior(path, model).model for path in (options.video, options.prior))
    train, validation, test = (Split(model, name) for name in ("train", "validation", "test"))
    ahead, weights = measure_ahead(video, prior, validation, test)
    judge = judge_of(model, train)
    long, sum_of_one = (
        measure_long(model, long_films(Pool(video, prior, each), test, LONG_EVERY), prior, judge)
        for each in (weights, weights / weights.sum())
    )
    figures = {
        "pieces": len(test.codes),
        "ahead": ahead,
        "long": long,
        "long_sum_of_one": sum_of_one,
    }
    return "second_opinion", figures


if __name__ == "__main__":
    run(main)
