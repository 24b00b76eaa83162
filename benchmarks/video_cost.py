"""What an imagined frame costs in code space beside pixel space: bytes, and milliseconds.

In code space: the dynamics model draws a frame, and the VQ-VAE decodes it. In pixel space: the same
two networks over 84 x 84 positions with three codes of 256 at each, the colours, drawn one after
another; the past sees them as 84 x 84 codes. Its weights are random, which costs the same. Both run
in turn, so that a change of the machine's speed meets both; quoted is the median over the rounds,
and of the ratios within each.

    python benchmarks/video_cost.py checkpoints/maze checkpoints/video
"""

import argparse
import math
import statistics
import time
from dataclasses import replace

import torch
from record import run

from vqvae_lite.images import to_uint8
from vqvae_lite.model import VQVAE
from vqvae_lite.models import load_checkpoint
from vqvae_lite.priors.pixelcnn import GatedPixelCNN
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.video.model import VideoPrior
from vqvae_lite.video.past import Past

SIDE = 84
BATCHES = (1, 16)
ROUNDS = 3


@torch.no_grad()
def milliseconds_in_codes(model: VQVAE, prior: VideoPrior, batch: int, rows: int) -> float:
    history = prior.config.history
    seen = torch.randint(prior.config.num_codes, (batch, history, rows, rows))
    actions = torch.zeros(batch, history, dtype=torch.int64)
    start = time.perf_counter()
    drawn = prior.sample(seen, 1, actions, seed=0, progress=False)
    to_uint8(model.decode(drawn[:, 0]))
    return 1000 * (time.perf_counter() - start) / batch


@torch.no_grad()
def milliseconds_in_pixels(past: Past, frame: GatedPixelCNN, batch: int) -> float:
    seen = torch.randint(256, (batch, past.config.num_maps, SIDE, SIDE))
    actions = torch.zeros(batch, past.config.history, dtype=torch.int64)
    start = time.perf_counter()
    condition = past(seen, actions)
    frame.sample((SIDE, SIDE), batch=batch, seed=0, condition=condition, progress=False)
    return 1000 * (time.perf_counter() - start) / batch


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vqvae", help="a checkpoint of a model of the mazes")
    parser.add_argument("video", help="a checkpoint of `train video`, over its codes")
    options = parser.parse_args()
    model = load_checkpoint(options.vqvae).model
    prior = load_prior(options.video, model).model
    rows = SIDE >> model.config.num_halvings
    torch.manual_seed(0)
    config = replace(prior.config, num_codes=256)
    past = Past(config).eval()
    frame = GatedPixelCNN(replace(config.pixelcnn, num_codebooks=3)).eval()
    figures: dict = {
        "bytes_in_codes": round(rows**2 * math.log2(prior.config.num_codes) / 8, 1),
        "bytes_in_pixels": 3 * SIDE**2,
    }
    figures["times_fewer_bytes"] = round(figures["bytes_in_pixels"] / figures["bytes_in_codes"], 1)
    figures["milliseconds"] = {}
    for batch in BATCHES:
        milliseconds_in_codes(model, prior, batch, rows)  # the first call sets things up
        times = [
            (
                milliseconds_in_codes(model, prior, batch, rows),
                milliseconds_in_pixels(past, frame, batch),
            )
            for _ in range(ROUNDS)
        ]
        figures["milliseconds"][str(batch)] = {
            "in_codes": round(statistics.median(a for a, _ in times), 1),
            "in_pixels": round(statistics.median(b for _, b in times), 1),
            "times_faster": round(statistics.median(b / a for a, b in times), 1),
        }
    print(figures)
    return "video_cost", figures


if __name__ == "__main__":
    run(main)
