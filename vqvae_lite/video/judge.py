"""A judge of films: which action lies between two frames. It tells whether imagined ones follow."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.checks import check_positive_int
from vqvae_lite.images import check_uint8
from vqvae_lite.modules import evaluating

_SIDE = 42  # pixels of the frames as the judge sees them


class ActionJudge(nn.Module):
    """Two frames to the action between them: three convolutions and a linear layer.

    Args:
        num_actions: A.
    """

    def __init__(self, num_actions: int):
        super().__init__()
        check_positive_int(num_actions=num_actions)
        self.layers = nn.Sequential(
            nn.Conv2d(6, 24, 5, stride=2, padding=2), nn.ReLU(),
            nn.Conv2d(24, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(32 * 6 * 6, num_actions),
        )  # fmt: skip

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Logits (B, A) from uint8 frames (B, 3, H, W), one step apart.

        Raises:
            TypeError: the frames are not uint8.
        """
        return self.layers(torch.cat([_look(before), _look(after)], 1))

    @torch.no_grad()
    def name(self, frames: Tensor) -> Tensor:
        """The most probable action between each two frames: int64 (T - 1,) from uint8 (T, 3, H, W).

        Raises:
            TypeError: the frames are not uint8.
        """
        with evaluating(self):
            return self(frames[:-1], frames[1:]).argmax(1)


def train_judge(
    films: Iterable[tuple[Tensor, Tensor]],
    num_actions: int,
    *,
    mirrored: dict[int, int] | None = None,
    steps: int = 400,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> ActionJudge:
    """A judge trained on films whose actions are known; the same each time.

    Args:
        films: uint8 frames (T, 3, H, W) of one size, and int64 actions (T - 1,), for each.
        num_actions: A.
        mirrored: what an action becomes where left and right of the frames are swapped, such as
            {1: 2, 2: 1}: half of the pairs are then shown mirrored. None shows them as they are.
        steps: of Adam.
        batch_size: pairs a step.
        learning_rate: at the start; it falls to 0 along half a cosine.
        seed: of weights, order and mirrors.

    Returns:
        The judge, in eval mode.
    """
    seen, first, actions = [], [], []  # what the judge sees of all frames, where its pairs begin
    for frames, between in films:
        first.append(torch.arange(len(between)) + sum(map(len, seen)))
        seen.append(_look(frames))
        actions.append(between)
    seen, first, actions = torch.cat(seen), torch.cat(first), torch.cat(actions)
    swapped = torch.arange(num_actions)
    for action, other in (mirrored or {}).items():
        swapped[action] = other
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = ActionJudge(num_actions)
        optimizer = torch.optim.Adam(judge.parameters(), lr=learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            chosen = torch.randint(len(first), (batch_size,))
            before = first[chosen]
            pair, action = torch.cat([seen[before], seen[before + 1]], 1), actions[chosen]
            if mirrored and torch.rand(()) < 0.5:
                pair, action = pair.flip(-1), swapped[action]
            loss = F.cross_entropy(judge.layers(pair), action)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return judge.eval()


def _look(frames: Tensor) -> Tensor:
    """uint8 frames (B, 3, H, W) as the judge sees them: float32 (B, 3, 42, 42) in [-1, 1]."""
    check_uint8(frames)
    return F.interpolate(frames.float() / 127.5 - 1, (_SIDE, _SIDE), mode="area")
