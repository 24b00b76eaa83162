"""The gated PixelCNN: a distribution over maps of codes, one code after another.

Source: van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves and Kavukcuoglu, "Conditional Image
Generation with PixelCNN Decoders" (NIPS 2016). It is the prior over the codes of section 3.3 of
the VQ-VAE paper; with K = 256 and three codes a position it is also a decoder of RGB images.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.checks import check_codes, check_positive_int
from vqvae_lite.priors.drawing import check_conditions


@dataclass(frozen=True)
class PixelCNNConfig:
    """What a `GatedPixelCNN` is made from.

    Attributes:
        num_codes: K.
        num_codebooks: C, codes at each position.
        width: channels of every hidden layer.
        num_layers: gated layers.
        kernel_size: odd. A layer reaches kernel_size // 2 positions up and to the sides, so the
            stack sees num_layers * (kernel_size // 2) + 1 rows up, as many columns to the left
            in its own row, and one column fewer to each side above it. With 1 that is the
            position above and the one to the left.
        num_classes: of the label to condition on; None for no label.
        condition_channels: of the feature map to condition on; None for no map.
        dropout: share in [0, 1) of the horizontal stack's gated features that a training pass
            leaves out.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    num_codes: int = 512
    num_codebooks: int = 1
    width: int = 128
    num_layers: int = 12
    kernel_size: int = 3
    num_classes: int | None = None
    condition_channels: int | None = None
    dropout: float = 0.0

    def __post_init__(self):
        sizes = asdict(self)
        del sizes["dropout"]
        for name in ("num_classes", "condition_channels"):
            if sizes[name] is None:
                del sizes[name]
        check_positive_int(**sizes)
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {self.kernel_size}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")


class PixelCNNOutput(NamedTuple):
    """What a `GatedPixelCNN` returns, float32 or better.

    Attributes:
        logits: of every code, given those before it: (B, K, H, W) or (B, C, K, H, W).
        log_prob: of each whole map, in nats: (B,), at most 0.
        loss: what training minimises: nats per code, the mean over the batch; a scalar.
    """

    logits: Tensor
    log_prob: Tensor
    loss: Tensor


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
    """

    def __init__(self, config: PixelCNNConfig):
        super().__init__()
        width, self.reach = config.width, config.kernel_size // 2
        self.vertical = nn.Conv2d(
            width, 2 * width, (self.reach + 1, config.kernel_size), padding=(0, self.reach)
        )
        self.down = nn.Conv2d(width, 2 * width, 1)
        # The biases of `down` and of the next layer serve these two as well.
        self.horizontal = nn.Conv2d(width, 2 * width, (1, self.reach + 1), bias=False)
        self.out = nn.Conv2d(width, width, 1, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        if config.num_classes is not None:
            self.label = nn.Embedding(config.num_classes, 4 * width)
            nn.init.zeros_(self.label.weight)
        if config.condition_channels is not None:
            self.condition = nn.Conv2d(config.condition_channels, 4 * width, 1, bias=False)

    def forward(
        self, v: Tensor, h: Tensor, label: Tensor | None, condition: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Both stacks one layer further: (B, width, H, W) each, as v and h are."""
        v, gates = self.from_above(F.pad(v, (0, 0, self.reach, 0)), label, condition)
        gates = gates + self.horizontal(F.pad(h, (self.reach, 0)))
        return v, h + self.out(self.dropout(gated(gates)))

    def from_above(
        self, rows: Tensor, label: Tensor | None, condition: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """All of the layer that needs no code of the rows that it is for.

        Args:
            rows: (B, width, reach + n, W), the vertical stack's n rows and those above them.
            label: (B,) or None.
            condition: (B, condition_channels, n, W) or None.

        Returns:
            The vertical stack after this layer, (B, width, n, W), and what comes to the gates
            of the horizontal stack from there and from the conditions, (B, 2 * width, n, W).
        """
        conditions = []
        if label is not None:
            conditions.append(self.label(label)[:, :, None, None].chunk(2, dim=1))
        if condition is not None:
            conditions.append(self.condition(condition).chunk(2, dim=1))
        v_gates = sum((for_v for for_v, _ in conditions), self.vertical(rows))
        v = rows[:, :, self.reach :] + gated(v_gates)
        return v, sum((for_h for _, for_h in conditions), self.down(v))


class CodeHead(nn.Module):
    """From the features of a position to the logits of each of its codes.

    The features know the earlier positions. To them come the codes of the position itself that
    precede, codebook by codebook: each as a vector, summed. So code c is predicted from codes
    0 to c - 1, and in training all C at once.

    The logits start at zero, the uniform distribution.
    """

    def __init__(self, config: PixelCNNConfig):
        super().__init__()
        width, num_codes, num_codebooks = config.width, config.num_codes, config.num_codebooks
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

    def step(self, x: Tensor, book: int) -> Tensor:
        """Logits (N, K) of one codebook; x holds features plus vectors of the preceding codes."""
        x = x + self.turn[book] if len(self.weight) > 1 else x
        x = F.relu(self.hidden(F.relu(x)))
        return torch.addmm(self.bias[book], x, self.weight[book])


class GatedPixelCNN(nn.Module):
    """p(codes) = product over positions and codebooks of p(code given all codes before it).

    Positions are in raster order, row by row; within a position come codebooks 0 to C - 1. Every
    position sees all positions before it within the reach of the stack (see `PixelCNNConfig`):
    there is no blind spot. It takes maps of any height and width.

    Args:
        config: see `PixelCNNConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "pixelcnn"  # what checkpoints call it

    def __init__(self, config: PixelCNNConfig | None = None):
        super().__init__()
        self.config = config = config or PixelCNNConfig()
        num_vectors = config.num_codebooks * config.num_codes
        self.embedding = nn.EmbeddingBag(num_vectors, config.width, mode="sum")
        # The sum over the codebooks then has the variance of one vector.
        nn.init.normal_(self.embedding.weight, std=config.num_codebooks**-0.5)
        offsets = config.num_codes * torch.arange(config.num_codebooks)
        self.register_buffer("offsets", offsets, persistent=False)
        self.layers = nn.ModuleList(GatedLayer(config) for _ in range(config.num_layers))
        self.head = CodeHead(config)

    def forward(
        self, codes: Tensor, label: Tensor | None = None, condition: Tensor | None = None
    ) -> PixelCNNOutput:
        """The distribution of every code, given those before it.

        Args:
            codes: integers in [0, K), (B, H, W), or (B, C, H, W) with C > 1 codebooks.
            label: integers in [0, num_classes), (B,), where the model has classes.
            condition: floating point (B, condition_channels, H, W), where the model has them.

        Raises:
            TypeError, ValueError: for another dtype, shape or range, and for a label or condition
                that is missing or not expected.
        """
        codes, label, condition = self.prepare(codes, label, condition)
        logits = self._logits(codes, label, condition)
        targets = codes.permute(3, 0, 1, 2).flatten()
        nats = F.cross_entropy(logits.flatten(0, 1), targets, reduction="none")
        log_prob = -nats.view(codes.shape[-1], len(codes), -1).sum((0, 2))
        return PixelCNNOutput(_arrange(logits, codes), log_prob, -log_prob.sum() / codes.numel())

    def logits(
        self, codes: Tensor, label: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """The logits alone, as `forward` gives them, without the work of the loss."""
        codes, label, condition = self.prepare(codes, label, condition)
        return _arrange(self._logits(codes, label, condition), codes)

    def log_prob(
        self, codes: Tensor, label: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """The log-probability of each whole map, in nats, as `forward` gives it."""
        return self(codes, label, condition).log_prob

    def embed(self, codes: Tensor) -> Tensor:
        """The sum of the vectors at each position: int64 (B, H, W, C) to (B, width, H, W)."""
        vectors = self.embedding((codes + self.offsets).flatten(0, 2))
        return vectors.view(*codes.shape[:3], -1).permute(0, 3, 1, 2)

    def _logits(self, codes: Tensor, label: Tensor | None, condition: Tensor | None) -> Tensor:
        """(C, B * H * W, K) from codes (B, H, W, C)."""
        embedded = self.embed(codes)
        # A row down and a column right: v then knows the rows above, h the codes to the left.
        v, h = F.pad(embedded, (0, 0, 1, -1)), F.pad(embedded, (1, -1))
        for layer in self.layers:
            v, h = layer(v, h, label, condition)
        features = h.permute(0, 2, 3, 1).flatten(0, 2)
        return self.head(features, codes.permute(3, 0, 1, 2).flatten(1))

    def prepare(
        self, codes: Tensor, label: Tensor | None, condition: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Checks what `forward` takes; gives codes as int64 (B, H, W, C) and the label as int64."""
        num_codebooks = self.config.num_codebooks
        check_codes(codes, self.config.num_codes, num_codebooks)
        if codes.ndim != 3 + (num_codebooks > 1) or not codes.numel():
            shape = "(B, H, W)" if num_codebooks == 1 else f"(B, {num_codebooks}, H, W)"
            raise ValueError(
                f"codes must have the shape {shape} and not be empty, got {tuple(codes.shape)}"
            )
        check_conditions(self.config, label, condition, (len(codes), *codes.shape[-2:]))
        codes = codes.movedim(1, -1) if num_codebooks > 1 else codes[..., None]
        return codes.long(), label if label is None else label.long(), condition


def _arrange(logits: Tensor, codes: Tensor) -> Tensor:
    """Logits (C, B * H * W, K) as `PixelCNNOutput` has them, for codes (B, H, W, C)."""
    batch, height, width, num_codebooks = codes.shape
    logits = logits.view(num_codebooks, batch, height, width, -1).permute(1, 0, 4, 2, 3)
    return logits if num_codebooks > 1 else logits[:, 0]
