"""A VQ-VAE that is asked for the shape of the spectrum, not for the waveform (beside section 4.3).

What a VQ-VAE keeps is what lowers its loss. With a WaveNet to decode, the loss is about the next
sample; what a code can say of that at 25 codes a second is mostly how loud it is. Here a code is to
say what a listener goes by: the cepstra of its 40 milliseconds. So it can also be trained in a
minute.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.checks import check_label, check_positive_int, check_real, config_or_default
from vqvae_lite.modules import FullPrecision, evaluating
from vqvae_lite.quantizers import get_quantizer, quantizer_of
from vqvae_lite.sound.measures import BANDS, FRAME_HOP, mfcc
from vqvae_lite.sound.model import SoundOutput

LAG = 2  # frames: a change that comes within 20 ms counts as one unit


@dataclass(frozen=True)
class CepstralConfig:
    """What a `CepstralVQVAE` is made from.

    Attributes:
        num_speakers: voices that the decoder can be told.
        coefficients: of the cepstra, at most 40.
        frames: of 10 ms that a code stands for; 4 are 25 codes a second.
        context: codes to each side whose frames the encoder hears too.
        width: channels of the hidden layers.
        num_codes: K; 128 in the paper, for its phonemes.
        code_dim: D.
        neighbours: weight of the squared errors of the codes before and after; 0: each code answers
            for its own frames alone.
        commitment: beta of equation 3; all losses are means.
        decay: of the EMA codebook.
        restart_below: see `VectorQuantizer`.
        quantizer: a name of `quantizers.QUANTIZERS`.
    """

    num_speakers: int = 1
    coefficients: int = 16
    frames: int = 4
    context: int = 2
    width: int = 256
    num_codes: int = 128
    code_dim: int = 32
    neighbours: float = 0.3
    commitment: float = 0.25
    decay: float = 0.99
    restart_below: float = 0.1
    quantizer: str = "vq"

    def __post_init__(self):
        check_positive_int(
            num_speakers=self.num_speakers,
            coefficients=self.coefficients,
            frames=self.frames,
            width=self.width,
            code_dim=self.code_dim,
        )
        if self.coefficients > BANDS:
            raise ValueError(f"coefficients must be at most {BANDS}, got {self.coefficients}")
        if self.context < 0:
            raise ValueError(f"context must be at least 0, got {self.context}")
        check_real(neighbours=self.neighbours)
        if not 0 <= self.neighbours < math.inf:
            raise ValueError(f"neighbours must be finite and at least 0, got {self.neighbours}")

    @property
    def hop(self) -> int:
        """Samples at 16 kHz that one code stands for."""
        return self.frames * FRAME_HOP


class CepstralVQVAE(FullPrecision):
    """Sound at 16 kHz to codes, and codes to the mean cepstrum of each in a speaker's voice.

    Distances between cepstra are measured in units of how much they change within 20 ms, over the
    training speech (a Mahalanobis distance): a difference between two sounds that also comes and
    goes within one of them is worth little, one that stays is worth much. `set_units` finds them;
    before that the units are decibels.

    Args:
        config: see `CepstralConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "cepstralvqvae"  # what checkpoints call it
    mean: Tensor
    units: Tensor

    def __init__(self, config: CepstralConfig | None = None):
        super().__init__()
        self.config = config = config_or_default(config, CepstralConfig)
        get_quantizer(config.quantizer)  # an unknown one is refused before anything is made
        size, width = config.coefficients, config.width
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("units", torch.eye(size))
        self.encoder = nn.Sequential(
            nn.Conv1d(size, width, (2 * config.context + 1) * config.frames, config.frames),
            nn.ReLU(),
            nn.Conv1d(width, width, 1),
            nn.ReLU(),
            nn.Conv1d(width, config.code_dim, 1),
        )
        self.quantizer = quantizer_of(config)
        self.speaker = nn.Embedding(config.num_speakers, width)
        self.code = nn.Conv1d(config.code_dim, width, 1)
        self.answer = nn.Conv1d(width, 3 * size, 1)  # for the code before, its own, the one after

    @torch.no_grad()
    def set_units(self, waves: Sequence[Tensor]) -> None:
        """Takes the mean and the units of the cepstra from training speech.

        Args:
            waves: floating point (T,) in [-1, 1], at 16 kHz, some longer than 30 ms.

        Raises:
            TypeError, ValueError: as `measures.mfcc`, or the speech is too short or too
                uniform to tell a unit by.
        """
        cepstra = [mfcc(wave, self.config.coefficients).double() for wave in waves]
        changes = torch.cat([one[LAG:] - one[:-LAG] for one in cepstra])
        all_frames = torch.cat(cepstra)
        values, vectors = torch.linalg.eigh(changes.T @ changes / max(1, len(changes)))
        if len(changes) < self.config.coefficients or not values.min() > 1e-6:
            raise ValueError(
                f"the speech must change in all of {self.config.coefficients} cepstra to give "
                f"their units; got {len(all_frames)} frames of 10 ms"
            )
        units = vectors @ (values**-0.5).diag() @ vectors.T
        # One scale for all, so that a squared error of 1 is that of the mean as an answer.
        units /= ((all_frames - all_frames.mean(0)) @ units).square().mean().sqrt()
        self.mean.copy_(all_frames.mean(0))
        self.units.copy_(units)

    def cepstra(self, wave: Tensor) -> Tensor:
        """The cepstra of a wave, frame by frame, in decibels: float32 (T / 160, P).

        Args:
            wave: floating point (T,) in [-1, 1], at 16 kHz; silence follows it up to a whole code.

        Raises:
            TypeError, ValueError: as `measures.mfcc`.
        """
        return mfcc(F.pad(wave, (0, -len(wave) % self.config.hop)), self.config.coefficients)

    def forward(self, frames: Tensor, speaker: Tensor) -> SoundOutput:
        """Every term of the loss; the first is the mean squared error of the cepstra.

        Args:
            frames: floating point (B, T, P), T a multiple of `config.frames`: see `cepstra`.
            speaker: integers in [0, num_speakers), (B,).

        Raises:
            TypeError, ValueError: for another dtype, shape or range.
        """
        cepstra = self._check(frames)
        check_label(speaker, len(frames), self.config.num_speakers)
        quantized = self.quantizer(self._encode(cepstra))
        hidden = F.relu(self.code(quantized.quantized) + self.speaker(speaker)[:, :, None])
        answers = self.answer(hidden).unflatten(1, (3, -1)).float()
        target = cepstra.unflatten(2, (-1, self.config.frames)).mean(3)
        around = F.pad(target, (1, 1), mode="replicate").unfold(2, target.shape[2], 1)
        errors = (answers - around.transpose(1, 2)).square().mean((0, 2, 3))
        weights = errors.new_tensor([self.config.neighbours, 1, self.config.neighbours])
        loss = errors @ weights / weights.sum()
        return SoundOutput(
            quantized.codes,
            loss,
            quantized.codebook_loss,
            quantized.commitment_loss,
            loss + quantized.loss,
        )

    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        """The codes of sound, int64 (B, T / config.frames), in eval mode: nothing is changed.

        Args:
            frames: as for `forward`.
        """
        cepstra = self._check(frames)
        with evaluating(self):
            return self.quantizer.encode(self._encode(cepstra))

    def _check(self, frames: Tensor) -> Tensor:
        """Frames in the model's units, (B, P, T), once they are found to fit."""
        if not isinstance(frames, Tensor) or not frames.is_floating_point():
            kind = frames.dtype if isinstance(frames, Tensor) else type(frames).__name__
            raise TypeError(f"frames must be a floating-point tensor, got {kind}")
        size, each = self.config.coefficients, self.config.frames
        shape = tuple(frames.shape)
        if len(shape) != 3 or not frames.numel() or shape[2] != size or shape[1] % each:
            raise ValueError(
                f"frames must have the shape (B, T, {size}), T a multiple of {each} and none of "
                f"them 0; got {shape}"
            )
        # In bfloat16 little would be left of a level of -60 dB.
        with torch.autocast(frames.device.type, enabled=False):
            return ((frames.float() - self.mean) @ self.units).transpose(1, 2)

    def _encode(self, cepstra: Tensor) -> Tensor:
        around = self.config.context * self.config.frames
        cepstra = cepstra.to(self.code.weight.dtype)
        return self.encoder(F.pad(cepstra, (around, around), mode="replicate"))
