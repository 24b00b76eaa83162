"""What a WaveNet's samples go by: the logits of one step after another, at one step's work each.

A full forward pass computes every step anew, though only one of them is new. Here each layer keeps
a queue of what it has found.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn


def walk_sequence(
    codes: Tensor,
    conditions: Tensor | None,
    *,
    embed: Callable[[Tensor], Tensor],
    taps: Sequence[nn.Linear],
    out: Sequence[nn.Linear],
    skip: nn.Linear,
    head: Callable[[Tensor], Tensor],
    dilations: Sequence[int],
    hop: int,
) -> Iterator[tuple[int, Tensor]]:
    """Goes through a sequence step by step (see `WaveNet`).

    Each layer keeps a queue of as many of its inputs as its dilation is long, so nothing is
    computed twice (Le Paine et al., "Fast Wavenet Generation Algorithm", 2016).

    The inputs that all layers need from earlier are known before a step begins, so one product
    serves all of them; what is left for each layer is its present input. That is so little work
    that starting an operation costs more than doing it: hence few of them, and results that are
    written where the next one reads them. With sigmoid(b) = (1 + tanh(b / 2)) / 2 a gate needs one
    tanh, 2 h = tanh(a) + tanh(a) tanh(b / 2), and the matrices after it take the half.

    Args:
        codes: int64 (B, T); `codes[:, step]` must be there when the walk goes on after its step.
        conditions: what comes to the gates, (B, columns or 1, layers, 2 * width), or None.
        embed: codes (B,) to vectors (B, width).
        taps: of each layer; all weights but the head's are read once, at the start.
        out: of each layer but the last.
        skip: from the gated features of all layers.
        head: from what `skip` gives to the logits.
        dilations: of each layer.
        hop: steps that a column of the conditions stands for.

    Yields:
        Each step and its logits (B, K).
    """
    width, layers = taps[0].in_features // 2, len(taps)
    halves = torch.ones_like(taps[0].bias)
    halves[width:] = 0.5
    weights = torch.stack([tap.weight.T * halves for tap in taps])
    earlier_taps, present_taps = weights[:, :width], weights[:, width:].contiguous().unbind()
    biases = torch.stack([tap.bias * halves for tap in taps])[:, None]
    onward = [linear.weight.T / 2 for linear in out]
    skip_weight = skip.weight.T / 2
    # All queues end to end: (sum of the dilations, B, width).
    lengths = torch.tensor(dilations)
    starts = lengths.cumsum(0) - lengths
    queues = weights.new_zeros(sum(dilations), len(codes), width)
    inputs = weights.new_zeros(layers, len(codes), width)
    gates = weights.new_empty(layers, len(codes), 2 * width)
    skips = weights.new_empty(len(codes), layers, width)
    views = list(
        zip(
            inputs.unbind(),
            gates.unbind(),
            gates[..., :width].unbind(),
            gates[..., width:].unbind(),
            skips.unbind(1),
            strict=True,
        )
    )
    offsets = biases
    for step in range(codes.shape[1]):
        if conditions is not None and step % hop == 0:
            column = min(step // hop, conditions.shape[1] - 1)  # the label's only one, or its own
            offsets = biases + conditions[:, column].transpose(0, 1) * halves
        places = (starts + step % lengths).to(queues.device)
        torch.baddbmm(offsets, queues.index_select(0, places), earlier_taps, out=gates)
        for layer, (x, gate, a, b, h) in enumerate(views):
            gate.addmm_(x, present_taps[layer]).tanh_()
            torch.addcmul(a, a, b, out=h)
            if layer < len(onward):
                torch.addmm(x, h, onward[layer], out=views[layer + 1][0])
        queues.index_copy_(0, places, inputs)
        yield step, head(torch.addmm(skip.bias, skips.flatten(1), skip_weight))
        inputs[0] = embed(codes[:, step])
