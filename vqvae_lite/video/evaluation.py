"""A dynamics model measured: what a code of the next frame costs, and of one further ahead."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vqvae_lite.checks import check_positive_int
from vqvae_lite.images import to_uint8
from vqvae_lite.metrics import psnr
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import device_of, with_float64
from vqvae_lite.video.model import VideoPrior

FRAMES_AT_ONCE = 32


class Ahead(NamedTuple):
    """How near imagined frames come to the true ones; each (N,), by the frames ahead.

    Attributes:
        accuracy: share of the codes that are the true ones.
        psnr_decoded: mean PSNR, dB, against the true codes, decoded.
        psnr_frame: mean PSNR, dB, against the true frames.
    """

    accuracy: Tensor
    psnr_decoded: Tensor
    psnr_frame: Tensor


@torch.no_grad()
def nats_per_video_code(
    prior: VideoPrior, codes: Sequence[Tensor], actions: Sequence[Tensor] | None, first: int = 1
) -> float:
    """What a code costs given all frames before it, the mean over clips; log K if uniform.

    It is not `nats_per_code`, since the first frames are given and not counted, and a clip, long as
    it may be, comes in pieces: each with the frames before it, of which only those that the model
    looks at cost time.

    Args:
        prior: on any device; measured in eval mode and given back in the mode it was in.
        codes: int64 (T, h, w) of each clip.
        actions: int64 (T - 1,) of each clip; None for a model without actions.
        first: frames at the beginning of each clip that are not counted.

    Raises:
        TypeError, ValueError: as `VideoPrior.forward`, or no frame is left to be counted.
    """
    check_positive_int(first=first)
    device = device_of(prior)
    total, count = 0.0, 0
    for clip, frames in enumerate(codes):
        film = frames[None].to(device)
        between = None if actions is None else actions[clip][None].to(device)
        for start in range(first, len(frames), FRAMES_AT_ONCE):
            end = min(start + FRAMES_AT_ONCE, len(frames))
            before = None if between is None else between[:, : end - 1]
            total -= prior.log_prob(film[:, :end], before, first=start).item()
            count += (end - start) * frames[0].numel()
    if not count:
        raise ValueError(f"there are no frames to measure after the first {first} of each clip")
    return total / count


@torch.no_grad()
def nats_ahead(
    prior: VideoPrior, seen: Tensor, imagined: Tensor, true: Tensor, actions: Tensor | None
) -> Tensor:
    """What a code of each true frame costs where the frames between were imagined.

    Frame h ahead is judged given the frames seen and the h - 1 imagined. Its cost under the model,
    whatever may lie between, is an expectation over these; by Jensen's inequality the mean of what
    is found here is at least that.

    Args:
        prior: on the device of the codes; measured in eval mode and given back in its mode.
        seen: int64 (B, T, h, w).
        imagined: int64 (B, N - 1, h, w) at least, from `VideoPrior.sample`.
        true: int64 (B, N, h, w), what came after the frames seen.
        actions: integers (B, T - 1 + N), or None.

    Returns:
        Nats per code, float64 (B, N).

    Raises:
        TypeError, ValueError: as `VideoPrior.forward`.
    """
    nats = []
    for ahead in range(true.shape[1]):
        codes = torch.cat([seen, imagined[:, :ahead], true[:, ahead : ahead + 1]], 1)
        last = codes.shape[1] - 1
        before = None if actions is None else actions[:, :last]
        nats.append(-prior.log_prob(codes, before, first=last) / true[0, 0].numel())
    return torch.stack(nats, 1)


def cut_clips(clips: Sequence[Tensor], length: int, every: int) -> Tensor:
    """Pieces of one length, beginning so many frames apart: (B, length, ...) of (T, ...) each.

    For actions, (T - 1,) each, cut one shorter: piece by piece they belong together.

    Raises:
        ValueError: there is no piece of that length.
    """
    check_positive_int(length=length, every=every)
    pieces = [
        clip[start : start + length]
        for clip in clips
        for start in range(0, len(clip) - length + 1, every)
    ]
    if not pieces:
        raise ValueError(f"no clip is {length} long: the longest has {max(map(len, clips))}")
    return torch.stack(pieces)


@torch.no_grad()
def compare_ahead(model: VQVAE, imagined: Tensor, true: Tensor, frames: Tensor) -> Ahead:
    """Imagined codes beside the true ones, and their pictures beside the true pictures.

    Args:
        model: whose codes they are; it decodes in eval mode.
        imagined: int64 (B, N, h, w).
        true: int64 (B, N, h, w).
        frames: uint8 (B, N, 3, H, W), the true frames.
    """
    same = with_float64(imagined == true).double().mean((0, 2, 3))
    decoded, nearest = [], []
    for one, other, frame in zip(imagined.unbind(1), true.unbind(1), frames.unbind(1), strict=True):
        picture, best = (to_uint8(model.decode(codes)) for codes in (one, other))
        decoded.append(psnr(picture, best).mean())
        nearest.append(psnr(picture, frame).mean())
    return Ahead(same, torch.stack(decoded), torch.stack(nearest))
