"""Quantizers by name: what a model makes its codes with is one of its settings.

A quantizer of your own takes the place of the paper's in any model:

    QUANTIZERS["mine"] = MyQuantizer
    model = VQVAE(ModelConfig(quantizer="mine"))
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from vqvae_lite.quantizer import QuantizerOutput, VectorQuantizer


class Quantizer(Protocol):
    """What a model asks of its quantizer, a module.

    It is made as a `VectorQuantizer` is, with the same names: `make(num_codes, code_dim, *,
    commitment, decay, num_codebooks, restart_below, generator)`. What it has no use for it may
    ignore; losses that it does not have are 0. Whatever looks at the codes' own vectors (the
    explorers of codes, the start of a video prior from a codebook) needs a `codebook` too, as
    `VectorQuantizer` has one: see `codebook_of`.

    Attributes:
        num_codes: K, the values that a code can have, those of the settings.
        num_codebooks: C, codes at each position, those of the settings.
    """

    num_codes: int
    num_codebooks: int

    def __call__(self, z_e: Tensor, /) -> QuantizerOutput:
        """Quantizes z_e, floating point (B, C * D, *spatial); in training mode it may learn."""
        ...

    def encode(self, z_e: Tensor, /) -> Tensor:
        """The codes of z_e alone, as in eval mode; changes nothing.

        Returns:
            int64 in [0, K), (B, *spatial), or (B, C, *spatial) with C > 1 codebooks.
        """
        ...

    def lookup(self, codes: Tensor, /) -> Tensor:
        """The vectors that codes stand for, (B, C * D, *spatial)."""
        ...


def codebook_of(quantizer: Quantizer) -> Tensor:
    """The vectors of the codes, (K, D), or (C, K, D) with C > 1 codebooks.

    Raises:
        TypeError: it has none, which not every quantizer needs.
    """
    codebook = getattr(quantizer, "codebook", None)
    if not isinstance(codebook, Tensor):
        raise TypeError(f"this needs the codebook of the quantizer, {quantizer!r} has none")
    return codebook.detach()


class QuantizerSettings(Protocol):
    """What a quantizer is made from: fields of the settings of a model; see `ModelConfig`."""

    @property
    def quantizer(self) -> str: ...
    @property
    def num_codes(self) -> int: ...
    @property
    def code_dim(self) -> int: ...
    @property
    def commitment(self) -> float: ...
    @property
    def decay(self) -> float | None: ...
    @property
    def restart_below(self) -> float | None: ...


QUANTIZERS: dict[str, Callable[..., Quantizer]] = {"vq": VectorQuantizer}


def get_quantizer(name: str) -> Callable[..., Quantizer]:
    """What makes a quantizer, as `Quantizer` says.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in QUANTIZERS:
        raise ValueError(f"quantizer must be one of {list(QUANTIZERS)}, got {name!r}")
    return QUANTIZERS[name]


def quantizer_of(
    config: QuantizerSettings,
    num_codebooks: int = 1,
    generator: torch.Generator | None = None,
) -> Quantizer:
    """The quantizer that the settings of a model ask for.

    Args:
        config: such as `ModelConfig`.
        num_codebooks: C.
        generator: of its first state; None is torch's default.

    Raises:
        TypeError, ValueError: for an unknown name or a setting outside its range, or the quantizer
            has another number of codes or codebooks than the settings say.
    """
    quantizer = get_quantizer(config.quantizer)(
        config.num_codes,
        config.code_dim,
        commitment=config.commitment,
        decay=config.decay,
        num_codebooks=num_codebooks,
        restart_below=config.restart_below,
        generator=generator,
    )
    made, asked = (quantizer.num_codes, quantizer.num_codebooks), (config.num_codes, num_codebooks)
    if made != asked:
        raise ValueError(
            f"quantizer {config.quantizer!r} must have the num_codes and num_codebooks of the "
            f"settings, {asked}, got {made}"
        )
    return quantizer
