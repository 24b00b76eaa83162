"""Three ways to latents that can be sampled: VQ-VAE, VAE, and an autoencoder binned afterwards.

The VQ-VAE and the VAE are those of `checkpoints/likelihood`. The autoencoder has the same encoder,
decoder, likelihood, batch and steps, and nothing between them; after training its latents are cut
into bins, 18 bits a position as the VQ-VAE has, and a gated PixelCNN of the VQ-VAE's size and
training is its prior. How the 18 bits are split over channels is chosen by the validation mazes.
In a variant the decoder, and nothing else, goes on learning from the binned latents for a while.
The VAE is measured with the Gaussian prior that it was trained with, and with a Gaussian that was
fitted to its latents afterwards: what a learned prior is for the others.

    python benchmarks/latent_priors.py --run runs/latent_priors

A run that was stopped goes on where it was.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from record import ROOT, run
from binned_autoencoder import (
    BINNED,
    LAST_STEPS,
    REFIT_STEPS,
    STEPS,
    autoencoder_recipe,
    of_all,
    refitted,
    train_binned,
)
from fitted_gaussian import FittedGaussian
from likelihood import PRIOR
from sample_quality import (
    frechet_distance,
    quality,
    same_maze,
    told_apart,
    train_features,
)
from torch import Tensor, nn
from torch.utils.data import Dataset

from vqvae_lite import VAE, GatedPixelCNN, TrainingConfig, sample, train
from vqvae_lite.baselines.autoencoder import Autoencoder
from vqvae_lite.baselines.vae import gaussian_kl, shift_noise
from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.encoding import CodeMaps, encode_images
from vqvae_lite.images import TensorImages, shrink, to_float, to_uint8
from vqvae_lite.likelihoods import bits_per_dim, negative_log_likelihood
from vqvae_lite.maze import load_maze
from vqvae_lite.metrics import psnr
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.recipes.profiles import get_recipe

SHRINKAGE = (0.0, 0.03, 0.1, 0.3, 1.0)  # of the fitted Gaussian; 1: no two latents correlated
SAMPLES = 560  # as many as there are test frames
ROUNDS, TIMED_STEPS, TIMED_SAMPLES = 5, 20, 64


class Way(NamedTuple):
    """One of the models that are compared.

    Attributes:
        bits: of the test frames, bits per dimension: "reconstruction", "latents", "sum".
        psnr: of the reconstructions, dB; for the VAE from the posterior's mean.
        reconstructions: of the test frames, uint8 (N, 3, 32, 32).
        draw: gives so many samples, as uint8 pictures, for a seed.
    """

    bits: dict[str, float]
    psnr: float
    reconstructions: Tensor
    draw: Callable[[int, int], Tensor]


def in_bits(reconstruction: Tensor, latents: Tensor, values: int) -> dict[str, float]:
    """Means over the frames, from nats a frame to bits per dimension."""
    nats = (reconstruction, latents)
    parts = [bits_per_dim(part.double().mean().item(), values) for part in nats]
    return {"reconstruction": parts[0], "latents": parts[1], "sum": sum(parts)}


def with_codes(model: nn.Module, prior: nn.Module, frames: Tensor) -> Way:
    """A model with discrete latents and a PixelCNN as the prior over them."""
    nats = of_all(lambda batch: tuple(model.bound(batch, prior.log_prob)), frames)
    codes = encode_images(model, TensorImages(frames))
    reconstructions = of_all(lambda part: to_uint8(model.decode(part)), codes)
    side = codes.shape[-2:]

    def draw(count: int, seed: int) -> Tensor:
        return to_uint8(model.decode(sample(prior, side, batch=count, seed=seed, progress=False)))

    decibels = psnr(reconstructions, frames).mean().item()
    return Way(in_bits(*nats, frames[0].numel()), decibels, reconstructions, draw)


def on_both(model: nn.Module, prior: Checkpoint, validation: Tensor, test: Tensor) -> dict:
    """Bits of the validation and the test frames, and the PSNR of the latter."""
    way = with_codes(model, prior.model, test)
    bits = with_codes(model, prior.model, validation).bits
    return {"validation": bits, "test": way.bits, "psnr": way.psnr}


def unbinned(model: Autoencoder, frames: Tensor) -> tuple[float, float]:
    """Bits per dimension and PSNR of the autoencoder with its latents as they are."""

    def one(batch: Tensor) -> tuple[Tensor, Tensor]:
        parameters = model.decoder(model.latents(to_float(batch)))
        nats = negative_log_likelihood(model.likelihood, parameters, batch)
        return nats, to_uint8(model.likelihood(parameters).mean())

    nats, reconstructions = of_all(one, frames)
    bits = bits_per_dim(nats.mean().item(), frames[0].numel())
    return bits, psnr(reconstructions, frames).mean().item()


def with_gaussian(model: VAE, frames: Tensor, kl: Callable, draw: Callable) -> Way:
    """The VAE under a Gaussian prior; `draw` gives latents."""
    means, log_variances = of_all(lambda batch: model.posterior(to_float(batch)), frames)
    noise = torch.randn(means.shape, generator=torch.Generator().manual_seed(0))
    z = shift_noise(means, log_variances, noise)
    nats = [
        negative_log_likelihood(model.likelihood, model.decoder(part), batch)
        for part, batch in zip(z.split(64), frames.split(64), strict=True)
    ]
    reconstructions = of_all(lambda part: to_uint8(model.decode(part)), means)
    decibels = psnr(reconstructions, frames).mean().item()
    bits = in_bits(torch.cat(nats), kl(means, log_variances), frames[0].numel())
    return Way(bits, decibels, reconstructions, lambda *which: to_uint8(model.decode(draw(*which))))


def fitted(model: VAE, train_frames: Tensor, validation_frames: Tensor) -> tuple[Callable, float]:
    """The fitted Gaussian, and the shrinkage that the validation mazes choose."""
    posteriors = [
        of_all(lambda batch: model.posterior(to_float(batch)), frames)
        for frames in (train_frames, validation_frames)
    ]
    gaussian = FittedGaussian(*posteriors[0])
    costs = {}
    for share in SHRINKAGE:
        gaussian.shrink(share)
        costs[share] = gaussian.kl(*posteriors[1]).mean().item()
    best = min(costs, key=costs.get)
    gaussian.shrink(best)
    return gaussian, best


def samples_of(way: Way) -> Tensor:
    """As many samples as there are test frames."""
    drawn = [way.draw(TIMED_SAMPLES, seed) for seed in range(SAMPLES // TIMED_SAMPLES + 1)]
    return torch.cat(drawn)[:SAMPLES]


def seconds(work: Callable[[], object]) -> float:
    """Of the processor, on one thread: what else runs on the machine does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def seconds_a_step(model: nn.Module, training: TrainingConfig, images: Dataset) -> float:
    """The mean over some steps of a training from the start, less what starting takes."""
    model = new_model(model.kind, model.config, 0)
    discrete = isinstance(model, GatedPixelCNN)
    prepare = {"prepare": Tensor.long} if discrete else {}

    def run(steps: int) -> float:
        config = replace(training, steps=steps)
        return seconds(lambda: train(model, images, config, progress=False, **prepare))

    run(3)
    return (run(3 + TIMED_STEPS) - run(3)) / TIMED_STEPS


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="the folder for the runs")
    parser.add_argument(
        "--likelihood",
        default=ROOT / "checkpoints" / "likelihood",
        help="the folder with vae, vqvae and its prior, from benchmarks/likelihood.py",
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    run, given = Path(options.run), Path(options.likelihood)
    mazes = {split: load_maze(split) for split in ("train", "validation", "test")}
    train_frames, validation, test = (shrink(maze.frames, 32) for maze in mazes.values())
    images = TensorImages(train_frames)

    # Autoencoders, with bins and with a refitted decoder: model, prior, figures.
    binned, refits, figures_of = {}, {}, {}
    for channels, bins in BINNED:
        name = f"{channels} channels of {bins} bins"
        autoencoder = train_binned(run, channels, bins, images)
        prior = load_prior(run / f"prior-{channels}x{bins}", autoencoder.model)
        bits, decibels = unbinned(autoencoder.model, test)
        binned[name] = autoencoder.model, prior
        refits[name] = refitted(run, channels, bins, images), prior
        figures_of[name] = {
            "before binning": {"reconstruction": bits, "psnr": decibels},
            "binned": on_both(*binned[name], validation, test),
            "decoder refitted": on_both(*refits[name], validation, test),
        }
        print(name, figures_of[name])
    chosen = {
        kind: min(figures_of, key=lambda name: figures_of[name][kind]["validation"]["sum"])
        for kind in ("binned", "decoder refitted")
    }
    (autoencoder, ae_prior), (refit, refit_prior) = (
        binned[chosen["binned"]],
        refits[chosen["decoder refitted"]],
    )
    vqvae, vq_prior, vae = (load_checkpoint(given / name) for name in ("vqvae", "prior", "vae"))

    gaussian, shrinkage = fitted(vae.model, train_frames, validation)
    map_shape = gaussian.shape

    def standard(count: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(count, *map_shape, generator=generator)

    ways = {
        "VQ-VAE, PixelCNN": with_codes(vqvae.model, vq_prior.model, test),
        "VAE, its prior": with_gaussian(vae.model, test, gaussian_kl, standard),
        "VAE, fitted Gaussian": with_gaussian(vae.model, test, gaussian.kl, gaussian.sample),
        "autoencoder, PixelCNN": with_codes(autoencoder, ae_prior.model, test),
        "autoencoder, refitted": with_codes(refit, refit_prior.model, test),
    }

    training = autoencoder_recipe(*BINNED[0]).training
    prior_training = get_recipe("prior", "quick", PRIOR["quick"], codes_of=vqvae.model).training
    trainings = {"VQ-VAE": (vqvae.model, training, images), "VAE": (vae.model, training, images)}
    trainings["autoencoder"] = autoencoder, training, images
    for name, model, prior in (
        ("VQ-VAE's prior", vqvae.model, vq_prior.model),
        ("autoencoder's prior", autoencoder, ae_prior.model),
    ):
        trainings[name] = prior, prior_training, CodeMaps(encode_images(model, images))
    rounds = [
        (
            {name: seconds_a_step(*what) for name, what in trainings.items()},
            {name: seconds(partial(way.draw, TIMED_SAMPLES, 0)) for name, way in ways.items()},
        )
        for _ in range(ROUNDS)
    ]
    train_s = {
        name: statistics.median(steps[name] for steps, _ in rounds) * what[1].steps
        for name, what in trainings.items()
    }
    draw_s = {name: statistics.median(drawn[name] for _, drawn in rounds) for name in ways}

    network = train_features(train_frames, mazes["train"].maze)
    generator = torch.Generator().manual_seed(0)
    some = train_frames[torch.randperm(len(train_frames), generator=generator)[: len(test)]]
    noise = torch.randint(0, 256, test.shape, generator=generator, dtype=torch.uint8)
    lines = {
        "validation frames": validation,
        "training frames": some,
        "noise": noise,
    }
    figures = {
        "frames": len(test),
        "samples": SAMPLES,
        "steps": {
            "models": STEPS,
            "at_a_tenth_of_the_rate": LAST_STEPS,
            "refitted_decoder": REFIT_STEPS,
        },
        "priors": {
            name: {
                "steps": prior.config["step"],
                "parameters": sum(weights.numel() for weights in prior.model.parameters()),
                "settings": asdict(prior.model.config),
            }
            for name, prior in (("VQ-VAE", vq_prior), ("autoencoder", ae_prior))
        },
        "autoencoders": figures_of,
        "chosen_by_validation": chosen,
        "shrinkage_chosen_by_validation": shrinkage,
        "nearest_is_of_the_same_maze": {
            split: round(same_maze(network, images, mazes[split].maze), 3)
            for split, images in (("validation", validation), ("test", test))
        },
        "yardsticks": {
            name: {
                "frechet_samples": round(frechet_distance(network, frames, test), 2),
                "told_from_frames": round(told_apart(frames, test), 3),
            }
            for name, frames in lines.items()
        },
        "training_processor_seconds": {name: round(spent, 1) for name, spent in train_s.items()},
        "ways": {
            name: {
                "bits": way.bits,
                "psnr": way.psnr,
                **quality(network, samples_of(way), way.reconstructions, test),
                "processor_milliseconds_a_sample": round(1000 * draw_s[name] / TIMED_SAMPLES, 3),
            }
            for name, way in ways.items()
        },
    }
    for name, way in figures["ways"].items():
        print(name, way)
    return "latent_priors", figures


if __name__ == "__main__":
    run(main)
