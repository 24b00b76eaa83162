"""The quantizer beside three others and beside a matrix product and an argmin, at six sizes.

"encode" finds the codes alone; "step" quantizes and goes back through it, with a codebook that
learns as that of the other does: by moving averages beside vector-quantize-pytorch, by gradient
beside diffusers (`legacy=False`) and beside the few lines that most public code has. That all give
the same codes, but where two are equally near, is asserted before anything is timed. All run in
turn; what is quoted is the ratio of the shortest times. diffusers is left out where it is missing.

    python benchmarks/search.py                # on an idle machine
    python benchmarks/search.py --busy 2       # beside two processes that keep a core each busy
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import torch
import torch.nn.functional as F
from record import run
from torch import Tensor, nn
from vector_quantize_pytorch import VectorQuantize

from vqvae_lite import VectorQuantizer, straight_through

SIDE = 32
SIZES = [  # vectors, codes, dimensions
    (2_048, 512, 64),
    (32_768, 512, 64),
    (32_768, 8_192, 64),
    (32_768, 1_024, 8),
    (131_072, 512, 64),
    (8_192, 16_384, 256),
]
SCORES_TIMED = 2**29  # as many rounds as come to so many vectors x codes, within the next
FEWEST_ROUNDS, MOST_ROUNDS = 5, 60
Call = Callable[[Tensor], Tensor]  # z_e to codes


class Bare(nn.Module):
    """What is written most often: all distances, the nearest, a straight-through gradient."""

    def __init__(self, num_codes: int, code_dim: int):
        super().__init__()
        self.embedding = nn.Embedding(num_codes, code_dim)

    def search(self, z_e: Tensor) -> Tensor:
        rows, book = z_e.movedim(1, -1).flatten(0, -2), self.embedding.weight
        squares = book.square().sum(1) + rows.square().sum(1, keepdim=True)
        codes = torch.addmm(squares, rows, book.t(), alpha=-2).min(1).indices
        return codes.view(z_e.movedim(1, -1).shape[:-1])

    def forward(self, z_e: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            codes = self.search(z_e)
        z_q = self.embedding(codes).movedim(-1, 1)
        loss = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
        return straight_through(z_e, z_q), loss, codes


def ours(num_codes: int, code_dim: int, decay: float | None) -> tuple[Call, Call]:
    quantizer = VectorQuantizer(num_codes, code_dim, decay=decay)
    with torch.no_grad():
        quantizer.codebook.copy_(codebook(num_codes, code_dim))

    def step(z_e: Tensor) -> Tensor:
        out = quantizer(z_e)
        (out.quantized.sum() + out.loss).backward()
        return out.codes

    return quantizer.encode, step


def bare(num_codes: int, code_dim: int) -> tuple[Call, Call]:
    quantizer = Bare(num_codes, code_dim)
    quantizer.embedding.weight.data.copy_(codebook(num_codes, code_dim))
    return quantizer.search, partial(back_through, quantizer)


def back_through(quantizer: nn.Module, z_e: Tensor) -> Tensor:
    quantized, loss, codes = quantizer(z_e)
    (quantized.sum() + loss).backward()
    return codes


def vector_quantize(num_codes: int, code_dim: int) -> tuple[Call, Call]:
    quantizer = VectorQuantize(
        dim=code_dim,
        codebook_size=num_codes,
        decay=0.99,
        commitment_weight=0.25,
        rotation_trick=False,
        kmeans_init=False,
        threshold_ema_dead_code=0,
        accept_image_fmap=True,
    )
    for values in (quantizer._codebook.embed, quantizer._codebook.embed_avg):
        values.data.copy_(codebook(num_codes, code_dim)[None])

    def encode(z_e: Tensor) -> Tensor:
        return quantizer.eval()(z_e)[1]

    def step(z_e: Tensor) -> Tensor:
        quantized, codes, loss = quantizer.train()(z_e)
        (quantized.sum() + loss.sum()).backward()
        return codes

    return encode, step


def diffusers(num_codes: int, code_dim: int) -> tuple[Call, Call]:
    from diffusers.models.autoencoders.vae import VectorQuantizer as Theirs

    quantizer = Theirs(num_codes, code_dim, beta=0.25, legacy=False, sane_index_shape=True)
    quantizer.embedding.weight.data.copy_(codebook(num_codes, code_dim))

    def call(z_e: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        quantized, loss, (*_, codes) = quantizer(z_e)
        return quantized, loss, codes

    return lambda z_e: call(z_e)[2], partial(back_through, call)


def product_and_argmax(num_codes: int, code_dim: int) -> Call:
    """What cannot be left out, and no more: not even the codes' lengths."""
    book = codebook(num_codes, code_dim).t()
    return lambda z_e: (z_e.movedim(1, -1).flatten(0, -2) @ book).argmax(1)


def codebook(num_codes: int, code_dim: int) -> Tensor:
    return torch.randn(num_codes, code_dim, generator=torch.Generator().manual_seed(0))


def latents(vectors: int, code_dim: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(vectors // SIDE**2, code_dim, SIDE, SIDE, generator=generator)


def assert_same(codes: Tensor, theirs: Tensor, z_e: Tensor, book: Tensor) -> None:
    """In float32 some vectors are as near to one code as to another: there codes may differ."""
    differ = codes != theirs
    rows = z_e.movedim(1, -1)[differ].double()
    one, other = ((rows - book[c[differ]].double()).square().sum(1) for c in (codes, theirs))
    assert torch.allclose(one, other, rtol=1e-5), "the codes differ"


def measure(vectors: int, num_codes: int, code_dim: int) -> dict:
    z_e, book = latents(vectors, code_dim), codebook(num_codes, code_dim)
    averaged, by_gradient = (ours(num_codes, code_dim, decay) for decay in (0.99, None))
    others = {
        "vector_quantize_pytorch": (averaged, vector_quantize(num_codes, code_dim)),
        "bare": (by_gradient, bare(num_codes, code_dim)),
    }
    if has_diffusers():
        others["diffusers"] = (by_gradient, diffusers(num_codes, code_dim))
    found = averaged[0](z_e)
    for _, (encode, _) in others.values():
        with torch.no_grad():
            assert_same(found, encode(z_e), z_e, book)

    encoders = {"ours": averaged[0], "product": product_and_argmax(num_codes, code_dim)}
    encoders |= {name: encode for name, (_, (encode, _)) in others.items()}
    rounds = SCORES_TIMED // (vectors * num_codes)
    rounds = min(max(rounds, FEWEST_ROUNDS), MOST_ROUNDS)
    with torch.no_grad():
        times = shortest(encoders, z_e, rounds)
    row = {"encode_ms": 1000 * times["ours"], "of_product": times["ours"] / times["product"]}
    row |= {f"encode_{name}": times[name] / times["ours"] for name in others}

    steps = {"averaged": averaged[1], "by_gradient": by_gradient[1]}
    steps |= {name: step for name, (_, (_, step)) in others.items()}
    times = shortest(steps, z_e.requires_grad_(), rounds)
    for name, (one, _) in others.items():
        mine = "averaged" if one is averaged else "by_gradient"
        row[f"step_{name}"] = times[name] / times[mine]
    row["step_ms"] = 1000 * times["averaged"]
    return {name: round(value, 2) for name, value in row.items()}


def shortest(calls: dict[str, Call], z_e: Tensor, rounds: int) -> dict[str, float]:
    """Seconds of each, the shortest of all rounds."""
    times = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call(z_e)
            times[name] = min(times[name], time.perf_counter() - start)
            z_e.grad = None
    return times


def has_diffusers() -> bool:
    try:
        return bool(version("diffusers"))
    except PackageNotFoundError:
        return False


def spin() -> None:
    while True:
        pass


@contextmanager
def busy(count: int):
    """So many other processes that never rest."""
    processes = [multiprocessing.Process(target=spin, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", type=int, default=0, help="other processes, a core each")
    parser.add_argument("--threads", type=int, help="of PyTorch; its own choice if not given")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    names = ["vector-quantize-pytorch", *(["diffusers"] if has_diffusers() else [])]
    figures = {
        "yardsticks": {name: version(name) for name in names},
        "busy": options.busy,
        "sizes": [],
    }
    with busy(options.busy):
        for vectors, num_codes, code_dim in SIZES:
            size = {"vectors": vectors, "num_codes": num_codes, "code_dim": code_dim}
            figures["sizes"].append(size | measure(vectors, num_codes, code_dim))
            print(figures["sizes"][-1], flush=True)
    return "search" + ("_busy" if options.busy else ""), figures


if __name__ == "__main__":
    run(main)
