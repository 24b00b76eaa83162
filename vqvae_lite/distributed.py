"""One process or several: what `torchrun` says, and which share of a batch is whose."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.distributed as dist


class Place(NamedTuple):
    """Where this process stands.

    Attributes:
        rank: 0 to world - 1; rank 0 writes and prints.
        world: number of processes.
        device: the one that this process computes on.
    """

    rank: int
    world: int
    device: torch.device


@contextmanager
def processes(device: str | None = None) -> Iterator[Place]:
    """Joins the process group that `torchrun` describes; alone where it describes none.

    Args:
        device: "cpu", "cuda" or "cuda:N"; None takes a GPU where there is one. With several
            processes and "cuda" each takes the GPU of its local rank.

    Raises:
        ValueError: the device is not to be had.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be cpu, cuda or cuda:N, got {device!r}")
    if chosen.type == "cuda":
        if not torch.cuda.is_available():
            raise ValueError(f"device {device!r} was asked for, but no CUDA GPU is available")
        if world > 1:
            chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    joined = world > 1 and not dist.is_initialized()
    if joined:
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Place(rank, world, chosen)
    finally:
        if joined:
            dist.destroy_process_group()
