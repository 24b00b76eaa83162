"""The quantizer beside that of vector-quantize-pytorch, set to the same algorithm.

Both are EMA codebooks of the same decay with the plain straight-through gradient, start from the
same codes and see the same vectors. That they give the same codes, loss and gradient is asserted
before anything is timed. They run in turn, so that a change of the machine's speed meets both;
what is quoted is the median of the ratios of neighbouring runs.

    python benchmarks/quantizer.py
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from record import run
from torch import Tensor, nn
from vector_quantize_pytorch import VectorQuantize

from vqvae_lite import VectorQuantizer

BATCH, CODE_DIM, SIDE = 32, 64, 32  # 32,768 vectors, as maps of 32 x 32
SIZES = (512, 8192)
DECAY, COMMITMENT = 0.99, 0.25
ROUNDS = 9
CPU = torch.device("cpu")
Step = Callable[[Tensor], tuple[Tensor, Tensor]]


def make(which: str, num_codes: int, device: torch.device = CPU) -> Step:
    """A function that quantizes z_e and gives codes and loss, after a backward pass."""
    quantizer: nn.Module
    if which == "ours":
        quantizer = VectorQuantizer(num_codes, CODE_DIM, decay=DECAY, commitment=COMMITMENT)
        quantizer.codebook.copy_(codebook(num_codes))

        def step(z_e: Tensor) -> tuple[Tensor, Tensor]:
            out = quantizer(z_e)
            (out.quantized.sum() + out.loss).backward()
            return out.codes, out.loss
    else:
        quantizer = VectorQuantize(
            dim=CODE_DIM,
            codebook_size=num_codes,
            decay=DECAY,
            commitment_weight=COMMITMENT,
            rotation_trick=False,
            kmeans_init=False,
            threshold_ema_dead_code=0,
            accept_image_fmap=True,
        )
        quantizer._codebook.embed.data.copy_(codebook(num_codes)[None])
        quantizer._codebook.embed_avg.data.copy_(codebook(num_codes)[None])

        def step(z_e: Tensor) -> tuple[Tensor, Tensor]:
            quantized, codes, loss = quantizer(z_e)
            (quantized.sum() + loss.sum()).backward()
            return codes, loss.sum()

    quantizer.to(device).train()
    return step


def codebook(num_codes: int) -> Tensor:
    return torch.randn(num_codes, CODE_DIM, generator=torch.Generator().manual_seed(0))


def latents(device: torch.device = CPU) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    z_e = torch.randn(BATCH, CODE_DIM, SIDE, SIDE, generator=generator)
    return z_e.to(device).requires_grad_()


def assert_same(ours: Step, theirs: Step, num_codes: int, device: torch.device = CPU) -> int:
    """Checks codes, loss and gradient; returns how many vectors lie between two codes.

    In float32 some vectors are as near to one code as to another, to all digits that there are.
    Only there, as float64 confirms, may the codes differ.
    """
    a, b = latents(device), latents(device)
    codes, loss = ours(a)
    their_codes, their_loss = theirs(b)
    differ = codes != their_codes
    rows = a.detach().movedim(1, -1)[differ].double()
    book = codebook(num_codes).to(device).double()
    nearer, other = ((rows - book[c[differ]]).square().sum(1) for c in (codes, their_codes))
    assert torch.allclose(nearer, other, rtol=1e-5), "the codes differ"
    assert torch.allclose(loss, their_loss), f"the losses differ: {loss} and {their_loss}"
    same = ~differ[:, None].expand_as(a)
    assert torch.allclose(a.grad[same], b.grad[same]), "the gradients differ"
    return int(differ.sum())


def seconds(step: Step, device: torch.device = CPU) -> float:
    z_e = latents(device)
    wait_for(device)
    start = time.perf_counter()
    step(z_e)
    wait_for(device)
    return time.perf_counter() - start


def wait_for(device: torch.device) -> None:
    """Until a GPU has done all that it was sent; a CPU has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def compare(num_codes: int, device: torch.device = CPU) -> dict[str, float]:
    """Both beside each other at one size of the codebook: times, and how many vectors tie."""
    ours, theirs = (make(which, num_codes, device) for which in ("ours", "theirs"))
    ties = assert_same(ours, theirs, num_codes, device)
    times = [(seconds(ours, device), seconds(theirs, device)) for _ in range(ROUNDS)]
    return {
        "ties": ties,
        "ours_ms": 1000 * statistics.median(a for a, _ in times),
        "theirs_ms": 1000 * statistics.median(b for _, b in times),
        "times_faster": statistics.median(b / a for a, b in times),
    }


def extra_memory(which: str, num_codes: int) -> float:
    """Peak MB that one pass needs beyond what was there before it, in a process of its own."""
    command = [sys.executable, __file__, "--memory", which, str(num_codes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def measure_memory(which: str, num_codes: int) -> float:
    step = make(which, num_codes)
    z_e = latents()
    make(which, 2)(latents())  # what a first pass of any size allocates once and for all
    status = Path("/proc/self/status")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak is counted from here

    def read(field: str) -> int:
        lines = status.read_text(encoding="utf-8").splitlines()
        return int(next(line for line in lines if line.startswith(field)).split()[1])

    before = read("VmRSS")
    step(z_e)
    return (read("VmHWM") - before) / 1024


def main() -> tuple[str, dict] | None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", nargs=2, metavar=("WHICH", "K"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print(measure_memory(options.memory[0], int(options.memory[1])))
        return None
    figures = {
        "yardstick": f"vector-quantize-pytorch {version('vector-quantize-pytorch')}",
        "vectors": BATCH * SIDE * SIDE,
        "code_dim": CODE_DIM,
        "rounds": ROUNDS,
        "sizes": {},
    }
    for num_codes in SIZES:
        row = compare(num_codes)
        if Path("/proc/self/clear_refs").exists():
            row["ours_peak_mb"] = extra_memory("ours", num_codes)
            row["theirs_peak_mb"] = extra_memory("theirs", num_codes)
            row["share_of_memory"] = row["ours_peak_mb"] / row["theirs_peak_mb"]
        figures["sizes"][num_codes] = {name: round(value, 3) for name, value in row.items()}
        print(f"K = {num_codes}: {figures['sizes'][num_codes]}", flush=True)
    return "quantizer", figures


if __name__ == "__main__":
    run(main)
