"""A `SoundVQVAE` measured on whole utterances."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from vqvae_lite.distributed import ALONE, Meeting, Place, share_of
from vqvae_lite.metrics import CodeUsage, compressed_bits
from vqvae_lite.modules import device_of, evaluating
from vqvae_lite.sound.coding import whole_hops
from vqvae_lite.sound.model import SoundVQVAE


class SoundEvaluation(NamedTuple):
    """Means over all samples of a set of utterances, the silence that fills them up included.

    Attributes:
        utterances: how many.
        bits_per_sample: -log2 p(x | codes, speaker) of a sample; 8 under the uniform distribution.
        perplexity: of all codes.
        fraction_used: share of the codes that the utterances use.
        bits_per_second: of the codes under the uniform prior.
    """

    utterances: int
    bits_per_sample: float
    perplexity: float
    fraction_used: float
    bits_per_second: float


@torch.no_grad()
def evaluate_sound(
    model: SoundVQVAE,
    waves: Sequence[Tensor],
    speakers: Sequence[int],
    rate: int,
    *,
    place: Place = ALONE,
    progress: bool = False,
) -> SoundEvaluation:
    """Measures each utterance by itself.

    Args:
        model: on any device; measured in eval mode and given back in the mode it was in.
        waves: floating point (T,) in [-1, 1] each.
        speakers: of each, in [0, num_speakers).
        rate: samples a second.
        place: of this process, from `distributed.processes`. Several take each its share, and all
            of them get the result of the whole.
        progress: whether the first process shows a bar.

    Raises:
        TypeError, ValueError: there are no utterances, or as `SoundVQVAE.forward`.
        ConnectionError: another process has ended.
    """
    if not waves:
        raise ValueError("there are no utterances to evaluate on")
    if len(waves) != len(speakers):
        raise ValueError(f"speakers must be {len(waves)}, one for each wave, got {len(speakers)}")
    meeting, device = Meeting(place), device_of(model)
    usage = CodeUsage(model.config.num_codes)
    nats = samples = 0
    own = share_of(len(waves), place)
    for at in tqdm(own, unit="utterance", disable=not (progress and place.rank == 0)):
        levels = whole_hops(waves[at], model.config.hop)[None].to(device)
        with evaluating(model):
            out = model(levels, torch.tensor([speakers[at]], device=device))
        usage.update(out.codes)
        nats += out.reconstruction_loss.item() * levels.numel()
        samples += levels.numel()
    parts = meeting.gather((nats, samples, usage.counts))
    nats, samples = sum(part[0] for part in parts), sum(part[1] for part in parts)
    usage.counts = torch.stack([part[2] for part in parts]).sum(0)
    return SoundEvaluation(
        utterances=len(waves),
        bits_per_sample=nats / samples / math.log(2),
        perplexity=usage.perplexity,
        fraction_used=usage.fraction_used,
        bits_per_second=compressed_bits(1, model.config.num_codes) * rate / model.config.hop,
    )
