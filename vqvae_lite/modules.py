"""Of any module: its precision, its mode, its device, and a name for its weights."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


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
