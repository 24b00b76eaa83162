"""The command `vqvae-lite`: train, evaluate, encode, decode, info."""

import argparse
import json
import sys
from pathlib import Path

import torch
from PIL import Image
from tqdm.auto import tqdm

from vqvae_lite import __version__
from vqvae_lite.bits import evaluate_bits
from vqvae_lite.checkpoints import (
    MODELS,
    Checkpoint,
    fingerprint,
    last_checkpoint,
    load_checkpoint,
)
from vqvae_lite.codefile import CodeFile, read_codes, write_codes
from vqvae_lite.distributed import processes
from vqvae_lite.encoding import encode_images
from vqvae_lite.evaluation import evaluate
from vqvae_lite.images import FolderImages, to_uint8
from vqvae_lite.metrics import compressed_bits
from vqvae_lite.model import VQVAE
from vqvae_lite.recipes import KINDS, PROFILES, Recipe, get_recipe, load_images, recipe_of
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
    command.add_argument("recipe", help="maze, cifar10, or folder")
    command.add_argument("--run", required=True, help="the folder for the checkpoints")
    command.add_argument("--profile", choices=PROFILES, default="quick", help="default: quick")
    command.add_argument(
        "--model", choices=KINDS, default="vqvae", help="default: vqvae; see chapter 4"
    )
    command.add_argument("--folder", help="with the recipe folder: your images")
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
    command.add_argument(
        "--samples",
        type=int,
        default=1,
        help="of a vae's or vimco's importance-weighted bound; default: 1",
    )

    command = commands.add_parser(
        "encode", parents=[trained], help="a folder of images to a compact file of codes"
    )
    command.set_defaults(command=_encode)
    command.add_argument("folder", help="your images")
    command.add_argument("output", help="the file of codes to write")

    command = commands.add_parser(
        "decode", parents=[trained], help="a file of codes to a folder of PNG images"
    )
    command.set_defaults(command=_decode)
    command.add_argument("codes", help="the file of codes")
    command.add_argument("output", help="the folder to make")

    command = commands.add_parser("info", help="what a checkpoint or a file of codes holds")
    command.set_defaults(command=_info)
    command.add_argument("path")
    return parser


def _train(options: argparse.Namespace) -> None:
    recipe = get_recipe(
        options.recipe,
        options.profile,
        kind=options.model,
        folder=options.folder,
        settings=options.settings,
    )
    resume = _resume(Path(options.run), recipe, options.resume)
    split = "all" if recipe.name == "folder" else "train"
    images = load_images(recipe, split)
    if resume:
        model = resume.model
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.training.seed)
            model = MODELS[recipe.kind][1](recipe.model)
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


def _resume(run: Path, recipe: Recipe, wanted: bool) -> Checkpoint | None:
    """The checkpoint to go on from; refuses to mix two runs in one folder."""
    last = last_checkpoint(run)
    if not wanted:
        if last is not None:
            raise ValueError(f"{run} holds {last.name} already: add --resume, or name another run")
        return None
    checkpoint = load_checkpoint(run)
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
        if recipe.model.likelihood:
            bits = evaluate_bits(model, images, samples=options.samples, progress=True)
            result["bits_per_dim"] = bits.means()
        print(json.dumps(result, indent=2))


def _encode(options: argparse.Namespace) -> None:
    with processes(options.device) as place:
        checkpoint = _load_vqvae(options.checkpoint)
        size = recipe_of(checkpoint).size
        images = FolderImages(options.folder, size)
        model = checkpoint.model.to(place.device)
        codes = encode_images(model, images, progress=True)
    names = [str(file.relative_to(options.folder)) for file in images.files]
    file = CodeFile(codes, model.config.num_codes, names, fingerprint(model))
    size_in_bytes = write_codes(options.output, file)
    bits = compressed_bits(codes[0].numel(), model.config.num_codes)
    print(
        f"{len(names)} images of {size}x{size} in {size_in_bytes} bytes: "
        f"{bits:.0f} bits an image instead of {size * size * 24}"
    )


@torch.no_grad()
def _decode(options: argparse.Namespace) -> None:
    with processes(options.device) as place:
        model = _load_vqvae(options.checkpoint).model
        file = read_codes(options.codes)
        if file.model != fingerprint(model):
            raise ValueError(f"{options.codes} was not made by the model in {options.checkpoint}")
        model.to(place.device)
        folder = Path(options.output)
        targets = _targets(folder, file.names)
        for start in tqdm(range(0, len(targets), 64), unit="batch"):
            decoded = to_uint8(model.decode(file.codes[start : start + 64].to(place.device)))
            for image, path in zip(decoded.cpu(), targets[start : start + 64], strict=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    print(f"{len(targets)} images in {folder}")


def _load_vqvae(path: str) -> Checkpoint:
    checkpoint = load_checkpoint(path)
    if not isinstance(checkpoint.model, VQVAE):
        kind = type(checkpoint.model).__name__
        raise ValueError(f"{checkpoint.path} holds a {kind}: only a VQ-VAE makes files of codes")
    return checkpoint


def _targets(folder: Path, names: list[str]) -> list[Path]:
    """A PNG path for each name, all inside the folder and none there already."""
    # The old suffix stays, so that a.jpg and a.png do not become one file.
    targets = [folder / f"{name}.png" for name in names]
    for target in targets:
        if not target.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"a name in the file of codes leads out of {folder}: {target}")
        if target.exists():
            raise FileExistsError(f"{target} is there already; name an empty folder")
    return targets


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
