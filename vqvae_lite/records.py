"""What training writes down: the means of a model's output between one record and the next."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vqvae_lite.distributed import sum_over_processes, world_size
from vqvae_lite.metrics import CodeUsage


class Record(NamedTuple):
    """Means over the steps since the record before it, and over all processes.

    Attributes:
        step: the last step that it covers.
        means: of each scalar in the model's output, by its name ("loss", ...); also "perplexity",
            of all codes of these steps together, where the output has "codes" and the model's
            `config` says of how many, `num_codes`.
    """

    step: int
    means: dict[str, float]


class Window:
    """Sums up the steps between two records."""

    def __init__(self, model: nn.Module, device: torch.device):
        config = getattr(model, "config", None)
        self.num_codes: int | None = getattr(config, "num_codes", None)
        self.num_codebooks: int = getattr(config, "num_codebooks", 1)
        self.device = device
        self._clear()

    def _clear(self) -> None:
        self.names: list[str] = []
        self.sums = torch.zeros(())
        self.steps = 0
        self.usage: CodeUsage | None = None

    def add(self, out: Any) -> None:
        self.steps += 1
        scalars = {
            name: value
            for name, value in out._asdict().items()
            if isinstance(value, Tensor) and value.ndim == 0
        }
        self.names = list(scalars)
        # All of them at once: each transfer from a GPU waits for it.
        values = torch.stack([value.detach().double() for value in scalars.values()])
        self.sums = self.sums + values.cpu()
        if "codes" in out._fields and self.num_codes is not None:
            self.usage = self.usage or CodeUsage(self.num_codes, self.num_codebooks)
            self.usage.update(out.codes)

    def close(self, step: int) -> Record:
        sums = sum_over_processes(self.sums.to(self.device)).cpu() / world_size()
        means = dict(zip(self.names, (sums / self.steps).tolist(), strict=True))
        if self.usage:
            self.usage.counts = sum_over_processes(self.usage.counts.to(self.device)).cpu()
            means["perplexity"] = self.usage.perplexity
        self._clear()
        return Record(step, means)


def check_output(out: Any) -> None:
    """Raises TypeError unless a model's output is a named tuple with the scalar "loss"."""
    loss = getattr(out, "loss", None)
    if not (isinstance(out, tuple) and isinstance(loss, Tensor) and loss.ndim == 0):
        raise TypeError(
            f"model must return a named tuple with the scalar 'loss', got {type(out).__name__}"
            + (f" with a loss of the shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else "")
        )
