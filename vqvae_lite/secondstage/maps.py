"""What a VAE and a VQ-VAE over maps of whole numbers share: the networks, a PixelCNN as decoder.

The maps are pictures of grey levels, or the codes of another VQ-VAE (section 4.2). A few latents
describe a whole map; they have no place in it. The decoder sees them *and* the part of the map that
comes before each position, so it may do without them: what chapter 5 is about.
"""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.checks import check_codes, check_positive_int
from vqvae_lite.networks import ResidualBlock
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig


@dataclass(frozen=True)
class MapConfig:
    """The maps, and the networks around the latents.

    Attributes:
        rows: height of the maps.
        columns: width of the maps.
        num_values: the numbers in a map are 0 to num_values - 1.
        width: channels of every hidden layer.
        num_layers: gated layers of the decoder.
        kernel_size: of the decoder's layers; with `num_layers` it says how many of the values
            before a position the decoder sees (see `PixelCNNConfig`).
        dropout: of the decoder.
    """

    rows: int = 21
    columns: int = 21
    num_values: int = 512
    width: int = 64
    num_layers: int = 8
    kernel_size: int = 3
    dropout: float = 0.0


class Latents(NamedTuple):
    """What an encoder says of a batch of maps.

    Attributes:
        z: (B, num_latents, dim), what the decoder gets to see.
        cost: what they cost under the prior, in nats a map, (B,).
    """

    z: Tensor
    cost: Tensor


class MapEncoder(nn.Module):
    """Maps of whole numbers to one vector each.

    Args:
        config: see `MapConfig`.
        outputs: length of the vector.
    """

    def __init__(self, config: MapConfig, outputs: int):
        super().__init__()
        check_positive_int(
            rows=config.rows, columns=config.columns, num_values=config.num_values,
            width=config.width,
        )  # fmt: skip
        self.config = config
        wide = 2 * config.width
        self.embedding = nn.Embedding(config.num_values, config.width)
        self.halvings = nn.Sequential(
            nn.Conv2d(config.width, wide, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 3, stride=2, padding=1),
            ResidualBlock(wide),
            nn.ReLU(),
        )
        self.out = nn.Linear(wide * prod(quarter(config)), outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, outputs) for integer maps (B, rows, columns).

        Raises:
            TypeError, ValueError: for another dtype, shape or range.
        """
        check_maps(maps, self.config)
        x = self.embedding(maps.long()).permute(0, 3, 1, 2)
        return self.out(self.halvings(x).flatten(1))


class MapDecoder(nn.Module):
    """Latents to a distribution over maps: a feature map of them conditions a `GatedPixelCNN`.

    Args:
        config: see `MapConfig`.
        inputs: numbers in the latents of a map.
    """

    def __init__(self, config: MapConfig, inputs: int):
        super().__init__()
        self.config = config
        wide = 2 * config.width
        self.spread = nn.Linear(inputs, wide * prod(quarter(config)))
        self.residual = ResidualBlock(wide)
        self.doublings = nn.ModuleList(
            [nn.Conv2d(wide, wide, 3, padding=1), nn.Conv2d(wide, config.width, 3, padding=1)]
        )
        self.pixelcnn = GatedPixelCNN(
            PixelCNNConfig(
                num_codes=config.num_values,
                width=config.width,
                num_layers=config.num_layers,
                kernel_size=config.kernel_size,
                condition_channels=config.width,
                dropout=config.dropout,
            )
        )

    def condition(self, z: Tensor) -> Tensor:
        """The feature map (B, width, rows, columns) of latents (B, num_latents, dim).

        `decoder.pixelcnn.sample((rows, columns), condition=...)` draws maps that go with it.
        """
        rows, columns = self.config.rows, self.config.columns
        z = z.to(self.spread.weight.dtype)
        x = self.spread(z.flatten(1)).unflatten(1, (-1, *quarter(self.config)))
        x = F.relu(self.residual(x))
        sizes = [((rows + 1) // 2, (columns + 1) // 2), (rows, columns)]
        for size, doubling in zip(sizes, self.doublings, strict=True):
            x = F.relu(doubling(F.interpolate(x, size)))
        return x

    def forward(self, maps: Tensor, z: Tensor) -> Tensor:
        """Log p(map | latents) in nats, (B,), for integer maps and latents of as many."""
        return self.pixelcnn(maps, condition=self.condition(z)).log_prob


def quarter(config: MapConfig) -> tuple[int, int]:
    """Rows and columns after two halvings, each rounded up."""
    return -(-config.rows // 4), -(-config.columns // 4)


def check_maps(maps: Tensor, config: MapConfig) -> None:
    """Raises TypeError or ValueError unless maps are integers (B, rows, columns) in range."""
    check_codes(maps, config.num_values)
    size = (config.rows, config.columns)
    if maps.ndim != 3 or maps.shape[1:] != torch.Size(size) or not len(maps):
        raise ValueError(
            f"maps must have the shape (B, {size[0]}, {size[1]}) and not be empty, "
            f"got {tuple(maps.shape)}"
        )
