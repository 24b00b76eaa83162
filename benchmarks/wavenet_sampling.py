"""WaveNet's cached sampler beside one full forward pass a sample, over the receptive field.

Two decoders of speech, with label and condition: one with dilations up to 256, and one with those
up to 512 that WaveNet's paper and this package have by default. The weights are random, which costs
the same. That the cached logits are those of the forward pass is asserted before anything is timed.
The slow way would take many minutes a second of sound, so a few of its samples are timed. Both
run in turn, so that a change of the machine's speed meets both; what is quoted is the median of the
ratios within each round.

    python benchmarks/wavenet_sampling.py
"""

import statistics
import time

import torch
from record import run, without_options
from torch import Tensor

from vqvae_lite.priors.wavenet import WaveNet, WaveNetConfig
from vqvae_lite.sound.files import RATE

LAYERS_PER_CYCLE = (9, 10)  # 10 by default
BATCHES = (1, 64)
CACHED_STEPS, FORWARD_STEPS = 640, 2  # timed in a round
ROUNDS = 5


def make(layers_per_cycle: int, device: torch.device) -> WaveNet:
    torch.manual_seed(0)
    config = WaveNetConfig(
        width=64,
        skip_width=128,
        num_cycles=2,
        layers_per_cycle=layers_per_cycle,
        num_classes=8,
        condition_channels=128,
        hop=64,
    )
    model = WaveNet(config)
    torch.nn.init.normal_(model.head.weight, std=config.skip_width**-0.5)
    torch.nn.init.normal_(model.label.weight)
    return model.to(device).eval()


def inputs(model: WaveNet, batch: int, length: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Random codes of a length, and a label and condition for them."""
    config, device = model.config, model.head.weight.device
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(config.num_codes, (batch, length), generator=generator)
    label = torch.randint(config.num_classes, (batch,), generator=generator)
    columns = length // config.hop
    condition = torch.randn(batch, config.condition_channels, columns, generator=generator)
    return codes.to(device), {"label": label.to(device), "condition": condition.to(device)}


def seconds_cached(model: WaveNet, batch: int) -> float:
    """Of one step of the sampler."""
    _, given = inputs(model, batch, CACHED_STEPS)
    start = time.perf_counter()
    model.sample(CACHED_STEPS, batch=batch, seed=0, progress=False, **given)[0, 0].item()
    return (time.perf_counter() - start) / CACHED_STEPS


def seconds_forward(model: WaveNet, batch: int, length: int) -> float:
    """Of a forward pass over the receptive field and a draw from its last logits."""
    codes, given = inputs(model, batch, length)
    start = time.perf_counter()
    for _ in range(FORWARD_STEPS):
        drawn = model(codes, **given).logits[:, :, -1].softmax(1).multinomial(1)
    drawn[0].item()  # waits for the GPU
    return (time.perf_counter() - start) / FORWARD_STEPS


@torch.no_grad()
def measure(model: WaveNet) -> dict:
    """Both ways to sample, in one batch size after the other; printed too."""
    config = model.config
    # The condition comes in whole columns, so up to one of them more than the receptive field.
    length = -(-config.receptive_field // config.hop) * config.hop
    codes, given = inputs(model, 2, length)
    difference = (model.cached_logits(codes, **given) - model(codes, **given).logits).abs().max()
    assert difference < 1e-4, f"the cached logits are off by {difference}"
    figures = {
        "layers": len(config.dilations),
        "width": config.width,
        "receptive_field": config.receptive_field,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "largest_difference_of_logits": float(f"{difference.item():.1e}"),
        "batches": {},
    }
    for batch in BATCHES:
        times = [
            (seconds_cached(model, batch), seconds_forward(model, batch, length))
            for _ in range(ROUNDS)
        ]
        cached, forward = (statistics.median(way) for way in zip(*times, strict=True))
        figures["batches"][batch] = {
            "cached_microseconds_a_step": round(1e6 * cached),
            "forward_microseconds_a_step": round(1e6 * forward),
            "times_faster_than_full_forward": round(statistics.median(b / a for a, b in times), 1),
            # Seconds of computing for a second of sound: of the whole batch, and of each in it.
            "real_time_factor": round(cached * RATE, 1),
            "real_time_factor_of_each": round(cached * RATE / batch, 2),
        }
    print(figures, flush=True)
    return figures


def main() -> tuple[str, dict]:
    without_options(__doc__)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    figures = {
        "device": device.type,
        "rounds": ROUNDS,
        "networks": {
            f"dilations to {2 ** (layers - 1)}": measure(make(layers, device))
            for layers in LAYERS_PER_CYCLE
        },
    }
    return "wavenet_sampling", figures


if __name__ == "__main__":
    run(main)
