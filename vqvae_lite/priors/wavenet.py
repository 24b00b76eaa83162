"""WaveNet: a distribution over sequences of codes, one after another, fast to train and to sample.

Source: van den Oord, Dieleman, Zen, Simonyan, Vinyals, Graves, Kalchbrenner, Senior and
Kavukcuoglu, "WaveNet: A Generative Model for Raw Audio" (2016). With K = 256 mu-law levels it is
the decoder of the VQ-VAE's speech model (section 4.3 of the VQ-VAE paper), conditioned on codes
and a speaker; over the codes themselves it is the prior that unconditional speech is drawn from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from vqvae_lite.checks import check_codes, check_positive_int, check_real, config_or_default
from vqvae_lite.modules import device_of, evaluating
from vqvae_lite.priors.drawing import check_conditions, check_sharpness, draw, generator_for
from vqvae_lite.priors.sampling import walk_sequence

MAX_LAYERS_PER_CYCLE = 24  # the last then looks back 8 million steps, 9 minutes at 16,000 a second


@dataclass(frozen=True)
class WaveNetConfig:
    """What a `WaveNet` is made from.

    Attributes:
        num_codes: K, the values that a step can take.
        width: channels of every layer.
        skip_width: channels of the sum of all layers, and between it and the logits.
        num_cycles: how often the dilations start again from 1.
        layers_per_cycle: dilations 1, 2, 4, ... of a cycle. All in all a step sees the
            num_cycles * (2 ** layers_per_cycle - 1) + 1 steps before it.
        num_classes: of the label to condition on (the speaker); None for no label.
        condition_channels: of the features to condition on; None for none.
        hop: steps that one column of these features stands for.
        dropout: share in [0, 1) of the gated features that a training pass leaves out.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    num_codes: int = 256
    width: int = 64
    skip_width: int = 128
    num_cycles: int = 2
    layers_per_cycle: int = 10
    num_classes: int | None = None
    condition_channels: int | None = None
    hop: int = 1
    dropout: float = 0.0

    def __post_init__(self):
        sizes = asdict(self)
        del sizes["dropout"]
        check_positive_int(**{name: size for name, size in sizes.items() if size is not None})
        if self.layers_per_cycle > MAX_LAYERS_PER_CYCLE:
            raise ValueError(
                f"layers_per_cycle must be at most {MAX_LAYERS_PER_CYCLE}, "
                f"got {self.layers_per_cycle}"
            )
        check_real(dropout=self.dropout)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")

    @property
    def dilations(self) -> list[int]:
        """Of each layer, in their order."""
        return [2**layer for layer in range(self.layers_per_cycle)] * self.num_cycles

    @property
    def receptive_field(self) -> int:
        """How many steps before it a step is predicted from."""
        return sum(self.dilations) + 1


class WaveNetOutput(NamedTuple):
    """What a `WaveNet` returns, float32 or better.

    Attributes:
        logits: of every step, given those before it: (B, K, T).
        log_prob: of each whole sequence, in nats: (B,), at most 0.
        loss: what training minimises: nats per step, the mean over the batch; a scalar.
    """

    logits: Tensor
    log_prob: Tensor
    loss: Tensor


class WaveNet(nn.Module):
    """p(codes) = product over t of p(code t given the codes before it, label and condition).

    A layer is a causal convolution of two taps, `dilation` steps apart, and a gate:

        h = tanh(a) * sigmoid(b),  (a, b) = W0 x[t - dilation] + W1 x[t] + conditions,

    and x + W h goes to the next layer, if there is one. The h of all layers are the skip
    connections: together they are projected to the features that the logits come from. Inside,
    channels come last.

    Args:
        config: see `WaveNetConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "wavenet"  # what checkpoints call it

    def __init__(self, config: WaveNetConfig | None = None):
        super().__init__()
        self.config = config = config_or_default(config, WaveNetConfig)
        width, layers = config.width, config.num_cycles * config.layers_per_cycle
        self.embedding = nn.Embedding(config.num_codes, width)
        # Earlier step and present one side by side; the next layer's bias serves `out` as well.
        self.taps = nn.ModuleList(nn.Linear(2 * width, 2 * width) for _ in range(layers))
        self.out = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(layers - 1))
        self.skip = nn.Linear(layers * width, config.skip_width)
        self.hidden = nn.Linear(config.skip_width, config.skip_width)
        self.head = nn.Linear(config.skip_width, config.num_codes)
        # The logits start at zero, the uniform distribution; the label without influence.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.dropout = nn.Dropout(config.dropout)
        if config.num_classes is not None:
            self.label = nn.Embedding(config.num_classes, layers * 2 * width)
            nn.init.zeros_(self.label.weight)
        if config.condition_channels is not None:
            self.condition = nn.Linear(config.condition_channels, layers * 2 * width, bias=False)

    def forward(
        self, codes: Tensor, label: Tensor | None = None, condition: Tensor | None = None
    ) -> WaveNetOutput:
        """The distribution of every step, given those before it.

        Args:
            codes: integers in [0, K), (B, T); T a multiple of `hop` where there is a condition.
            label: integers in [0, num_classes), (B,), where the model has classes.
            condition: floating point (B, condition_channels, T / hop), where the model has them.

        Raises:
            TypeError, ValueError: for another dtype, shape or range, and for a label or condition
                that is missing or not expected.
        """
        codes = self._prepare(codes, label, condition)
        # One step later: what is known of step t is what came before it.
        x = F.pad(self.embedding(codes), (0, 0, 1, -1))
        if torch.is_autocast_enabled(x.device.type):
            # Else the sums with half-precision features would all go back and forth.
            x = x.to(torch.get_autocast_dtype(x.device.type))
        conditions = self._conditions(label, condition)
        gated = []
        for layer, dilation in enumerate(self.config.dilations):
            earlier = F.pad(x, (0, 0, dilation, 0))[:, : x.shape[1]]
            gates = self.taps[layer](torch.cat([earlier, x], 2))
            if conditions is not None:
                # One column serves `hop` steps.
                columns = gates.unflatten(1, (conditions.shape[1], -1))
                gates = (columns + conditions[:, :, None, layer]).flatten(1, 2)
            a, b = gates.chunk(2, dim=2)
            gated.append(self.dropout(torch.tanh(a) * torch.sigmoid(b)))
            if layer < len(self.out):
                x = x + self.out[layer](gated[-1])
        logits = self._head(self.skip(torch.cat(gated, 2)))
        logits = (logits if logits.dtype == torch.float64 else logits.float()).transpose(1, 2)
        log_prob = -F.cross_entropy(logits, codes, reduction="none").sum(1)
        return WaveNetOutput(logits, log_prob, -log_prob.sum() / codes.numel())

    def log_prob(
        self, codes: Tensor, label: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Log p(codes) of each sequence, in nats: (B,), in eval mode, whatever mode it is in.

        Args and errors are those of `forward`, which training goes by.
        """
        with evaluating(self):
            return self(codes, label, condition).log_prob

    @torch.no_grad()
    def sample(
        self,
        length: int,
        *,
        batch: int = 1,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int | None = None,
        label: Tensor | None = None,
        condition: Tensor | None = None,
        progress: bool = True,
    ) -> Tensor:
        """Draws sequences step by step, at the cost of one step's work for each step.

        In eval mode, whatever mode the model is in, and in its own precision. Nothing is computed
        twice (see `sampling.walk_sequence`).

        Args:
            length: T, how many steps.
            batch: B, how many sequences to draw, all at once.
            temperature: what the logits are divided by, above 0; below 1 is safer and duller.
            top_k: draws among the k most probable codes alone, 1 to K; None draws among all.
            seed: decides the sample, together with all other arguments; None draws one from
                torch's default generator.
            label: as for `forward`.
            condition: as for `forward`.
            progress: whether to show a bar with the time left.

        Returns:
            int64 codes (B, length), on the model's device.

        Raises:
            TypeError, ValueError: for an argument of another type, shape or range, or a model
                with NaN or Inf among its weights.
        """
        check_positive_int(length=length, batch=batch)
        check_sharpness(temperature, top_k, self.config.num_codes)
        self._check_conditions(label, condition, batch, length)
        device = device_of(self)
        generator = generator_for(self, device, seed)
        codes = torch.empty(batch, length, dtype=torch.int64, device=device)
        with evaluating(self), torch.autocast(device.type, enabled=False):
            steps = tqdm(
                self._walk(codes, label, condition),
                total=length,
                unit="step",
                disable=not progress,
            )
            for step, logits in steps:
                codes[:, step] = draw(logits, temperature, top_k, generator)
        return codes

    @torch.no_grad()
    def cached_logits(
        self, codes: Tensor, label: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """The logits that `sample` goes by, for codes that are known: to compare with `forward`.

        Args and errors are those of `forward`.

        Returns:
            (B, K, T), in the precision of the model.
        """
        codes = self._prepare(codes, label, condition)
        with evaluating(self), torch.autocast(codes.device.type, enabled=False):
            logits = [logits for _, logits in self._walk(codes, label, condition)]
        return torch.stack(logits, 2)

    def _walk(
        self, codes: Tensor, label: Tensor | None, condition: Tensor | None
    ) -> Iterator[tuple[int, Tensor]]:
        """See `sampling.walk_sequence`."""
        return walk_sequence(
            codes,
            self._conditions(label, condition),
            embed=self.embedding,
            taps=cast("Sequence[nn.Linear]", self.taps),
            out=cast("Sequence[nn.Linear]", self.out),
            skip=self.skip,
            head=self._head,
            dilations=self.config.dilations,
            hop=self.config.hop,
        )

    def _conditions(self, label: Tensor | None, condition: Tensor | None) -> Tensor | None:
        """What label and condition add to the gates: (B, columns or 1, layers, 2 * width)."""
        parts: list[Tensor] = []
        if label is not None:
            parts.append(self.label(label.long())[:, None])
        if condition is not None:
            parts.append(self.condition(condition.transpose(1, 2)))
        return sum(parts[1:], parts[0]).unflatten(2, (len(self.taps), -1)) if parts else None

    def _head(self, skips: Tensor) -> Tensor:
        """The sum of the skip connections, (..., skip_width), to logits (..., K)."""
        return self.head(F.relu(self.hidden(F.relu(skips))))

    def _prepare(self, codes: Tensor, label: Tensor | None, condition: Tensor | None) -> Tensor:
        """Checks what `forward` takes, and gives the codes as int64."""
        check_codes(codes, self.config.num_codes)
        if codes.ndim != 2 or not codes.numel():
            shape = tuple(codes.shape)
            raise ValueError(f"codes must have the shape (B, T) and not be empty, got {shape}")
        self._check_conditions(label, condition, *codes.shape)
        return codes.long()

    def _check_conditions(
        self, label: Tensor | None, condition: Tensor | None, batch: int, length: int
    ) -> None:
        """Raises TypeError or ValueError unless label and condition fit the model and (B, T)."""
        hop = self.config.hop
        if condition is not None and length % hop:
            raise ValueError(f"the length must be a multiple of the hop, {hop}; got {length}")
        check_conditions(self.config, label, condition, (batch, length // hop))
