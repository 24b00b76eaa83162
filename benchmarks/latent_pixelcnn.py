"""A PixelCNN over the latents of a VAE: the learned prior of continuous latents.

As the `GatedPixelCNN` over codes it goes through the positions in reading order and at each of
them through the channels, and it has the same layers. In place of the K logits of a code it gives
a mixture of Gaussians for a number. It starts from one that is close to the VAE's own prior.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from vqvae_lite.baselines.vae import shift_noise
from vqvae_lite.modules import evaluating
from vqvae_lite.priors.layers import GatedLayer, gated


@dataclass(frozen=True)
class LatentPixelCNNConfig:
    """Attributes: those of `PixelCNNConfig`, latents at a position, and Gaussians in a mixture."""

    channels: int
    width: int = 64
    num_layers: int = 8
    kernel_size: int = 3
    dropout: float = 0.2
    components: int = 5


class LatentPixelCNNOutput(NamedTuple):
    """Attributes: the logarithm of the density of each map, (B,); the loss, nats a latent."""

    log_prob: Tensor
    loss: Tensor


class MixtureHead(nn.Module):
    """From the features of a position to a mixture for each channel: a `CodeHead` of numbers."""

    def __init__(self, channels: int, width: int, components: int):
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.turn = nn.Parameter(torch.zeros(channels, 1, width))
        # What a number adds for the channels after its own: as many times this vector.
        self.vectors = nn.Parameter(torch.randn(channels, 1, width) * channels**-0.5)
        self.weight = nn.Parameter(torch.zeros(channels, width, 3 * components))
        start = torch.zeros(3, components)  # logits, means and logarithms of the deviations
        start[1] = torch.linspace(-1, 1, components)  # equal ones would stay equal
        start[2] = math.log(0.7)
        self.bias = nn.Parameter(start.flatten().repeat(channels, 1, 1))

    def forward(self, features: Tensor, z: Tensor) -> Tensor:
        """(C, N, 3 * components) from features (N, width) and latents (C, N)."""
        preceding = (z[:-1, :, None] * self.vectors[:-1]).cumsum(0)
        x = F.pad(preceding, (0, 0, 0, 0, 1, 0)) + features + self.turn
        return torch.baddbmm(self.bias, F.relu(self.hidden(F.relu(x))), self.weight)

    def draw(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """The latents of a position, (N, C), channel by channel."""
        x, drawn = features, []
        for channel, vector in enumerate(self.vectors):
            h = F.relu(self.hidden(F.relu(x + self.turn[channel])))
            logits, means, deviations = self.parts(h @ self.weight[channel] + self.bias[channel])
            chosen = torch.multinomial(logits.exp(), 1, generator=generator)
            noise = torch.randn(chosen.shape, generator=generator)
            z = means.gather(1, chosen) + deviations.exp().gather(1, chosen) * noise
            drawn.append(z)
            x = x + z * vector
        return torch.cat(drawn, 1)

    def parts(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithms of the shares, means, logarithms of the deviations."""
        logits, means, deviations = parameters.chunk(3, dim=-1)
        return logits.log_softmax(-1), means, deviations.clamp(-6, 3)

    def log_density(self, parameters: Tensor, z: Tensor) -> Tensor:
        """Of each latent, of the shape of z."""
        shares, means, deviations = self.parts(parameters)
        offset = (z[..., None] - means) * (-deviations).exp()
        each = shares - 0.5 * offset.square() - deviations - 0.5 * math.log(2 * math.pi)
        return each.logsumexp(-1)


class LatentPixelCNN(nn.Module):
    """p(z) = product over positions and channels of p(latent given all latents before it)."""

    kind = "latentpixelcnn"

    def __init__(self, config: LatentPixelCNNConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Linear(config.channels, config.width)
        self.layers = nn.ModuleList(
            GatedLayer(config.width, config.kernel_size, None, None, config.dropout)
            for _ in range(config.num_layers)
        )
        self.head = MixtureHead(config.channels, config.width, config.components)

    def forward(self, z: Tensor) -> LatentPixelCNNOutput:
        """The density of latents (B, C, h, w)."""
        latents = z.transpose(0, 1).flatten(1)
        densities = self.head.log_density(self.head(self.features(z), latents), latents)
        log_prob = densities.unflatten(1, (len(z), -1)).sum((0, 2))
        return LatentPixelCNNOutput(log_prob, -log_prob.sum() / z.numel())

    def features(self, z: Tensor) -> Tensor:
        """Of every position, given those before it: (B * h * w, width)."""
        embedded = self.embedding(z.movedim(1, -1)).movedim(-1, 1)
        v, h = F.pad(embedded, (0, 0, 1, -1)), F.pad(embedded, (1, -1))
        for layer in self.layers:
            v, h = layer(v, h, None, None)
        return h.movedim(1, -1).flatten(0, 2)

    def walk(self, z: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Each position's number and its features (B, width), for z (B, h, w, C) known so far.

        What the layers have found stays, the rows above and the row so far, as in `walk_map`.
        """
        batch, height, width, _ = z.shape
        reach, channels = self.config.kernel_size // 2, self.config.width
        above = [z.new_zeros(batch, channels, reach, width)] * len(self.layers)
        for row in range(height):
            v = z.new_zeros(batch, channels, 1, width)
            if row:
                v = self.embedding(z[:, row - 1 : row]).movedim(-1, 1)
            gates = []
            for index, layer in enumerate(self.layers):
                rows = torch.cat([above[index], v], 2)
                above[index] = rows[:, :, 1:]
                v = v + gated(layer.vertical(rows))
                gates.append(layer.down(v)[:, :, 0])
            # Each layer's features along the row, with `reach` empty places before it.
            along = z.new_zeros(len(self.layers) + 1, batch, channels, reach + width)
            for column in range(width):
                place = reach + column
                if column:
                    along[0, :, :, place] = self.embedding(z[:, row, column - 1])
                for index, layer in enumerate(self.layers):
                    window = along[index, :, :, None, column : place + 1]
                    x = gates[index][:, :, column, None, None] + layer.horizontal(window)
                    h = along[index, :, :, place] + layer.out(gated(x))[:, :, 0, 0]
                    along[index + 1, :, :, place] = h
                yield row * width + column, along[-1, :, :, place]

    @torch.no_grad()
    def sample(self, shape: tuple[int, int], batch: int, seed: int) -> Tensor:
        """Latents (batch, C, *shape), a position's work for each."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.zeros(batch, *shape, self.config.channels)
        with evaluating(self):
            for number, features in self.walk(z):
                z.view(batch, -1, z.shape[-1])[:, number] = self.head.draw(features, generator)
        return z.movedim(-1, 1)


def drawn(posterior: Tensor) -> Tensor:
    """One z ~ q for means and logarithms of variances, (B, 2, C, h, w): a batch to train on."""
    means, log_variances = posterior.unbind(1)
    return shift_noise(means, log_variances, torch.randn_like(means))


class Posteriors(Dataset):
    """Means and logarithms of variances, (N, 2, C, h, w): what the prior is trained on."""

    def __init__(self, posteriors: Tensor):
        self.posteriors = posteriors

    def __len__(self) -> int:
        return len(self.posteriors)

    def __getitems__(self, indices: Sequence[int]) -> Tensor:
        return self.posteriors[indices]
