"""Checkpoints: weights as safetensors beside a JSON of the configuration.

A checkpoint is a folder with `model.safetensors`, `config.json` and, where training may go on,
`optimizer.safetensors`. The configuration has a checksum of each of them, and of itself. A run is a
folder of checkpoints, `step-00001000` and so on. Each is written under another name, flushed to the
disk and then renamed, which happens wholly or not at all, and the one before is removed only after
that: whenever a run is killed, its last good checkpoint is there.
"""

import hashlib
import json
import re
import reprlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from vqvae_lite.checks import check_not_negative
from vqvae_lite.files import reading, writing

FORMAT = "vqvae-lite checkpoint 2"
CHECKSUMS = "sha256"  # in a configuration: of each file with tensors, by its name, and of "config"
_RESERVED = ("format", "kind", "step", "model", CHECKSUMS)
_ADAM = ("step", "exp_avg", "exp_avg_sq")  # what it keeps of each parameter
_STEP_NAME = re.compile(r"step-(\d{8,})")


class CheckpointError(ValueError):
    """A checkpoint that is missing, truncated, foreign, or does not fit the model."""


class Checkpoint(NamedTuple):
    """A checkpoint read from disk.

    Attributes:
        path: the folder.
        model: in eval mode, on the CPU; of which class its `kind` says.
        config: the whole of `config.json`; "step" and, after training, "recipe" are in it.
        optimizer: the optimizer's state by name, empty where none was stored.
    """

    path: Path
    model: Any
    config: dict
    optimizer: dict[str, Tensor]


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    *,
    step: int,
    details: dict | None = None,
    optimizer: dict[str, Tensor] | None = None,
) -> Path:
    """Writes a checkpoint folder in one atomic step.

    Args:
        path: the folder to make; its parents are made too.
        model: whose weights and codebook are stored; see `check_storable`.
        step: training steps taken.
        details: JSON to store beside the model's configuration (the recipe, say).
        optimizer: named tensors to resume from.

    Raises:
        TypeError: as `check_storable`, or the step is no int.
        ValueError: the step is below 0, or as `check_storable`.
        FileExistsError: the path is taken; nothing is overwritten.
        CheckpointError: a weight is NaN or Inf; nothing is written.
        OSError: it cannot be written, as on a full disk; nothing of it is left.
    """
    check_not_negative(step=step)
    about = check_storable(model, details)
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"there is already something at {path}; checkpoints are not replaced")
    state = _copies(model.state_dict())
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"not saved at step {step}: {name} contains NaN or Inf")
    with writing(path) as partial:
        partial.mkdir()
        save_file(state, partial / "model.safetensors")
        if optimizer:
            save_file(_copies(optimizer), partial / "optimizer.safetensors")
        config = {"format": FORMAT, "kind": about["kind"], "step": step, "model": about["model"]}
        write_config(partial / "config.json", {**config, **(details or {})})
    return path


def write_config(path: Path, config: dict) -> None:
    """Writes a configuration with the checksums of what it says, and of the files beside it."""
    files = sorted(path.parent.glob("*.safetensors"))
    sums = {"config": sum_of_config(config), **{file.name: sum_of_file(file) for file in files}}
    path.write_text(laid_out({**config, CHECKSUMS: sums}), encoding="utf-8", newline="\n")


def laid_out(config: dict) -> str:
    """JSON with a line for each name: short, for a history has hundreds of numbers."""
    lines = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in config.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def sum_of_config(config: dict) -> str:
    """The SHA-256 of what a configuration says, but for checksums, however it is laid out."""
    stated = {name: value for name, value in config.items() if name != CHECKSUMS}
    as_read = json.loads(json.dumps(stated))  # where a name is always a text, and a tuple a list
    text = json.dumps(as_read, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sum_of_file(path: Path) -> str:
    """The SHA-256 of a file, however large it is."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


def check_storable(model: nn.Module, details: dict | None = None) -> dict:
    """What a checkpoint says of a model, its "kind" and its settings, "model", if it can.

    A model needs `kind`, a name to load it by (see `models.load_checkpoint`), and `config`, a
    dataclass of numbers, texts and tuples that its class is made from.

    Raises:
        TypeError: it lacks one of them, or `config` or the details cannot be stored as JSON.
        ValueError: the details would take the place of what a checkpoint says itself.
    """
    kind, config = getattr(model, "kind", None), getattr(model, "config", None)
    if not isinstance(kind, str):
        raise TypeError(
            f"a model that is stored must have a name, `kind`, a str; {type(model).__name__} has "
            f"{kind!r}"
        )
    if not is_dataclass(config) or isinstance(config, type):
        raise TypeError(
            f"a model that is stored must have its settings, `config`, a dataclass; "
            f"{type(model).__name__} has {config!r}"
        )
    about = {"kind": kind, "model": asdict(config)}
    for what, value in [(f"config of {type(model).__name__}", about), ("details", details)]:
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"{what} cannot be stored as JSON: {error}") from error
    taken = [name for name in _RESERVED if name in (details or {})]
    if taken:
        raise ValueError(f"details must not hold {taken[0]!r}: a checkpoint says that by itself")
    return about


def check_resumable(checkpoint: Checkpoint, model: nn.Module) -> None:
    """Raises TypeError or ValueError unless a model is of the kind and the settings stored.

    So must the parameters be that the optimizer's state is of, where there is one.
    """
    # As JSON has them: there a tuple is a list.
    both = [json.loads(json.dumps(check_storable(one))) for one in (model, checkpoint.model)]
    ours, theirs = ({"kind": about["kind"], **about["model"]} for about in both)
    for name in {**theirs, **ours}:
        if ours.get(name) != theirs.get(name):
            raise ValueError(
                f"{checkpoint.path} cannot be resumed: its model has {name} {theirs.get(name)!r}, "
                f"the one given {ours.get(name)!r}"
            )
    if checkpoint.optimizer:
        expected = {
            f"{name}/{key}": () if key == "step" else tuple(parameter.shape)
            for name, parameter in _learning(model)
            for key in _ADAM
        }
        given = {name: tuple(value.shape) for name, value in checkpoint.optimizer.items()}
        check_shapes(expected, given, checkpoint.path / "optimizer.safetensors", "the model")


def optimizer_state(optimizer: torch.optim.Adam, model: nn.Module) -> dict[str, Tensor]:
    """Adam's state of each parameter that learns, by name; zeros where no gradient came yet."""
    tensors = {}
    for name, parameter in _learning(model):
        none = torch.zeros_like(parameter)
        state = optimizer.state[parameter] or dict(
            zip(_ADAM, (torch.zeros(()), none, none), strict=True)
        )
        tensors.update({f"{name}/{key}": value for key, value in state.items()})
    return tensors


def restore_optimizer(
    optimizer: torch.optim.Adam, model: nn.Module, checkpoint: Checkpoint
) -> None:
    """Gives Adam the state that a checkpoint holds; where it was left out, Adam starts anew."""
    if not checkpoint.optimizer:
        return
    for name, parameter in _learning(model):
        for key in _ADAM:
            value = checkpoint.optimizer[f"{name}/{key}"].clone()
            optimizer.state[parameter][key] = value if key == "step" else value.to(parameter)


def _learning(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [pair for pair in model.named_parameters() if pair[1].requires_grad]


def find_checkpoint(path: str | Path) -> Path:
    """A checkpoint's folder itself, or the last one of a run.

    Raises:
        FileNotFoundError: there is none.
        PermissionError: this user may not look.
    """
    path = Path(path)
    with reading(path, "a checkpoint or a run"):
        found = path if (path / "config.json").exists() else last_checkpoint(path)
    if found is None:
        raise FileNotFoundError(
            f"no checkpoint at {path}: expected a folder with config.json and "
            f"model.safetensors, or a run folder with step-* folders"
        )
    return found


def last_checkpoint(run: str | Path) -> Path | None:
    """The checkpoint of a run folder with the highest step, or None where there is none."""
    found = [
        (int(match[1]), entry)
        for entry in (Path(run).iterdir() if Path(run).is_dir() else [])
        if (match := _STEP_NAME.fullmatch(entry.name)) and (entry / "config.json").exists()
    ]
    return max(found)[1] if found else None


def step_path(run: str | Path, step: int) -> Path:
    """Where a run keeps the checkpoint of a step."""
    return Path(run) / f"step-{step:08d}"


def remove_older(run: str | Path, step: int) -> None:
    """Removes the checkpoints of a run from before a step, and what killed runs left behind."""
    for entry in list(Path(run).iterdir()):
        match = _STEP_NAME.fullmatch(entry.name)
        left_behind = entry.name.startswith(".step-") and ".partial-" in entry.name
        if left_behind or (match and int(match[1]) < step):
            # Windows removes nothing that another program reads: the next time, then.
            shutil.rmtree(entry, ignore_errors=True)


def detail(checkpoint: Checkpoint, name: str, fits: Callable[[Any], bool], expected: str) -> Any:
    """What a configuration says under a name beside its model's settings.

    Args:
        checkpoint: whose configuration.
        name: such as "map".
        fits: whether a value can be this; what it raises over one says that it cannot.
        expected: what it should be, in words.

    Raises:
        CheckpointError: it is something else, or not there.
    """
    value = checkpoint.config.get(name)
    try:
        right = fits(value)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        right = False
    if not right:
        given = f"got {reprlib.repr(value)}" if name in checkpoint.config else "there is none"
        raise CheckpointError(f"{checkpoint.path}: {name!r} must be {expected}, {given}")
    return value


def check_shapes(
    expected: Mapping[str, tuple[int, ...]],
    given: Mapping[str, tuple[int, ...]],
    path: Path,
    whose: str = "its configuration",
) -> None:
    """Raises CheckpointError unless a file's tensors have the names and shapes expected of them."""
    if expected != given:
        names = sorted(set(expected) ^ set(given)) or sorted(
            name for name in expected if expected[name] != given[name]
        )
        raise CheckpointError(
            f"{path} does not fit {whose}: {', '.join(names[:3])}"
            f"{' and more' if len(names) > 3 else ''} (missing, unknown, or of another shape)"
        )


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each in memory of its own on the CPU: a file cannot hold two that share it, as tied ones."""
    return {
        name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()
    }
