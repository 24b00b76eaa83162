"""The gated PixelCNN: a distribution over maps of codes, one code after another.

Source: van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves and Kavukcuoglu, "Conditional Image
Generation with PixelCNN Decoders" (NIPS 2016). It is the prior over the codes of section 3.3 of
the VQ-VAE paper; with K = 256 and three codes a position it is also a decoder of RGB images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from vqvae_lite.checks import (
    check_codes,
    check_positive_int,
    check_real,
    check_type,
    config_or_default,
)
from vqvae_lite.modules import device_of, evaluating
from vqvae_lite.priors.attention import HEAD_WIDTH, CausalAttention, positions
from vqvae_lite.priors.drawing import (
    arrange_given,
    check_conditions,
    check_sharpness,
    draw,
    generator_for,
)
from vqvae_lite.priors.layers import CodeHead, GatedLayer
from vqvae_lite.priors.walk import walk_map

_OPTIONAL = ("num_classes", "condition_channels", "position_channels", "attention_every")


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
        position_channels: of `attention.positions`, a multiple of 4: each layer is then told where
            in the map a position is; None: nothing tells it.
        attention_every: a `CausalAttention` after every so many layers, which reaches over the
            whole map; None for none. The width is then a multiple of 16. The last code of a row,
            which no feature of its own row knows, reaches the row below by the layers alone.

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
    position_channels: int | None = None
    attention_every: int | None = None

    def __post_init__(self):
        sizes = asdict(self)
        del sizes["dropout"]
        for name in _OPTIONAL:
            if sizes[name] is None:
                del sizes[name]
        check_positive_int(**sizes)
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {self.kernel_size}")
        check_real(dropout=self.dropout)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")
        if (self.position_channels or 0) % 4:
            raise ValueError(
                f"position_channels must be a multiple of 4, got {self.position_channels}"
            )
        if self.attention_every is not None and self.width % HEAD_WIDTH:
            raise ValueError(
                f"width must be a multiple of {HEAD_WIDTH} with attention, got {self.width}"
            )


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
    offsets: Tensor

    def __init__(self, config: PixelCNNConfig | None = None):
        super().__init__()
        self.config = config = config_or_default(config, PixelCNNConfig)
        num_vectors = config.num_codebooks * config.num_codes
        self.embedding = nn.EmbeddingBag(num_vectors, config.width, mode="sum")
        # The sum over the codebooks then has the variance of one vector.
        nn.init.normal_(self.embedding.weight, std=config.num_codebooks**-0.5)
        offsets = config.num_codes * torch.arange(config.num_codebooks)
        self.register_buffer("offsets", offsets, persistent=False)
        channels = (config.condition_channels or 0) + (config.position_channels or 0)
        self.layers = nn.ModuleList(
            GatedLayer(
                config.width,
                config.kernel_size,
                config.num_classes,
                channels or None,
                config.dropout,
            )
            for _ in range(config.num_layers)
        )
        every = config.attention_every or config.num_layers + 1
        self.attention = nn.ModuleDict(
            {
                str(n - 1): CausalAttention(config.width)
                for n in range(every, len(self.layers) + 1, every)
            }
        )
        self.head = CodeHead(config.num_codes, config.width, config.num_codebooks)

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
        codes = self._prepare(codes, label, condition)
        logits = self._logits(codes, label, condition)
        targets = codes.permute(3, 0, 1, 2).flatten()
        nats = F.cross_entropy(logits.flatten(0, 1), targets, reduction="none")
        log_prob = -nats.view(codes.shape[-1], len(codes), -1).sum((0, 2))
        return PixelCNNOutput(_arrange(logits, codes), log_prob, -log_prob.sum() / codes.numel())

    def logits(
        self, codes: Tensor, label: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """The logits alone, as `forward` gives them, without the work of the loss."""
        codes = self._prepare(codes, label, condition)
        return _arrange(self._logits(codes, label, condition), codes)

    def log_prob(
        self, codes: Tensor, label: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Log p(codes) of each whole map, in nats: (B,), in eval mode, whatever mode it is in.

        Args and errors are those of `forward`, which training goes by.
        """
        with evaluating(self):
            return self(codes, label, condition).log_prob

    @torch.no_grad()
    def sample(
        self,
        shape: Sequence[int],
        *,
        batch: int = 1,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int | None = None,
        label: Tensor | None = None,
        condition: Tensor | None = None,
        given: Tensor | None = None,
        progress: bool = True,
    ) -> Tensor:
        """Draws maps of codes, position by position in raster order (section 3.3 of the paper).

        In eval mode, whatever mode the model is in, and in its own precision. A position costs one
        position's work (see `walk.walk_map`).

        Args:
            shape: height and width of the maps.
            batch: B, how many maps to draw, all at once.
            temperature: what the logits are divided by, above 0; below 1 sharpens the distribution.
            top_k: draws among the k most probable codes alone, 1 to K; None draws among all.
            seed: decides the sample, together with all other arguments; None draws one from
                torch's default generator.
            label: as for `forward`.
            condition: as for `forward`.
            given: integers (B, H, W) or (B, C, H, W): codes to keep, and -1 where one is to be
                drawn. Each is drawn given the codes before it in the order of the factorisation;
                what is given after it has no influence on it.
            progress: whether to show a bar with the time left.

        Returns:
            int64 codes, (B, H, W), or (B, C, H, W) with C > 1 codebooks, on the model's device.

        Raises:
            TypeError, ValueError: for an argument of another type, shape or range, or a model with
                NaN or Inf among its weights.
        """
        check_type("model", self, GatedPixelCNN)  # also called as a function: see `sample` below
        config, device = self.config, device_of(self)
        if not isinstance(shape, Sequence) or len(shape) != 2:
            raise ValueError(f"shape must be a height and a width, got {shape!r}")
        height, width = shape
        check_positive_int(height=height, width=width, batch=batch)
        check_sharpness(temperature, top_k, config.num_codes)
        check_conditions(config, label, condition, (batch, height, width))
        if given is None:
            codes = torch.full((batch, height, width, config.num_codebooks), -1, device=device)
        else:
            codes = arrange_given(given, config, (batch, height, width)).to(device)
        rows = (codes < 0).flatten(2).any(2).any(0).tolist()  # those with a code to draw
        generator = generator_for(self, device, seed)

        bar = tqdm(total=sum(rows) * width, unit="position", disable=not progress)
        with evaluating(self), bar, torch.autocast(device.type, enabled=False):
            for (row, column, book), logits in self._walk(codes, rows, label, condition):
                place = codes[:, row, column, book]
                drawn = draw(logits, temperature, top_k, generator)
                place.copy_(drawn if given is None else torch.where(place < 0, drawn, place))
                bar.update(book + 1 == config.num_codebooks)
        return codes.movedim(-1, 1).contiguous() if config.num_codebooks > 1 else codes[..., 0]

    @torch.no_grad()
    def cached_logits(
        self, codes: Tensor, label: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """The logits that `sample` goes by, for codes that are known: to compare with `forward`.

        Args and errors are those of `forward`.

        Returns:
            (B, K, H, W) or (B, C, K, H, W), in the precision of the model.
        """
        codes = self._prepare(codes, label, condition)
        result = self.head.weight.new_empty(*codes.shape, self.config.num_codes)
        with evaluating(self), torch.autocast(codes.device.type, enabled=False):
            rows = [True] * codes.shape[1]
            for (row, column, book), logits in self._walk(codes, rows, label, condition):
                result[:, row, column, book] = logits
        result = result.permute(0, 3, 4, 1, 2)
        return result if self.config.num_codebooks > 1 else result[:, 0]

    def _walk(
        self, codes: Tensor, rows: list[bool], label: Tensor | None, condition: Tensor | None
    ) -> Iterator[tuple[tuple[int, int, int], Tensor]]:
        """See `walk.walk_map`."""
        return walk_map(
            codes,
            rows,
            label,
            self._placed(condition, codes),
            vectors=self.embedding.weight,
            layers=cast("Sequence[GatedLayer]", self.layers),
            attention={int(n): cast("CausalAttention", a) for n, a in self.attention.items()},
            head=self.head,
        )

    def _placed(self, condition: Tensor | None, codes: Tensor) -> Tensor | None:
        """The condition, and beside it where each position of codes (B, H, W, C) is."""
        if self.config.position_channels is None:
            return condition
        weight = self.head.weight
        height, width = codes.shape[1:3]
        where = positions(height, width, self.config.position_channels, weight.device)
        where = where.to(weight).expand(len(codes), -1, -1, -1)
        return where if condition is None else torch.cat([condition.to(where), where], 1)

    def _embed(self, codes: Tensor) -> Tensor:
        """The sum of the vectors at each position: int64 (..., C) to (..., width)."""
        return self.embedding((codes + self.offsets).flatten(0, -2)).unflatten(0, codes.shape[:-1])

    def _logits(self, codes: Tensor, label: Tensor | None, condition: Tensor | None) -> Tensor:
        """(C, B * H * W, K) from codes (B, H, W, C)."""
        embedded = self._embed(codes).permute(0, 3, 1, 2)
        # A row down and a column right: v then knows the rows above, h the codes to the left.
        v, h = F.pad(embedded, (0, 0, 1, -1)), F.pad(embedded, (1, -1))
        condition = self._placed(condition, codes)
        for index, layer in enumerate(self.layers):
            v, h = layer(v, h, label, condition)
            if str(index) in self.attention:
                h = h + self.attention[str(index)](h)
        features = h.permute(0, 2, 3, 1).flatten(0, 2)
        return self.head(features, codes.permute(3, 0, 1, 2).flatten(1))

    def _prepare(self, codes: Tensor, label: Tensor | None, condition: Tensor | None) -> Tensor:
        """Checks what `forward` takes, and gives the codes as int64 (B, H, W, C)."""
        num_codebooks = self.config.num_codebooks
        check_codes(codes, self.config.num_codes, num_codebooks)
        if codes.ndim != 3 + (num_codebooks > 1) or not codes.numel():
            shape = "(B, H, W)" if num_codebooks == 1 else f"(B, {num_codebooks}, H, W)"
            raise ValueError(
                f"codes must have the shape {shape} and not be empty, got {tuple(codes.shape)}"
            )
        check_conditions(self.config, label, condition, (len(codes), *codes.shape[-2:]))
        return (codes.movedim(1, -1) if num_codebooks > 1 else codes[..., None]).long()


sample = GatedPixelCNN.sample  # `sample(model, shape, ...)`: the same


def _arrange(logits: Tensor, codes: Tensor) -> Tensor:
    """Logits (C, B * H * W, K) as `PixelCNNOutput` has them, for codes (B, H, W, C)."""
    batch, height, width, num_codebooks = codes.shape
    logits = logits.view(num_codebooks, batch, height, width, -1).permute(1, 0, 4, 2, 3)
    return logits if num_codebooks > 1 else logits[:, 0]
