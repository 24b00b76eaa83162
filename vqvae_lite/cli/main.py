"""The command `vqvae-lite`: what it can be told; the commands themselves stand elsewhere."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from vqvae_lite import __version__
from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.cli import (
    images as imagecommands,
)
from vqvae_lite.cli import (
    sound as soundcommands,
)
from vqvae_lite.cli import (
    video as videocommands,
)
from vqvae_lite.codefile import ImageCodes, read_codes
from vqvae_lite.models import load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.recipes.images import KINDS
from vqvae_lite.recipes.priors import check_codes_of
from vqvae_lite.recipes.recipe import PROFILES
from vqvae_lite.recipes.sound import SOUND_RECIPES
from vqvae_lite.sound.coding import SoundCodes
from vqvae_lite.sound.model import SoundVQVAE
from vqvae_lite.training import TrainingError
from vqvae_lite.video.coding import VideoCodes
from vqvae_lite.video.model import VideoPrior


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
        prog="vqvae-lite", description="Train a VQ-VAE on images or sound, and use its codes."
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
    command.add_argument(
        "recipe", help="maze, cifar10 or folder (images), speech or sound, prior or video"
    )
    command.add_argument("--run", required=True, help="the folder for the checkpoints")
    command.add_argument("--profile", choices=PROFILES, default="quick", help="default: quick")
    command.add_argument(
        "--model", choices=KINDS, default="vqvae", help="of images; default: vqvae; see chapter 4"
    )
    command.add_argument(
        "--folder",
        help="with the recipe folder: your images; with sound: your recordings, in a folder for "
        "each speaker; with video: your clips, or a larger set of mazes",
    )
    command.add_argument(
        "--codes-of",
        help="with the recipes prior and video: the run of the VQ-VAE whose codes they learn",
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
        "evaluate", parents=[trained], help="measure a model on held-out images or speech"
    )
    command.set_defaults(
        command=_of(
            imagecommands.run_evaluate, soundcommands.run_evaluate, videocommands.run_evaluate
        )
    )
    command.add_argument("--folder", help="your images, sound or clips instead")
    command.add_argument("--split", default="test", help="of the recipe's data; default: test")
    command.add_argument("--prior", help="a run of `train prior` or `train video`")
    command.add_argument(
        "--samples",
        type=int,
        default=1,
        help="of a vae's or vimco's importance-weighted bound; default: 1",
    )

    command = commands.add_parser(
        "encode", parents=[trained], help="a folder of images or sound to a compact file of codes"
    )
    command.set_defaults(command=_of(imagecommands.run_encode, soundcommands.run_encode))
    command.add_argument("folder", help="your images, or your sound: a folder or one file")
    command.add_argument("output", help="the file of codes to write")

    command = commands.add_parser(
        "decode", parents=[trained], help="a file of codes to a folder of PNG images or of sound"
    )
    command.set_defaults(command=_of(imagecommands.run_decode, soundcommands.run_decode))
    command.add_argument("codes", help="the file of codes")
    command.add_argument("output", help="the folder to make")
    _add_options(command, "sound", "seed", "temperature", "format", "speaker")

    command = commands.add_parser(
        "convert", parents=[trained], help="speech to the same words in another speaker's voice"
    )
    command.set_defaults(command=_of(None, soundcommands.run_convert))
    command.add_argument("folder", help="your sound: a folder or one file")
    command.add_argument("output", help="the folder to make")
    command.add_argument("--speaker", required=True, help="whose voice: a name out of `info`")
    _add_options(command, "sound", "seed", "temperature", "format")

    command = commands.add_parser(
        "sample", parents=[trained], help="new images, speech or film: codes from a prior, decoded"
    )
    command.set_defaults(
        command=_of(imagecommands.run_sample, soundcommands.run_sample, videocommands.run_sample)
    )
    command.add_argument("prior", help="a checkpoint or run of `train prior` or `train video`")
    command.add_argument("output", help="the folder to make")
    command.add_argument("--count", type=int, default=16, help="how many; default: 16")
    command.add_argument("--seed", type=int, help="for the same samples again")
    command.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        help="of the codes; below 1: safer and duller; default: 1",
    )
    command.add_argument("--top-k", type=int, help="draw among the k most probable codes alone")
    _add_options(command, "sound", "seconds", "format", "speaker")
    _add_options(command, "video", "actions", "frames", "clip", "seen")

    command = commands.add_parser("info", help="what a checkpoint or a file of codes holds")
    command.set_defaults(command=_info)
    command.add_argument("path")
    return parser


# What sound alone, or video alone, can be told: type, default and help.
_OPTIONS = {
    "sound": {
        "seed": (int, None, "for the same sound again"),
        "temperature": (float, 1.0, "of the samples; below 1: safer and duller; default: 1"),
        "seconds": (float, 3.0, "how long; default: 3"),
        "format": (str, "wav", "wav, flac, ogg or opus; default: wav"),
        "speaker": (str, None, "whose voice: a name out of `info`; default: the speaker's own"),
    },
    "video": {
        "actions": (str, None, "what is done, frame by frame: forward,forward,left"),
        "frames": (int, None, "how many to imagine, with a model that knows no actions"),
        "clip": (str, None, "the clip to go on from; default: the first of the test mazes"),
        "seen": (int, 6, "how many of its first frames are seen; default: 6"),
    },
}


def _add_options(command: argparse.ArgumentParser, kind: str, *names: str) -> None:
    group = command.add_argument_group(f"for {kind}")
    for name in names:
        type_, _, text = _OPTIONS[kind][name]
        group.add_argument(f"--{name}", type=type_, help=text)
    # None until it is known what the checkpoint holds, so that nothing is asked of images in vain.
    command.set_defaults(**{f"for_{kind}": names})


def _settle_options(options: argparse.Namespace, kind: str, checkpoint: Checkpoint) -> None:
    """Fills in what options of a kind were not given; refuses those of another kind."""
    for owner, known in _OPTIONS.items():
        for name in getattr(options, f"for_{owner}", ()):
            if owner == kind and getattr(options, name) is None:
                setattr(options, name, known[name][1])
            elif owner != kind and getattr(options, name) is not None:
                holds = type(checkpoint.model).__name__
                raise ValueError(f"--{name} is for {owner}; {checkpoint.path} holds a {holds}")


Command = Callable[[argparse.Namespace, Checkpoint], None]
VideoCommand = Callable[[argparse.Namespace, Checkpoint, Checkpoint], None]


def _of(
    images: Command | None, sound: Command, video: VideoCommand | None = None
) -> Callable[[argparse.Namespace], None]:
    """The command that suits what the checkpoint, and its prior, hold."""

    def command(options: argparse.Namespace) -> None:
        checkpoint = load_checkpoint(options.checkpoint)
        if isinstance(checkpoint.model, SoundVQVAE):
            _settle_options(options, "sound", checkpoint)
            sound(options, checkpoint)
            return
        if images is None:
            kind = type(checkpoint.model).__name__
            raise ValueError(f"{checkpoint.path} holds a {kind}, not a VQ-VAE of sound")
        if video is not None and options.prior is not None:
            prior = load_checkpoint(options.prior)
            if isinstance(prior.model, VideoPrior):
                check_codes_of(prior, checkpoint.model)
                _settle_options(options, "video", prior)
                video(options, checkpoint, prior)
                return
        _settle_options(options, "images", checkpoint)
        images(options, checkpoint)

    return command


def _train(options: argparse.Namespace) -> None:
    if (options.recipe in ("prior", "video")) != (options.codes_of is not None):
        need = "takes no" if options.codes_of else "needs"
        raise ValueError(f"the recipe {options.recipe!r} {need} --codes-of RUN")
    if options.recipe == "video":
        videocommands.run_train(options, load_checkpoint(options.codes_of))
    elif options.recipe == "prior":
        if options.folder is not None:
            raise ValueError(f"the recipe 'prior' takes no folder, got {options.folder!r}")
        vqvae = load_checkpoint(options.codes_of)
        of_sound = isinstance(vqvae.model, SoundVQVAE)
        (soundcommands if of_sound else imagecommands).run_train_prior(options, vqvae)
    elif options.recipe in SOUND_RECIPES:
        if options.model != "vqvae":
            raise ValueError(f"the recipe {options.recipe!r} trains a VQ-VAE, no {options.model}")
        soundcommands.run_train(options)
    else:
        imagecommands.run_train(options)


def _info(options: argparse.Namespace) -> None:
    path = Path(options.path)
    if path.is_file():
        _describe_codes(path)
        return
    checkpoint = load_checkpoint(path)
    parameters = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    print(f"{checkpoint.path}: step {checkpoint.config['step']}, {parameters} parameters")
    print(f"model {fingerprint(checkpoint.model)}")
    shown = {name: value for name, value in checkpoint.config.items() if name != "history"}
    print(json.dumps(shown, indent=2))


def _describe_codes(path: Path) -> None:
    file = read_codes(path, ImageCodes, SoundCodes, VideoCodes)
    if isinstance(file, SoundCodes):
        print(
            f"{len(file.names)} sounds, {sum(file.lengths) / file.rate:.1f} s at {file.rate} a "
            f"second; {sum(map(len, file.codes))} codes of {file.num_codes}, one for "
            f"{file.hop} samples"
        )
    elif isinstance(file, VideoCodes):
        print(
            f"{len(file.names)} clips of {sum(map(len, file.codes))} frames, codes "
            f"{tuple(file.codes[0].shape[1:])} of {file.num_codes}; actions: "
            f"{', '.join(file.action_names or ['none'])}"
        )
    else:
        shape = (len(file.codes), *file.codes[0].shape)
        print(f"{len(file.names)} images, codes {shape} of {file.num_codes}")
    print(f"model {file.model}")
