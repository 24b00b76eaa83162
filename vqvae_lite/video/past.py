"""What a dynamics model looks at: the last few maps of codes, and what was done (section 4.4).

With a memory it looks at one more: the last map, however long ago, that showed the same view as the
one to come (`memory.py`).
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.checks import check_ints, check_positive_int, check_real
from vqvae_lite.priors.pixelcnn import PixelCNNConfig

MOST_TURNS = 1_000_000  # steps by which one action turns
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
        num_layers: of the PixelCNN; 0 for none: every code is then drawn at once.
        dropout: share in [0, 1) of features that a training pass leaves out, in both networks.
        own_draws: in [0, 1], the largest share of the past codes that a training pass replaces by
            the model's own draws: a past that errs, as its films do, instead of one that is always
            right. Each film of a batch draws its share between 0 and this.
        turns: makes a model that remembers: for each action, by how many steps it turns the view on
            the spot, and 0 if it may lead elsewhere, such as (0, 1, -1). Empty for no memory.
        circle: steps once around, for a model that remembers; None: turns never lead around.
    """

    num_codes: int = 512
    num_actions: int | None = None
    history: int = 4
    embedding: int = 32
    width: int = 96
    pixelcnn_width: int = 48
    num_layers: int = 6
    dropout: float = 0.1
    own_draws: float = 0.0
    turns: tuple[int, ...] = ()
    circle: int | None = None

    def __post_init__(self):
        check_positive_int(
            num_codes=self.num_codes,
            history=self.history,
            embedding=self.embedding,
            width=self.width,
        )
        if self.num_actions is not None:
            check_positive_int(num_actions=self.num_actions)
        check_real(own_draws=self.own_draws)
        if not 0 <= self.own_draws <= 1:
            raise ValueError(f"own_draws must be in [0, 1], got {self.own_draws}")
        if self.num_layers == 0 and not isinstance(self.num_layers, bool):
            PixelCNNConfig(dropout=self.dropout)
        else:
            self.pixelcnn  # noqa: B018  its own settings are checked here
        turns = list(self.turns) if isinstance(self.turns, tuple) else self.turns
        check_ints("turns", turns, least=-MOST_TURNS, most=MOST_TURNS)
        object.__setattr__(self, "turns", tuple(turns))  # JSON has lists alone
        if self.turns and len(self.turns) != self.num_actions:
            raise ValueError(
                f"turns must be of all num_actions, {self.num_actions}; got {self.turns}"
            )
        if self.circle is not None:
            check_positive_int(circle=self.circle)
            if not self.turns:
                raise ValueError(f"circle is for a model with turns, got {self.circle} and none")

    @property
    def num_maps(self) -> int:
        """How many maps of codes it looks at."""
        return self.history + (1 if self.turns else 0)

    @property
    def pixelcnn(self) -> PixelCNNConfig:
        """Of the network that draws a frame code by code."""
        return PixelCNNConfig(
            num_codes=self.num_codes,
            width=self.pixelcnn_width,
            num_layers=self.num_layers,
            condition_channels=self.width,
            dropout=self.dropout,
        )


class PastBlock(nn.Module):
    """x + conv1(ReLU(conv3(ReLU(x)) + action)): what an action moves depends on what is seen."""

    def __init__(self, config: VideoConfig, dilation: int):
        super().__init__()
        width = config.width
        self.spread = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv2d(width, width, 1)
        self.dropout = nn.Dropout(config.dropout)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

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
        self.mix = nn.Conv2d(config.num_maps * config.embedding, config.width, 3, padding=1)
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
            codes: integers (B, num_maps, H, W); K where there is no frame. The last `history`
                frames and, for a model that remembers, the one of the same view.
            actions: integers (B, history): what was done after each of them; `num_actions` where
                there is no frame.
        """
        x = self.mix(self.embedding(codes).permute(0, 1, 4, 2, 3).flatten(1, 2))
        vectors = [None] * len(self.blocks)  # one for each block
        if actions is not None:
            table = zip(self.actions, actions.unbind(1), strict=True)
            each: list[Tensor] = [embed(action) for embed, action in table]
            vectors = sum(each[1:], each[0]).chunk(len(self.blocks), 1)
        for block, action in zip(self.blocks, vectors, strict=True):
            x = block(x, action)
        return x
