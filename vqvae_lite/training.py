"""The training loop, from top to bottom.

The order of the images, and what a model draws, follow from the seed and the step alone: a run that
was stopped and resumed gives the same numbers as an unbroken one, to the bit, on the same machine
with the same number of threads. With another number of threads sums are rounded otherwise, and the
runs drift apart: what they share are the first weights and the order of the images.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset, Sampler
from tqdm.auto import tqdm

from vqvae_lite.checkpoints import (
    Checkpoint,
    check_resumable,
    check_storable,
    detail,
    optimizer_state,
    remove_older,
    restore_optimizer,
    save_checkpoint,
    step_path,
)
from vqvae_lite.checks import (
    check_not_negative,
    check_positive_int,
    check_real,
    check_type,
    size_of,
)
from vqvae_lite.distributed import (
    ALONE,
    Place,
    check_joint,
    entered_by_first,
    share_buffers,
    sum_over_processes,
)
from vqvae_lite.files import locked
from vqvae_lite.images import stack_images, to_float
from vqvae_lite.metrics import Record, Window, check_output

PRECISIONS = ("auto", "float32", "bfloat16")
# The wrapper copies no buffers in each step: new versions of PyTorch warn of the old name of that.
_COPIES = next(
    name
    for name in ("forward_sync_buffers", "broadcast_buffers")
    if name in signature(DistributedDataParallel).parameters
)
MOST_WORKERS = 1024


class TrainingError(RuntimeError):
    """Training cannot go on; the message names the step. The last checkpoint is kept."""


@dataclass(frozen=True)
class TrainingConfig:
    """How to train; the defaults are the paper's (section 4.1).

    Attributes:
        steps: optimizer steps in all, those of a resumed run included.
        batch_size: images a step, over all processes.
        learning_rate: of Adam.
        seed: of the first weights and of the order of the images; from 0 to 2**63 - 1.
        precision: "float32", "bfloat16" (autocast; the quantizer stays in float32), or "auto":
            bfloat16 where the hardware multiplies in it.
        compile: whether to `torch.compile` the model.
        checkpoint_every: steps between two checkpoints.
        workers: processes that read images; 0 reads them in the training process.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    steps: int = 250_000
    batch_size: int = 128
    learning_rate: float = 2e-4
    seed: int = 0
    precision: str = "auto"
    compile: bool = False
    checkpoint_every: int = 1000
    workers: int = 0

    def __post_init__(self):
        check_positive_int(
            steps=self.steps, batch_size=self.batch_size, checkpoint_every=self.checkpoint_every
        )
        check_not_negative(seed=self.seed, workers=self.workers)
        for name, limit in (("seed", 2**63 - 1), ("workers", MOST_WORKERS)):
            if getattr(self, name) > limit:
                raise ValueError(f"{name} must be at most {limit}, got {getattr(self, name)}")
        if not isinstance(self.compile, bool):
            raise TypeError(f"compile must be a bool, got {self.compile!r}")
        check_real(learning_rate=self.learning_rate)
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be finite and above 0, got {self.learning_rate}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {PRECISIONS}, got {self.precision!r}")


def prepare_images(batch: Tensor) -> Tensor:
    """uint8 images (B, C, H, W) as a network takes them: float in [-1, 1], as `layout_on` says."""
    return to_float(batch).contiguous(memory_format=layout_on(batch.device))


def layout_on(device: torch.device) -> torch.memory_format:
    """How images and weights lie in memory: channels last, with which convolutions are faster.

    Not on Apple's GPU, where some gradients are wrong then (PyTorch's issues 107214 and 175189).
    """
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def check_share(config: TrainingConfig, place: Place) -> None:
    """Raises ValueError unless a batch divides among the processes."""
    if config.batch_size % place.world:
        raise ValueError(
            f"batch_size {config.batch_size} does not divide among {place.world} processes"
        )


def train(
    model: nn.Module,
    images: Dataset,
    config: TrainingConfig,
    *,
    place: Place = ALONE,
    run: str | Path | None = None,
    details: dict | None = None,
    resume: Checkpoint | None = None,
    prepare: Callable[[Any], Tensor | tuple[Tensor, ...]] = prepare_images,
    progress: bool = True,
) -> list[Record]:
    """Trains a model in place, on one device or on several processes.

    Several processes end where one would, up to rounding: each takes its share of every batch,
    and gradients, codebooks, batch statistics and records are those of the whole. Only what is
    drawn in a step (the noise of a VAE, dropout, crops) each draws for its share from a seed of
    its own: other numbers, of the same distribution. All processes give the same arguments, but
    for `place`; what the first one's model starts from, all start from.

    Args:
        model: any module whose output is a named tuple with the scalar "loss"; its other scalars
            are recorded too. Moved to the device; left in training mode. To be stored or resumed
            it needs a `kind` and a `config`: see `checkpoints.check_storable`.
        images: a data set of tensors of one shape, for most models uint8 (C, H, W) images, or of
            named tuples of tensors, given batch by batch through `__getitems__`.
        config: see `TrainingConfig`.
        place: of this process, from `distributed.processes`.
        run: the folder for checkpoints; None keeps none.
        details: JSON to store in each checkpoint.
        resume: the checkpoint that `model` came from, to go on from its step; where it was stored
            without the optimizer's state, that starts anew.
        prepare: makes a batch of the data set, on the device, into what the model takes: a tensor,
            or a tuple of its arguments.
        progress: whether to show a bar with the time left.

    Returns:
        About 200 records, those from before a resume included.

    Raises:
        TypeError: the data set does not say how many images it has, the output is no such named
            tuple, or what is to be stored cannot be.
        ValueError: the batch does not divide among the processes, there are no images, the
            checkpoint is of another model or already past the last step, or a norm of the model
            would see the batch of one process alone.
        BlockingIOError: another process trains in the run's folder.
        CheckpointError: what is to be resumed holds no history or optimizer state that can be.
        OSError: a checkpoint cannot be written; the one before is kept.
        TrainingError: a loss or an encoder output is NaN or Inf, here or in another process.
    """
    check_type("model", model, nn.Module)
    check_type("config", config, TrainingConfig)
    check_share(config, place)
    count = size_of(images, "train on")
    first = resume.config["step"] if resume else 0
    if resume and first >= config.steps:
        raise ValueError(f"{resume.path} has taken {first} of {config.steps} steps already")
    if resume:
        check_resumable(resume, model)
    history = _history(resume) if resume else []
    if run is not None:
        check_storable(model, details)
    if place.world > 1:
        check_joint(model)

    model.to(place.device).to(memory_format=layout_on(place.device)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    if resume:
        restore_optimizer(optimizer, model, resume)
    forward = model
    if place.world > 1:
        share_buffers(model)  # the wrapper shares the parameters
        options: dict[str, Any] = {_COPIES: False}
        forward = DistributedDataParallel(model, **options)
    if config.compile:
        forward = torch.compile(forward)
    # Weights in half precision are kept until the outermost autocast ends. Where the caller has one
    # open, they would be those of the first step for ever: so nothing is kept.
    autocast = torch.autocast(
        place.device.type,
        torch.bfloat16,
        enabled=_use_bfloat16(config.precision, place.device),
        cache_enabled=False,
    )
    order = ShuffledBatches(count, config, first, place)
    batches = DataLoader(
        images,
        batch_sampler=order,
        num_workers=config.workers,
        collate_fn=stack_images,
        pin_memory=place.device.type == "cuda",
    )
    window = Window(model, place.device)
    bar = tqdm(
        total=config.steps, initial=first, unit="step", disable=not (progress and place.rank == 0)
    )
    gpus = [place.device] if place.device.type == "cuda" else []
    mine = locked(run, "trained in") if run is not None else nullcontext()
    with entered_by_first(place, mine), bar, torch.random.fork_rng(gpus):
        for step, batch in enumerate(batches, first + 1):
            torch.manual_seed(_seed_of_step(config.seed, step, place.rank))
            x = prepare(_move(batch, place.device))
            try:
                with autocast:
                    out = forward(*x) if isinstance(x, tuple) else forward(x)
            except ValueError as error:
                raise TrainingError(f"step {step}: {error}") from error
            check_output(out)
            # Of all processes: one that went on alone would wait for the others for ever.
            if not math.isfinite(sum_over_processes(out.loss.detach().float()).item()):
                loss = out.loss.item()
                whose = "of another process is not finite" if math.isfinite(loss) else f"is {loss}"
                raise TrainingError(f"step {step}: the loss {whose}")
            # Before the backward pass is sent off: a GPU would be waited for until it has done it.
            window.add(out)
            optimizer.zero_grad()
            out.loss.backward()
            optimizer.step()

            bar.update()
            due = step % config.checkpoint_every == 0 or step == config.steps
            if (due and run is not None) or step % max(1, config.steps // 200) == 0:
                history.append(window.close(step))
                bar.set_postfix({name: f"{value:.4g}" for name, value in history[-1].means.items()})
            if due and run is not None and place.rank == 0:
                save_checkpoint(
                    step_path(run, step),
                    model,
                    step=step,
                    details={**(details or {}), "history": history},
                    optimizer=optimizer_state(optimizer, model),
                )
                remove_older(run, step)
    return history


class ShuffledBatches(Sampler):
    """Lists of indices: epochs of shuffled images cut into batches, one after another.

    A batch may reach over the end of an epoch, so none is smaller. Every process takes its own
    contiguous share of each batch: together they are given what one process alone would be.
    """

    def __init__(self, num_images: int, config: TrainingConfig, first: int, place: Place):
        self.num_images = num_images
        self.config = config
        self.first = first
        self.place = place

    def __len__(self) -> int:
        return self.config.steps - self.first

    def __iter__(self) -> Iterator[list[int]]:
        share = self.config.batch_size // self.place.world
        epoch, order = -1, []
        for step in range(self.first, self.config.steps):
            start = step * self.config.batch_size + self.place.rank * share
            batch = []
            for position in range(start, start + share):
                if position // self.num_images != epoch:
                    epoch = position // self.num_images
                    order = self._shuffled(epoch)
                batch.append(order[position % self.num_images])
            yield batch

    def _shuffled(self, epoch: int) -> list[int]:
        seed = (self.config.seed * 1_000_003 + epoch) % 2**63
        generator = torch.Generator().manual_seed(seed)
        return torch.randperm(self.num_images, generator=generator).tolist()


def _history(checkpoint: Checkpoint) -> list[Record]:
    """The records of the steps before a checkpoint."""
    if "history" not in checkpoint.config:
        return []

    def fits(stored: list) -> bool:
        return isinstance(stored, list) and all(
            isinstance(step, int) and all(isinstance(mean, float | int) for mean in means.values())
            for step, means in stored
        )

    stored = detail(checkpoint, "history", fits, "a list of steps, each with its means by name")
    return [Record(*record) for record in stored]


def _move(batch: Tensor | tuple[Tensor, ...], device: torch.device) -> Tensor | tuple[Tensor, ...]:
    """A batch, or each of the tensors that it is made of, on the device."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    return type(batch)(*(part.to(device, non_blocking=True) for part in batch))


def _seed_of_step(seed: int, step: int, rank: int) -> int:
    return ((seed * 1_000_003 + step) * 1009 + rank) % 2**63


def _use_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to autocast: where asked for, or by "auto" where the hardware has bfloat16."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and _cpu_has_bfloat16()


def _cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16; where PyTorch cannot tell, it is taken not to."""
    if hasattr(torch.cpu, "get_capabilities"):
        return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    # Before it became public, since 2.5, it had another name.
    return getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
