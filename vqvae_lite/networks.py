"""The paper's encoder and decoder (section 4.1): strided convolutions and residual blocks."""

from dataclasses import dataclass
from itertools import chain, pairwise, repeat

import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.checks import check_positive_int


def map_size(images: Tensor, num_halvings: int) -> tuple[int, int]:
    """Height and width of the map of latents of images (..., H, W)."""
    factor = 2**num_halvings
    return images.shape[-2] // factor, images.shape[-1] // factor


class ResidualBlock(nn.Module):
    """x + conv1x1(ReLU(conv3x3(ReLU(x)))): "ReLU, 3x3 conv, ReLU, 1x1 conv" of section 4.1.

    The first ReLU is not in place: it would turn the x of the sum into ReLU(x). The second is, as
    all others of the networks, which come after a convolution or a sum that nobody else needs.

    Args:
        width: channels of the input, the output and between.
    """

    def __init__(self, width: int):
        super().__init__()
        check_positive_int(width=width)
        self.conv3x3 = nn.Conv2d(width, width, 3, padding=1)
        self.conv1x1 = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv1x1(F.relu(self.conv3x3(F.relu(x)), inplace=True))


class Encoder(nn.Module):
    """Halves height and width `num_halvings` times: (B, C, H, W) to (B, out, H / 2^n, W / 2^n).

    Each halving is a 4x4 convolution of stride 2 with a ReLU between two of them; then come the
    residual blocks, and a 1x1 convolution to the dimensions of the codes. Images of another
    precision than the weights are taken in that of the weights.

    Args:
        in_channels: channels of the image.
        width: channels of every hidden layer; 256 in the paper.
        out_channels: channels of z_e, num_codebooks * code_dim.
        num_halvings: 2 in the paper's image models.
        num_residual: 2 in the paper.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        out_channels: int,
        num_halvings: int = 2,
        num_residual: int = 2,
    ):
        super().__init__()
        check_positive_int(
            in_channels=in_channels,
            width=width,
            out_channels=out_channels,
            num_halvings=num_halvings,
            num_residual=num_residual,
        )
        channels = chain([in_channels], repeat(width, num_halvings))
        self.halvings = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=2, padding=1) for before, after in pairwise(channels)
        )
        self.residuals = nn.ModuleList(ResidualBlock(width) for _ in range(num_residual))
        self.to_codes = nn.Conv2d(width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.to_codes.weight.dtype)
        for index, halving in enumerate(self.halvings):
            # A residual block begins with its own ReLU, so the last halving needs none.
            x = halving(F.relu(x, inplace=True)) if index else halving(x)
        for residual in self.residuals:
            x = residual(x)
        return self.to_codes(F.relu(x, inplace=True))


class Decoder(nn.Module):
    """The mirror of `Encoder`: (B, in, h, w) to (B, out, h * 2^n, w * 2^n).

    A 3x3 convolution from the codes, the residual blocks, then a 4x4 transposed convolution of
    stride 2 for each doubling, with ReLUs before them. As the encoder, it computes in the precision
    of its weights.

    Args:
        in_channels: channels of the quantized vectors, num_codebooks * code_dim.
        width: channels of every hidden layer.
        out_channels: channels of the image, or of the parameters of its distribution.
        num_halvings: how often the encoder halved.
        num_residual: 2 in the paper.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        out_channels: int,
        num_halvings: int = 2,
        num_residual: int = 2,
    ):
        super().__init__()
        check_positive_int(
            in_channels=in_channels,
            width=width,
            out_channels=out_channels,
            num_halvings=num_halvings,
            num_residual=num_residual,
        )
        self.from_codes = nn.Conv2d(in_channels, width, 3, padding=1)
        self.residuals = nn.ModuleList(ResidualBlock(width) for _ in range(num_residual))
        channels = chain(repeat(width, num_halvings), [out_channels])
        self.doublings = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
            for before, after in pairwise(channels)
        )

    def forward(self, z_q: Tensor) -> Tensor:
        x = self.from_codes(z_q.to(self.from_codes.weight.dtype))
        for residual in self.residuals:
            x = residual(x)
        for doubling in self.doublings:
            x = doubling(F.relu(x, inplace=True))
        return x


@dataclass(frozen=True)
class NetworkConfig:
    """The encoder and decoder of an image model; the defaults are the paper's (section 4.1).

    Attributes:
        in_channels: channels of an image.
        width: channels of every hidden layer.
        num_halvings: how often the encoder halves height and width.
        num_residual: residual blocks in the encoder, and in the decoder.
    """

    in_channels: int = 3
    width: int = 256
    num_halvings: int = 2
    num_residual: int = 2

    def encoder(self, out_channels: int) -> Encoder:
        """Images to maps of so many channels.

        Raises:
            TypeError, ValueError: for a setting that is no int of at least 1.
        """
        return Encoder(
            self.in_channels, self.width, out_channels, self.num_halvings, self.num_residual
        )

    def decoder(self, in_channels: int, out_channels: int) -> Decoder:
        """Maps of so many channels to images, or to the parameters of their distribution.

        Raises:
            TypeError, ValueError: as `encoder`.
        """
        return Decoder(in_channels, self.width, out_channels, self.num_halvings, self.num_residual)
