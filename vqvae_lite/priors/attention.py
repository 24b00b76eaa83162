"""What lets a PixelCNN know where it is, and see further than its kernels reach."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
        like: (B, width), the features of a position.
        length: positions in all.
    """

    def __init__(self, attention: CausalAttention, like: Tensor, length: int):
        self.attention = attention
        heads = like.shape[1] // HEAD_WIDTH
        self.keys, self.values = like.new_empty(2, len(like), heads, length, HEAD_WIDTH)
        self.filled = 0

    @torch.no_grad()
    def step(self, h: Tensor) -> Tensor:
        """What `CausalAttention.forward` adds at the next position: (B, width), as h is."""
        query, key, value = self.attention.project(h[:, None])
        self.keys[:, :, self.filled] = key[:, :, 0]
        self.values[:, :, self.filled] = value[:, :, 0]
        self.filled += 1
        seen = (self.keys[:, :, : self.filled], self.values[:, :, : self.filled])
        found = F.scaled_dot_product_attention(query, *seen)
        return self.attention.out(found.flatten(1))
