"""What public functions refuse: one clear line that names the argument, before anything changes."""

import reprlib
from collections.abc import Sequence, Sized
from importlib import import_module
from numbers import Real
from types import ModuleType
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import Dataset

Config = TypeVar("Config")

LARGEST = 2**62  # of the numbers that files say: int64 takes it, and twice as much
SPLITS = ("train", "validation", "test")  # of every data set here that has some


def require(module: str, extra: str) -> ModuleType:
    """Imports a module that only part of the package needs.

    Args:
        module: its name, such as "soundfile".
        extra: of this package, that brings it.

    Raises:
        ImportError: it is not installed; the message has the command that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{error.name} is not installed: pip install 'vqvae-lite[{extra}]'"
        ) from error


def check_split(split: str) -> None:
    """Raises ValueError unless a split has one of the names of `SPLITS`."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}")


def check_positive_int(**arguments: int) -> None:
    """Raises TypeError or ValueError, naming the argument, unless each is an int of at least 1."""
    _check_at_least(1, arguments)


def check_not_negative(**arguments: int) -> None:
    """Raises TypeError or ValueError, naming the argument, unless each is an int of at least 0."""
    _check_at_least(0, arguments)


def check_real(**arguments: float) -> None:
    """Raises TypeError, naming the argument, unless each is a real number.

    A tensor of one number is none: it would be kept, and change under whoever holds it.
    """
    for name, value in arguments.items():
        if not isinstance(value, Real) or isinstance(value, bool):
            raise TypeError(f"{name} must be a number, got {reprlib.repr(value)}")


def _check_at_least(least: int, arguments: dict[str, int]) -> None:
    for name, value in arguments.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be an int, got {value!r}")
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")


def check_ints(name: str, values: Sequence[int], least: int = 1, most: int = LARGEST) -> None:
    """Raises TypeError or ValueError unless values are a list of ints in [least, most]."""
    if not isinstance(values, list):
        raise TypeError(f"{name} must be a list of ints, got {reprlib.repr(values)}")
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be int, got {reprlib.repr(value)}")
        if not least <= value <= most:
            raise ValueError(f"{name} must be in [{least}, {most}], got {reprlib.repr(value)}")


def check_strings(name: str, values: Sequence[str], count: int) -> None:
    """Raises TypeError or ValueError unless values are so many strings."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} must be strings, got {reprlib.repr(values)}")
    if len(values) != count:
        raise ValueError(f"{name} must be {count} strings, got {len(values)}")


def check_type(name: str, value: object, kind: type) -> None:
    """Raises TypeError, naming the argument, unless it is of a kind."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be of type {kind.__name__}, got {type(value).__name__}")


def config_or_default(config: Config | None, kind: type[Config]) -> Config:
    """The settings of a model; for None the defaults.

    Raises:
        TypeError: they are of another kind, such as a dict.
    """
    if config is None:
        return kind()
    check_type("config", config, kind)
    return config


def check_coder(model: object) -> None:
    """Raises TypeError unless a model makes codes of images, and images of codes, as `VQVAE`."""
    if not all(callable(getattr(model, name, None)) for name in ("encode", "decode")):
        raise TypeError(
            f"model must have encode and decode, as VQVAE does; got {type(model).__name__}"
        )


def check_tensor(name: str, value: object) -> None:
    """Raises TypeError, naming the argument, unless it is a tensor of floating point."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")
    if not value.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {value.dtype}")


def check_finite(name: str, value: Tensor) -> None:
    """Raises ValueError if any number is NaN or Inf; inside `torch.compile` RuntimeError."""
    # The smallest and the largest number are NaN if any number is.
    low, high = torch.aminmax(value.detach())
    finite = torch.isfinite(low) & torch.isfinite(high)
    if torch.compiler.is_compiling():
        # A Python branch on data would break the graph.
        torch.ops.aten._assert_async.msg(finite, f"{name} contains NaN or Inf")
    elif not finite:
        bad = (~torch.isfinite(value)).sum().item()
        raise ValueError(f"{name} contains NaN or Inf ({bad} of {value.numel()} values)")


def size_of(images: Dataset, use: str) -> int:
    """How many images a data set has.

    Args:
        images: the data set.
        use: what they are for, as in "there are no images to train on".

    Raises:
        TypeError: it does not say.
        ValueError: there are none.
    """
    if not isinstance(images, Sized):
        raise TypeError(f"images must be a data set with a length, got {type(images).__name__}")
    if not len(images):
        raise ValueError(f"there are no images to {use}")
    return len(images)


def check_images(x: Tensor, channels: int, num_halvings: int) -> None:
    """Raises unless x is a batch of float images that can be halved so often.

    Raises:
        TypeError: x is no tensor of floating point.
        ValueError: it is empty, or has another rank, channel count or size.
    """
    check_tensor("images", x)
    if x.ndim != 4 or x.shape[1] != channels:
        raise ValueError(f"images must have the shape (B, {channels}, H, W), got {tuple(x.shape)}")
    factor = 2**num_halvings
    if x.shape[2] % factor or x.shape[3] % factor or not x.numel():
        raise ValueError(
            f"height and width must be multiples of {factor} and the batch not empty, "
            f"got {tuple(x.shape)}"
        )


def check_label(label: Tensor, batch: int, num_classes: int) -> None:
    """Raises TypeError or ValueError unless a label is integers (B,) in [0, num_classes)."""
    check_classes("label", label, (batch,), num_classes)


def check_classes(name: str, values: Tensor, shape: tuple[int, ...], num_classes: int) -> None:
    """Raises TypeError or ValueError unless values are integers in [0, num_classes), in a shape."""
    check_integers(name, values)
    if values.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {tuple(values.shape)}")
    _check_range(name, values, num_classes)


def check_integers(name: str, values: object) -> None:
    """Raises TypeError, naming the argument, unless it is a tensor of integers."""
    if not isinstance(values, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(values).__name__}")
    dtype = values.dtype
    if dtype.is_floating_point or dtype.is_complex or dtype == torch.bool:
        raise TypeError(f"{name} must be integers, got {dtype}")


def _check_range(name: str, values: Tensor, num_classes: int) -> None:
    """Raises ValueError unless integers lie in [0, num_classes); not looked at when compiling."""
    if torch.compiler.is_compiling() or not values.numel():
        return
    if values.dtype in (torch.uint16, torch.uint32, torch.uint64):  # they have no `aminmax`
        values = values.long()
    low, high = (bound.item() for bound in torch.aminmax(values))
    if low < 0 or high >= num_classes:
        raise ValueError(f"{name} must lie in [0, {num_classes}), got values from {low} to {high}")


def check_codes(codes: Tensor, num_codes: int, num_codebooks: int = 1) -> None:
    """Raises unless codes are integers in [0, K) of a shape that has a place for the codebooks.

    Args:
        codes: (B, *spatial), or (B, C, *spatial) with C > 1 codebooks.
        num_codes: K.
        num_codebooks: C.

    Raises:
        TypeError: they are no tensor of integers.
        ValueError: one is out of range (not looked at inside `torch.compile`), or the shape is
            another.
    """
    check_integers("codes", codes)
    if num_codebooks > 1 and (codes.ndim < 2 or codes.shape[1] != num_codebooks):
        raise ValueError(
            f"codes must have the shape (B, {num_codebooks}, *spatial) with {num_codebooks} "
            f"codebooks, got {tuple(codes.shape)}"
        )
    if codes.ndim < 1:
        raise ValueError("codes must have at least one dimension, the batch, got none")
    _check_range("codes", codes, num_codes)
