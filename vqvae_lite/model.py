"""The VQ-VAE: encoder, quantizer and decoder as one model (figure 1 of the paper)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.checks import (
    check_images,
    check_integers,
    check_positive_int,
    check_real,
    config_or_default,
)
from vqvae_lite.images import exact_uint8, to_float
from vqvae_lite.likelihoods import Bound, get_likelihood, negative_log_likelihood
from vqvae_lite.modules import evaluating, with_float64
from vqvae_lite.networks import NetworkConfig
from vqvae_lite.quantizers import get_quantizer, quantizer_of


@dataclass(frozen=True)
class ModelConfig(NetworkConfig):
    """What a `VQVAE` is made from: the attributes of `NetworkConfig`, and these.

    Attributes:
        num_codes: K.
        code_dim: D.
        num_codebooks: codes at each position.
        commitment: beta of equation 3.
        decay: of the EMA codebook; None for a codebook that learns by gradient.
        restart_below: see `VectorQuantizer`; 0 initialises the codebook from data.
        noise_variance: what the squared error is divided by. The reconstruction term is twice
            the negative log-likelihood of a Gaussian of this variance, up to a constant; a
            smaller one has the effect of a smaller beta and a smaller codebook term.
        likelihood: a name of `likelihoods.LIKELIHOODS`: the reconstruction term is then minus the
            log-likelihood of the 8-bit values; None: the squared error.
        quantizer: a name of `quantizers.QUANTIZERS`.
    """

    num_codes: int = 512
    code_dim: int = 64
    num_codebooks: int = 1
    commitment: float = 0.25
    decay: float | None = 0.99
    restart_below: float | None = 0.0
    noise_variance: float = 1.0
    likelihood: str | None = None
    quantizer: str = "vq"


class VQVAEOutput(NamedTuple):
    """What a `VQVAE` returns; the losses are scalars.

    Attributes:
        reconstruction: (B, C, H, W), around [-1, 1] and not clamped; or, with a likelihood, its
            parameters, (B, C * parameters_per_value, H, W).
        codes: int64, (B, h, w), or (B, num_codebooks, h, w) with several codebooks.
        reconstruction_loss: mean over all sub-pixels of the squared error by `noise_variance`,
            or of minus the log-likelihood, in nats.
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

    kind = "vqvae"  # what checkpoints call it

    def __init__(self, config: ModelConfig | None = None, generator: torch.Generator | None = None):
        super().__init__()
        config = config_or_default(config, ModelConfig)
        check_positive_int(num_codebooks=config.num_codebooks, code_dim=config.code_dim)
        check_real(noise_variance=config.noise_variance)
        if not 0 < config.noise_variance < float("inf"):
            raise ValueError(
                f"noise_variance must be finite and above 0, got {config.noise_variance}"
            )
        get_quantizer(config.quantizer)  # an unknown one is refused before anything is made
        self.config = config
        self.likelihood = get_likelihood(config.likelihood) if config.likelihood else None
        parameters = self.likelihood.parameters_per_value if self.likelihood else 1
        channels = config.num_codebooks * config.code_dim
        self.encoder = config.encoder(channels)
        self.quantizer = quantizer_of(config, config.num_codebooks, generator)
        self.decoder = config.decoder(channels, config.in_channels * parameters)

    def forward(self, x: Tensor) -> VQVAEOutput:
        """Reconstructs a batch and gives every term of the loss.

        Args:
            x: float (B, C, H, W) in [-1, 1], H and W divisible by 2 ** num_halvings.

        Raises:
            TypeError, ValueError: for another dtype, rank, channel count or size; with a
                likelihood also for values that are not 8-bit.
        """
        check_images(x, self.config.in_channels, self.config.num_halvings)
        quantized = self.quantizer(self.encoder(x))
        reconstruction = self.decoder(quantized.quantized)
        if self.likelihood:
            reconstruction_loss = -self.likelihood(reconstruction).log_prob(exact_uint8(x)).mean()
        else:
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
        """The codes of images, in eval mode whatever mode the model is in: nothing is changed.

        Args:
            x: as for `forward`.

        Returns:
            int64, (B, h, w), or (B, num_codebooks, h, w) with several codebooks.
        """
        check_images(x, self.config.in_channels, self.config.num_halvings)
        with evaluating(self):
            return self.quantizer.encode(self.encoder(x))

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Images from codes: float (B, C, H, W), around [-1, 1] and not clamped; in eval mode.

        With a likelihood they are its mean.

        Args:
            codes: integers in [0, K) of shape (B, h, w), or (B, num_codebooks, h, w).

        Raises:
            TypeError, ValueError: for codes of another dtype, shape or range.
        """
        rank = 3 if self.config.num_codebooks == 1 else 4
        check_integers("codes", codes)
        if codes.ndim != rank:
            raise ValueError(f"codes must have {rank} dimensions, got shape {tuple(codes.shape)}")
        with evaluating(self):
            decoded = self.decoder(self.quantizer.lookup(codes))
        return self.likelihood(decoded).mean() if self.likelihood else decoded

    @torch.no_grad()
    def bound(self, images: Tensor, prior: Callable[[Tensor], Tensor] | None = None) -> Bound:
        """What an image costs: log p(x) >= log p(x | z_q(x)) + log p(z_q(x)) (section 3.2).

        In eval mode, whatever mode the model is in.

        Args:
            images: uint8 (B, C, H, W).
            prior: log p(codes) in nats, (B,), of a batch of codes; None: the uniform prior, whose
                cost is N log K for the N latents of all codebooks.

        Raises:
            TypeError, ValueError: the images are not uint8 of a fitting size, or the model was
                made without a likelihood.
        """
        if self.likelihood is None:
            raise ValueError(
                "a model with the squared error has no likelihood of 8-bit values: "
                "make it with ModelConfig(likelihood=...)"
            )
        x = to_float(images)
        codes = self.encode(x)
        with evaluating(self):
            parameters = self.decoder(self.quantizer.lookup(codes))
        nats = negative_log_likelihood(self.likelihood, parameters, images)
        if prior is None:
            uniform = codes[0].numel() * math.log(self.config.num_codes)
            cost = torch.full_like(nats, uniform)
        else:
            cost = -with_float64(prior(codes)).double()
        return Bound(nats, cost)
