"""The paper's CIFAR-10 network: a training step, in bfloat16 and in float32, beside a bare network.

The bare one is what a tutorial would write: the same layers, a codebook that learns by gradient and
nothing that looks at its input. All run in turn on random images; what is quoted is the median of
the ratios of neighbouring runs.

    python benchmarks/training.py
"""

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from record import run, without_options
from search import Bare
from torch import Tensor, nn

from vqvae_lite import VQVAE, ModelConfig

BATCH, SIDE, ROUNDS = 32, 32, 7
WIDTH, CODE_DIM, NUM_CODES = 256, 64, 512


class Residual(nn.Module):
    """x + f(x), as section 4.1 has it."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, WIDTH, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class BareVQVAE(nn.Module):
    """The layers of `VQVAE(ModelConfig())` in plain PyTorch, with the bare quantizer."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, WIDTH, 4, 2, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, WIDTH, 4, 2, 1),
            *(Residual(), Residual(), nn.ReLU(inplace=True)),
            nn.Conv2d(WIDTH, CODE_DIM, 1),
        )
        self.quantizer = Bare(NUM_CODES, CODE_DIM)
        self.decoder = nn.Sequential(
            nn.Conv2d(CODE_DIM, WIDTH, 3, padding=1),
            *(Residual(), Residual(), nn.ReLU(inplace=True)),
            nn.ConvTranspose2d(WIDTH, WIDTH, 4, 2, 1),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        z_e = self.encoder(x)
        z_q, loss, _ = self.quantizer(z_e)
        return F.mse_loss(self.decoder(z_q), x) + loss


Trained = tuple[nn.Module, torch.optim.Adam, Tensor]


def make(
    build: Callable[[], nn.Module], layout: torch.memory_format, device: torch.device
) -> Trained:
    """A network with its optimizer and a batch for it."""
    torch.manual_seed(0)
    model = build().to(device, memory_format=layout)
    images = torch.rand(BATCH, 3, SIDE, SIDE, device=device) * 2 - 1
    images = images.contiguous(memory_format=layout)
    return model, torch.optim.Adam(model.parameters(), lr=2e-4), images


def seconds(fast: bool, model: nn.Module, optimizer: torch.optim.Adam, images: Tensor) -> float:
    start = time.perf_counter()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=fast):
        out = model(images)
        loss = out if isinstance(out, Tensor) else out.loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    loss.item()  # waits for the GPU
    return time.perf_counter() - start


def main() -> tuple[str, dict]:
    without_options(__doc__)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def ours() -> VQVAE:
        return VQVAE(ModelConfig(decay=None))  # as the bare one learns

    ways = {
        "bfloat16_channels_last": (True, *make(ours, torch.channels_last, device)),
        "float32": (False, *make(ours, torch.contiguous_format, device)),
        "float32_channels_last": (False, *make(ours, torch.channels_last, device)),
        "bare_float32_channels_last": (False, *make(BareVQVAE, torch.channels_last, device)),
    }
    sizes = {sum(p.numel() for p in way[1].parameters()) for way in ways.values()}
    assert len(sizes) == 1, "all have the same weights to learn"
    for way in ways.values():
        seconds(*way)  # the first step prepares what the others use
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(seconds(*way))

    def faster(name: str, other: str) -> float:
        pairs = zip(times[name], times[other], strict=True)
        return round(statistics.median(b / a for a, b in pairs), 2)

    figures = {
        "network": "the paper's, 256 wide, 32x32 images",
        "device": device.type,
        "batch": BATCH,
        "rounds": ROUNDS,
        **{f"{name}_ms": round(1000 * statistics.median(t), 1) for name, t in times.items()},
        "times_faster": faster("bfloat16_channels_last", "float32"),
        "times_faster_than_bare": faster("float32_channels_last", "bare_float32_channels_last"),
    }
    print(figures)
    return "training", figures


if __name__ == "__main__":
    run(main)
