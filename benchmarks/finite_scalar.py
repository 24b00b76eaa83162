"""Finite scalar quantization: numbers bounded by tanh and rounded, with nothing to learn.

Source: Mentzer, Minnen, Agustsson and Tschannen, "Finite Scalar Quantization: VQ-VAE Made Simple"
(2023). Here the levels lie symmetrically about 0 for even numbers of them too.
"""

from typing import Any

import torch
from torch import Tensor, nn

from vqvae_lite.quantizer import QuantizerOutput, straight_through
from vqvae_lite.quantizers import QUANTIZERS


class FiniteScalarQuantizer(nn.Module):
    """A channel is a codebook of `num_codes` numbers, evenly spaced from -1 to 1.

    Args:
        num_codes: L, the levels of each channel.
        code_dim: 1, for the codes of a channel are numbers.
        num_codebooks: channels.
        settings: of a learned codebook, of which there is none.

    Raises:
        ValueError: code_dim is not 1.
    """

    def __init__(self, num_codes: int, code_dim: int, *, num_codebooks: int = 1, **settings: Any):
        super().__init__()
        if code_dim != 1:
            raise ValueError(f"code_dim must be 1, the codes are numbers; got {code_dim}")
        self.num_codes, self.num_codebooks = num_codes, num_codebooks

    def forward(self, z_e: Tensor) -> QuantizerOutput:
        """Rounds z_e (B, C, h, w); there are no losses."""
        codes, bounded = self.encode(z_e), torch.tanh(z_e)
        quantized = straight_through(bounded, self.lookup(codes).to(bounded))
        nothing = torch.zeros((), device=z_e.device)
        return QuantizerOutput(quantized, codes, nothing, nothing, nothing)

    @torch.no_grad()
    def encode(self, z_e: Tensor) -> Tensor:
        """int64 in [0, L), (B, C, h, w), or (B, h, w) with one channel."""
        codes = ((torch.tanh(z_e.float()) + 1) / 2 * (self.num_codes - 1)).round().long()
        return codes if self.num_codebooks > 1 else codes[:, 0]

    def lookup(self, codes: Tensor) -> Tensor:
        """The numbers in [-1, 1] that codes stand for, float32 (B, C, h, w)."""
        codes = codes if self.num_codebooks > 1 else codes[:, None]
        return 2 * codes.float() / (self.num_codes - 1) - 1


QUANTIZERS["fsq"] = FiniteScalarQuantizer
