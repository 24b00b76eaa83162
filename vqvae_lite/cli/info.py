"""The command `vqvae-lite info`."""

import json
from argparse import Namespace
from pathlib import Path

from vqvae_lite.codefile import ImageCodes, read_codes
from vqvae_lite.models import load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.sound.coding import SoundCodes
from vqvae_lite.video.coding import VideoCodes


def run_info(options: Namespace) -> None:
    """Prints what a checkpoint or a file of codes holds."""
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
            f"second; {sum(file.lengths_of_codes())} codes of {file.num_codes}, one for "
            f"{file.hop} samples"
        )
    elif isinstance(file, VideoCodes):
        print(
            f"{len(file.names)} clips of {sum(file.lengths_of_codes())} frames, codes "
            f"{tuple(file.codes[0].shape[1:])} of {file.num_codes}; actions: "
            f"{', '.join(file.action_names or ['none'])}"
        )
    else:
        shape = (len(file.codes), *file.codes[0].shape)
        print(f"{len(file.names)} images, codes {shape} of {file.num_codes}")
    print(f"model {file.model}")
