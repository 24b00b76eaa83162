"""Training that goes on where it was, and ends with a few steps at a tenth of the step size."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn
from torch.utils.data import Dataset

from vqvae_lite.checkpoints import Checkpoint, last_checkpoint
from vqvae_lite.distributed import Place
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.recipes.recipe import Recipe
from vqvae_lite.recipes.run import train_by
from vqvae_lite.training import TrainingConfig, train


def last_of(run: Path) -> Checkpoint | None:
    """A run's last checkpoint, where it has one."""
    return load_checkpoint(run) if last_checkpoint(run) else None


def train_stages(
    kind: str,
    settings: Any,
    data: Callable[[], Dataset],
    training: TrainingConfig,
    last_steps: int,
    run: Path,
    details: Callable[[TrainingConfig], dict],
    begin: Callable[[nn.Module], object] = lambda model: None,
    **options: Any,
) -> None:
    """Trains to the last step, from the run's last checkpoint where there is one.

    The last steps have a tenth of the step size: at the full one the weights still tremble, and a
    model's figures would depend on the moment at which it stops.

    Args:
        kind: of model, a name of `models.MODELS`.
        settings: the model's.
        data: gives the data set, if any of the training is still to be done.
        training: all of it.
        last_steps: those at a tenth of the step size; 0: none.
        run: the folder for the checkpoints.
        details: of a stage, JSON for its checkpoints.
        begin: with what a new model needs before its first step.
        options: more for `train`.
    """
    stages = [replace(training, steps=training.steps - last_steps)]
    if last_steps:
        stages.append(replace(training, learning_rate=training.learning_rate / 10))
    for stage in stages:
        resume = last_of(run)
        if resume and resume.config["step"] >= stage.steps:
            continue
        if resume:
            model = resume.model
        else:
            model = new_model(kind, settings, stage.seed)
            begin(model)
        print(f"{run.name}: to step {stage.steps} of {training.steps}, {stage.batch_size} each")
        train(model, data(), stage, run=run, details=details(stage), resume=resume, **options)


def finish_prior(run: Path, vqvae: Checkpoint, recipe: Recipe, place: Place) -> None:
    """Trains a prior to the recipe's last step, from the run's last checkpoint if it has one."""
    resume = last_of(run)
    if not resume or resume.config["step"] < recipe.training.steps:
        train_by(recipe, run, place, coder=vqvae, resume=resume)
