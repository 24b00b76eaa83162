"""A VQ-VAE whose decoder is a PixelCNN: the second stage of section 4.2, and its latents in use."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vqvae_lite.checks import check_codes, check_positive_int, config_or_default
from vqvae_lite.modules import evaluating
from vqvae_lite.quantizers import get_quantizer, quantizer_of
from vqvae_lite.secondstage.maps import Latents, MapConfig, MapDecoder, MapEncoder


@dataclass(frozen=True)
class PixelVQVAEConfig(MapConfig):
    """What a `PixelVQVAE` is made from: the attributes of `MapConfig`, and these.

    Attributes:
        num_codebooks: latents of a map, each with its own codebook; three in the paper.
        num_codes: K, of each codebook.
        code_dim: D.
        commitment: beta, beside a likelihood that is a mean over the values of a map and a squared
            distance that is a mean over the code's dimensions. The paper's loss has sums in both
            places: its beta of 0.25 is 0.25 * code_dim / (rows * columns) here, about 0.009 at
            the defaults. Much heavier ones can leave the decoder without a use for the codes.
        decay: gamma of the moving averages; None trains the codebooks by gradients.
        restart_below: see `VectorQuantizer`.
        quantizer: a name of `quantizers.QUANTIZERS`.
    """

    num_codebooks: int = 3
    num_codes: int = 512
    code_dim: int = 16
    commitment: float = 0.01
    decay: float | None = 0.99
    restart_below: float | None = None
    quantizer: str = "vq"


class PixelVQVAEOutput(NamedTuple):
    """What a `PixelVQVAE` returns; all but the codes are scalars, means over the batch.

    Attributes:
        codes: int64 (B, num_codebooks).
        nats: -log p(x | z_q) of a map.
        codebook_loss: of the quantizer, unweighted.
        commitment_loss: of the quantizer, unweighted.
        loss: nats a value of the map + codebook_loss + commitment * commitment_loss.
    """

    codes: Tensor
    nats: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor
    loss: Tensor


class PixelVQVAE(nn.Module):
    """A few codes for a whole map, and a decoder that could do without them.

    Args:
        config: see `PixelVQVAEConfig`.
        generator: draws the first codebooks; None is torch's default.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "pixelvqvae"  # what checkpoints call it

    def __init__(
        self, config: PixelVQVAEConfig | None = None, generator: torch.Generator | None = None
    ):
        super().__init__()
        self.config = config = config_or_default(config, PixelVQVAEConfig)
        check_positive_int(num_codebooks=config.num_codebooks, code_dim=config.code_dim)
        get_quantizer(config.quantizer)  # an unknown one is refused before anything is made
        inputs = config.num_codebooks * config.code_dim
        self.encoder = MapEncoder(config, inputs)
        self.quantizer = quantizer_of(config, config.num_codebooks, generator)
        self.decoder = MapDecoder(config, inputs)

    def forward(self, maps: Tensor) -> PixelVQVAEOutput:
        """Every term of the loss.

        Args:
            maps: integers in [0, num_values), (B, rows, columns).

        Raises:
            TypeError, ValueError: for another dtype, shape or range.
        """
        quantized = self.quantizer(self.encoder(maps)[..., None])
        nats = -self.decoder(maps, quantized.quantized).mean()
        return PixelVQVAEOutput(
            quantized.codes.flatten(1),
            nats,
            quantized.codebook_loss,
            quantized.commitment_loss,
            nats / maps[0].numel() + quantized.loss,
        )

    @torch.no_grad()
    def encode(self, maps: Tensor) -> Tensor:
        """The codes of maps, int64 (B, num_codebooks), in eval mode: nothing is changed.

        Raises:
            TypeError, ValueError: as `forward`.
        """
        with evaluating(self):
            return self.quantizer.encode(self.encoder(maps)[..., None]).flatten(1)

    @torch.no_grad()
    def lookup(self, codes: Tensor) -> Tensor:
        """What the decoder sees of codes: (B, num_codebooks, code_dim).

        Args:
            codes: integers in [0, K), (B, num_codebooks).

        Raises:
            TypeError, ValueError: for another dtype, shape or range.
        """
        num_codebooks = self.config.num_codebooks
        check_codes(codes, self.config.num_codes)
        if codes.ndim != 2 or codes.shape[1] != num_codebooks:
            raise ValueError(
                f"codes must have the shape (B, {num_codebooks}), got {tuple(codes.shape)}"
            )
        z_q = self.quantizer.lookup(codes[..., None] if num_codebooks > 1 else codes)
        return z_q.unflatten(1, (num_codebooks, -1)).squeeze(-1)

    @torch.no_grad()
    def infer(self, maps: Tensor, generator: torch.Generator | None = None) -> Latents:
        """The codes' vectors, (B, num_codebooks, code_dim), and their cost, N log K.

        Args:
            maps: as for `forward`.
            generator: not used: the posterior is one code.

        Raises:
            TypeError, ValueError: as `forward`.
        """
        z = self.lookup(self.encode(maps))
        uniform = self.config.num_codebooks * math.log(self.config.num_codes)
        return Latents(z, torch.full((len(maps),), uniform, device=z.device))
