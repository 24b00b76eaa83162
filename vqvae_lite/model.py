"""The VQ-VAE: encoder, quantizer and decoder as one model (figure 1 of the paper)."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.networks import Decoder, Encoder, check_positive_int
from vqvae_lite.quantizer import VectorQuantizer


@dataclass(frozen=True)
class ModelConfig:
    """What a `VQVAE` is made from; the defaults are the paper's image model (section 4.1).

    Attributes:
        in_channels: channels of an image.
        width: channels of every hidden layer.
        num_halvings: how often the encoder halves height and width.
        num_residual: residual blocks in the encoder, and in the decoder.
        num_codes: K.
        code_dim: D.
        num_codebooks: codes at each position.
        commitment: beta of equation 3.
        decay: of the EMA codebook; None for a codebook that learns by gradient.
        restart_below: see `VectorQuantizer`; 0 initialises the codebook from data.
        noise_variance: what the squared error is divided by. The reconstruction term is twice
            the negative log-likelihood of a Gaussian of this variance, up to a constant; a
            smaller one has the effect of a smaller beta and a smaller codebook term.
    """

    in_channels: int = 3
    width: int = 256
    num_halvings: int = 2
    num_residual: int = 2
    num_codes: int = 512
    code_dim: int = 64
    num_codebooks: int = 1
    commitment: float = 0.25
    decay: float | None = 0.99
    restart_below: float | None = 0.0
    noise_variance: float = 1.0


class VQVAEOutput(NamedTuple):
    """What a `VQVAE` returns; the losses are scalars.

    Attributes:
        reconstruction: (B, C, H, W), around [-1, 1] and not clamped.
        codes: int64, (B, h, w), or (B, num_codebooks, h, w) with several codebooks.
        reconstruction_loss: mean squared error over all sub-pixels, by `noise_variance`.
        codebook_loss: of the quantizer, unweighted.
        commitment_loss: of the quantizer, unweighted.
        loss: reconstruction_loss + codebook_loss + commitment * commitment_loss.
    """

    reconstruction: Tensor
    codes: Tensor
    reconstruction_loss: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor
    loss: Tensor


class VQVAE(nn.Module):
    """Images to codes and back (sections 3.1, 3.2 and 4.1).

    Args:
        config: see `ModelConfig`.
        generator: draws the first codebook; None is torch's default.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    def __init__(self, config: ModelConfig | None = None, generator: torch.Generator | None = None):
        super().__init__()
        config = config or ModelConfig()
        check_positive_int(num_codebooks=config.num_codebooks, code_dim=config.code_dim)
        if not 0 < config.noise_variance < float("inf"):
            raise ValueError(
                f"noise_variance must be finite and above 0, got {config.noise_variance}"
            )
        self.config = config
        channels = config.num_codebooks * config.code_dim
        shape = {"num_halvings": config.num_halvings, "num_residual": config.num_residual}
        self.encoder = Encoder(config.in_channels, config.width, channels, **shape)
        self.quantizer = VectorQuantizer(
            config.num_codes,
            config.code_dim,
            commitment=config.commitment,
            decay=config.decay,
            num_codebooks=config.num_codebooks,
            restart_below=config.restart_below,
            generator=generator,
        )
        self.decoder = Decoder(channels, config.width, config.in_channels, **shape)

    def forward(self, x: Tensor) -> VQVAEOutput:
        """Reconstructs a batch and gives every term of the loss.

        Args:
            x: float (B, C, H, W) in [-1, 1], H and W divisible by 2 ** num_halvings.

        Raises:
            TypeError, ValueError: for another dtype, rank, channel count or size.
        """
        self._check_images(x)
        quantized = self.quantizer(self.encoder(x))
        reconstruction = self.decoder(quantized.quantized)
        # In float32 also under autocast: a mean over many pixels outgrows half precision.
        error = F.mse_loss(reconstruction.float(), x.float())
        reconstruction_loss = error / self.config.noise_variance
        return VQVAEOutput(
            reconstruction,
            quantized.codes,
            reconstruction_loss,
            quantized.codebook_loss,
            quantized.commitment_loss,
            reconstruction_loss + quantized.loss,
        )

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The codes of images, in training mode too without a change to the codebook.

        Args:
            x: as for `forward`.

        Returns:
            int64, (B, h, w), or (B, num_codebooks, h, w) with several codebooks.
        """
        self._check_images(x)
        return self.quantizer.encode(self.encoder(x))

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Images from codes: float (B, C, H, W), around [-1, 1] and not clamped.

        Args:
            codes: integers in [0, K) of shape (B, h, w), or (B, num_codebooks, h, w).

        Raises:
            TypeError, ValueError: for codes of another dtype, shape or range.
        """
        rank = 3 if self.config.num_codebooks == 1 else 4
        if codes.ndim != rank:
            raise ValueError(f"codes must have {rank} dimensions, got shape {tuple(codes.shape)}")
        return self.decoder(self.quantizer.lookup(codes))

    def _check_images(self, x: Tensor) -> None:
        if not x.is_floating_point():
            raise TypeError(f"images must be floating point in [-1, 1], got {x.dtype}")
        if x.ndim != 4 or x.shape[1] != self.config.in_channels:
            raise ValueError(
                f"images must have the shape (B, {self.config.in_channels}, H, W), "
                f"got {tuple(x.shape)}"
            )
        factor = 2**self.config.num_halvings
        if x.shape[2] % factor or x.shape[3] % factor or not x.numel():
            raise ValueError(
                f"height and width must be multiples of {factor} and the batch not empty, "
                f"got {tuple(x.shape)}"
            )
