"""What lets a PixelCNN know where it is, and see further than its kernels reach."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.priors.operations import Array, Operations

HEAD_WIDTH = 16  # channels of each head


def positions(height: int, width: int, channels: int, device: torch.device | None = None) -> Tensor:
    """A feature map that says where a position is: sines and cosines of its row and its column.

    Waves of 4, 8, 16, ... positions (after Vaswani et al., "Attention Is All You Need", 2017,
    section 3.5). The longest, 2 ** (channels / 4 + 1), should be longer than the map, so that no
    two rows and no two columns look alike.

    Args:
        height: of the map.
        width: of the map.
        channels: a multiple of 4.
        device: to make it on.

    Returns:
        (channels, height, width), in [-1, 1].
    """
    waves = 2.0 ** torch.arange(2, 2 + channels // 4, device=device)[:, None]
    result = torch.empty(channels, height, width, device=device)
    by_row, by_column = result.chunk(2)
    for part, along in ((by_row.mT, height), (by_column, width)):
        angles = 2 * math.pi / waves * torch.arange(along, device=device)
        part.copy_(torch.cat([angles.sin(), angles.cos()])[:, None])
    return result


class CausalAttention(nn.Module):
    """Each position looks at itself and at all before it, in raster order.

    It stands between the gated layers, as in Chen et al., "PixelSNAIL" (2018), and works on what
    the horizontal stack has found there: that knows no code of its own position, nor of any after
    it. At the start it adds nothing.

    Args:
        width: channels of the stack, a multiple of `HEAD_WIDTH`.
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.look = nn.Linear(width, 3 * width, bias=False)  # queries, keys and values
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, h: Tensor) -> Tensor:
        """(B, width, H, W) to what is added there, of the same shape."""
        queries, keys, values = self.project(h.flatten(2).mT)
        found = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        return self.out(found.transpose(1, 2).flatten(2)).mT.unflatten(2, h.shape[2:])

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, (B, heads, n, HEAD_WIDTH) each, of features (B, n, width)."""
        parts = self.look(self.norm(x)).unflatten(2, (3, -1, HEAD_WIDTH)).permute(2, 0, 3, 1, 4)
        return parts[0], parts[1], parts[2]


class AttentionCache:
    """A `CausalAttention` for one position after another: keys and values stay.

    Args:
        attention: its weights may not change meanwhile.
        batch: B.
        length: positions in all.
        ops: what it computes with.
    """

    def __init__(self, attention: CausalAttention, batch: int, length: int, ops: Operations):
        self.ops, self.eps = ops, attention.norm.eps
        look, norm = attention.look.weight.T, attention.norm
        width = len(look)
        # The norm's own factors and offsets go into the weights after it, the scale of the scores
        # into the queries.
        scale = look.new_ones(3 * width)
        scale[:width] = HEAD_WIDTH**-0.5
        self.look = ops.array(norm.weight[:, None] * look * scale)
        self.bias = ops.array(norm.bias @ look * scale)
        self.out = ops.array(attention.out.weight.T.contiguous())
        heads = width // HEAD_WIDTH
        self.seen = ops.array(look.new_empty(batch, 3 * width))
        parts = self.seen.reshape(batch, 3, heads, HEAD_WIDTH)
        self.query, self.key, self.value = parts[:, 0, :, None], parts[:, 1], parts[:, 2]
        self.keys = ops.array(look.new_empty(batch, heads, HEAD_WIDTH, length))
        self.values = ops.array(look.new_empty(batch, heads, length, HEAD_WIDTH))
        self.filled = 0

    def step(self, h: Array) -> None:
        """Adds to h, (B, width), what `CausalAttention.forward` gives at the next position."""
        ops = self.ops
        ops.affine(self.bias, ops.standardize(h, self.eps), self.look, self.seen)
        self.keys[..., self.filled] = self.key
        self.values[:, :, self.filled] = self.value
        self.filled += 1
        scores = self.query @ self.keys[..., : self.filled]
        found = ops.softmax(scores) @ self.values[:, :, : self.filled]
        ops.affine(h, found.reshape(h.shape), self.out, h)
