"""What a gated PixelCNN is made of: a layer of its two stacks, and the head over its features.

Source: van den Oord et al., "Conditional Image Generation with PixelCNN Decoders" (NIPS 2016).
`attention.py` has what a layer of convolutions cannot reach.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def gated(x: Tensor) -> Tensor:
    """tanh(a) * sigmoid(b), a and b the halves of the channels (equation 2 of the source)."""
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


class GatedLayer(nn.Module):
    """One layer of both stacks (figure 2 of the source), for inputs that are shifted already.

    `GatedPixelCNN` shifts the codes one row down for the vertical stack and one column right for
    the horizontal one. After that a position may see itself, what is above it and what is to its
    left in each layer, and the kernels reach there and nowhere else: there is nothing to mask.

    Unlike the source's, the vertical stack has a residual connection too: without it what comes
    from far above fades on its way through a deep stack.

    Args:
        width: channels of each stack.
        kernel_size: odd.
        num_classes: of the label, or None.
        condition_channels: of the feature map, or None.
        dropout: share of the horizontal stack's gated features that a training pass leaves out.
    """

    def __init__(
        self,
        width: int,
        kernel_size: int,
        num_classes: int | None,
        condition_channels: int | None,
        dropout: float,
    ):
        super().__init__()
        self.reach = kernel_size // 2
        self.vertical = nn.Conv2d(
            width, 2 * width, (self.reach + 1, kernel_size), padding=(0, self.reach)
        )
        self.down = nn.Conv2d(width, 2 * width, 1)
        # The biases of `down` and of the next layer serve these two as well.
        self.horizontal = nn.Conv2d(width, 2 * width, (1, self.reach + 1), bias=False)
        self.out = nn.Conv2d(width, width, 1, bias=False)
        self.dropout = nn.Dropout(dropout)
        if num_classes is not None:
            self.label = nn.Embedding(num_classes, 4 * width)
            nn.init.zeros_(self.label.weight)
        if condition_channels is not None:
            self.condition = nn.Conv2d(condition_channels, 4 * width, 1, bias=False)

    def forward(
        self, v: Tensor, h: Tensor, label: Tensor | None, condition: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Both stacks one layer further: (B, width, H, W) each, as v and h are.

        Args:
            v: the vertical stack.
            h: the horizontal one.
            label: integers (B,), or None.
            condition: (B, condition_channels, H, W), or None.
        """
        conditions: list[tuple[Tensor, Tensor]] = []
        if label is not None:
            conditions.append(self.label(label.long())[:, :, None, None].chunk(2, dim=1))
        if condition is not None:
            conditions.append(self.condition(condition).chunk(2, dim=1))
        v_gates: Tensor = self.vertical(F.pad(v, (0, 0, self.reach, 0)))
        for for_v, _ in conditions:
            v_gates = v_gates + for_v
        v = v + gated(v_gates)
        h_gates: Tensor = self.down(v)
        for _, for_h in conditions:
            h_gates = h_gates + for_h
        h_gates = h_gates + self.horizontal(F.pad(h, (self.reach, 0)))
        return v, h + self.out(self.dropout(gated(h_gates)))


class CodeHead(nn.Module):
    """From the features of a position to the logits of each of its codes.

    The features know the earlier positions. To them come the codes of the position itself that
    precede, codebook by codebook: each as a vector, summed. So code c is predicted from codes
    0 to c - 1, and in training all C at once.

    The logits start at zero, the uniform distribution.

    Args:
        num_codes: K.
        width: of the features.
        num_codebooks: C.
    """

    offsets: Tensor

    def __init__(self, num_codes: int, width: int, num_codebooks: int = 1):
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.weight = nn.Parameter(torch.zeros(num_codebooks, width, num_codes))
        self.bias = nn.Parameter(torch.zeros(num_codebooks, 1, num_codes))
        if num_codebooks > 1:
            self.turn = nn.Parameter(torch.zeros(num_codebooks, 1, width))
            # The last code precedes no other at its position.
            self.embedding = nn.Embedding((num_codebooks - 1) * num_codes, width)
            nn.init.normal_(self.embedding.weight, std=num_codebooks**-0.5)
            offsets = num_codes * torch.arange(num_codebooks - 1)[:, None]
            self.register_buffer("offsets", offsets, persistent=False)

    def forward(self, features: Tensor, codes: Tensor) -> Tensor:
        """Logits (C, N, K), float32 or better, from features (N, width) and int64 codes (C, N)."""
        x = features[None]
        if len(codes) > 1:
            preceding = self.embedding(codes[:-1] + self.offsets).cumsum(0)
            x = F.pad(preceding, (0, 0, 0, 0, 1, 0)) + x + self.turn
        x = F.relu(self.hidden(F.relu(x)))
        logits = torch.baddbmm(self.bias, x, self.weight)
        return logits if logits.dtype == torch.float64 else logits.float()
