"""What the walk through a map computes with: a few operations, in torch and in NumPy.

A position of a small batch is so little work that starting an operation costs more than doing it.
On a CPU NumPy starts one in a third of the time that torch takes, and its tanh is faster; it has
no GPU and no half precision. So there are two of each operation, and one walk (see `walk.py`).
Arrays and tensors are one memory, and index, `+`, `*` and `@` are written alike for both.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Array = Any  # a NumPy array, or a Tensor: whichever the operations are for


class InTorch:
    """The operations on tensors."""

    @staticmethod
    def array(x: Tensor) -> Array:
        """What the operations take, in the memory of x."""
        return x.detach()

    @staticmethod
    def affine(offset: Array, x: Array, weight: Array, out: Array) -> None:
        """Writes offset + x weight to out, for matrices; out may be offset."""
        torch.addmm(offset, x, weight, out=out)

    @staticmethod
    def gate(x: Array, a: Array, b: Array, out: Array) -> None:
        """Writes 2 tanh(a) sigmoid(2 b) to out; a and b are the halves of x, which is used up.

        With sigmoid(2 b) = (1 + tanh(b)) / 2 that needs one tanh.
        """
        x.tanh_()
        torch.addcmul(a, a, b, out=out)

    @staticmethod
    def relu(x: Array) -> Array:
        return F.relu(x)

    @staticmethod
    def standardize(x: Array, eps: float) -> Array:
        """Each row less its mean, over its standard deviation, as `nn.LayerNorm` does it."""
        return F.layer_norm(x, x.shape[1:], eps=eps)

    @staticmethod
    def softmax(x: Array) -> Array:
        """Over the last dimension."""
        return x.softmax(-1)


class InNumPy:
    """The same on NumPy's arrays."""

    @staticmethod
    def array(x: Tensor) -> Array:
        return x.detach().numpy()

    @staticmethod
    def affine(offset: Array, x: Array, weight: Array, out: Array) -> None:
        np.add(np.dot(x, weight), offset, out=out)

    @staticmethod
    def gate(x: Array, a: Array, b: Array, out: Array) -> None:
        np.tanh(x, out=x)
        np.multiply(a, b, out=out)
        np.add(out, a, out=out)

    @staticmethod
    def relu(x: Array) -> Array:
        return np.maximum(x, 0)

    @staticmethod
    def standardize(x: Array, eps: float) -> Array:
        x = x - np.add.reduce(x, 1, keepdims=True) / x.shape[1]
        return x / np.sqrt(np.add.reduce(x * x, 1, keepdims=True) / x.shape[1] + eps)

    @staticmethod
    def softmax(x: Array) -> Array:
        x = np.exp(x - np.maximum.reduce(x, -1, keepdims=True))
        return x / np.add.reduce(x, -1, keepdims=True)


Operations = type[InTorch] | type[InNumPy]


def operations_for(x: Tensor) -> Operations:
    """Those for tensors of this device and precision."""
    known = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)
    return InNumPy if known else InTorch
