"""Ways to models that can be sampled: VQ-VAE, FSQ, VAE, a binned autoencoder, and plain pixels.

The VQ-VAE, its prior and the VAE are those of a run of `likelihood.py`. Everything else has their
encoder, decoder, likelihood, batch and steps, and differs in what lies between:

- finite scalar quantization: rounded while it learns, 18 bits a position as the VQ-VAE has;
- an autoencoder with nothing there, whose latents are cut into as many levels after training. In a
  variant the decoder, and nothing else, goes on learning from the binned latents for a while;
- the VAE under the Gaussian that it was trained with, under a Gaussian that was fitted to its
  latents afterwards, and under a PixelCNN that was trained on them;
- a VQ-VAE with twice the codebooks, 36 bits a position;
- a PixelCNN over the pixels, with as much of a processor's time as the VQ-VAE and its prior.

The priors are PixelCNNs of one size and training. Every model and prior has three seeds.

    python benchmarks/latent_priors.py --run runs/latent_priors --likelihood runs/likelihood

A run that was stopped goes on where it was. With --only several processes share the work.
"""

import argparse
import json
import statistics
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from record import over_seeds, run
from binned_autoencoder import LAST_STEPS, REFIT_STEPS, STEPS, autoencoder_recipe
from every_way import SEEDS, Ways
from latent_pixelcnn import Posteriors, drawn
from other_ways import LATENT_TRAINING, PIXEL_TRAINING, latent_prior, pixel_prior, variant
from PIL import Image
from sample_quality import quality, same_maze, train_features
from sampled_ways import Way, fitted, posteriors, unbinned
from torch import Tensor, nn

from vqvae_lite import train
from vqvae_lite.encoding import CodeMaps, encode_images
from vqvae_lite.images import shrink
from vqvae_lite.maze import load_maze
from vqvae_lite.training import TrainingConfig, prepare_images

SAMPLES = 560  # as many as there are test frames
SHOWN, COLUMNS = ("FSQ, PixelCNN", "VAE, PixelCNN", "pixels, PixelCNN"), 6
ROUNDS, TIMED_STEPS, TIMED_SAMPLES = 3, 20, 64


def samples_of(way: Way) -> Tensor:
    """As many samples as there are test frames."""
    pictures = [way.draw(TIMED_SAMPLES, seed) for seed in range(-(-SAMPLES // TIMED_SAMPLES))]
    return torch.cat(pictures)[:SAMPLES]


def seconds(work: Callable[[], object]) -> float:
    """Of the processor, on one thread: what else runs on the machine does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def seconds_to_train(
    model: nn.Module, training: TrainingConfig, images: Any, prepare: Callable = prepare_images
) -> float:
    """All steps, by the mean over some of a training from the start, less what starting takes."""
    model = type(model)(model.config)

    def run(steps: int) -> float:
        some = replace(training, steps=steps)
        return seconds(lambda: train(model, images, some, progress=False, prepare=prepare))

    run(3)
    return (run(3 + TIMED_STEPS) - run(3)) / TIMED_STEPS * training.steps


def times(ways: Ways) -> dict[str, dict[str, float]]:
    """Medians of a processor's seconds: to train each model and prior; milliseconds a sample."""
    training, images = autoencoder_recipe().training, ways.images
    vae, pixels = ways.vae(0), pixel_prior(ways.run, images, 0)
    trainings = {"VAE": (vae, training, images)}
    for name, (model, prior) in {
        "VQ-VAE": ways.vqvae(0),
        "FSQ": variant(ways.run, "fsq", 0),
        "autoencoder": ways.binned(0),
        "VQ-VAE of 36 bits": variant(ways.run, "vqvae-4", 0),
    }.items():
        codes = CodeMaps(encode_images(model, images))
        trainings[name] = model, training, images
        trainings[f"{name}, prior"] = prior, LATENT_TRAINING, codes, Tensor.long
    latents = Posteriors(torch.stack(posteriors(vae, images.images), 1))
    prior = latent_prior(ways.run, vae, images, 0)
    trainings["VAE, prior"] = prior, LATENT_TRAINING, latents, drawn
    trainings["pixels, prior"] = pixels, PIXEL_TRAINING, images, Tensor.long
    made = {name: make(0) for name, make in ways.ways.items()}
    spent: dict[str, list[float]] = {name: [] for name in (*trainings, *made)}
    for _ in range(ROUNDS):
        for name, what in trainings.items():
            spent[name].append(seconds_to_train(*what))
        for name, way in made.items():
            drawing = seconds(partial(way.draw, TIMED_SAMPLES, 0))
            spent[name].append(1000 * drawing / TIMED_SAMPLES)
    medians = {name: statistics.median(each) for name, each in spent.items()}
    return {
        "training_processor_seconds": {name: round(medians[name], 1) for name in trainings},
        "processor_milliseconds_a_sample": {name: round(medians[name], 3) for name in made},
    }


def measure(ways: Ways, names: list[str], network: nn.Module) -> dict[str, dict]:
    """Bits and samples of ways; what a run has measured is not measured again."""
    figures = {}
    for name in names:
        each = []
        for seed in range(SEEDS):
            file = ways.run / f"{name.replace(' ', '_')}-{seed}.json"
            if not file.exists():
                way = ways.ways[name](seed)
                found = quality(network, samples_of(way), way.reconstructions, ways.test)
                text = json.dumps({"bits": way.bits, "psnr": way.psnr, **found})
                file.write_text(text, encoding="utf-8")
            each.append(json.loads(file.read_text(encoding="utf-8")))
        figures[name] = {**over_seeds(each), "seeds": [over_seeds([one]) for one in each]}
        print(name, figures[name], flush=True)
    return figures


def save_samples(ways: Ways) -> None:
    """Writes `samples.webp` into the run: of each way whose weights the book does not store, a row.

    Row by row those of `SHOWN`, side by side the first samples of seed 0.
    """
    rows = [ways.ways[name](0).draw(COLUMNS, 0) for name in SHOWN]
    sheet = torch.cat([row.permute(2, 0, 3, 1).flatten(1, 2) for row in rows])
    Image.fromarray(sheet.numpy()).save(ways.run / "samples.webp", lossless=True, quality=100)


def yardsticks(network: nn.Module, frames: dict[str, Tensor]) -> dict[str, dict]:
    """The same measures of real frames of other mazes, and of noise."""
    test, generator = frames["test"], torch.Generator().manual_seed(0)
    some = torch.randperm(len(frames["train"]), generator=generator)[: len(test)]
    lines = {
        "validation frames": frames["validation"],
        "training frames": frames["train"][some],
        "noise": torch.randint(0, 256, test.shape, generator=generator, dtype=torch.uint8),
    }
    return {name: over_seeds([quality(network, some, None, test)]) for name, some in lines.items()}


def arguments() -> Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="the folder for the runs")
    parser.add_argument("--likelihood", required=True, help="the run of likelihood.py, width=32")
    parser.add_argument("--only", help="train and measure this way alone, and write no results")
    return parser.parse_args()


def main() -> tuple[str, dict] | None:
    options = arguments()
    torch.set_num_threads(1)
    mazes = {split: load_maze(split) for split in ("train", "validation", "test")}
    frames = {split: shrink(maze.frames, 32) for split, maze in mazes.items()}
    run_folder = Path(options.run)
    run_folder.mkdir(parents=True, exist_ok=True)
    ways = Ways(run_folder, Path(options.likelihood), frames)
    if options.only is not None and options.only not in ways.ways:
        raise SystemExit(f"--only must be one of {list(ways.ways)}, got {options.only!r}")
    network = train_features(frames["train"], mazes["train"].maze)
    if options.only:
        measure(ways, [options.only], network)
        return None
    figures = measure(ways, list(ways.ways), network)
    save_samples(ways)
    shrinkages = [
        fitted(ways.vae(seed), frames["train"], frames["validation"])[1] for seed in range(SEEDS)
    ]
    priors = {
        "VQ-VAE": ways.vqvae(0)[1],
        "FSQ": variant(ways.run, "fsq", 0)[1],
        "VAE": latent_prior(ways.run, ways.vae(0), ways.images, 0),
        "autoencoder": ways.binned(0)[1],
        "VQ-VAE of 36 bits": variant(ways.run, "vqvae-4", 0)[1],
        "pixels": pixel_prior(ways.run, ways.images, 0),
    }
    return "latent_priors", {
        "frames": len(ways.test),
        "samples": SAMPLES,
        "steps": {
            "models": STEPS,
            "at_a_tenth_of_the_rate": LAST_STEPS,
            "refitted_decoder": REFIT_STEPS,
            "priors": LATENT_TRAINING.steps,
            "pixels": PIXEL_TRAINING.steps,
        },
        "batches": {
            "models": autoencoder_recipe().training.batch_size,
            "priors": LATENT_TRAINING.batch_size,
            "pixels": PIXEL_TRAINING.batch_size,
        },
        "priors": {
            name: {
                "parameters": sum(weights.numel() for weights in prior.parameters()),
                "settings": asdict(prior.config),
            }
            for name, prior in priors.items()
        },
        "autoencoder_before_binning": over_seeds(
            [unbinned(ways.binned(seed)[0], ways.test) for seed in range(SEEDS)]
        ),
        "shrinkages_chosen_by_validation": shrinkages,
        "nearest_is_of_the_same_maze": {
            split: round(same_maze(network, frames[split], mazes[split].maze), 3)
            for split in ("validation", "test")
        },
        "yardsticks": yardsticks(network, frames),
        **times(ways),
        "ways": figures,
    }


if __name__ == "__main__":
    run(main)
