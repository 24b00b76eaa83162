"""A device that is made up: Apple's GPU as the CPU, with what it refuses.

Inside `apples_gpu()` a tensor that goes to "mps" becomes an `OnMPS`. It says that it is there, it
computes on the CPU, and it refuses what that GPU does: float64, tensors of two devices in one
operation, its memory as NumPy. The context gives the names of the operations asked of it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from unittest.mock import patch

import torch
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

MPS = torch.device("mps")
REFUSED = (torch.float64, torch.complex128)
MAKERS = {
    torch: (
        *("arange", "empty", "eye", "full", "hann_window", "linspace", "ones", "rand", "randint"),
        *("randn", "randperm", "tensor", "zeros"),
    ),
    torch.Tensor: ("to",),
}


# PyTorch notes once, at the first of these, which functions make tensors; it must not note patches.
with torch.device("cpu"):
    torch.empty(0)


class OnMPS(torch.Tensor):
    """A tensor that is not on the CPU, as far as Python can see."""

    asked: set[str] = set()  # noqa: RUF012 (of all of them together)

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner):
        if inner.dtype in REFUSED:
            raise TypeError(f"Cannot convert a MPS Tensor to {inner.dtype}")
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
        )

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        """One operation: on the CPU, with its results on "mps"."""
        flat, spec = tree_flatten((args, kwargs or {}))
        wrapped = {id(part.inner): part for part in flat if isinstance(part, OnMPS)}
        plain = [part for part in flat if type(part) in (torch.Tensor, torch.nn.Parameter)]
        may_mix = "copy" in func.name() or "aten::index" in func.name()  # by indices of the CPU
        if not may_mix and any(part.ndim for part in plain):
            raise RuntimeError(f"{func}: expected all tensors to be on the same device")
        cls.asked.add(func.name().removeprefix("aten::"))
        flat = [part.inner if isinstance(part, OnMPS) else part for part in flat]
        args, kwargs = tree_unflatten(flat, spec)

        def wrap(part):
            if not isinstance(part, torch.Tensor):
                return part
            return wrapped[id(part)] if id(part) in wrapped else OnMPS(part)

        return tree_map(wrap, func(*args, **kwargs))

    @property
    def device(self):
        return MPS

    def cpu(self):
        return self.inner.detach().clone()

    def new_tensor(self, *args, **kwargs):
        return OnMPS(self.inner.new_tensor(*args, **kwargs))

    def tolist(self):
        return self.inner.tolist()

    def numpy(self):
        raise TypeError("can't convert mps:0 device type tensor to numpy. Use Tensor.cpu() first")

    def __repr__(self):
        return f"OnMPS({self.inner})"


def _pretending(make):
    """A function of torch's that makes tensors, also on "mps"; or `Tensor.to`, which moves them."""
    moves = make is torch.Tensor.to

    @wraps(make)
    def pretending(*args, **kwargs):
        named = [*args[1:], *kwargs.values()] if moves else [kwargs.get("device")]
        target = next((device for part in named if (device := _device_of(part)) is not None), None)
        if target is None:
            return make(*args, **kwargs)
        args = tuple(_on_cpu(part) if place else part for place, part in enumerate(args))
        kwargs = {key: _on_cpu(part) for key, part in kwargs.items()}
        if target.type == "mps":
            result = make(*args, **kwargs)
            return result if isinstance(result, OnMPS) else OnMPS(result)
        if moves and isinstance(args[0], OnMPS):
            args = (args[0].cpu(), *args[1:])
        return make(*args, **kwargs)

    return pretending


def _device_of(part):
    if isinstance(part, torch.Tensor | torch.device):
        return part.device if isinstance(part, torch.Tensor) else part
    return torch.device(part) if isinstance(part, str) else None


def _on_cpu(part):
    """An argument that says where to, saying the CPU; a tensor whose dtype counts too."""
    device = _device_of(part)
    if device is None or device.type != "mps":
        return part
    return part.inner if isinstance(part, torch.Tensor) else torch.device("cpu")


@contextmanager
def apples_gpu() -> Iterator[set[str]]:
    """While it lasts there is a device "mps"; gives the names of the operations asked of it."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    OnMPS.asked = set()
    try:
        with ExitStack() as patches:
            for owner, names in MAKERS.items():
                for name in names:
                    made = _pretending(getattr(owner, name))
                    patches.enter_context(patch.object(owner, name, made))
            yield OnMPS.asked
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)
