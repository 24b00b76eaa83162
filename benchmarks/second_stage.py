"""The second stage of section 4.2: three latents of K = 512 for the 21 x 21 codes of a frame.

VQ-VAEs with a PixelCNN decoder, which differ by their seed alone, over the codes that the VQ-VAE of
chapter 3 gives to the frames and to their mirror images; measured on mazes that none has seen.

    python benchmarks/second_stage.py --run runs/second_stage
    python benchmarks/second_stage.py --trained runs/chain/second_stage_{0,1,2}

The second line measures those that `chain.py` has trained.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import torch
from record import ROOT, run
from collapse import measure, train_maps

from vqvae_lite.distributed import Place, processes
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages
from vqvae_lite.maze import load_maze
from vqvae_lite.model import VQVAE
from vqvae_lite.models import load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.secondstage.pixelvqvae import PixelVQVAEConfig
from vqvae_lite.training import TrainingConfig

FIRST_STAGE = ROOT / "checkpoints" / "maze"
SETTINGS = PixelVQVAEConfig(
    width=64, num_layers=8, dropout=0.2, num_codebooks=3, code_dim=16, commitment=0.01, decay=0.95,
    restart_below=0.1,
)  # fmt: skip
SEEDS, BATCH = 3, 32


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", help="the folder for the runs")
    what.add_argument("--trained", nargs="+", help="measure these, one a seed, and train none")
    parser.add_argument("--name", default="second_stage", help="of the results file")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--first", default=FIRST_STAGE, help="default: the book's checkpoint")
    parser.add_argument("--folder", help="a larger set of mazes to train on; default: the book's")
    options = parser.parse_args()
    with processes() as place:
        return options.name, second_stages(options, place)


def second_stages(options: argparse.Namespace, place: Place) -> dict:
    """Trains one for each seed, where none are given, and measures them."""
    first = load_checkpoint(options.first).model.to(place.device)
    details = {"codes_of": fingerprint(first)}
    trained = options.trained or train_all(options, first, details, place)
    codes = encode(first, load_maze("test").frames)
    seen = encode(first, load_maze("train").frames[::6])
    figures = {"images": len(codes), **details, "models": {}}
    for seed, path in enumerate(trained):
        stored = load_checkpoint(path)
        if stored.config["codes_of"] != details["codes_of"]:
            raise SystemExit(f"{path} was trained on the codes of another model")
        measured = measure(f"seed {seed}", stored.model, codes, seen)
        figures["models"][f"seed {seed}"] = {"step": stored.config["step"], **measured}
    return figures


def train_all(options: argparse.Namespace, first: VQVAE, details: dict, place: Place) -> list[Path]:
    """Trains one for each seed, and gives their runs."""
    frames = load_maze("train", options.folder).frames
    both = torch.cat([encode(first, frames), encode(first, frames.flip(-1))])
    runs = []
    for seed in range(SEEDS):
        training = TrainingConfig(
            steps=options.steps, batch_size=BATCH, learning_rate=1e-3, seed=seed,
            checkpoint_every=500,
        )  # fmt: skip
        runs.append(Path(options.run) / f"second_stage_{seed}")
        more = {**details, "training": asdict(training)}
        train_maps(SETTINGS, both, training, runs[-1], more, place)
    return runs


def encode(first: VQVAE, frames: torch.Tensor) -> torch.Tensor:
    return encode_images(first, TensorImages(frames))


if __name__ == "__main__":
    run(main)
