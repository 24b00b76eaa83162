"""Posterior collapse: a VAE and a VQ-VAE with one PixelCNN decoder, by how much the decoder sees.

Maze frames as 16 x 16 grey levels of 8 bits. For each decoder both models are trained by the same
number of steps, and measured on the test mazes: what the latents cost, and what it costs to swap
them between images. For the VAE with the decoder that sees most also KL annealing and free bits;
for a VQ-VAE also too heavy a commitment, all the time, for the first 500 steps or after them. Every
model has three seeds, each of which gives first weights and an order of images of its own.

    python benchmarks/collapse.py --run runs/collapse
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from record import over_seeds, run
from stages import train_stages
from torch import nn

from vqvae_lite.distributed import Place
from vqvae_lite.encoding import CodeMaps
from vqvae_lite.images import gray, shrink
from vqvae_lite.maze import load_maze
from vqvae_lite.metrics import CodeUsage
from vqvae_lite.models import load_checkpoint
from vqvae_lite.secondstage.pixelvae import PixelVAE, PixelVAEConfig
from vqvae_lite.secondstage.pixelvqvae import PixelVQVAE, PixelVQVAEConfig
from vqvae_lite.secondstage.swap import measure_latent_use, rise_by_latent, share_in_use
from vqvae_lite.training import ALONE, TrainingConfig

SIZE = 16  # pixels
# Rows that the decoder sees, and the layers that make it so. The first has as many layers as the
# last: it is not shallow, only short-sighted.
DECODERS = {
    1: {"kernel_size": 1, "num_layers": 8},
    3: {"kernel_size": 3, "num_layers": 2},
    5: {"kernel_size": 3, "num_layers": 4},
    17: {"kernel_size": 5, "num_layers": 8},
}
MAPS = {"rows": SIZE, "columns": SIZE, "num_values": 256, "width": 32, "dropout": 0.1}
# The loss is a mean over the 256 values of a map, and a distance one over the 8 dimensions of a
# code; the paper's are sums: its beta of 0.25 is 0.25 * 8 / 256, about 0.008, here.
CODES = {
    "num_codebooks": 16, "code_dim": 8, "decay": 0.95, "restart_below": 0.1, "commitment": 0.01
}  # fmt: skip
HEAVY = {"commitment": 0.25}  # the number that the paper gives, in units that are not the paper's
# The cures, both beside the decoder that sees all: by name, what they change in the VAE.
CURES = {"annealing": {"warmup_steps": 1000}, "free_bits": {"free_nats": 0.5}}
# One commitment for so many steps, and the other for the rest: by name, what it begins with.
EARLY_STEPS = 500
BEGINS = {"vqvae_late_heavy": "vqvae_early_light", "vqvae_late_light": "vqvae_early_heavy"}
LAST_STEPS = 300  # at a tenth of the step size
SEEDS = 3


def main() -> tuple[str, dict] | None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="the folder for the runs")
    parser.add_argument("--name", default="collapse", help="of the results file")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--only", nargs="*", help="train these alone, and measure nothing")
    options = parser.parse_args()
    if options.steps <= (fewest := EARLY_STEPS + LAST_STEPS):
        parser.error(f"--steps must be more than {fewest}; got {options.steps}")
    training = TrainingConfig(
        steps=options.steps, batch_size=32, learning_rate=1e-3, checkpoint_every=options.steps
    )
    settings = configurations()
    if unknown := set(options.only or []) - set(settings):
        parser.error(f"--only takes {', '.join(settings)}; got {', '.join(unknown)}")
    train_set = grey_maps("train")
    names = [(name, seed) for name in options.only or settings for seed in range(SEEDS)]
    runs = {pair: Path(options.run) / f"{pair[0]}-{pair[1]}" for pair in names}
    for (name, seed), folder in runs.items():
        train_one(name, settings[name], train_set, replace(training, seed=seed), folder)
    if options.only:
        return None

    maps, seen = grey_maps("test"), train_set[::6]
    figures = {"images": len(maps), "training": asdict(training), "last_steps": LAST_STEPS}
    figures["models"] = {}
    for name in settings:
        each = [
            measure(f"{name}-{seed}", load_checkpoint(runs[name, seed]).model, maps, seen)
            for seed in range(SEEDS)
        ]
        figures["models"][name] = of_seeds(each)
    return options.name, figures


def configurations() -> dict[str, PixelVAEConfig | PixelVQVAEConfig]:
    """The settings of every model by its name, those that matter most first."""
    strongest = DECODERS[max(DECODERS)]
    result = {}
    for field, decoder in reversed(DECODERS.items()):
        result[f"vae_{field}"] = PixelVAEConfig(**MAPS, **decoder)
        result[f"vqvae_{field}"] = PixelVQVAEConfig(**MAPS, **decoder, **CODES)
    for name, cure in CURES.items():
        result[f"vae_{name}"] = PixelVAEConfig(**MAPS, **strongest, **cure)
    result["vqvae_heavy"] = PixelVQVAEConfig(**MAPS, **DECODERS[3], **{**CODES, **HEAVY})
    of_weight = {"light": result["vqvae_3"], "heavy": result["vqvae_heavy"]}
    for names in BEGINS.items():
        for name in reversed(names):
            result[name] = of_weight[name.rpartition("_")[2]]
    return result


def grey_maps(split: str) -> torch.Tensor:
    """The frames of a split as maps of grey levels: uint8 (N, 16, 16)."""
    return gray(shrink(load_maze(split).frames, SIZE))


def train_one(
    name: str,
    settings: PixelVAEConfig | PixelVQVAEConfig,
    maps: torch.Tensor,
    training: TrainingConfig,
    run: Path,
) -> None:
    """Trains a model of `configurations`; a late one begins with the weights of its early one."""
    if name in BEGINS.values():
        early = replace(training, steps=EARLY_STEPS, checkpoint_every=EARLY_STEPS)
        train_maps(settings, maps, early, run, {}, last_steps=0)
    elif name in BEGINS:
        start = load_checkpoint(run.with_name(run.name.replace(name, BEGINS[name]))).model
        late = replace(training, steps=training.steps - EARLY_STEPS)
        weights = start.state_dict()
        train_maps(settings, maps, late, run, {}, begin=lambda new: new.load_state_dict(weights))
    else:
        train_maps(settings, maps, training, run, {})


def train_maps(
    settings: PixelVAEConfig | PixelVQVAEConfig,
    maps: torch.Tensor,
    training: TrainingConfig,
    run: Path,
    details: dict,
    place: Place = ALONE,
    last_steps: int = LAST_STEPS,
    begin: Callable[[nn.Module], object] = lambda new: None,
) -> None:
    """Trains a model of maps in stages; `details` go into its checkpoints."""
    train_stages(
        "pixelvae" if isinstance(settings, PixelVAEConfig) else "pixelvqvae",
        settings,
        lambda: CodeMaps(maps),
        training,
        last_steps,
        run,
        details=lambda stage: {"training": asdict(stage), **details},
        prepare=torch.Tensor.long,
        place=place,
        begin=begin,
    )


def measure(
    name: str, model: PixelVAE | PixelVQVAE, maps: torch.Tensor, seen: torch.Tensor
) -> dict:
    """Settings and figures of a model, printed too: nats an image on test maps and on seen ones."""
    # One pass over the maps for each latent: every fourth map is enough.
    use, rises = measure_latent_use(model, maps), rise_by_latent(model, maps[::4])
    figures = {
        "nats": round(use.nats, 3),
        "cost_of_latents": round(use.cost, 4),
        "bound": round(use.nats + use.cost, 3),
        "nats_swapped": round(use.swapped, 3),
        "swap_rise_percent": round(100 * use.swap_rise, 4),
        "share_of_latents_in_use": round(share_in_use(rises), 4),
        "rise_by_latent": [round(rise, 3) for rise in rises.tolist()],
    }
    if isinstance(model, PixelVQVAE):
        usage = CodeUsage(model.config.num_codes, model.config.num_codebooks)
        codes = model.encode(maps)
        usage.update(codes)
        figures["codes_used"] = round(usage.fraction_used, 4)
        figures["perplexity"] = round(usage.perplexity, 1)
        # Over the maps, of the vectors that the decoder is given; the mean over their numbers.
        figures["spread_of_codes"] = round(model.lookup(codes).flatten(1).std(0).mean().item(), 4)
    figures["training_nats"] = round(measure_latent_use(model, seen).nats, 3)
    print(name, figures)
    return {"settings": asdict(model.config), **figures}


def of_seeds(each: list[dict]) -> dict:
    """The settings, the means over the seeds, and each seed's figures, of a list the extremes."""
    figures = []
    for one in each:
        rises = one["rise_by_latent"]
        plain = {key: value for key, value in one.items() if not isinstance(value, (dict, list))}
        figures.append({**plain, "least_rise": min(rises), "most_rise": max(rises)})
    return {"settings": each[0]["settings"], **over_seeds(figures, 4), "seeds": figures}


if __name__ == "__main__":
    run(main)
