"""Of any module: its precision, its size, its mode, its device, and a name for its weights."""

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.overrides import TorchFunctionMode


class FullPrecision(nn.Module):
    """A module whose own numbers stay in float32 or better, whatever the module is cast to.

    For what is counted, averaged or compared: in bfloat16 256 + 1 is 256. `half`, `bfloat16` and
    `to`, of this module or of one that holds it, move its own parameters and buffers to another
    device as always, but leave no less than float32 of them; they cast its submodules as always.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        if recurse:
            for child in self.children():
                child._apply(fn)

        def exact(tensor: Tensor) -> Tensor:
            applied = fn(tensor)
            if applied.is_floating_point() and applied.dtype.itemsize < torch.float32.itemsize:
                return tensor.to(applied.device, torch.float32)
            return applied

        return super()._apply(exact, recurse=False)

    def _load_from_state_dict(self, *arguments, **options) -> None:
        super()._load_from_state_dict(*arguments, **options)
        # `load_state_dict(assign=True)` takes tensors as they are.
        self._apply(lambda tensor: tensor, recurse=False)


class OversizeError(ValueError):
    """A module is larger than it may be; raised while it is made."""


@contextmanager
def at_most(numbers: int | None = None, tensors: int | None = None) -> Iterator[None]:
    """While it lasts modules are made up to a size alone, all those of the process together.

    Args:
        numbers: that their parameters and buffers hold.
        tensors: parameters, buffers and modules.

    Raises:
        OversizeError: as soon as there is more; a tensor of more is never made.
    """
    made = {"numbers": 0, "tensors": 0}
    limits = {"numbers": numbers, "tensors": tensors}

    def count(_: nn.Module, name: str, added: nn.Module | Tensor | None) -> None:
        made["tensors"] += 1
        made["numbers"] += added.numel() if isinstance(added, Tensor) else 0
        for what, limit in limits.items():
            if limit is not None and made[what] > limit:
                raise OversizeError(f"it has more than {limit} {what}")

    hooks = [
        register(count)
        for register in (
            register_module_parameter_registration_hook,
            register_module_buffer_registration_hook,
            register_module_module_registration_hook,
        )
    ]
    try:
        with _Measured(numbers):
            yield
    finally:
        for hook in hooks:
            hook.remove()


class _Measured(TorchFunctionMode):
    """Raises OversizeError for a tensor of more than so many numbers, in place of making it."""

    def __init__(self, numbers: int | None):
        super().__init__()
        self.numbers = numbers

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.numbers is not None and func in _SIZE_OF:
            with suppress(TypeError, IndexError, KeyError):  # which `func` raises itself
                if _SIZE_OF[func](*args, **kwargs) > self.numbers:
                    raise OversizeError(f"it has more than {self.numbers} numbers")
        return func(*args, **kwargs)


def _product(*sizes: Any, size: Any = None, **_: Any) -> int:
    size = size or sizes
    return math.prod(size if isinstance(size[0], int) else size[0])


# How many numbers a tensor gets by the arguments of what makes it.
_SIZE_OF: dict[Callable[..., Tensor], Callable[..., int]] = {
    **dict.fromkeys((torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn), _product),
    torch.full: lambda size, *_, **__: math.prod(size),
    torch.arange: lambda *bounds, **_: max(map(abs, bounds), default=0),
}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """A model in eval mode for a while; then each of its modules is in its own mode again.

    Whatever measures, encodes, decodes or samples with a model does it here, so that it neither
    asks for a mode nor leaves another one behind.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        # One by one: `model.train()` would wake what is frozen inside it.
        for module, training in modes:
            module.training = training


def with_float64(x: Tensor) -> Tensor:
    """The tensor where float64 is to be had: as it is, but from Apple's GPU on the CPU."""
    return x.cpu() if x.device.type == "mps" else x


def device_of(model: nn.Module) -> torch.device:
    """Where a model's weights are."""
    return next(model.parameters()).device


def fingerprint(model: nn.Module) -> str:
    """Twelve hexadecimal digits that tell one model's weights and codes from another's."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        # As bytes: NumPy has no bfloat16.
        digest.update(
            value.detach().cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()[:12]
