"""What samples go by: the logits of one position after another, at one position's work for each.

A full forward pass computes every position anew, though only one of them is new. Here what the
layers have found stays: in a `GatedPixelCNN` the rows above and the row so far, in a `WaveNet` a
queue for each layer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from vqvae_lite.priors.attention import AttentionCache, CausalAttention
from vqvae_lite.priors.layers import CodeHead, GatedLayer, gated


def walk_map(
    codes: Tensor,
    rows: Sequence[bool],
    label: Tensor | None,
    condition: Tensor | None,
    *,
    embed: Callable[[Tensor], Tensor],
    layers: Sequence[GatedLayer],
    attention: Mapping[int, CausalAttention],
    head: CodeHead,
) -> Iterator[tuple[tuple, Tensor]]:
    """Goes through a map in the order of the factorisation (see `GatedPixelCNN`).

    The vertical stack of a row depends on the rows above alone, so it is computed for the whole
    row at once, as soon as the row above is known; of its features only the last rows are kept, as
    many as the kernel is high. The horizontal stack goes along the row; in each layer a position
    needs its own features and the few to its left; where there is attention, the keys and values
    of all before it, those of the rows included in which nothing is drawn.

    Args:
        codes: int64 (B, H, W, C); each must be there when the walk goes on after its place.
        rows: which rows to stop in; all codes of the others must be there from the start.
        label: integers (B,), or None.
        condition: (B, condition_channels, H, W), or None.
        embed: codes (..., C) to vectors (..., width).
        layers: their weights are read once, at the start.
        attention: after which layers, by number.
        head: gives the logits.

    Yields:
        The index of a place in `codes`, and its logits (B, K).
    """
    batch, _, width, num_codebooks = codes.shape
    reach, channels = layers[0].reach, head.hidden.in_features
    empty = head.weight.new_zeros(batch, max(reach, 1), width, channels)  # rows above the map
    above = [empty[:, :reach]] * len(layers)
    # Each layer's features along the row, with `reach` empty places before it. The view of a
    # place and those left of it is a matrix, and the 1 x n convolution a product with it.
    features = empty.new_zeros(len(layers) + 1, batch, reach + width, channels)
    windows = [[h[:, c : c + reach + 1].flatten(1) for c in range(width)] for h in features[:-1]]
    places = [h[:, reach:].unbind(1) for h in features]
    horizontal = [
        layer.horizontal.weight[:, :, 0].permute(2, 1, 0).flatten(0, 1) for layer in layers
    ]
    out = [layer.out.weight[:, :, 0, 0].t().contiguous() for layer in layers]
    caches = {
        index: AttentionCache(layer, empty[:, 0, 0], len(rows) * width)
        for index, layer in attention.items()
    }

    for row, wanted in enumerate(rows):
        v = (embed(codes[:, row - 1 : row]) if row else empty[:, :1]).permute(0, 3, 1, 2)
        local = None if condition is None else condition[:, :, row : row + 1].to(v)
        gates = []
        for index, layer in enumerate(layers):
            seen = torch.cat([above[index], v.permute(0, 2, 3, 1)], 1)
            above[index] = seen[:, 1:]
            v, from_above = layer.from_above(seen.permute(0, 3, 1, 2), label, local)
            gates.append(from_above[:, :, 0].permute(2, 0, 1).contiguous().unbind(0))
        if not (wanted or caches):
            continue
        for column in range(width):
            for index in range(len(layers)):
                x = torch.addmm(gates[index][column], windows[index][column], horizontal[index])
                h, following = places[index][column], places[index + 1][column]
                torch.addmm(h, gated(x), out[index], out=following)
                if index in caches:
                    following += caches[index].step(following)
            x = places[-1][column]
            for book in range(num_codebooks if wanted else 0):
                place = slice(None), row, column, book
                yield place, head.step(x, book)
                if book + 1 < num_codebooks:
                    x = x + head.embedding(codes[place] + head.offsets[book])
            if column + 1 < width:
                places[0][column + 1].copy_(embed(codes[:, row, column]))


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
