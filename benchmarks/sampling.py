"""The cached sampler beside a full forward pass a position, and beside one over the rows so far.

All three draw from one model with the same weights; that the cached logits are those of the forward
pass is asserted before anything is timed. The two slow ways would take minutes a round, so they are
timed at one position of each row, the middle one, and scaled to all. The three run in turn, so that
a change of the machine's speed meets all; what is quoted is the median of the ratios within each
round. Then the cost of a position as the map grows; and a single map, beside one forward pass over
it, which computes all of its positions at once: how far the walk is from its bare arithmetic.

    python benchmarks/sampling.py
"""

import statistics
import time

import torch
from record import run, without_options
from torch import Tensor

from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig

BATCH, SIDE = 16, 32
SIDES = (8, 16, 32, 64)
SINGLE_SIDES, SINGLE_ROUNDS = (8, 32), 15
CONFIG = PixelCNNConfig(num_codes=512, width=64, num_layers=8)
ROUNDS = 5


def make(device: torch.device) -> GatedPixelCNN:
    torch.manual_seed(0)
    model = GatedPixelCNN(CONFIG)
    torch.nn.init.normal_(model.head.weight)
    return model.to(device, memory_format=torch.channels_last).eval()


def random_codes(side: int, device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(CONFIG.num_codes, (BATCH, side, side), generator=generator).to(device)


def seconds_cached(model: GatedPixelCNN, side: int, batch: int = BATCH) -> float:
    start = time.perf_counter()
    model.sample((side, side), batch=batch, seed=0, progress=False)[0, 0, 0].item()
    return time.perf_counter() - start


@torch.no_grad()
def seconds_forward(model: GatedPixelCNN, codes: Tensor, rows_so_far: bool) -> float:
    """What a forward pass and a draw at every position would take, from one in each row."""
    column = SIDE // 2
    start = time.perf_counter()
    for row in range(SIDE):
        seen = codes[:, : row + 1] if rows_so_far else codes
        drawn = model.logits(seen)[:, :, row, column].softmax(1).multinomial(1)
    drawn[0].item()  # waits for the GPU
    return (time.perf_counter() - start) * SIDE


@torch.no_grad()
def seconds_one_pass(model: GatedPixelCNN, codes: Tensor) -> float:
    """Of a forward pass over these maps."""
    start = time.perf_counter()
    model.logits(codes).amax().item()  # waits for the GPU
    return time.perf_counter() - start


@torch.no_grad()
def measure_single(model: GatedPixelCNN, device: torch.device) -> dict:
    """What a position of one map costs, and its sample over one forward pass, at two sizes."""
    result: dict = {"microseconds_a_position": {}, "over_one_forward_pass": {}}
    for side in SINGLE_SIDES:
        codes = random_codes(side, device)[:1]
        times = [
            (seconds_cached(model, side, 1), seconds_one_pass(model, codes))
            for _ in range(SINGLE_ROUNDS)
        ]
        size = f"{side}x{side}"
        seconds = statistics.median(a for a, _ in times)
        result["microseconds_a_position"][size] = round(1e6 * seconds / side**2)
        result["over_one_forward_pass"][size] = round(statistics.median(a / b for a, b in times), 1)
    return result


@torch.no_grad()
def measure(device: torch.device) -> dict:
    """The three ways beside each other, then the cached one on maps of several sizes."""
    model = make(device)
    codes = random_codes(SIDE, device)
    difference = (model.cached_logits(codes) - model(codes).logits).abs().max().item()
    assert difference < 1e-3, f"the cached logits are off by {difference}"

    def one_round() -> tuple[float, float, float]:
        return (
            seconds_cached(model, SIDE),
            seconds_forward(model, codes, rows_so_far=True),
            seconds_forward(model, codes, rows_so_far=False),
        )

    times = [one_round() for _ in range(ROUNDS)]
    sizes = [[seconds_cached(model, side) for side in SIDES] for _ in range(ROUNDS)]
    return {
        "network": f"gated PixelCNN, {CONFIG.num_layers} layers, {CONFIG.width} wide, "
        f"kernel {CONFIG.kernel_size}, K = {CONFIG.num_codes}",
        "device": device.type,
        "batch": BATCH,
        "map": [SIDE, SIDE],
        "rounds": ROUNDS,
        "largest_difference_of_logits": float(f"{difference:.1e}"),
        "cached_s": round(statistics.median(a for a, _, _ in times), 3),
        "rows_so_far_s": round(statistics.median(b for _, b, _ in times), 1),
        "full_forward_s": round(statistics.median(c for _, _, c in times), 1),
        "slow_ways_timed_at_positions": f"{SIDE} of {SIDE * SIDE}, one in each row, and scaled",
        "times_faster_than_rows_so_far": round(statistics.median(b / a for a, b, _ in times), 1),
        "times_faster_than_full_forward": round(statistics.median(c / a for a, _, c in times), 1),
        "microseconds_a_position": {
            f"{side}x{side}": round(1e6 * statistics.median(row[i] for row in sizes) / side**2)
            for i, side in enumerate(SIDES)
        },
        "cost_at_largest_over_smallest_map": round(
            statistics.median(
                (row[-1] / SIDES[-1] ** 2) / (row[0] / SIDES[0] ** 2) for row in sizes
            ),
            2,
        ),
        "batch_of_one": measure_single(model, device),
    }


def main() -> tuple[str, dict]:
    without_options(__doc__)
    figures = measure(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    print(figures)
    return "sampling", figures


if __name__ == "__main__":
    run(main)
