"""The paper's CIFAR-10 network: a training step in bfloat16 with channels last, and without.

Both run in turn on random images; what is quoted is the median of the ratios of neighbouring runs.

    python benchmarks/training.py
"""

import statistics
import time

import torch
from record import run
from torch import Tensor

from vqvae_lite import VQVAE, ModelConfig

BATCH, SIDE, ROUNDS = 32, 32, 7


def make(fast: bool, device: torch.device) -> tuple[VQVAE, torch.optim.Adam, Tensor]:
    torch.manual_seed(0)
    layout = torch.channels_last if fast else torch.contiguous_format
    model = VQVAE(ModelConfig()).to(device, memory_format=layout)
    images = torch.rand(BATCH, 3, SIDE, SIDE, device=device) * 2 - 1
    images = images.contiguous(memory_format=layout)
    return model, torch.optim.Adam(model.parameters(), lr=2e-4), images


def seconds(fast: bool, model: VQVAE, optimizer: torch.optim.Adam, images: Tensor) -> float:
    start = time.perf_counter()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=fast):
        loss = model(images).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    loss.item()  # waits for the GPU
    return time.perf_counter() - start


def main() -> tuple[str, dict]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    fast, plain = make(True, device), make(False, device)
    seconds(True, *fast), seconds(False, *plain)
    times = [(seconds(True, *fast), seconds(False, *plain)) for _ in range(ROUNDS)]
    figures = {
        "network": "the paper's, 256 wide, 32x32 images",
        "device": device.type,
        "batch": BATCH,
        "rounds": ROUNDS,
        "bfloat16_channels_last_ms": round(1000 * statistics.median(a for a, _ in times), 1),
        "float32_ms": round(1000 * statistics.median(b for _, b in times), 1),
        "times_faster": round(statistics.median(b / a for a, b in times), 2),
    }
    print(figures)
    return "training", figures


if __name__ == "__main__":
    run(main)
