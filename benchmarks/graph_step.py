"""A training step that is recorded once, as a CUDA graph, and then replayed.

A small model's step is hundreds of short kernels, and a GPU waits for Python between two of them.
Recorded, they are sent off at once: the VQ-VAE of the frames went from 124 steps a second to 500
on a GPU, and to 745 with `torch.compile` before it. What a recording cannot hold is left out:
the checks that look at numbers, as inside `torch.compile`, and the pauses to read a loss.

On a CPU the same steps are taken one by one, which tests what is around the recording.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.training import layout_on

WARM_UP = 4  # steps before the recording: cuDNN chooses its ways in them, Adam makes its state
CHUNK = 20  # steps between two looks at the clock


class GraphStep:
    """Trains a model by steps that are all alike but for the numbers of their examples.

    Args:
        model: its output is a named tuple with the scalar "loss". Moved to the device.
        batch: the examples of some numbers, int64 (batch_size,), as the model takes them.
        examples: how many there are.
        batch_size: examples a step.
        device: a GPU, or the CPU.
        precision: "float32" or "bfloat16", by autocast.
        compile: whether to `torch.compile` the model first.
        seed: of the order, and of what a step draws.
    """

    def __init__(
        self,
        model: nn.Module,
        batch: Callable[[Tensor], Tensor | tuple[Tensor, ...]],
        examples: int,
        batch_size: int,
        *,
        device: torch.device,
        precision: str = "bfloat16",
        compile: bool = False,
        seed: int = 0,
    ):
        torch.manual_seed(seed)
        model.to(device).to(memory_format=layout_on(device)).train()
        self.model, self.batch, self.examples = model, batch, examples
        self.forward = torch.compile(model, dynamic=False) if compile else model
        self.compiled, self.half = compile, precision == "bfloat16"
        self.on_gpu = device.type == "cuda"
        # A rate in a tensor can change between two replays.
        self.rate = torch.tensor(0.0, device=device)
        more = {"fused": True, "capturable": True} if self.on_gpu else {}
        self.optimizer = torch.optim.Adam(model.parameters(), lr=self.rate, **more)
        self.numbers = torch.zeros(batch_size, dtype=torch.int64, device=device)
        self.order = self._orders()
        self.graph: torch.cuda.CUDAGraph | None = None
        self.names: list[str] = []
        self.sums = torch.zeros(0, device=device)
        self.start = [value.detach().clone() for value in self._state()]
        self._prepare()

    def restart(self, begin: Callable[[], None] = lambda: None) -> None:
        """Back to the first weights, before the steps that prepared the recording.

        Args:
            begin: changes the weights in place then.
        """
        with torch.no_grad():
            for value, first in zip(self._state(), self.start, strict=True):
                value.copy_(first)
            for state in self.optimizer.state.values():
                for value in state.values():
                    value.zero_()
            begin()
        self.steps, self.history = 0, []
        self._clear()

    def run(self, rate: float, until: float) -> None:
        """Steps of one size until `time.time()` is `until`, some at least; `history` grows.

        Raises:
            FloatingPointError: a loss was NaN or Inf.
        """
        self.rate.fill_(rate)
        recorded = time.time()
        running = True
        while running:
            for _ in range(CHUNK):
                self.numbers.copy_(next(self.order))
                self.graph.replay() if self.graph else self._step()
            self.steps += CHUNK
            self.counted += CHUNK
            if self.on_gpu:
                torch.cuda.synchronize()
            now = time.time()
            running = now < until
            if now - recorded > 3 or not running:
                self._record()
                recorded = now

    def _step(self) -> None:
        x = self.batch(self.numbers)
        device_type = self.numbers.device.type
        checks = nullcontext() if self.compiled else _no_look_at_numbers()
        cast = torch.autocast(device_type, torch.bfloat16, enabled=self.half, cache_enabled=False)
        with cast, checks:
            out = self.forward(*x) if isinstance(x, tuple) else self.forward(x)
        self.optimizer.zero_grad()
        out.loss.backward()
        self.optimizer.step()
        means = {
            name: value.detach().float()
            for name, value in out._asdict().items()
            if isinstance(value, Tensor) and value.ndim == 0
        }
        if not self.names:
            self.names = list(means)
            self.sums = self.sums.new_zeros(len(means))
        self.sums += torch.stack(list(means.values()))

    def _prepare(self) -> None:
        with _lookups_that_can_be_recorded():
            if not self.on_gpu:
                self._step()
            else:
                self._record_graph()
        self.restart()

    def _record_graph(self) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._step()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self._step()

    def _orders(self) -> Iterator[Tensor]:
        """Numbers for one step after another: epochs in random order, cut into batches."""
        size = len(self.numbers)
        while True:
            order = torch.randperm(self.examples, device=self.numbers.device)
            order = order.repeat(-(-size // self.examples))
            yield from (part for part in order.split(size) if len(part) == size)

    def _state(self) -> list[Tensor]:
        return [*self.model.parameters(), *self.model.buffers()]

    def _record(self) -> None:
        means = dict(zip(self.names, (self.sums / self.counted).tolist(), strict=True))
        if not torch.isfinite(self.sums).all():
            raise FloatingPointError(f"by step {self.steps} the means were {means}")
        self.history.append((self.steps, means))
        self._clear()

    def _clear(self) -> None:
        self.sums.zero_()
        self.counted = 0


@contextmanager
def _no_look_at_numbers() -> Iterator[None]:
    """The package's checks see that a graph is made, and ask nothing of the numbers."""
    asked = torch.compiler.is_compiling
    torch.compiler.is_compiling = lambda: True
    try:
        yield
    finally:
        torch.compiler.is_compiling = asked


@contextmanager
def _lookups_that_can_be_recorded() -> Iterator[None]:
    """Embeddings whose gradients are summed in place, without a wait for how many there are."""

    def embedding(input: Tensor, weight: Tensor, *_: object, **__: object) -> Tensor:
        return weight.index_select(0, input.reshape(-1)).view(*input.shape, weight.shape[-1])

    def bag(self: nn.EmbeddingBag, input: Tensor) -> Tensor:
        return embedding(input, self.weight).sum(1)

    before = F.embedding, nn.EmbeddingBag.forward
    F.embedding, nn.EmbeddingBag.forward = embedding, bag
    try:
        yield
    finally:
        F.embedding, nn.EmbeddingBag.forward = before
