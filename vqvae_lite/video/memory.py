"""Which earlier frame of a film showed the same view: known from what was done alone.

Whoever turns away and back, or once around, sees again what was there. A model that looks at the
last few frames has forgotten it by then; one that is handed that earlier frame has not.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def same_view(
    actions: Tensor, turns: tuple[int, ...], circle: int | None, first: int = 1
) -> Tensor:
    """For the frames from `first` on, the last frame before each that looks the same way.

    Only turns may lie between the two: after any other action the place is taken for a new one.

    Args:
        actions: int64 (B, T), from frame 0 to 1, from 1 to 2, and so on, each in [0, A).
        turns: for each of the A actions, by how many steps to one side it turns the view on the
            spot, those to the other side below 0; 0 for an action that may lead elsewhere.
        circle: steps once around; None where no turning leads back to the same view.
        first: from 1 to T; those before it cost no work.

    Returns:
        int64 (B, T - first + 1): numbers of frames, at [b, t] one from 0 to first + t - 1 for
        frame first + t; -1 for none.
    """
    turned = torch.tensor(turns, device=actions.device)[actions]
    heading, place = (F.pad(each.cumsum(1), (1, 0)) for each in (turned, (turned == 0).long()))
    apart = heading[:, first:, None] - heading[:, None, :-1]
    if circle is not None:
        apart = apart % circle
    same = (apart == 0) & (place[:, first:, None] == place[:, None, :-1])
    frames = torch.arange(actions.shape[1], device=actions.device)
    return torch.where(same.tril(first - 1), frames, -1).amax(-1)
