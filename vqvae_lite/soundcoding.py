"""Whole utterances, of any length, to the codes of a `SoundVQVAE` and back."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vqvae_lite.mulaw import to_levels, to_wave
from vqvae_lite.soundmodel import SoundVQVAE

SILENCE = 128  # the level of a wave at rest


def whole_hops(wave: Tensor, hop: int) -> Tensor:
    """The levels of a wave (T,), followed by silence up to a multiple of the hop: uint8 (T',).

    Raises:
        TypeError, ValueError: as `mulaw.to_levels`.
    """
    return F.pad(to_levels(wave), (0, -len(wave) % hop), value=SILENCE)


def encode_wave(model: SoundVQVAE, wave: Tensor) -> Tensor:
    """The codes of one wave, by the model as it is: int64 (ceil(T / hop),) on the CPU.

    Args:
        model: in eval mode, on any device.
        wave: floating point (T,) in [-1, 1], at the rate that the model was trained at.
    """
    levels = whole_hops(wave, model.config.hop).to(_device(model))
    return model.encode(levels[None])[0].cpu()


def decode_waves(
    model: SoundVQVAE,
    codes: Sequence[Tensor],
    speakers: Sequence[int],
    *,
    temperature: float = 1.0,
    seed: int | None = None,
    batch_size: int = 32,
    progress: bool = True,
) -> Iterator[tuple[int, Tensor]]:
    """Draws a wave for each row of codes, in batches of rows of about the same length.

    In a batch the shorter rows are made as long as the longest by repeating their last code, and
    what this adds is cut away. So a wave follows from the seed and all of the rows together.

    Args:
        model: in eval mode, on any device.
        codes: integers in [0, K), (n,) each.
        speakers: of each row, in [0, num_speakers).
        temperature: see `SoundVQVAE.decode`.
        seed: decides the waves, together with all other arguments.
        batch_size: how many rows at a time.
        progress: whether to show a bar for each batch.

    Yields:
        The place of a row, and its wave, float32 (n * hop,) on the CPU; short rows come first.

    Raises:
        TypeError, ValueError: as `SoundVQVAE.decode`.
    """
    order = sorted(range(len(codes)), key=lambda place: len(codes[place]))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        longest = len(codes[batch[-1]])
        rows = [
            torch.cat([codes[place], codes[place][-1:].expand(longest - len(codes[place]))])
            for place in batch
        ]
        levels = model.decode(
            torch.stack(rows).to(_device(model)),
            torch.tensor([speakers[place] for place in batch], device=_device(model)),
            temperature=temperature,
            seed=None if seed is None else seed + start,
            progress=progress,
        )
        for place, row in zip(batch, to_wave(levels.cpu()), strict=True):
            yield place, row[: len(codes[place]) * model.config.hop]


def _device(model: SoundVQVAE) -> torch.device:
    return next(model.parameters()).device
