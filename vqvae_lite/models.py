"""Every model that a checkpoint can hold, by the name that its file gives it."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vqvae_lite.baselines.autoencoder import Autoencoder, AutoencoderConfig
from vqvae_lite.baselines.vae import VAE, VAEConfig
from vqvae_lite.baselines.vimco import VIMCO, VIMCOConfig
from vqvae_lite.checkpoints import (
    Checkpoint,
    CheckpointError,
    fill,
    find_checkpoint,
    read_config,
    read_tensors,
)
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig
from vqvae_lite.priors.wavenet import WaveNet, WaveNetConfig
from vqvae_lite.secondstage.pixelvae import PixelVAE, PixelVAEConfig
from vqvae_lite.secondstage.pixelvqvae import PixelVQVAE, PixelVQVAEConfig
from vqvae_lite.sound.cepstral import CepstralConfig, CepstralVQVAE
from vqvae_lite.sound.model import SoundConfig, SoundVQVAE
from vqvae_lite.video.model import VideoPrior
from vqvae_lite.video.past import VideoConfig

# By the model's own name: its settings, a dataclass, and the module that is made from them.
Models = Mapping[str, tuple[type, type[nn.Module]]]
MODELS: Models = {
    model.kind: (settings, model)
    for settings, model in [
        (ModelConfig, VQVAE),
        (VAEConfig, VAE),
        (VIMCOConfig, VIMCO),
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
    config = read_config(path / "config.json")
    settings, make = _known(path / "config.json", config, models)
    try:
        model = make(settings(**config["model"]))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path / 'config.json'}: no valid model in it: {error}") from error
    fill(model, read_tensors(path / "model.safetensors"), path / "model.safetensors")
    stored = path / "optimizer.safetensors"
    optimizer = read_tensors(stored) if stored.exists() else {}
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


def _known(path: Path, config: dict, models: Models) -> tuple[type, type[nn.Module]]:
    """Settings and class of what a configuration names, once it is found to hold only these."""
    kind = config["kind"]
    if kind not in models:
        raise CheckpointError(f"{path}: 'kind' must be one of {sorted(models)}, got {kind!r}")
    known = {field.name for field in fields(models[kind][0])}
    model = config["model"]
    if not isinstance(model, dict) or not set(model) <= known:
        raise CheckpointError(f"{path}: 'model' must hold only {sorted(known)}, got {model!r}")
    return models[kind]
