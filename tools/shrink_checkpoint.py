"""Rewrites a checkpoint's weights in half precision, which takes half as many bytes.

    python tools/shrink_checkpoint.py runs/video/step-00011500
    python tools/shrink_checkpoint.py runs/speech/step-00020000 --keep encoder quantizer

Loading gives float32 again. What the model measures may move in the last digits: measure it once
more before it is shared. A model that a prior stands on gives other codes at some places, and its
fingerprint, which the prior's `codes_of` names, is another: --keep what decides the codes, or leave
such a model alone. Integers stay as they are.
"""

import argparse
import os
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def shrink(path: Path, keep: tuple[str, ...] = ()) -> int:
    """Rounds the float32 weights of `path/model.safetensors` to float16, in place.

    Args:
        path: the checkpoint's folder.
        keep: names of parts of the model, such as "encoder", that stay as they are.

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
    for name, value in state.items():
        if value.dtype == torch.float32 and not any(is_in(name, part) for part in keep):
            if not value.abs().le(largest).all():
                raise ValueError(f"{file}: {name} has values beyond {largest:.0f}, or NaN")
            state[name] = value.half()
    before = file.stat().st_size
    partial = file.with_suffix(".partial")
    save_file(state, partial, metadata)
    os.replace(partial, file)
    return before - file.stat().st_size


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
    arguments = parser.parse_args()
    for path in arguments.checkpoint:
        saved = shrink(path, tuple(arguments.keep))
        print(f"{path}: {saved / 1e6:.2f} MB less")
    return 0


if __name__ == "__main__":
    sys.exit(main())
