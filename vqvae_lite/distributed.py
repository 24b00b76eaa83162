"""One process or several: what `torchrun` says, and what several do together.

Each process sees its share of a batch. What a model takes from the whole of it, such as the mean
that a norm subtracts, is found by all of them together, or they would not do what one alone does.
"""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vqvae_lite.modules import FullPrecision

T = TypeVar("T")
_DEVICE = re.compile(r"cpu|mps|cuda(:\d{1,3})?")


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


ALONE = Place(0, 1, torch.device("cpu"))


@contextmanager
def processes(device: str | None = None) -> Iterator[Place]:
    """Joins the process group that `torchrun` describes; alone where it describes none.

    Args:
        device: "cpu", "cuda", "cuda:N" or, for Apple's GPU, "mps"; None takes a CUDA GPU where
            there is one. With several processes and "cuda" each takes the GPU of its local rank.

    Raises:
        ValueError: the device is none, or not to be had.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if not _DEVICE.fullmatch(device):
        raise ValueError(f"device must be cpu, cuda, cuda:N or mps, got {device!r}")
    chosen = torch.device(device)
    if chosen.type == "mps":
        if not torch.backends.mps.is_available():
            raise ValueError(f"device {device!r} was asked for, but no GPU of Apple's is available")
        if not torch.amp.is_autocast_available("mps"):
            raise ValueError(f"device {device!r} needs PyTorch 2.5, this is {torch.__version__}")
        if world > 1:
            raise ValueError(f"device {device!r} is one, and there are {world} processes: use cpu")
    if chosen.type == "cuda":
        if not torch.cuda.is_available():
            raise ValueError(f"device {device!r} was asked for, but no CUDA GPU is available")
        if world > 1:
            chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        elif chosen.index is None:  # which `set_device` refuses
            chosen = torch.device("cuda", torch.cuda.current_device())
        if chosen.index >= torch.cuda.device_count():
            raise ValueError(
                f"device {str(chosen)!r} was asked for, but there are {torch.cuda.device_count()} "
                f"CUDA GPUs, the first of them cuda:0"
            )
        torch.cuda.set_device(chosen)
    joined = world > 1 and not dist.is_initialized()
    if joined:
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Place(rank, world, chosen)
    finally:
        if joined:
            dist.destroy_process_group()


def share_of(count: int, place: Place, batch_size: int = 1) -> range:
    """Which of so many items fall to this process: as many whole batches as to the others.

    The batches of all processes together are those of one that has all items.
    """
    batches = -(-count // batch_size)
    first, end = (-(-batches * rank // place.world) for rank in (place.rank, place.rank + 1))
    return range(min(first * batch_size, count), min(end * batch_size, count))


class Meeting:
    """Where processes that work each by itself wait for each other, however long it takes.

    All of them have to make it, at about the same time: before the work.
    """

    def __init__(self, place: Place):
        self._group: Any = None
        if place.world > 1:
            self._group = dist.new_group(backend="gloo", timeout=timedelta(days=365))

    def gather(self, value: T) -> list[T]:
        """What each process gives, in the order of their ranks, once the last one has come.

        Raises:
            ConnectionError: another process has ended; what it told is the reason.
        """
        if self._group is None:
            return [value]
        values: list[Any] = [None] * dist.get_world_size()
        try:
            dist.all_gather_object(values, value, group=self._group)
        except RuntimeError as error:
            raise ConnectionError("another process has ended before its work was done") from error
        return values


@contextmanager
def ended_like_an_error() -> Iterator[None]:
    """Lets a process take away what it has half written when `torchrun` ends it for another's."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def entered_by_first(place: Place, entered: AbstractContextManager) -> Iterator[None]:
    """What the first process enters for all, such as a lock; where it cannot, none goes on.

    Raises:
        OSError: of what is entered; in the other processes too.
    """
    with ExitStack() as stack:
        failed = None
        if place.rank == 0:
            try:
                stack.enter_context(entered)
            except OSError as error:
                failed = error
        if world_size() > 1:
            told = [failed]
            dist.broadcast_object_list(told, 0)
            failed = told[0]
        if failed:
            raise failed
        yield


def memory_of(device: torch.device) -> int | None:
    """The bytes of memory that a device has, used or not; None where the system does not say.

    On a CPU as many of the machine's as a container, or the shell's `ulimit -v`, leave a process.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if not hasattr(os, "sysconf"):  # Windows
        return None
    import resource

    has = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        has.append(soft)
    for file in ("memory.max", "memory/memory.limit_in_bytes"):
        stated = Path("/sys/fs/cgroup", file)
        if stated.is_file() and (text := stated.read_text(encoding="utf-8").strip()).isdigit():
            has.append(int(text))
    return min(has)


def world_size() -> int:
    """How many processes compute together: 1 where there is no process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def sum_over_processes(x: Tensor) -> Tensor:
    """The sum of what each process gives, on all of them; gradients flow back to each.

    Every process has to call it, and, where it is part of a loss, its backward pass as well.

    Args:
        x: of the same shape and dtype in each, on the device of the process.
    """
    return _Sum.apply(x) if world_size() > 1 else x


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        # What one process gives is in the sum, and so in the loss, of each.
        return _Sum.forward(ctx, gradient)


class JointBatchNorm(FullPrecision, nn.BatchNorm1d):
    """`nn.BatchNorm1d` over the batches of all processes, on CPUs too; without weight and bias.

    Outside of a process group it is `nn.BatchNorm1d` to the bit, and so it is in eval mode. What it
    counts stays in float32, whatever the model is cast to.

    Args:
        num_features: channels, C of (B, C) or (B, C, T).
    """

    num_batches_tracked: Tensor
    running_mean: Tensor
    running_var: Tensor
    momentum: float

    def __init__(self, num_features: int):
        super().__init__(num_features, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """Each channel with mean 0 and variance 1 over the batch, or by the running statistics."""
        if world_size() == 1 or not self.training:
            return super().forward(x)
        self._check_input_dim(x)
        with torch.autocast(x.device.type, enabled=False):
            rows = x.float().movedim(1, -1)
            own = rows.new_tensor(rows[..., 0].numel())
            count = sum_over_processes(own)
            mean = sum_over_processes(rows.flatten(0, -2).mean(0) * (own / count))
            rows = rows - mean
            variance = sum_over_processes(rows.flatten(0, -2).square().mean(0) * (own / count))
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            rows = rows * (variance + self.eps).rsqrt()
        return rows.movedim(-1, 1).to(x.dtype)


def check_joint(model: nn.Module) -> None:
    """Raises ValueError where a norm would see the batch of its own process alone."""
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and not isinstance(
            module, JointBatchNorm | nn.SyncBatchNorm
        ):
            raise ValueError(
                f"model has {name!r}, a {type(module).__name__} that would see the batch of one "
                f"process alone: with several take distributed.JointBatchNorm or, on GPUs, "
                f"torch.nn.SyncBatchNorm"
            )


@torch.no_grad()
def share_buffers(model: nn.Module) -> None:
    """Gives the model of each process the buffers that it has in the first one."""
    for buffer in model.buffers():
        value = buffer.contiguous()
        dist.broadcast(value, 0)
        buffer.copy_(value)
