"""Which function runs a command: that for what the checkpoint holds."""

import math
from argparse import Namespace
from collections.abc import Callable

from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.cli import images, sound, video
from vqvae_lite.cli.info import run_info
from vqvae_lite.cli.score import run_score
from vqvae_lite.cli.train import run_train
from vqvae_lite.files import to_write
from vqvae_lite.models import load_checkpoint
from vqvae_lite.recipes.priors import check_codes_of
from vqvae_lite.sound.model import SoundVQVAE
from vqvae_lite.video.model import VideoPrior

# By command and medium. Those of video take the checkpoint of the dynamics model too.
_COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "evaluate": {
        "images": images.run_evaluate,
        "sound": sound.run_evaluate,
        "video": video.run_evaluate,
    },
    "score": {"images": run_score},
    "encode": {"images": images.run_encode, "sound": sound.run_encode},
    "decode": {"images": images.run_decode, "sound": sound.run_decode},
    "convert": {"sound": sound.run_convert},
    "sample": {"images": images.run_sample, "sound": sound.run_sample, "video": video.run_sample},
}


# The numbers that options give, and what they must lie in: a slip of the hand takes no memory.
_RANGES: dict[str, tuple[int, int]] = {
    "count": (1, 100_000),
    "frames": (1, 10_000),
    "samples": (1, 10_000),
    "seed": (0, 2**63 - 1),
    "seen": (1, 10_000),
    "top": (1, 2**31 - 1),
    "top_k": (1, 2**31 - 1),
}
_ACTIONS = 10_000  # of a film


def run(options: Namespace) -> None:
    """Runs the command of the options, once what it is to write is known to be writable.

    Raises:
        ValueError: a number is outside its range; or as the command.
        OSError: the output cannot be written.
    """
    _check_numbers(options)
    if getattr(options, "output", None) is not None:
        to_write(options.output, folder=options.command not in ("encode", "score"))
    if options.command == "train":
        run_train(options)
    elif options.command == "info":
        run_info(options)
    else:
        _run_on_checkpoint(options, _COMMANDS[options.command])


def _check_numbers(options: Namespace) -> None:
    """Raises ValueError for a number outside its range, whatever the checkpoint holds."""
    for name, (least, most) in _RANGES.items():
        value = getattr(options, name, None)
        if value is not None and not least <= value <= most:
            side = f"at least {least}" if value < least else f"at most {most}"
            raise ValueError(f"--{name.replace('_', '-')} must be {side}, got {value}")
    temperature = getattr(options, "temperature", None)
    if temperature is not None and not 0 < temperature < math.inf:
        raise ValueError(f"--temperature must be finite and above 0, got {temperature}")
    actions = (getattr(options, "actions", None) or "").count(",") + 1
    if actions > _ACTIONS:
        raise ValueError(f"--actions must be at most {_ACTIONS}, got {actions}")


def _run_on_checkpoint(options: Namespace, media: dict[str, Callable[..., None]]) -> None:
    held = [load_checkpoint(options.checkpoint)]
    medium = "sound" if isinstance(held[0].model, SoundVQVAE) else "images"
    if medium not in media:
        kind = type(held[0].model).__name__
        raise ValueError(f"{held[0].path} holds a {kind}, not a VQ-VAE of {', '.join(media)}")
    if medium == "images" and "video" in media and options.prior is not None:
        prior = load_checkpoint(options.prior)
        if isinstance(prior.model, VideoPrior):
            check_codes_of(prior, held[0].model)
            medium = "video"
            held.append(prior)
    _settle_options(options, medium, held[-1])
    media[medium](options, *held)


def _settle_options(options: Namespace, medium: str, checkpoint: Checkpoint) -> None:
    """Fills in what options of a medium were not given; refuses those of another medium."""
    for owner in ("images", "sound", "video"):
        for name, default in getattr(options, f"for_{owner}", {}).items():
            if owner == medium and getattr(options, name) is None:
                setattr(options, name, default)
            elif owner != medium and getattr(options, name) is not None:
                holds = type(checkpoint.model).__name__
                raise ValueError(f"--{name} is for {owner}; {checkpoint.path} holds a {holds}")
