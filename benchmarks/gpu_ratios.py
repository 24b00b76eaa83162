"""The benchmarks that compare, in seconds: for `gpu.py`, on its device.

Their own commands measure more rounds and sizes, on a machine that one has for longer.
"""

import importlib
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch

# By module: what of it is measured, and the sizes that it has here, and in miniature.
RATIOS: dict[str, tuple[Callable[[Any, torch.device], dict], dict, dict]] = {
    "quantizer": (
        lambda module, device: {f"K={size}": module.compare(size, device) for size in module.SIZES},
        {},
        {"ROUNDS": 1, "SIZES": (16,), "BATCH": 1, "CODE_DIM": 4},
    ),
    "sampling": (
        lambda module, device: module.measure(device),
        {"ROUNDS": 2, "SIDES": (16, 32)},
        {"ROUNDS": 1, "SIDES": (4, 6), "SIDE": 6, "BATCH": 1},
    ),
    "wavenet_sampling": (
        lambda module, device: {
            f"dilations to {2 ** (layers - 1)}": module.measure(module.make(layers, device))
            for layers in module.LAYERS_PER_CYCLE
        },
        {"ROUNDS": 2, "CACHED_STEPS": 320},
        {
            "ROUNDS": 1,
            "CACHED_STEPS": 64,
            "FORWARD_STEPS": 1,
            "LAYERS_PER_CYCLE": (3,),
            "BATCHES": (1,),
        },
    ),
}


def measure_ratios(name: str, device: torch.device, small: bool = False) -> dict:
    """What a benchmark measures on a device.

    Raises:
        AssertionError: what is to be compared does not give the same there.
    """
    module = importlib.import_module(name)
    measure, sizes, miniature = RATIOS[name]
    with patch.multiple(module, **(miniature if small else sizes)):
        return measure(module, device)
