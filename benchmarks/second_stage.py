"""The second stage of section 4.2: three latents of K = 512 for the 21 x 21 codes of a frame.

A VQ-VAE with a PixelCNN decoder is trained on the codes that the VQ-VAE of chapter 3 gives to the
maze frames; beside it a VAE with the same networks, three Gaussian latents, and as many steps.

    python benchmarks/second_stage.py --run runs/second_stage
"""

import argparse
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from collapse import measure, train_maps
from record import ROOT, write_result

from vqvae_lite.checkpoints import fingerprint, load_checkpoint
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages
from vqvae_lite.maze import load_maze
from vqvae_lite.pixelvae import PixelVAEConfig
from vqvae_lite.pixelvqvae import PixelVQVAEConfig
from vqvae_lite.training import TrainingConfig

FIRST_STAGE = ROOT / "checkpoints" / "maze"
MAPS = {"rows": 21, "columns": 21, "num_values": 512, "width": 56, "dropout": 0.2}
DECODER = {"kernel_size": 3, "num_layers": 8}
MODELS = {
    "vqvae": PixelVQVAEConfig(
        **MAPS, **DECODER, num_codebooks=3, code_dim=16, decay=0.95, restart_below=0.1
    ),
    "vae": PixelVAEConfig(**MAPS, **DECODER, num_latents=3),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="the folder for the runs")
    parser.add_argument("--name", default="second_stage", help="of the results file")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--only", choices=list(MODELS), help="train this one, and measure nothing")
    options = parser.parse_args()
    training = TrainingConfig(
        steps=options.steps, batch_size=16, learning_rate=1e-3, checkpoint_every=500
    )
    first = load_checkpoint(FIRST_STAGE).model
    codes = {
        split: encode_images(first, TensorImages(load_maze(split).frames))
        for split in ("train", "test")
    }
    details = {"codes_of": fingerprint(first)}
    for name in [options.only] if options.only else MODELS:
        train_maps(MODELS[name], codes["train"], training, Path(options.run) / name, details)
    if options.only:
        return

    figures = {"images": len(codes["test"]), "training": asdict(training), **details, "models": {}}
    for name in MODELS:
        model = load_checkpoint(Path(options.run) / name).model
        figures["models"][name] = {
            "settings": asdict(model.config),
            **measure(model, codes["test"]),
        }
        print(name, {k: v for k, v in figures["models"][name].items() if k != "settings"})
    command = shlex.join(["python", "benchmarks/second_stage.py", *sys.argv[1:]])
    print(f"written to {write_result(options.name, command, figures)}")


if __name__ == "__main__":
    main()
