"""Memory of a training step of VIMCO with 50 samples, on the paper's network for CIFAR-10.

A batch of 128, 8 x 8 x 10 latents of 512 values, the softmax over 256 values: decoded all at once,
the samples' logits alone would take 20 GB. Two steps are taken, so that the optimizer's state
counts too.

    python benchmarks/vimco_memory.py
"""

import resource
import sys

import torch
from record import run, without_options

from vqvae_lite import VIMCO, TrainingConfig, VIMCOConfig, train
from vqvae_lite.distributed import Place
from vqvae_lite.images import TensorImages

BATCH, SIDE, STEPS = 128, 32, 2


def peak(device: torch.device) -> float:
    """The most memory that was in use so far, GB: of the process, or of the GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * (1e-9 if sys.platform == "darwin" else 1024e-9)


def main() -> tuple[str, dict]:
    without_options(__doc__)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    before = peak(device)
    config = VIMCOConfig(num_codebooks=10)
    images = torch.randint(0, 256, (BATCH, 3, SIDE, SIDE), dtype=torch.uint8)
    training = TrainingConfig(steps=STEPS, batch_size=BATCH)
    train(VIMCO(config), TensorImages(images), training, place=Place(0, 1, device))
    figures = {
        "network": "the paper's, 256 wide, 32x32 images, 8x8x10 latents",
        "device": device.type,
        "batch": BATCH,
        "samples": config.samples,
        "chunk": config.chunk,
        "gigabytes_before": round(before, 2),
        "gigabytes": round(peak(device), 2),
        "logits_of_all_samples_gigabytes": round(BATCH * config.samples * 3072 * 256 * 4e-9, 1),
    }
    print(figures)
    return "vimco_memory", figures


if __name__ == "__main__":
    run(main)
