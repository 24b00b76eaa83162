"""The command `vqvae-lite`: what it can be told. What it does stands elsewhere: see `commands`."""

import argparse
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

from vqvae_lite import __version__
from vqvae_lite.data.places import ARCHIVES, looking_in
from vqvae_lite.files import reason
from vqvae_lite.recipes.names import KINDS, PROFILES, RECIPES


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; whatever ends it goes to stderr in one line.

    Where the line does not say enough, the environment variable VQVAE_LITE_TRACEBACK=1 lets the
    error through as Python shows it.

    Returns:
        0, 1 after an error, or 130 where it was stopped by hand.

    Raises:
        SystemExit: with 2, for options that there are not, or a word where a number must be.
    """
    # A console or a pipe of Windows may not have all letters: rather \\uXXXX than no more words.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    # PyTorch and the rest take seconds, which a word of help and a download need not wait for.
    if options.command == "data":
        from vqvae_lite.cli.data import run_data as run
    else:
        from vqvae_lite.cli.commands import run
    try:
        # What is fetched may make the folder.
        with looking_in(None if options.command == "data" else getattr(options, "data", None)):
            run(options)
    except KeyboardInterrupt:
        print(f"vqvae-lite: stopped{_kept(options)}", file=sys.stderr)
        return 130
    except Exception as error:
        if os.environ.get("VQVAE_LITE_TRACEBACK"):
            raise
        print(f"vqvae-lite: {_told(error)}", file=sys.stderr)
        return 1
    return 0


def _told(error: Exception) -> str:
    """An error in one line. One of a kind that the package does not raise itself is named too."""
    foreseen = (ValueError, TypeError, OSError, ImportError, MemoryError)
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, foreseen) or type(error).__module__.startswith("vqvae_lite"):
        return reason(error)
    shows = "VQVAE_LITE_TRACEBACK=1 shows where it arose"
    return f"{type(error).__name__}: {reason(error)}; {shows}"


def _kept(options: argparse.Namespace) -> str:
    """What is left where a command was stopped by hand."""
    if options.command != "train":
        return "; what it had written is taken away" if getattr(options, "output", None) else ""
    # Named as by `checkpoints`, whose import may be what was stopped.
    steps = sorted(options.run.glob("step-*/config.json"))
    if not steps:
        return " before its first checkpoint: nothing is kept"
    return f"; {steps[-1].parent} is kept, and --resume goes on from it"


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the options."""

    def error(self, message: str) -> NoReturn:
        words = " ".join(message.split())
        self.exit(2, f"vqvae-lite: {words} (see `{self.prog} --help`)\n")


def _given(text: str) -> str:
    """A path as it is; one of no letters, as of a variable that was not set, would be here."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return text


def _path(text: str) -> Path:
    """A path as the shell would give it: a "~" in quotes comes here as it is."""
    try:
        return Path(_given(text)).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="vqvae-lite", description="Train a VQ-VAE on images or sound, and use its codes."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    device = _Parser(add_help=False)
    device.add_argument(
        "--device",
        help="cpu, cuda, cuda:N or mps (Apple's); default: a CUDA GPU where there is one",
    )
    trained = _Parser(add_help=False, parents=[device])
    trained.add_argument("checkpoint", type=_path, help="a checkpoint or run folder")
    data = _Parser(add_help=False)
    data.add_argument(
        "--data",
        metavar="FOLDER",
        help="where the book's data lie, or are to lie; default: $VQVAE_LITE_DATA, then a clone of "
        "the book around this folder, then ~/.cache/vqvae_lite",
    )

    command = commands.add_parser(
        "train", parents=[device, data], help="train a model by a recipe; go on with --resume"
    )
    command.add_argument("recipe", help=f"one of {', '.join(RECIPES)}")
    command.add_argument("--run", type=_path, required=True, help="the folder for the checkpoints")
    command.add_argument(
        "--profile",
        choices=PROFILES,
        default="quick",
        help="quick is for a laptop, paper for a GPU; paper-ema is paper with a codebook of moving "
        "averages, not by gradient; default: quick",
    )
    command.add_argument("--model", choices=KINDS, help="of images; default: vqvae; see chapter 4")
    command.add_argument(
        "--folder",
        type=_given,
        help="with the recipe folder: your images; with sound: your recordings, in a folder for "
        "each speaker; with maze: a larger set of mazes; with video: such a set, or your clips",
    )
    command.add_argument(
        "--codes-of",
        type=_path,
        help="with the recipes prior and video: the run of the VQ-VAE whose codes they learn",
    )
    command.add_argument(
        "--codes",
        nargs="+",
        type=_path,
        metavar="FILE",
        help="with the recipe prior: files of codes of its pictures, or folders of them, which "
        "`encode` made; default: its training images are encoded",
    )
    command.add_argument(
        "--classes",
        action="store_true",
        help="with the recipe prior: tell it the class of each map, which is the folder that the "
        "image is in, the class of CIFAR-10, or the speaker; `sample --label` then names one",
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
    command.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="look at every image's header in your folder first, for at most a minute; default",
    )

    command = commands.add_parser(
        "evaluate", parents=[trained, data], help="measure a model on held-out images or speech"
    )
    command.add_argument(
        "--folder", type=_path, help="your images, sound or clips instead, or another set of mazes"
    )
    command.add_argument("--split", help="of the recipe's data, or of mazes; default: test")
    command.add_argument("--prior", type=_path, help="a run of `train prior` or `train video`")
    _add_options(command, "images", "samples")

    command = commands.add_parser(
        "score",
        parents=[trained],
        help="a folder's strangest images first: those that the model, or a prior, expects least",
    )
    command.add_argument("folder", type=_path, help="your images")
    command.add_argument("--prior", type=_path, help="a run of `train prior`")
    command.add_argument(
        "--by",
        choices=["error", "nats"],
        help="the error of the reconstruction (its PSNR in dB), or the prior's nats a code; "
        "default: nats where there is a prior",
    )
    command.add_argument("--top", type=int, default=20, help="how many are shown; default: 20")
    command.add_argument(
        "--csv", type=_path, dest="output", help="a file to write, with the scores of all"
    )

    command = commands.add_parser(
        "encode", parents=[trained], help="a folder of images or sound to a compact file of codes"
    )
    command.add_argument(
        "folder", type=_path, help="your images, or your sound: a folder or one file"
    )
    command.add_argument("output", type=_path, help="the file of codes to write")

    command = commands.add_parser(
        "decode", parents=[trained], help="a file of codes to a folder of PNG images or of sound"
    )
    command.add_argument("codes", type=_path, help="the file of codes")
    command.add_argument("output", type=_path, help="the folder to make")
    _add_options(command, "sound", "seed", "temperature", "format", "speaker")

    command = commands.add_parser(
        "convert", parents=[trained], help="speech to the same words in another speaker's voice"
    )
    command.add_argument("folder", type=_path, help="your sound: a folder or one file")
    command.add_argument("output", type=_path, help="the folder to make")
    command.add_argument("--speaker", required=True, help="whose voice: a name out of `info`")
    _add_options(command, "sound", "seed", "temperature", "format")

    command = commands.add_parser(
        "sample",
        parents=[trained, data],
        help="new images, speech or film: codes from a prior, decoded",
    )
    command.add_argument(
        "prior", type=_path, help="a checkpoint or run of `train prior` or `train video`"
    )
    command.add_argument("output", type=_path, help="the folder to make")
    command.add_argument("--count", type=int, default=16, help="how many; default: 16")
    command.add_argument("--seed", type=int, help="for the same samples again")
    command.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        help="of the codes; below 1: safer and duller; default: 1",
    )
    command.add_argument("--top-k", type=int, help="draw among the k most probable codes alone")
    _add_options(command, "images", "label")
    _add_options(command, "sound", "seconds", "format", "speaker")
    _add_options(command, "video", "actions", "frames", "clip", "seen")

    command = commands.add_parser("info", help="what a checkpoint or a file of codes holds")
    command.add_argument("path", type=_path)

    command = commands.add_parser("data", help="the book's data, checkpoints and results")
    command = command.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "get", parents=[data], help="fetch them from the release: data get maze"
    )
    command.add_argument("names", nargs="+", metavar="NAME", help=f"of {', '.join(ARCHIVES)}")
    command.add_argument(
        "--from",
        dest="address",
        metavar="ADDRESS",
        help="of a folder with the release's archives, such as file:///media/stick",
    )
    return parser


# What images, sound or video alone can be told: type, default and help.
_OPTIONS: dict[str, dict[str, tuple[Callable[[str], Any], Any, str]]] = {
    "images": {
        "label": (str, None, "of which class: a name out of `info`; default: of all in turn"),
        "samples": (int, None, "of an importance-weighted bound; a vqvae has none; default: 1"),
    },
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
        "clip": (
            _path,
            None,
            "the clip to go on from; default: the first of the data, of mazes the first to test",
        ),
        "seen": (int, 6, "how many of its first frames are seen; default: 6"),
    },
}


def _add_options(command: argparse.ArgumentParser, medium: str, *names: str) -> None:
    """Options of one medium, with their defaults in `for_MEDIUM`.

    They are None until it is known what the checkpoint holds: where they are without effect they
    are refused.
    """
    group = command.add_argument_group(f"for {medium}")
    for name in names:
        type_, _, text = _OPTIONS[medium][name]
        group.add_argument(f"--{name}", type=type_, help=text)
    defaults = {name: _OPTIONS[medium][name][1] for name in names}
    command.set_defaults(**{f"for_{medium}": defaults})
