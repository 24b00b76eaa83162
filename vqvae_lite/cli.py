"""The command `vqvae-lite`: train, evaluate, encode, decode, sample, info."""

import argparse
import json
import math
import sys
from pathlib import Path

from vqvae_lite import __version__
from vqvae_lite.bits import evaluate_bits, nats_per_code
from vqvae_lite.checkpoints import (
    Checkpoint,
    fingerprint,
    last_checkpoint,
    load_checkpoint,
    new_model,
)
from vqvae_lite.codecommands import check_vqvae, decode, encode, load_vqvae, sample_images
from vqvae_lite.codefile import read_codes
from vqvae_lite.distributed import processes
from vqvae_lite.encoding import encode_images
from vqvae_lite.evaluation import evaluate
from vqvae_lite.images import FolderImages
from vqvae_lite.pixelcnn import GatedPixelCNN
from vqvae_lite.priors import get_prior_recipe, load_prior, train_prior
from vqvae_lite.recipes import (
    KINDS,
    PROFILES,
    Recipe,
    get_recipe,
    load_images,
    recipe_of,
    training_images,
)
from vqvae_lite.training import TrainingError, train


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; errors of use go to stderr in one line.

    Returns:
        0, or 1 after an error.
    """
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (ValueError, TypeError, OSError, TrainingError) as error:
        print(f"vqvae-lite: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("vqvae-lite: stopped; the last checkpoint is kept", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vqvae-lite", description="Train a VQ-VAE on images and use its codes."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    device = argparse.ArgumentParser(add_help=False)
    device.add_argument("--device", help="cpu, cuda or cuda:N; default: a GPU where there is one")
    trained = argparse.ArgumentParser(add_help=False, parents=[device])
    trained.add_argument("checkpoint", help="a checkpoint or run folder")

    command = commands.add_parser(
        "train", parents=[device], help="train a model by a recipe; go on with --resume"
    )
    command.set_defaults(command=_train)
    command.add_argument("recipe", help="maze, cifar10, folder, or prior")
    command.add_argument("--run", required=True, help="the folder for the checkpoints")
    command.add_argument("--profile", choices=PROFILES, default="quick", help="default: quick")
    command.add_argument(
        "--model", choices=KINDS, default="vqvae", help="default: vqvae; see chapter 4"
    )
    command.add_argument("--folder", help="with the recipe folder: your images")
    command.add_argument(
        "--codes-of", help="with the recipe prior: the run of the VQ-VAE whose codes it learns"
    )
    command.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another value for a setting of the recipe, such as steps=1000; may be repeated",
    )
    command.add_argument(
        "--resume", action="store_true", help="go on from the run's last checkpoint"
    )

    command = commands.add_parser(
        "evaluate", parents=[trained], help="measure a model on held-out images"
    )
    command.set_defaults(command=_evaluate)
    command.add_argument("--folder", help="your images instead of the recipe's data")
    command.add_argument("--split", default="test", help="of the recipe's data; default: test")
    command.add_argument("--prior", help="a run of `train prior`, instead of the uniform one")
    command.add_argument(
        "--samples",
        type=int,
        default=1,
        help="of a vae's or vimco's importance-weighted bound; default: 1",
    )

    command = commands.add_parser(
        "encode", parents=[trained], help="a folder of images to a compact file of codes"
    )
    command.set_defaults(command=encode)
    command.add_argument("folder", help="your images")
    command.add_argument("output", help="the file of codes to write")

    command = commands.add_parser(
        "decode", parents=[trained], help="a file of codes to a folder of PNG images"
    )
    command.set_defaults(command=decode)
    command.add_argument("codes", help="the file of codes")
    command.add_argument("output", help="the folder to make")

    command = commands.add_parser(
        "sample", parents=[trained], help="new images: codes from a prior, decoded"
    )
    command.set_defaults(command=sample_images)
    command.add_argument("prior", help="a checkpoint or run folder of `train prior`")
    command.add_argument("output", help="the folder to make")
    command.add_argument("--count", type=int, default=16, help="how many; default: 16")
    command.add_argument("--seed", type=int, help="for the same images again")
    command.add_argument(
        "--temperature", type=float, default=1.0, help="below 1: safer and duller; default: 1"
    )
    command.add_argument("--top-k", type=int, help="draw among the k most probable codes alone")

    command = commands.add_parser("info", help="what a checkpoint or a file of codes holds")
    command.set_defaults(command=_info)
    command.add_argument("path")
    return parser


def _train(options: argparse.Namespace) -> None:
    if (options.recipe == "prior") != (options.codes_of is not None):
        need = "needs" if options.recipe == "prior" else "takes no"
        raise ValueError(f"the recipe {options.recipe!r} {need} --codes-of RUN")
    (_train_prior if options.recipe == "prior" else _train_images)(options)


def _train_prior(options: argparse.Namespace) -> None:
    vqvae = load_vqvae(options.codes_of)
    recipe = get_prior_recipe(vqvae.model, options.profile, options.settings)
    resume = _last(Path(options.run), options.resume)
    with processes(options.device) as place:
        train_prior(options.run, vqvae, recipe, place, resume)
        if place.rank == 0:
            print(f"the last checkpoint is {last_checkpoint(options.run)}")


def _train_images(options: argparse.Namespace) -> None:
    recipe = get_recipe(
        options.recipe,
        options.profile,
        kind=options.model,
        folder=options.folder,
        settings=options.settings,
    )
    resume = _resume(Path(options.run), recipe, options.resume)
    images = training_images(recipe)
    model = resume.model if resume else new_model(recipe.kind, recipe.model, recipe.training.seed)
    with processes(options.device) as place:
        if place.rank == 0:
            print(
                f"{recipe.kind} on {recipe.name} ({recipe.profile}): {len(images)} images, "
                f"{recipe.training.steps} steps of {recipe.training.batch_size} on {place.device}"
                + (f" and {place.world - 1} more" if place.world > 1 else "")
            )
        train(
            model,
            images,
            recipe.training,
            place=place,
            run=options.run,
            details={"recipe": recipe.to_json()},
            resume=resume,
        )
        if place.rank == 0:
            print(f"the last checkpoint is {last_checkpoint(options.run)}")


def _last(run: Path, wanted: bool) -> Checkpoint | None:
    """The checkpoint to go on from; refuses to mix two runs in one folder."""
    last = last_checkpoint(run)
    if not wanted and last is not None:
        raise ValueError(f"{run} holds {last.name} already: add --resume, or name another run")
    return load_checkpoint(run) if wanted else None


def _resume(run: Path, recipe: Recipe, wanted: bool) -> Checkpoint | None:
    """The checkpoint to go on from, which must be of the same recipe."""
    checkpoint = _last(run, wanted)
    if checkpoint is None:
        return None
    stored = recipe_of(checkpoint)
    if stored.model != recipe.model or (stored.name, stored.size) != (recipe.name, recipe.size):
        raise ValueError(
            f"{checkpoint.path} was trained by the recipe {stored.name!r} with {stored.model}; "
            f"it cannot go on as {recipe.name!r} with {recipe.model}"
        )
    return checkpoint


def _evaluate(options: argparse.Namespace) -> None:
    with processes(options.device) as place:
        checkpoint = load_checkpoint(options.checkpoint)
        if options.prior or isinstance(checkpoint.model, GatedPixelCNN):
            check_vqvae(checkpoint)
        recipe = recipe_of(checkpoint)
        if options.folder:
            images = FolderImages(options.folder, recipe.size)
        elif recipe.name == "folder":
            raise ValueError(
                f"{checkpoint.path} was trained on a folder of images, which has no held-out "
                f"part: name another with --folder"
            )
        else:
            images = load_images(recipe, options.split)
        model = checkpoint.model.to(place.device)
        result = {}
        if recipe.kind == "vqvae":
            result = evaluate(model, images)._asdict()
        log_prob = None
        if options.prior:
            log_prob = load_prior(options.prior, model).model.to(place.device).log_prob
            result["nats_per_code"] = nats_per_code(
                log_prob, encode_images(model, images).to(place.device)
            )
            result["nats_per_code_of_the_uniform_prior"] = math.log(recipe.model.num_codes)
        if recipe.model.likelihood:
            bits = evaluate_bits(
                model, images, prior=log_prob, samples=options.samples, progress=True
            )
            result["bits_per_dim"] = bits.means()
        print(json.dumps(result, indent=2))


def _info(options: argparse.Namespace) -> None:
    path = Path(options.path)
    if path.is_file():
        file = read_codes(path)
        print(f"{len(file.names)} images, codes {tuple(file.codes.shape)} of {file.num_codes}")
        print(f"model {file.model}")
        return
    checkpoint = load_checkpoint(path)
    parameters = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    print(f"{checkpoint.path}: step {checkpoint.config['step']}, {parameters} parameters")
    print(f"model {fingerprint(checkpoint.model)}")
    shown = {name: value for name, value in checkpoint.config.items() if name != "history"}
    print(json.dumps(shown, indent=2))


if __name__ == "__main__":
    sys.exit(main())
