"""WaveNet's cached sampler beside one full forward pass a sample, over the receptive field.

The network is the decoder of the speech checkpoint's size, with its label and condition; the
weights are random, which costs the same. That the cached logits are those of the forward pass is
asserted before anything is timed. The slow way would take an hour a second of sound, so a few of
its samples are timed and scaled. Both run in turn, so that a change of the machine's speed meets
both; what is quoted is the median of the ratios within each round.

    python benchmarks/wavenet_sampling.py
"""

import statistics
import sys
import time
from pathlib import Path

import torch
from record import write_result
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vqvae_lite.sound import RATE
from vqvae_lite.wavenet import WaveNet, WaveNetConfig

CONFIG = WaveNetConfig(
    width=64, skip_width=128, num_cycles=2, layers_per_cycle=9, num_classes=8,
    condition_channels=128, hop=64,
)  # fmt: skip
BATCHES = (1, 64)
CACHED_STEPS, FORWARD_STEPS = 1600, 4  # timed in a round
ROUNDS = 5


def make(device: torch.device) -> WaveNet:
    torch.manual_seed(0)
    model = WaveNet(CONFIG)
    torch.nn.init.normal_(model.head.weight, std=CONFIG.skip_width**-0.5)
    torch.nn.init.normal_(model.label.weight)
    return model.to(device).eval()


def conditions(batch: int, length: int, device: torch.device) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    columns = -(-length // CONFIG.hop)
    condition = torch.randn(batch, CONFIG.condition_channels, columns, generator=generator)
    label = torch.randint(CONFIG.num_classes, (batch,), generator=generator)
    return {"label": label.to(device), "condition": condition.to(device)}


def random_codes(batch: int, length: int, device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(CONFIG.num_codes, (batch, length), generator=generator).to(device)


def seconds_cached(model: WaveNet, batch: int) -> float:
    """Of a step of the sampler, in seconds."""
    given = conditions(batch, CACHED_STEPS, model.head.weight.device)
    start = time.perf_counter()
    model.sample(CACHED_STEPS, batch=batch, seed=0, progress=False, **given)[0, 0].item()
    return (time.perf_counter() - start) / CACHED_STEPS


@torch.no_grad()
def seconds_forward(model: WaveNet, batch: int, length: int) -> float:
    """Of a forward pass over the receptive field and a draw from its last logits."""
    device = model.head.weight.device
    codes, given = random_codes(batch, length, device), conditions(batch, length, device)
    start = time.perf_counter()
    for _ in range(FORWARD_STEPS):
        drawn = model(codes, **given).logits[:, :, -1].softmax(1).multinomial(1)
    drawn[0].item()  # waits for the GPU
    return (time.perf_counter() - start) / FORWARD_STEPS


@torch.no_grad()
def main() -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = make(device)
    # In whole columns of the condition; no more than one of them beyond what a sample is made from.
    length = -(-CONFIG.receptive_field // CONFIG.hop) * CONFIG.hop
    codes, given = random_codes(2, length, device), conditions(2, length, device)
    difference = (model.cached_logits(codes, **given) - model(codes, **given).logits).abs().max()
    assert difference < 1e-4, f"the cached logits are off by {difference}"
    figures = {
        "network": f"WaveNet, {len(CONFIG.dilations)} layers, {CONFIG.width} wide, sees "
        f"{CONFIG.receptive_field} samples",
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "device": device.type,
        "rounds": ROUNDS,
        "largest_difference_of_logits": float(f"{difference.item():.1e}"),
        "forward_over_samples": length,
        "batches": {},
    }
    for batch in BATCHES:
        times = [
            (seconds_cached(model, batch), seconds_forward(model, batch, length))
            for _ in range(ROUNDS)
        ]
        cached = statistics.median(a for a, _ in times)
        figures["batches"][batch] = {
            "cached_microseconds_a_step": round(1e6 * cached),
            "forward_microseconds_a_step": round(
                1e6 * statistics.median(forward for _, forward in times)
            ),
            "times_faster_than_full_forward": round(statistics.median(b / a for a, b in times), 1),
            # Seconds of computing for a second of sound: of one wave, and of all of a batch.
            "real_time_factor": round(cached * RATE, 1),
            "real_time_factor_of_each": round(cached * RATE / batch, 2),
        }
        print(batch, figures["batches"][batch])
    command = "python benchmarks/wavenet_sampling.py"
    print(f"written to {write_result('wavenet_sampling', command, figures)}")


if __name__ == "__main__":
    main()
