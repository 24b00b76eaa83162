"""Samples from a `GatedPixelCNN`, at the cost of one position's work for each position.

A full forward pass computes every position of the map anew, though only one of them is new. Here
what the layers have found stays. The vertical stack of a row depends on the rows above alone, so it
is computed for the whole row at once, as soon as the row above is known. The horizontal stack goes
along the row; in each layer a position needs its own features and the few to its left.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from tqdm.auto import tqdm

from vqvae_lite.checks import check_positive_int
from vqvae_lite.priors.drawing import check_conditions, check_sharpness, draw, generator_for
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, gated


@torch.no_grad()
def sample(
    model: GatedPixelCNN,
    shape: tuple[int, int],
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

    The model is used as in eval mode, in its own precision, and not changed. Of each layer's
    features only the last rows are kept, as many as its kernel is high.

    Args:
        model: on any device; the sample is drawn there.
        shape: height and width of the maps.
        batch: B, how many maps to draw, all at once.
        temperature: what the logits are divided by, above 0; below 1 sharpens the distribution.
        top_k: draws among the k most probable codes alone, 1 to K; None draws among all.
        seed: decides the sample, together with all other arguments; None draws one from torch's
            default generator.
        label: integers in [0, num_classes), (B,), where the model has classes.
        condition: floating point (B, condition_channels, H, W), where the model has them.
        given: integers (B, H, W) or (B, C, H, W): codes to keep, and -1 where one is to be drawn.
            Each is drawn given the codes before it in the order of the factorisation; what is
            given after it has no influence on it.
        progress: whether to show a bar with the time left.

    Returns:
        int64 codes, (B, H, W), or (B, C, H, W) with C > 1 codebooks.

    Raises:
        TypeError, ValueError: for an argument of another type, shape or range, or a model with
            NaN or Inf among its weights.
    """
    config, device = model.config, model.head.weight.device
    if len(shape) != 2:
        raise ValueError(f"shape must be a height and a width, got {shape!r}")
    height, width = shape
    check_positive_int(height=height, width=width, batch=batch)
    check_sharpness(temperature, top_k, config.num_codes)
    check_conditions(config, label, condition, (batch, height, width))
    if given is None:
        codes = torch.full((batch, height, width, config.num_codebooks), -1, device=device)
    else:
        codes = _arrange_given(given, model, batch, height, width)
    rows = (codes < 0).flatten(2).any(2).any(0).tolist()  # those with a code to draw
    generator = generator_for(model, device, seed)

    bar = tqdm(total=sum(rows) * width, unit="position", disable=not progress)
    with bar, torch.autocast(device.type, enabled=False):
        for place, logits in _walk(model, codes, label, condition, rows):
            drawn = draw(logits, temperature, top_k, generator)
            codes[place] = torch.where(codes[place] < 0, drawn, codes[place])
            bar.update(place[-1] + 1 == config.num_codebooks)
    return codes.movedim(-1, 1).contiguous() if config.num_codebooks > 1 else codes[..., 0]


@torch.no_grad()
def cached_logits(
    model: GatedPixelCNN,
    codes: Tensor,
    label: Tensor | None = None,
    condition: Tensor | None = None,
) -> Tensor:
    """The logits that `sample` goes by, at each position of maps that are known already.

    They are those of `model.eval()`, which gives them faster: this is there to compare the two.

    Args:
        model: as for `sample`.
        codes: as for `GatedPixelCNN.forward`.
        label: as for `sample`.
        condition: as for `sample`.

    Returns:
        (B, K, H, W) or (B, C, K, H, W), in the precision of the model.

    Raises:
        TypeError, ValueError: as `GatedPixelCNN.forward`.
    """
    codes, label, condition = model.prepare(codes, label, condition)
    result = model.head.weight.new_empty(*codes.shape, model.config.num_codes)
    with torch.autocast(codes.device.type, enabled=False):
        for place, logits in _walk(model, codes, label, condition, [True] * codes.shape[1]):
            result[place] = logits
    result = result.permute(0, 3, 4, 1, 2)
    return result if model.config.num_codebooks > 1 else result[:, 0]


def _walk(
    model: GatedPixelCNN,
    codes: Tensor,
    label: Tensor | None,
    condition: Tensor | None,
    rows: list[bool],
) -> Iterator[tuple[tuple, Tensor]]:
    """Goes through a map in the order of the factorisation.

    Args:
        model: its weights are read once, at the start.
        codes: int64 (B, H, W, C); each must be there when the walk goes on after its place.
        label: integers (B,), or None.
        condition: (B, condition_channels, H, W), or None.
        rows: which rows to stop in; all codes of the others must be there from the start.

    Yields:
        The index of a place in `codes`, and its logits (B, K).
    """
    batch, _, width, num_codebooks = codes.shape
    layers, head, reach = model.layers, model.head, model.layers[0].reach
    channels = model.config.width
    label = None if label is None else label.long()
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

    for row, wanted in enumerate(rows):
        v = model.embed(codes[:, row - 1 : row]) if row else empty[:, :1].permute(0, 3, 1, 2)
        local = None if condition is None else condition[:, :, row : row + 1].to(v)
        gates = []
        for index, layer in enumerate(layers):
            seen = torch.cat([above[index], v.permute(0, 2, 3, 1)], 1)
            above[index] = seen[:, 1:]
            v, from_above = layer.from_above(seen.permute(0, 3, 1, 2), label, local)
            gates.append(from_above[:, :, 0].permute(2, 0, 1).contiguous().unbind(0))
        if not wanted:
            continue
        for column in range(width):
            for index in range(len(layers)):
                x = torch.addmm(gates[index][column], windows[index][column], horizontal[index])
                h, following = places[index][column], places[index + 1][column]
                torch.addmm(h, gated(x), out[index], out=following)
            x = places[-1][column]
            for book in range(num_codebooks):
                place = slice(None), row, column, book
                yield place, head.step(x, book)
                if book + 1 < num_codebooks:
                    x = x + head.embedding(codes[place] + head.offsets[book])
            if column + 1 < width:
                places[0][column + 1].copy_(model.embedding(codes[:, row, column] + model.offsets))


def _arrange_given(
    given: Tensor, model: GatedPixelCNN, batch: int, height: int, width: int
) -> Tensor:
    """A copy of the given codes as int64 (B, H, W, C), -1 where there is none, if they fit."""
    num_codes, num_codebooks = model.config.num_codes, model.config.num_codebooks
    if given.is_floating_point() or given.dtype == torch.bool:
        raise TypeError(f"given must be integers, got {given.dtype}")
    full = (batch, height, width) if num_codebooks == 1 else (batch, num_codebooks, height, width)
    if given.shape != full:
        raise ValueError(f"given must have the shape {full}, got {tuple(given.shape)}")
    low, high = (bound.item() for bound in torch.aminmax(given))
    if low < -1 or high >= num_codes:
        raise ValueError(
            f"given must lie in [0, {num_codes}), or be -1 where unknown, "
            f"got values from {low} to {high}"
        )
    codes = given.movedim(1, -1) if num_codebooks > 1 else given[..., None]
    return codes.long().clone().to(model.head.weight.device)
