"""Checkpoints: weights as safetensors beside a JSON of the configuration.

A checkpoint is a folder with `model.safetensors`, `config.json` and, where training may go on,
`optimizer.safetensors`. A run is a folder of checkpoints, `step-00001000` and so on. Each is
written under another name, flushed to the disk and then renamed, which happens wholly or not at
all, and the one before is removed only after that: whenever a run is killed, its last good
checkpoint is there.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vqvae_lite.files import flush

FORMAT = "vqvae-lite checkpoint 1"
# Beside a weight that is stored in 8 bits: what a 1 stands for in each of its rows.
SCALE = ":scale"
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
        TypeError: as `check_storable`.
        FileExistsError: the path is taken; nothing is overwritten.
        CheckpointError: a weight is NaN or Inf; nothing is written.
    """
    about = check_storable(model, details)
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"there is already something at {path}; checkpoints are not replaced")
    state = _copies(model.state_dict())
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"not saved at step {step}: {name} contains NaN or Inf")
    config = {"format": FORMAT, "kind": about["kind"], "step": step, "model": about["model"]}
    config.update(details or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    save_file(state, partial / "model.safetensors")
    if optimizer:
        save_file(_copies(optimizer), partial / "optimizer.safetensors")
    text = json.dumps(config, indent=2) + "\n"
    (partial / "config.json").write_text(text, encoding="utf-8", newline="\n")
    for file in [*partial.iterdir(), partial]:
        flush(file)
    partial.rename(path)
    flush(path.parent)
    return path


def check_storable(model: nn.Module, details: dict | None = None) -> dict:
    """What a checkpoint says of a model, its "kind" and its settings, "model", if it can.

    A model needs `kind`, a name to load it by (see `models.load_checkpoint`), and `config`, a
    dataclass of numbers, texts and tuples that its class is made from.

    Raises:
        TypeError: it lacks one of them, or `config` or the details cannot be stored as JSON.
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
        except (TypeError, ValueError) as error:
            raise TypeError(f"{what} cannot be stored as JSON: {error}") from error
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
    names = {name.rsplit("/", 1)[0] for name in checkpoint.optimizer}
    expected = {name for name, _ in _learning(model)}
    if names and names != expected:
        raise ValueError(
            f"{checkpoint.path} cannot be resumed: its optimizer state covers {len(names)} of the "
            f"model's {len(expected)} parameters"
        )


def optimizer_state(optimizer: torch.optim.Adam, model: nn.Module) -> dict[str, Tensor]:
    """Adam's state of each parameter that learns, by name; zeros where no gradient came yet."""
    tensors = {}
    for name, parameter in _learning(model):
        none = torch.zeros_like(parameter)
        state = optimizer.state[parameter] or {
            "step": torch.zeros(()), "exp_avg": none, "exp_avg_sq": none
        }  # fmt: skip
        tensors.update({f"{name}/{key}": value for key, value in state.items()})
    return tensors


def restore_optimizer(
    optimizer: torch.optim.Adam, model: nn.Module, checkpoint: Checkpoint
) -> None:
    """Gives Adam the state that a checkpoint holds; where it was left out, Adam starts anew."""
    if not checkpoint.optimizer:
        return
    for name, parameter in _learning(model):
        for key in ("step", "exp_avg", "exp_avg_sq"):
            value = checkpoint.optimizer[f"{name}/{key}"].clone()
            optimizer.state[parameter][key] = value if key == "step" else value.to(parameter)


def _learning(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [pair for pair in model.named_parameters() if pair[1].requires_grad]


def find_checkpoint(path: str | Path) -> Path:
    """A checkpoint's folder itself, or the last one of a run.

    Raises:
        FileNotFoundError: there is none.
    """
    path = Path(path)
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


def read_config(path: Path) -> dict:
    """The configuration of a checkpoint, with its "kind", "step" and "model" in it.

    Raises:
        CheckpointError: it is no such file.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        given = config.get("format") if isinstance(config, dict) else type(config).__name__
        raise CheckpointError(f"{path}: expected the format {FORMAT!r}, got {given!r}")
    # The first checkpoints held nothing but VQ-VAEs and did not say so.
    config.setdefault("kind", "vqvae")
    config.setdefault("model", None)
    if not isinstance(config.get("step"), int):
        raise CheckpointError(f"{path}: 'step' must be an int, got {config.get('step')!r}")
    return config


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by name; those stored in half precision or 8 bits become float32.

    Raises:
        CheckpointError: it is missing, truncated, or of another format.
    """
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file: {error}") from error
    scales = {name: tensors.pop(name) for name in list(tensors) if name.endswith(SCALE)}
    for name, scale in scales.items():
        value = tensors.get(name.removesuffix(SCALE))
        if value is None or value.dtype != torch.int8 or scale.shape != value.shape[:1]:
            raise CheckpointError(f"{path}: {name} is of no weight in 8 bits with as many rows")
    return {name: _widen(value, scales.get(name + SCALE)) for name, value in tensors.items()}


def fill(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Gives a model the weights that a file holds.

    Raises:
        CheckpointError: they are of another model, or hold NaN or Inf.
    """
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    if expected != given:
        names = sorted(set(expected) ^ set(given)) or sorted(
            name for name in expected if expected[name] != given[name]
        )
        raise CheckpointError(
            f"{path} does not fit its configuration: "
            f"{', '.join(names[:3])}{' and more' if len(names) > 3 else ''} "
            f"(missing, unknown, or of another shape)"
        )
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {name} contains NaN or Inf")
    model.load_state_dict(state)


def _widen(value: Tensor, scale: Tensor | None) -> Tensor:
    """A stored tensor as a model takes it; one in 8 bits has a scale for each of its rows."""
    if scale is not None:
        return value * scale.float().view(-1, *[1] * (value.ndim - 1))
    if value.dtype in (torch.float16, torch.bfloat16):
        return value.float()
    return value.clone()  # or the file would stay mapped, and Windows would not remove it


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each in memory of its own on the CPU: a file cannot hold two that share it, as tied ones."""
    return {
        name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()
    }
