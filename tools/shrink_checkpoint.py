"""Rewrites a checkpoint's weights in half precision or in 8 bits, a half or a quarter of the bytes.

    python tools/shrink_checkpoint.py runs/video/step-00011500
    python tools/shrink_checkpoint.py runs/video/step-00011500 --bits 8
    python tools/shrink_checkpoint.py runs/speech/step-00020000 --keep encoder quantizer

In 8 bits each row of a matrix or kernel has a scale of its own, and what has no rows, such as a
bias, is in half precision. Loading gives float32 again. What the model measures may move in the
last digits: measure it once more before it is shared. A model that a prior stands on gives other
codes at some places, and its fingerprint, which the prior's `codes_of` names, is another: --keep
what decides the codes, or leave such a model alone. Integers stay as they are. The checksums in
config.json are those of the new weights.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vqvae_lite.checkpoints import write_config
from vqvae_lite.files import writing
from vqvae_lite.models import SCALE


def shrink(path: Path, keep: tuple[str, ...] = (), bits: int = 16) -> int:
    """Rounds the float weights of `path/model.safetensors` to fewer bits, in place.

    Args:
        path: the checkpoint's folder.
        keep: names of parts of the model, such as "encoder", that stay as they are.
        bits: 16 or 8.

    Returns:
        The bytes that this saved.

    Raises:
        ValueError: no weight belongs to a part of `keep`, or one is too large for float16; the file
            is as it was.
    """
    file = path / "model.safetensors"
    with safe_open(file, "pt") as stored:
        state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        metadata = stored.metadata()
    for part in keep:
        if not any(is_in(name, part) for name in state):
            raise ValueError(f"{file} has no part {part!r}, only {sorted(parts(state))}")
    largest = torch.finfo(torch.float16).max
    for name, value in list(state.items()):
        scale = name.endswith(SCALE) or name + SCALE in state  # in 8 bits already
        if scale or not value.is_floating_point() or any(is_in(name, part) for part in keep):
            continue
        if not value.abs().le(largest).all():
            raise ValueError(f"{file}: {name} has values beyond {largest:.0f}, or NaN")
        if bits == 8 and value.ndim > 1:
            state[name], state[name + SCALE] = to_8_bits(value.float())
        else:
            state[name] = value.half()
    before = file.stat().st_size
    with writing(file) as partial:
        save_file(state, partial, metadata)
    about = path / "config.json"
    if about.exists():
        config = json.loads(about.read_text(encoding="utf-8"))
        with writing(about) as partial:
            write_config(partial, config)
    return before - file.stat().st_size


def to_8_bits(value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight as int8 in [-127, 127], and float32 what a 1 stands for in each row."""
    scale = value.flatten(1).abs().amax(1).div(127).clamp(min=torch.finfo(torch.float32).tiny)
    return (value / scale.view(-1, *[1] * (value.ndim - 1))).round().to(torch.int8), scale


def is_in(name: str, part: str) -> bool:
    """Whether a weight belongs to a part: "encoder.first.weight" to "encoder"."""
    return name == part or name.startswith(f"{part}.")


def parts(names: dict[str, torch.Tensor]) -> set[str]:
    """The outermost parts of a model, by the names of its weights."""
    return {name.partition(".")[0] for name in names}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", nargs="+", type=Path, help="a folder with model.safetensors")
    parser.add_argument("--keep", nargs="*", default=[], help="parts that stay in float32")
    parser.add_argument("--bits", type=int, choices=(16, 8), default=16, help="default: 16")
    arguments = parser.parse_args()
    for path in arguments.checkpoint:
        saved = shrink(path, tuple(arguments.keep), arguments.bits)
        print(f"{path}: {saved / 1e6:.2f} MB less")
    return 0


if __name__ == "__main__":
    sys.exit(main())
