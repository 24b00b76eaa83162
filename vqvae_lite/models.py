"""Every model that a checkpoint can hold, by the name that its file gives it; made new, or read.

What a file asks for is a stranger's. So it is known what tensors it has before a model is made by
its configuration, and one that is much larger is not made.
"""

import json
import math
import reprlib
import stat
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from vqvae_lite.baselines.autoencoder import Autoencoder, AutoencoderConfig
from vqvae_lite.baselines.gumbel import GumbelConfig, GumbelSoftmax
from vqvae_lite.baselines.vae import VAE, VAEConfig
from vqvae_lite.baselines.vimco import VIMCO, VIMCOConfig
from vqvae_lite.checkpoints import (
    CHECKSUMS,
    FORMAT,
    Checkpoint,
    CheckpointError,
    check_shapes,
    find_checkpoint,
    sum_of_config,
    sum_of_file,
)
from vqvae_lite.checks import check_not_negative
from vqvae_lite.distributed import memory_of
from vqvae_lite.files import reading
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.modules import OversizeError, at_most
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig
from vqvae_lite.priors.wavenet import WaveNet, WaveNetConfig
from vqvae_lite.secondstage.pixelvae import PixelVAE, PixelVAEConfig
from vqvae_lite.secondstage.pixelvqvae import PixelVQVAE, PixelVQVAEConfig
from vqvae_lite.sound.cepstral import CepstralConfig, CepstralVQVAE
from vqvae_lite.sound.model import SoundConfig, SoundVQVAE
from vqvae_lite.video.model import VideoPrior
from vqvae_lite.video.past import VideoConfig

FIRST_FORMAT = "vqvae-lite checkpoint 1"  # had no checksums
SCALE = ":scale"  # beside a weight in 8 bits: what a 1 stands for in each of its rows
_MAX_TENSORS = 20_000  # of a new model; the largest here has some hundreds
# By the model's own name: its settings, a dataclass, and the module that is made from them.
Models = Mapping[str, tuple[type, type[nn.Module]]]
MODELS: Models = {
    model.kind: (settings, model)
    for settings, model in [
        (ModelConfig, VQVAE),
        (VAEConfig, VAE),
        (VIMCOConfig, VIMCO),
        (GumbelConfig, GumbelSoftmax),
        (AutoencoderConfig, Autoencoder),
        (PixelCNNConfig, GatedPixelCNN),
        (WaveNetConfig, WaveNet),
        (PixelVAEConfig, PixelVAE),
        (PixelVQVAEConfig, PixelVQVAE),
        (SoundConfig, SoundVQVAE),
        (CepstralConfig, CepstralVQVAE),
        (VideoConfig, VideoPrior),
    ]
}


def load_checkpoint(path: str | Path, models: Models = MODELS) -> Checkpoint:
    """Reads a checkpoint folder, or the last checkpoint of a run folder.

    Args:
        path: the folder.
        models: what it may hold: each model's `kind`, its settings and its class. For a model of
            your own: `{"mine": (MyConfig, MyModel)}`, or `MODELS | {...}`.

    Raises:
        FileNotFoundError: there is no checkpoint at the path.
        CheckpointError: it is truncated, foreign, or its weights do not fit its configuration.
    """
    path = find_checkpoint(path)
    about, weights = path / "config.json", path / "model.safetensors"
    config = read_config(about)
    settings, make = _known(about, config, models)
    shapes = _shapes(weights)
    with reading(about, "the configuration of a model", CheckpointError):
        asked = settings(**config["model"])
        # Something more than the file has: a model may replace some of what it makes at first.
        numbers = sum(map(math.prod, shapes.values()))
        with at_most(numbers=4 * numbers + 10**7, tensors=8 * len(shapes) + 1000):
            model = make(asked)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    check_shapes(expected, shapes, weights)
    model.load_state_dict(_finite(weights, read_tensors(weights, config)))
    stored = path / "optimizer.safetensors"
    optimizer = _finite(stored, read_tensors(stored, config)) if stored.exists() else {}
    return Checkpoint(path, model.eval(), config, optimizer)


def read_config(path: Path) -> dict:
    """The configuration of a checkpoint, with its "kind", "step" and "model" in it.

    Raises:
        FileNotFoundError, PermissionError, CheckpointError: it is not there, may not be read, is no
            such file, or was changed.
    """
    with reading(path, "the configuration of a checkpoint", CheckpointError):
        config = json.loads(path.read_text(encoding="utf-8"))
        found = sum_of_config(config) if isinstance(config, dict) else ""
    if not isinstance(config, dict) or config.get("format") not in (FORMAT, FIRST_FORMAT):
        given = config.get("format") if isinstance(config, dict) else type(config).__name__
        raise CheckpointError(f"{path}: expected the format {FORMAT!r}, got {reprlib.repr(given)}")
    if config["format"] == FORMAT or CHECKSUMS in config:
        _check_sum(path, config, "config", found)
    # The first checkpoints held nothing but VQ-VAEs and did not say so.
    config.setdefault("kind", "vqvae")
    config.setdefault("model", None)
    with reading(path, "the configuration of a checkpoint", CheckpointError):
        check_not_negative(step=config["step"])
    return config


def read_tensors(path: Path, config: dict) -> dict[str, Tensor]:
    """The tensors of a file, by name; those stored in half precision or 8 bits become float32.

    Args:
        path: of the file.
        config: of its checkpoint, with the file's checksum where it has any.

    Raises:
        FileNotFoundError, PermissionError, CheckpointError: it is not there, may not be read, is
            truncated or of another format, or was changed.
    """
    with reading(path, "a safetensors file", CheckpointError):
        _check_readable(path)
        found = sum_of_file(path) if CHECKSUMS in config else ""
    if CHECKSUMS in config:
        _check_sum(path, config, path.name, found)
    with reading(path, "a safetensors file", CheckpointError):
        tensors = load_file(path)
        scales = {name: tensors.pop(name) for name in list(tensors) if name.endswith(SCALE)}
        for name, scale in scales.items():
            value = tensors.get(name.removesuffix(SCALE))
            if value is None or value.dtype != torch.int8 or scale.shape != value.shape[:1]:
                raise CheckpointError(f"{name} is of no weight in 8 bits with as many rows")
        return {name: _widen(value, scales.get(name + SCALE)) for name, value in tensors.items()}


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


def check_memory(kind: str, settings: Any, device: torch.device) -> None:
    """Raises ValueError unless a device can hold a model in training; makes none of it.

    That is its weights, a gradient of each and the two averages that Adam keeps: more is needed for
    what lies between its layers. Nothing is asked where the system does not say what it has.
    """
    largest = sorted(
        ((value, name) for name, value in asdict(settings).items() if isinstance(value, int)),
        reverse=True,
    )
    given = f"a {kind} with {', '.join(f'{name}={value}' for value, name in largest[:3])}"
    try:
        with torch.device("meta"), at_most(tensors=_MAX_TENSORS):
            model = MODELS[kind][1](settings)
    except OversizeError as error:
        raise ValueError(f"{given} has more layers than can be: {error}") from None
    except RuntimeError:  # PyTorch's, where a size is past counting
        raise ValueError(f"{given} needs more memory than any machine has") from None
    weights = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    rest = sum(buffer.numel() * buffer.element_size() for buffer in model.buffers())
    needed, there = 4 * weights + rest, memory_of(device)
    if there is not None and needed > there:
        raise ValueError(
            f"{given} needs {needed / 1e9:,.1f} GB to be trained (weights, gradients and Adam's "
            f"averages), and {device} has {there / 1e9:,.1f} GB"
        )


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Those of the weights in a file, by name, out of its first bytes."""
    with reading(path, "a safetensors file", CheckpointError):
        _check_readable(path)
        with safe_open(path, "pt") as stored:
            return {
                name: tuple(stored.get_slice(name).get_shape())
                for name in stored.keys()  # noqa: SIM118  it is no dictionary
                if not name.endswith(SCALE)
            }


def _check_readable(path: Path) -> None:
    """Raises OSError or ValueError for what safetensors would call absent, or wait for."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no file")
    path.open("rb").close()


def _finite(path: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file; raises CheckpointError if one holds NaN or Inf."""
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {name} contains NaN or Inf")
    return tensors


def _check_sum(path: Path, config: dict, name: str, found: str) -> None:
    """Raises CheckpointError unless a checksum found is the one that a configuration states."""
    stated = config.get(CHECKSUMS)
    if not isinstance(stated, dict) or stated.get(name) != found:
        raise CheckpointError(
            f"{path} was changed since it was written, or is damaged: its checksum is another"
        )


def _widen(value: Tensor, scale: Tensor | None) -> Tensor:
    """A stored tensor as a model takes it; one in 8 bits has a scale for each of its rows."""
    if scale is not None:
        return value * scale.float().view(-1, *[1] * (value.ndim - 1))
    if value.dtype in (torch.float16, torch.bfloat16):
        return value.float()
    return value.clone()  # or the file would stay mapped, and Windows would not remove it


def _known(path: Path, config: dict, models: Models) -> tuple[type, type[nn.Module]]:
    """Settings and class of what a configuration names, once it is found to hold only these."""
    kind = config["kind"]
    if not isinstance(kind, str) or kind not in models:
        raise CheckpointError(
            f"{path}: 'kind' must be one of {sorted(models)}, got {reprlib.repr(kind)}"
        )
    known = {field.name for field in fields(models[kind][0])}
    model = config["model"]
    if not isinstance(model, dict) or not set(model) <= known:
        raise CheckpointError(
            f"{path}: 'model' must hold only {sorted(known)}, got {reprlib.repr(model)}"
        )
    return models[kind]
