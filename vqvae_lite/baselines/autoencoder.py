"""A plain autoencoder whose latents are cut into bins after training.

The other way to discrete latents, and what the VQ-VAE is compared with: no noise, no quantizer,
nothing in training that knows of codes. Afterwards each latent is rounded to one of a few values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vqvae_lite.checks import check_codes, check_images, check_positive_int, config_or_default
from vqvae_lite.images import exact_uint8, to_float
from vqvae_lite.likelihoods import Bound, get_likelihood, negative_log_likelihood
from vqvae_lite.modules import FullPrecision, evaluating, with_float64
from vqvae_lite.networks import NetworkConfig


@dataclass(frozen=True)
class AutoencoderConfig(NetworkConfig):
    """What an `Autoencoder` is made from: the attributes of `NetworkConfig`, and these.

    A latent channel with its bins is a codebook of numbers, so the names are those of
    `ModelConfig`, and a prior over the codes is made in the same way.

    Attributes:
        num_codebooks: latent channels, numbers at each position.
        num_codes: bins of a channel, at least 2.
        likelihood: a name of `likelihoods.LIKELIHOODS`.
    """

    num_codebooks: int = 6
    num_codes: int = 8
    likelihood: str = "categorical"


class AutoencoderOutput(NamedTuple):
    """What an `Autoencoder` returns in training.

    Attributes:
        reconstruction: the likelihood's parameters, (B, C * parameters_per_value, H, W).
        loss: -log p(x | z), the mean over all sub-pixels, in nats; a scalar.
    """

    reconstruction: Tensor
    loss: Tensor


class Autoencoder(FullPrecision):
    """The encoder and decoder of `VQVAE` with nothing between them; bins come later.

    Args:
        config: see `AutoencoderConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "autoencoder"  # what checkpoints call it

    edges: Tensor
    values: Tensor

    def __init__(self, config: AutoencoderConfig | None = None):
        super().__init__()
        self.config = config = config_or_default(config, AutoencoderConfig)
        check_positive_int(num_codebooks=config.num_codebooks, num_codes=config.num_codes)
        if config.num_codes < 2:
            raise ValueError(f"num_codes must be at least 2, got {config.num_codes}")
        self.likelihood = get_likelihood(config.likelihood)
        self.encoder = config.encoder(config.num_codebooks)
        parameters = config.in_channels * self.likelihood.parameters_per_value
        self.decoder = config.decoder(config.num_codebooks, parameters)
        # Rising edges between the bins of each channel, and the value that stands for each bin;
        # all zero until `fit_bins`.
        self.register_buffer("edges", torch.zeros(config.num_codebooks, config.num_codes - 1))
        self.register_buffer("values", torch.zeros(config.num_codebooks, config.num_codes))

    def forward(self, x: Tensor) -> AutoencoderOutput:
        """The loss of a batch, with the latents as they are.

        Args:
            x: float (B, C, H, W), 8-bit values mapped to [-1, 1], H and W divisible by
                2 ** num_halvings.

        Raises:
            TypeError, ValueError: for another dtype, rank, channel count or size, or values that
                are not 8-bit.
        """
        parameters = self.decoder(self.latents(x))
        nats = -self.likelihood(parameters).log_prob(exact_uint8(x)).mean()
        return AutoencoderOutput(parameters, nats)

    def latents(self, x: Tensor) -> Tensor:
        """The encoder's numbers, float32 (B, num_codebooks, h, w), for x as in `forward`."""
        check_images(x, self.config.in_channels, self.config.num_halvings)
        return self.encoder(x).float()

    @torch.no_grad()
    def fit_bins(self, latents: Tensor) -> None:
        """Cuts each channel into bins of equal count; the mean of each stands for it.

        Args:
            latents: of the training images, (N, num_codebooks, h, w).

        Raises:
            ValueError: another shape, or a channel with fewer different values than bins.
        """
        channels, bins = self.values.shape
        if latents.ndim != 4 or latents.shape[1] != channels:
            raise ValueError(
                f"latents must have the shape (N, {channels}, h, w), got {tuple(latents.shape)}"
            )
        rows = with_float64(latents.to(self.values)).transpose(0, 1).flatten(1).contiguous()
        ordered = rows.sort(1).values
        cuts = [rows.shape[1] * number // bins for number in range(1, bins)]
        edges = ordered[:, cuts].contiguous()
        codes = torch.searchsorted(edges, rows, right=True)
        counts = rows.new_zeros(channels, bins).scatter_add_(1, codes, torch.ones_like(rows))
        if (counts == 0).any():
            raise ValueError(f"each channel must have at least {bins} different values, one a bin")
        sums = torch.zeros_like(counts, dtype=torch.float64)
        sums.scatter_add_(1, codes, rows.double())
        self.edges.copy_(edges)
        self.values.copy_(sums / counts)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The number of each latent's bin, int64 (B, num_codebooks, h, w), or (B, h, w) with one.

        Args:
            x: as for `forward`.

        Raises:
            ValueError: there are no bins yet.
        """
        self._check_bins()
        with evaluating(self):
            latents = self.latents(x)
        rows = latents.transpose(0, 1)
        codes = torch.searchsorted(self.edges, rows.flatten(1).contiguous(), right=True)
        codes = codes.view(rows.shape).transpose(0, 1)
        return codes if self.config.num_codebooks > 1 else codes[:, 0]

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """The likelihood's mean, float (B, C, H, W) in [-1, 1], for codes as `encode` gives them.

        Raises:
            TypeError, ValueError: for codes of another dtype, shape or range, or without bins.
        """
        with evaluating(self):
            return self.likelihood(self.decoder(self.lookup(codes))).mean()

    def lookup(self, codes: Tensor) -> Tensor:
        """The values of the bins, float32 (B, num_codebooks, h, w); raises as `decode`."""
        self._check_bins()
        channels = self.config.num_codebooks
        check_codes(codes, self.config.num_codes, channels)
        codes = codes if channels > 1 else codes[:, None]
        if codes.ndim != 4:
            raise ValueError(f"codes must be maps of {channels} channels, got {tuple(codes.shape)}")
        return self.values[torch.arange(channels, device=codes.device)[:, None, None], codes.long()]

    @torch.no_grad()
    def bound(self, images: Tensor, prior: Callable[[Tensor], Tensor]) -> Bound:
        """What an image costs when it is sent as its binned latents: as `VQVAE.bound`.

        Args:
            images: uint8 (B, C, H, W).
            prior: log p(codes) in nats, (B,), of a batch of codes.

        Raises:
            TypeError, ValueError: the images are not uint8 of a fitting size, or without bins.
        """
        codes = self.encode(to_float(images))
        with evaluating(self):
            parameters = self.decoder(self.lookup(codes))
        reconstruction = negative_log_likelihood(self.likelihood, parameters, images)
        return Bound(reconstruction, -with_float64(prior(codes)).double())

    def _check_bins(self) -> None:
        if not self.edges.any():
            raise ValueError("the model has no bins yet: call fit_bins with the training latents")
