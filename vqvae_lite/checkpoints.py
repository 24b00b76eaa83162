"""Checkpoints: weights as safetensors beside a JSON of the configuration.

A checkpoint is a folder with `model.safetensors`, `config.json` and, where training may go on,
`optimizer.safetensors`. A run is a folder of checkpoints, `step-00001000` and so on. Each is
written under another name, flushed to the disk and then renamed, which happens wholly or not at
all, and the one before is removed only after that: whenever a run is killed, its last good
checkpoint is there.
"""

import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vqvae_lite.autoencoder import Autoencoder, AutoencoderConfig
from vqvae_lite.cepstralmodel import CepstralConfig, CepstralVQVAE
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.pixelcnn import GatedPixelCNN, PixelCNNConfig
from vqvae_lite.pixelvae import PixelVAE, PixelVAEConfig
from vqvae_lite.pixelvqvae import PixelVQVAE, PixelVQVAEConfig
from vqvae_lite.soundmodel import SoundConfig, SoundVQVAE
from vqvae_lite.vae import VAE, VAEConfig
from vqvae_lite.videomodel import VideoPrior
from vqvae_lite.videopast import VideoConfig
from vqvae_lite.vimco import VIMCO, VIMCOConfig
from vqvae_lite.wavenet import WaveNet, WaveNetConfig

# What a checkpoint can hold: the name in its configuration, the settings, the module.
MODELS = {
    "vqvae": (ModelConfig, VQVAE),
    "vae": (VAEConfig, VAE),
    "vimco": (VIMCOConfig, VIMCO),
    "autoencoder": (AutoencoderConfig, Autoencoder),
    "pixelcnn": (PixelCNNConfig, GatedPixelCNN),
    "pixelvae": (PixelVAEConfig, PixelVAE),
    "pixelvqvae": (PixelVQVAEConfig, PixelVQVAE),
    "soundvqvae": (SoundConfig, SoundVQVAE),
    "cepstralvqvae": (CepstralConfig, CepstralVQVAE),
    "wavenet": (WaveNetConfig, WaveNet),
    "video": (VideoConfig, VideoPrior),
}
FORMAT = "vqvae-lite checkpoint 1"
_STEP_NAME = re.compile(r"step-(\d{8,})")


class CheckpointError(ValueError):
    """A checkpoint that is missing, truncated, foreign, or does not fit the model."""


class Checkpoint(NamedTuple):
    """A checkpoint read from disk.

    Attributes:
        path: the folder.
        model: one of `MODELS`, in eval mode, on the CPU.
        config: the whole of `config.json`; "step" and, after training, "recipe" are in it.
        optimizer: the optimizer's state by name, empty where none was stored.
    """

    path: Path
    model: nn.Module
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
        model: one of `MODELS`, whose weights and codebook are stored, in float32.
        step: training steps taken.
        details: JSON to store beside the model's configuration (the recipe, say).
        optimizer: named tensors to resume from.

    Raises:
        FileExistsError: the path is taken; nothing is overwritten.
        CheckpointError: a weight is NaN or Inf; nothing is written.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"there is already something at {path}; checkpoints are not replaced")
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"not saved at step {step}: {name} contains NaN or Inf")
    config = {
        "format": FORMAT,
        "kind": kind_of(model),
        "step": step,
        "model": asdict(model.config),
        **(details or {}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    save_file(state, partial / "model.safetensors")
    if optimizer:
        tensors = {name: value.detach().cpu().contiguous() for name, value in optimizer.items()}
        save_file(tensors, partial / "optimizer.safetensors")
    (partial / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for file in [*partial.iterdir(), partial]:
        _flush(file)
    partial.rename(path)
    _flush(path.parent)
    return path


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Reads a checkpoint folder, or the last checkpoint of a run folder.

    Raises:
        FileNotFoundError: there is no checkpoint at the path.
        CheckpointError: it is truncated, foreign, or its weights do not fit its configuration.
    """
    path = Path(path)
    if not (path / "config.json").exists():
        last = last_checkpoint(path)
        if last is None:
            raise FileNotFoundError(
                f"no checkpoint at {path}: expected a folder with config.json and "
                f"model.safetensors, or a run folder with step-* folders"
            )
        path = last
    config = _read_config(path / "config.json")
    try:
        settings, make = MODELS[config["kind"]]
        model = make(settings(**config["model"]))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path / 'config.json'}: no valid model in it: {error}") from error
    _fill(model, _read_tensors(path / "model.safetensors"), path / "model.safetensors")
    stored = path / "optimizer.safetensors"
    optimizer = _read_tensors(stored) if stored.exists() else {}
    return Checkpoint(path, model.eval(), config, optimizer)


def new_model(kind: str, settings: Any, seed: int) -> nn.Module:
    """A model with its first weights, which follow from the seed alone; no generator is moved.

    Args:
        kind: a name of `MODELS`.
        settings: its configuration, such as `ModelConfig`.
        seed: of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODELS[kind][1](settings)


def kind_of(model: nn.Module) -> str:
    """The name of a model's class in `MODELS`.

    Raises:
        TypeError: it has none, so no checkpoint can hold it.
    """
    for kind, (_, make) in MODELS.items():
        if type(model) is make:
            return kind
    raise TypeError(f"model must be one of {sorted(MODELS)}, got {type(model).__name__}")


def fingerprint(model: nn.Module) -> str:
    """Twelve hexadecimal digits that tell one model's weights and codes from another's."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


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
            shutil.rmtree(entry)


def _read_config(path: Path) -> dict:
    try:
        config = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        given = config.get("format") if isinstance(config, dict) else type(config).__name__
        raise CheckpointError(f"{path}: expected the format {FORMAT!r}, got {given!r}")
    # The first checkpoints held nothing but VQ-VAEs and did not say so.
    kind = config.setdefault("kind", "vqvae")
    if kind not in MODELS:
        raise CheckpointError(f"{path}: 'kind' must be one of {sorted(MODELS)}, got {kind!r}")
    known = {field.name for field in fields(MODELS[kind][0])}
    model = config.get("model")
    if not isinstance(model, dict) or not set(model) <= known:
        raise CheckpointError(f"{path}: 'model' must hold only {sorted(known)}, got {model!r}")
    if not isinstance(config.get("step"), int):
        raise CheckpointError(f"{path}: 'step' must be an int, got {config.get('step')!r}")
    return config


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file: {error}") from error


def _fill(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
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


def _flush(path: Path) -> None:
    """Makes sure that a file or folder is on the disk before the next step is taken."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
