"""A dynamics model in code space: the codes of a frame, given those before it and the actions.

After section 4.4, where frames follow from a few first ones and from actions, never going back to
pixels. A network looks at the last few maps of codes and at what was done, and says what it found
for each position; a gated PixelCNN is conditioned on that and draws the map of the next frame code
by code, so that its parts agree and nothing is averaged.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from vqvae_lite.networks import check_classes, check_positive_int
from vqvae_lite.pixelcnn import GatedPixelCNN, PixelCNNConfig
from vqvae_lite.quantizer import check_codes
from vqvae_lite.sampling import sample

DILATIONS = (1, 2, 4, 1, 2, 4)  # of the layers over the past: 15 positions to each side and more


@dataclass(frozen=True)
class VideoConfig:
    """What a `VideoPrior` is made from.

    Attributes:
        num_codes: K.
        num_actions: of what is done between two frames; None where nothing is known of it.
        history: frames that are looked at; those before the first one count as empty.
        embedding: dimensions of a code of the past.
        width: channels of the network over the past, and of what it tells the PixelCNN.
        pixelcnn_width: of the PixelCNN.
        num_layers: of the PixelCNN.
        dropout: share in [0, 1) of features that a training pass leaves out, in both networks.
    """

    num_codes: int = 512
    num_actions: int | None = None
    history: int = 4
    embedding: int = 32
    width: int = 96
    pixelcnn_width: int = 48
    num_layers: int = 6
    dropout: float = 0.1

    def __post_init__(self):
        check_positive_int(
            num_codes=self.num_codes,
            history=self.history,
            embedding=self.embedding,
            width=self.width,
        )
        if self.num_actions is not None:
            check_positive_int(num_actions=self.num_actions)
        self.pixelcnn  # noqa: B018  its own settings are checked here

    @property
    def pixelcnn(self) -> PixelCNNConfig:
        """Of the network that draws a frame."""
        return PixelCNNConfig(
            num_codes=self.num_codes,
            width=self.pixelcnn_width,
            num_layers=self.num_layers,
            condition_channels=self.width,
            dropout=self.dropout,
        )


class VideoOutput(NamedTuple):
    """What a `VideoPrior` returns.

    Attributes:
        log_prob: of each frame after the first given those before it, in nats: (B, T - 1).
        loss: nats per code, the mean over all of these; a scalar.
    """

    log_prob: Tensor
    loss: Tensor


class PastBlock(nn.Module):
    """x + conv1(ReLU(conv3(ReLU(x)) + action)): what an action moves depends on what is seen."""

    def __init__(self, config: VideoConfig, dilation: int):
        super().__init__()
        width = config.width
        self.spread = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv2d(width, width, 1)
        self.dropout = nn.Dropout(config.dropout)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, action: Tensor | None) -> Tensor:
        hidden = self.spread(F.relu(x))
        if action is not None:
            hidden = hidden + action[:, :, None, None]
        return x + self.out(self.dropout(F.relu(hidden)))


class Past(nn.Module):
    """The last maps of codes and actions to features of the next frame: (B, width, H, W)."""

    def __init__(self, config: VideoConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.num_codes + 1, config.embedding)  # the last: no frame
        self.mix = nn.Conv2d(config.history * config.embedding, config.width, 3, padding=1)
        self.blocks = nn.ModuleList(PastBlock(config, dilation) for dilation in DILATIONS)
        if config.num_actions is not None:
            # The action that leads to the next frame, and those that led to the frames seen; the
            # last number: no action is known, before the beginning.
            size = len(DILATIONS) * config.width
            self.actions = nn.ModuleList(
                nn.Embedding(config.num_actions + 1, size) for _ in range(config.history)
            )

    def forward(self, codes: Tensor, actions: Tensor | None) -> Tensor:
        """Features of the frame after the last.

        Args:
            codes: integers (B, history, H, W); K where there is no frame.
            actions: integers (B, history): what was done after each of them; `num_actions` where
                there is no frame.
        """
        x = self.mix(self.embedding(codes).permute(0, 1, 4, 2, 3).flatten(1, 2))
        done = [None] * len(self.blocks)
        if actions is not None:
            table = zip(self.actions, actions.unbind(1), strict=True)
            done = sum(embed(action) for embed, action in table).chunk(len(self.blocks), 1)
        for block, action in zip(self.blocks, done, strict=True):
            x = block(x, action)
        return x


class VideoPrior(nn.Module):
    """p(codes of frame t | codes of the frames before it, actions up to it), frame by frame.

    Args:
        config: see `VideoConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    def __init__(self, config: VideoConfig | None = None):
        super().__init__()
        self.config = config = config or VideoConfig()
        self.past = Past(config)
        self.frame = GatedPixelCNN(config.pixelcnn)

    def forward(self, codes: Tensor, actions: Tensor | None = None) -> VideoOutput:
        """Log-likelihood of every frame after the first, all at once.

        Args:
            codes: integers in [0, K), (B, T, H, W), T at least 2.
            actions: integers in [0, num_actions), (B, T - 1): what was done between two frames.
                None for a model without actions.

        Raises:
            TypeError, ValueError: for another dtype, shape or range.
        """
        self._check(codes, actions, codes.shape[1] - 1 if codes.ndim == 4 else 0)
        if codes.shape[1] < 2:
            raise ValueError(f"codes must have at least 2 frames, got {codes.shape[1]}")
        seen, done = self._after_empty(codes[:, :-1], actions)
        # One row for every frame but the last: the frames up to it, and what was done after each.
        history = self.config.history
        windows = seen.unfold(1, history, 1).movedim(-1, 2).flatten(0, 1)
        done = None if done is None else done.unfold(1, history, 1).flatten(0, 1)
        condition = self.past(windows, done)
        out = self.frame(codes[:, 1:].flatten(0, 1), condition=condition)
        return VideoOutput(out.log_prob.view(len(codes), -1), out.loss)

    @torch.no_grad()
    def sample(
        self,
        codes: Tensor,
        frames: int,
        actions: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int | None = None,
        progress: bool = True,
    ) -> Tensor:
        """Draws the next frames one after another, without a look at any pixel (section 4.4).

        Args:
            codes: integers in [0, K), (B, T, H, W): the frames seen, T at least 1.
            frames: how many to draw, N.
            actions: integers in [0, num_actions), (B, T - 1 + N): between the frames seen, and then
                those to follow. None for a model without actions.
            temperature: see `sampling.sample`.
            top_k: see `sampling.sample`.
            seed: decides the sample, together with all other arguments.
            progress: whether to show a bar with the time left.

        Returns:
            int64 (B, N, H, W).

        Raises:
            TypeError, ValueError: for another dtype, shape or range.
        """
        check_positive_int(frames=frames)
        self._check(codes, actions, codes.shape[1] - 1 + frames if codes.ndim == 4 else 0)
        history = self.config.history
        seen, done = self._after_empty(codes, actions)
        for step in tqdm(range(frames), unit="frame", disable=not progress):
            end = seen.shape[1]
            last = None if done is None else done[:, end - history : end]
            drawn = sample(
                self.frame,
                codes.shape[2:],
                batch=len(codes),
                temperature=temperature,
                top_k=top_k,
                seed=None if seed is None else seed * 1_000_003 + step,
                condition=self.past(seen[:, -history:], last),
                progress=False,
            )
            seen = torch.cat([seen, drawn[:, None]], 1)
        return seen[:, -frames:]

    def _after_empty(self, codes: Tensor, actions: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Both after so many empty frames that the first frame, too, ends a whole history."""
        empty = self.config.history - 1
        codes = F.pad(codes.long(), (0, 0, 0, 0, empty, 0), value=self.config.num_codes)
        if actions is not None:
            actions = F.pad(actions.long(), (empty, 0), value=self.config.num_actions)
        return codes, actions

    def _check(self, codes: Tensor, actions: Tensor | None, length: int) -> None:
        """Raises TypeError or ValueError unless codes and `length` actions fit the model."""
        check_codes(codes, self.config.num_codes)
        if codes.ndim != 4 or not codes.numel():
            shape = tuple(codes.shape)
            raise ValueError(
                f"codes must have the shape (B, T, H, W) and not be empty, got {shape}"
            )
        if (actions is None) != (self.config.num_actions is None):
            wanted = "None" if self.config.num_actions is None else "given"
            raise ValueError(f"actions must be {wanted}: see config")
        if actions is not None:
            check_classes("actions", actions, (len(codes), length), self.config.num_actions)
