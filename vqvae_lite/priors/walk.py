"""What a PixelCNN's samples go by: the logits of one position after another.

A full forward pass computes every position anew, though only one of them is new. Here what the
layers have found stays, the rows above and the row so far, and a position costs one position's
work.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vqvae_lite.priors.attention import AttentionCache, CausalAttention
from vqvae_lite.priors.layers import CodeHead, GatedLayer
from vqvae_lite.priors.operations import Array, Operations, operations_for


def walk_map(
    codes: Tensor,
    rows: Sequence[bool],
    label: Tensor | None,
    condition: Tensor | None,
    *,
    vectors: Tensor,
    layers: Sequence[GatedLayer],
    attention: Mapping[int, CausalAttention],
    head: CodeHead,
) -> Iterator[tuple[tuple[int, int, int], Tensor]]:
    """Goes through a map in the order of the factorisation (see `GatedPixelCNN`).

    The vertical stack of a row depends on the rows above alone, so it is computed for the whole
    row at once, as soon as the row above is known. The horizontal stack goes along the row; in each
    layer a position needs its own features and the few to its left; where there is attention, the
    keys and values of all before it, those of the rows included in which nothing is drawn.

    All weights are read once, at the start.

    Args:
        codes: int64 (B, H, W, C); each must be there when the walk goes on after its place.
        rows: which rows to stop in; all codes of the others must be there from the start.
        label: integers (B,), or None.
        condition: (B, condition_channels, H, W), or None.
        vectors: of all codes of all codebooks, (C * K, width); a position has the sum of its own.
        layers: of both stacks.
        attention: after which layers, by number.
        head: gives the logits.

    Yields:
        Row, column and codebook of a place, and its logits (B, K), which the next place overwrites.
    """
    batch, _, columns, num_codebooks = codes.shape
    ops = operations_for(vectors)
    table, known = ops.array(vectors), ops.array(codes)
    offsets = ops.array(head.weight.shape[2] * torch.arange(num_codebooks, device=codes.device))
    empty = vectors.new_zeros(batch, columns, vectors.shape[1])
    above = _RowsAbove(ops, layers, label, condition, empty)
    so_far = _RowSoFar(ops, layers, attention, above.gates, empty, len(rows) * columns)
    logits_of = _Head(ops, head, batch)

    for row, wanted in enumerate(rows):
        above.step(row, table[known[:, row - 1] + offsets].sum(-2) if row else ops.array(empty))
        if not (wanted or attention):
            continue
        for column in range(columns):
            x = so_far.step(column)
            for book in range(num_codebooks if wanted else 0):
                yield (row, column, book), logits_of(x, book)
                if book + 1 < num_codebooks:
                    x = x + logits_of.table[known[:, row, column, book] + offsets[book]]
            if column + 1 < columns:
                so_far.inputs[column + 1][:] = table[known[:, row, column] + offsets].sum(-2)


class _RowsAbove:
    """The vertical stack, row by row, and what comes from it to the gates of the horizontal one.

    Attributes:
        gates: of the last row, (layers, B, W, 2 * width), with label and condition. The half that
            a sigmoid is taken of is halved, as `Operations.gate` wants it.
    """

    def __init__(
        self,
        ops: Operations,
        layers: Sequence[GatedLayer],
        label: Tensor | None,
        condition: Tensor | None,
        like: Tensor,
    ):
        batch, columns, width = self.shape = like.shape
        self.ops, reach = ops, layers[0].reach
        halves = _halves(like)
        self.vertical = [
            ops.array(layer.vertical.weight.permute(3, 2, 1, 0).flatten(0, 2) * halves)
            for layer in layers
        ]
        self.down = [ops.array(layer.down.weight[:, :, 0, 0].T * halves) for layer in layers]
        # What is added to the gates of both stacks, side by side: (layers, B * W, 4 * width).
        halves = halves.repeat(2)
        biases: list[list[Any]] = [[layer.vertical.bias, layer.down.bias] for layer in layers]
        offsets = torch.stack([torch.cat(pair) for pair in biases])[:, None]
        if label is not None:
            offsets = offsets + torch.stack([layer.label(label.long()) for layer in layers])
        offsets = (offsets * halves)[:, :, None].expand(-1, batch, columns, -1)
        self.offsets = ops.array(offsets.flatten(1, 2))
        self.condition = None
        if condition is not None:
            self.condition = ops.array(condition.to(like).permute(2, 0, 3, 1).flatten(1, 2))
            weights = [layer.condition.weight[:, :, 0, 0].T * halves for layer in layers]
            self.local = ops.array(torch.stack(weights))
        # Each layer's last rows, as many as its kernel is high. Those of a position lie side by
        # side, and what a kernel covers does: a convolution is a product with it.
        self.rows = like.new_zeros(len(layers), batch, columns + 2 * reach, reach + 1, width)
        self.newest = ops.array(self.rows[:, :, reach : reach + columns, reach])
        self.covered = [
            ops.array(rows.flatten(2).unfold(1, 2 * reach + 1, 1).movedim(-1, 2))
            for rows in self.rows
        ]
        self.gates = ops.array(like.new_empty(len(layers), batch, columns, 2 * width))
        self.gated = _gate_arrays(ops, like, batch * columns)

    def step(self, row: int, v: Array) -> None:
        """Goes on to this row, where the vectors of the codes above are v, (B, W, width)."""
        ops, (batch, columns, width) = self.ops, self.shape
        x, a, b, gated = self.gated
        self.rows[:, :, :, :-1] = self.rows[:, :, :, 1:].clone()
        offsets = self.offsets
        if self.condition is not None:
            offsets = offsets + self.condition[row] @ self.local
        v = v.reshape(-1, width)
        for index, gates in enumerate(self.gates):
            self.newest[index] = v.reshape(batch, columns, width)
            covered = self.covered[index].reshape(batch * columns, -1)
            ops.affine(offsets[index, :, : 2 * width], covered, self.vertical[index], x)
            ops.gate(x, a, b, gated)
            v = v + gated / 2
            out = gates.reshape(batch * columns, 2 * width)
            ops.affine(offsets[index, :, 2 * width :], v, self.down[index], out)


class _RowSoFar:
    """The horizontal stack, position by position.

    Attributes:
        inputs: of each column, where the vectors of the codes to its left belong: (B, width).
    """

    def __init__(
        self,
        ops: Operations,
        layers: Sequence[GatedLayer],
        attention: Mapping[int, CausalAttention],
        gates: Array,
        like: Tensor,
        length: int,
    ):
        batch, columns, width = like.shape
        self.ops, reach = ops, layers[0].reach
        halves = _halves(like)
        self.weights = [
            (
                ops.array(layer.horizontal.weight[:, :, 0].permute(2, 1, 0).flatten(0, 1) * halves),
                ops.array((layer.out.weight[:, :, 0, 0].T / 2).contiguous()),
            )
            for layer in layers
        ]
        # Each layer's features along the row, with `reach` empty places before it. The view of a
        # place and those left of it is a matrix, and the 1 x n convolution a product with it.
        features = like.new_zeros(len(layers) + 1, batch, reach + columns, width)
        windows = [
            [ops.array(h[:, c : c + reach + 1].flatten(1)) for h in features[:-1]]
            for c in range(columns)
        ]
        places = [[ops.array(h) for h in at] for at in features[:, :, reach:].unbind(2)]
        self.inputs = [at[0] for at in places]
        self.views = [
            list(zip(windows[c], gates[:, :, c], places[c][:-1], places[c][1:], strict=True))
            for c in range(columns)
        ]
        self.gated = _gate_arrays(ops, like, batch)
        self.caches = {
            index: AttentionCache(layer, batch, length, ops) for index, layer in attention.items()
        }

    def step(self, column: int) -> Array:
        """The features of this column, (B, width), when those left of it have been."""
        ops, (x, a, b, gated) = self.ops, self.gated
        for index, (window, gates, h, onward) in enumerate(self.views[column]):
            horizontal, out = self.weights[index]
            ops.affine(gates, window, horizontal, x)
            ops.gate(x, a, b, gated)
            ops.affine(h, gated, out, onward)
            if index in self.caches:
                self.caches[index].step(onward)
        return onward


class _Head:
    """See `CodeHead`: here one codebook after another, at one position."""

    def __init__(self, ops: Operations, head: CodeHead, batch: int):
        self.ops, num_codebooks = ops, len(head.weight)
        self.hidden = ops.array(head.hidden.weight.T.contiguous()), ops.array(head.hidden.bias)
        self.last = list(zip(ops.array(head.weight), ops.array(head.bias), strict=True))
        self.turn = ops.array(head.turn) if num_codebooks > 1 else None
        self.table: Array = ops.array(head.embedding.weight) if num_codebooks > 1 else None
        self.logits = head.weight.new_empty(batch, head.weight.shape[2])
        self.out = ops.array(self.logits)
        self.x = ops.array(head.weight.new_empty(batch, head.weight.shape[1]))

    def __call__(self, x: Array, book: int) -> Tensor:
        """Logits (B, K); x (B, width) holds features plus vectors of the preceding codes."""
        ops = self.ops
        if self.turn is not None:
            x = x + self.turn[book]
        weight, bias = self.hidden
        ops.affine(bias, ops.relu(x), weight, self.x)
        weight, bias = self.last[book]
        ops.affine(bias, ops.relu(self.x), weight, self.out)
        return self.logits


def _halves(like: Tensor) -> Tensor:
    """What the channels of a gate are multiplied with for `Operations.gate`: (2 * width,)."""
    halves = like.new_ones(2 * like.shape[-1])
    halves[like.shape[-1] :] = 0.5
    return halves


def _gate_arrays(ops: Operations, like: Tensor, rows: int) -> tuple[Array, Array, Array, Array]:
    """For what comes to `rows` gates, its halves, and what they let through."""
    width = like.shape[-1]
    x = ops.array(like.new_empty(rows, 2 * width))
    return x, x[:, :width], x[:, width:], ops.array(like.new_empty(rows, width))
