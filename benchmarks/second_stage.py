"""The second stage of section 4.2: three latents of K = 512 for the 21 x 21 codes of a frame.

A VQ-VAE with a PixelCNN decoder is trained on the codes that the VQ-VAE of chapter 3 gives to the
maze frames; and once more, a little narrower and otherwise the same. Their weights are rounded to
half precision, for a checkpoint of half the size, and measured as they are then.

    python benchmarks/second_stage.py --run runs/second_stage
"""

import argparse
import shutil
from dataclasses import asdict
from pathlib import Path

from record import ROOT, run
from collapse import measure, train_maps

from tools.shrink_checkpoint import shrink
from vqvae_lite.checkpoints import find_checkpoint
from vqvae_lite.distributed import Place, processes
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages
from vqvae_lite.maze import load_maze
from vqvae_lite.models import load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.secondstage.pixelvqvae import PixelVQVAEConfig
from vqvae_lite.training import TrainingConfig

FIRST_STAGE = ROOT / "checkpoints" / "maze"
SETTINGS = {
    "rows": 21, "columns": 21, "num_values": 512, "kernel_size": 3, "num_layers": 8, "dropout": 0.2,
    "num_codebooks": 3, "code_dim": 16, "commitment": 0.25, "decay": 0.95, "restart_below": 0.1,
}  # fmt: skip
WIDTHS = {"second_stage": 64, "narrower": 56}


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="the folder for the runs")
    parser.add_argument("--name", default="second_stage", help="of the results file")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--first", default=FIRST_STAGE, help="default: the book's checkpoint")
    options = parser.parse_args()
    with processes() as place:
        return options.name, second_stages(options, place)


def second_stages(options: argparse.Namespace, place: Place) -> dict:
    """Trains both, and measures them."""
    run = Path(options.run)
    training = TrainingConfig(
        steps=options.steps, batch_size=16, learning_rate=1e-3, checkpoint_every=500
    )
    first = load_checkpoint(options.first).model.to(place.device)
    codes = {
        split: encode_images(first, TensorImages(load_maze(split).frames))
        for split in ("train", "test")
    }
    details = {"codes_of": fingerprint(first)}
    figures = {"images": len(codes["test"]), "training": asdict(training), **details, "models": {}}
    for name, width in WIDTHS.items():
        settings = PixelVQVAEConfig(**SETTINGS, width=width)
        train_maps(settings, codes["train"], training, run / name, details, place)
        model = load_checkpoint(round_to_half(run / name, run / f"{name}-half")).model
        figures["models"][name] = measure(name, model, codes["test"], codes["train"][::6])
    return figures


def round_to_half(run: Path, path: Path) -> Path:
    """Writes a run's last checkpoint without the optimizer, its weights in half precision."""
    path.mkdir(exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(find_checkpoint(run) / name, path / name)
    shrink(path)
    return path


if __name__ == "__main__":
    run(main)
