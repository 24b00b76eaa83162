"""The VQ-VAE of sound: strided convolutions, the quantizer, a WaveNet to decode (section 4.3)."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqvae_lite.checks import check_codes, check_positive_int, config_or_default
from vqvae_lite.distributed import JointBatchNorm
from vqvae_lite.modules import evaluating
from vqvae_lite.priors.wavenet import WaveNet, WaveNetConfig
from vqvae_lite.quantizers import get_quantizer, quantizer_of
from vqvae_lite.sound.mulaw import to_companded


@dataclass(frozen=True)
class SoundConfig:
    """What a `SoundVQVAE` is made from.

    Attributes:
        num_speakers: voices that the decoder can be told to speak in.
        strides: of the encoder's convolutions. Their product is how many samples one code stands
            for: six of 2 are the 64 of section 4.3, and (5, 4, 4, 4, 2) is 640.
        width: channels of the encoder's hidden layers, and of the layers over the decoder's codes.
        num_residual: residual blocks after the convolutions, each over three codes.
        context: codes that each of two layers over the codes looks at before the decoder, odd. With
            1 each code alone says what its samples are, so it has to say something about them.
        num_codes: K; 512 in the paper, 128 for its phonemes.
        code_dim: D.
        commitment: beta. The losses are means, of the squared error over the D dimensions of a
            code and of the negative log-likelihood over its samples, so this is equation 3's beta
            times D / samples a code. The paper's z_e may grow until its beta of 0.25 weighs little;
            here they keep a variance of 1, and so much would hold them where they are.
        decay: of the EMA codebook; None for a codebook that learns by gradient.
        restart_below: see `VectorQuantizer`.
        decoder_width: channels of each layer of the WaveNet.
        skip_width: see `WaveNetConfig`.
        num_cycles: see `WaveNetConfig`.
        layers_per_cycle: see `WaveNetConfig`.
        quantizer: a name of `quantizers.QUANTIZERS`.
    """

    num_speakers: int = 1
    strides: tuple[int, ...] = (2, 2, 2, 2, 2, 2)
    width: int = 128
    num_residual: int = 2
    context: int = 3
    num_codes: int = 512
    code_dim: int = 64
    commitment: float = 0.01
    decay: float | None = 0.99
    restart_below: float | None = 0.0
    decoder_width: int = 64
    skip_width: int = 128
    num_cycles: int = 2
    layers_per_cycle: int = 10
    quantizer: str = "vq"

    def __post_init__(self):
        check_positive_int(
            num_speakers=self.num_speakers,
            width=self.width,
            context=self.context,
            code_dim=self.code_dim,
        )
        if self.context % 2 == 0:
            raise ValueError(f"context must be odd, got {self.context}")
        if self.num_residual < 0:
            raise ValueError(f"num_residual must be at least 0, got {self.num_residual}")
        if not self.strides:
            raise ValueError("strides must name at least one convolution, got none")
        for stride in self.strides:
            check_positive_int(strides=stride)
        object.__setattr__(self, "strides", tuple(self.strides))  # JSON has lists alone

    @property
    def hop(self) -> int:
        """Samples that one code stands for."""
        return math.prod(self.strides)


class SoundOutput(NamedTuple):
    """What a `SoundVQVAE` returns; the losses are scalars.

    Attributes:
        codes: int64 (B, T / hop).
        reconstruction_loss: minus the log-likelihood of the levels, in nats a sample.
        codebook_loss: of the quantizer, unweighted.
        commitment_loss: of the quantizer, unweighted.
        loss: reconstruction_loss + codebook_loss + commitment * commitment_loss.
    """

    codes: Tensor
    reconstruction_loss: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor
    loss: Tensor


class SoundEncoder(nn.Module):
    """Levels to z_e: (B, 1, T) to (B, D, T / hop).

    A convolution of stride s has a window of 2 s samples, "stride 2 and window-size 4" of section
    4.3, and a ReLU after it; then come residual blocks, and a 1x1 convolution to D dimensions.

    Each dimension is then brought to mean 0 and variance 1 over the batch. Without that all z_e lie
    close together at first, where the decoder learns from its own past alone, and one code is the
    nearest to all of them (Lancucki et al., "Robust Training of Vector Quantized Bottleneck
    Models", 2020).
    """

    def __init__(self, config: SoundConfig):
        super().__init__()
        self.strides = config.strides
        widths = [1, *[config.width] * len(config.strides)]
        self.strided = nn.ModuleList(
            nn.Conv1d(before, after, 2 * stride, stride)
            for before, after, stride in zip(widths[:-1], widths[1:], config.strides, strict=True)
        )
        self.blocks = nn.ModuleList(SoundBlock(config.width) for _ in range(config.num_residual))
        self.out = nn.Conv1d(config.width, config.code_dim, 1)
        self.norm = JointBatchNorm(config.code_dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.out.weight.dtype)
        for stride, convolution in zip(self.strides, self.strided, strict=True):
            x = F.relu(convolution(F.pad(x, (stride // 2, stride - stride // 2))))
        for block in self.blocks:
            x = block(x)
        return self.norm(self.out(F.relu(x)))


class SoundBlock(nn.Module):
    """x + conv1(ReLU(conv3(ReLU(x)))): `networks.ResidualBlock` in one dimension."""

    def __init__(self, width: int):
        super().__init__()
        self.conv3 = nn.Conv1d(width, width, 3, padding=1)
        self.conv1 = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv1(F.relu(self.conv3(F.relu(x))))


class SoundVQVAE(nn.Module):
    """Sound to codes, and codes to sound in the voice of any of its speakers (section 4.3).

    The decoder is told who speaks, so the codes need not carry it: they keep what is said.

    Args:
        config: see `SoundConfig`.

    Raises:
        TypeError, ValueError: for a setting outside its range.
    """

    kind = "soundvqvae"  # what checkpoints call it

    def __init__(self, config: SoundConfig | None = None):
        super().__init__()
        self.config = config = config_or_default(config, SoundConfig)
        get_quantizer(config.quantizer)  # an unknown one is refused before anything is made
        self.encoder = SoundEncoder(config)
        self.quantizer = quantizer_of(config)
        # The decoder may look at the codes to both sides: all of them are there when it begins.
        size, edge = config.context, config.context // 2
        self.context = nn.Sequential(
            nn.Conv1d(config.code_dim, config.width, size, padding=edge),
            nn.ReLU(),
            nn.Conv1d(config.width, config.width, size, padding=edge),
            nn.ReLU(),
        )
        self.decoder = WaveNet(
            WaveNetConfig(
                num_codes=256,
                width=config.decoder_width,
                skip_width=config.skip_width,
                num_cycles=config.num_cycles,
                layers_per_cycle=config.layers_per_cycle,
                num_classes=config.num_speakers,
                condition_channels=config.width,
                hop=config.hop,
            )
        )

    def forward(self, levels: Tensor, speaker: Tensor, heard: Tensor | None = None) -> SoundOutput:
        """Every term of the loss; each sample is predicted from the true ones before it.

        Args:
            levels: uint8 (B, T), mu-law, T a multiple of the hop.
            speaker: integers in [0, num_speakers), (B,).
            heard: uint8 (B, T), what the encoder hears instead: see `disguise`.

        Raises:
            TypeError, ValueError: for another dtype, shape or range.
        """
        heard = levels if heard is None else heard
        if heard.shape != levels.shape:
            shape = tuple(heard.shape)
            raise ValueError(f"heard must have the shape {tuple(levels.shape)}, got {shape}")
        quantized = self.quantizer(self.encoder(self._check(heard)))
        condition = self.context(quantized.quantized)
        reconstruction_loss = self.decoder(levels, speaker, condition).loss
        return SoundOutput(
            quantized.codes,
            reconstruction_loss,
            quantized.codebook_loss,
            quantized.commitment_loss,
            reconstruction_loss + quantized.loss,
        )

    @torch.no_grad()
    def encode(self, levels: Tensor) -> Tensor:
        """The codes of sound, int64 (B, T / hop), in eval mode: nothing is changed.

        Args:
            levels: as for `forward`.
        """
        x = self._check(levels)
        with evaluating(self):
            return self.quantizer.encode(self.encoder(x))

    @torch.no_grad()
    def decode(
        self,
        codes: Tensor,
        speaker: Tensor,
        *,
        temperature: float = 1.0,
        seed: int | None = None,
        progress: bool = True,
    ) -> Tensor:
        """Draws sound for codes, in eval mode: uint8 levels (B, hop * n).

        Another speaker than the one who was encoded converts the voice.

        Args:
            codes: integers in [0, K), (B, n).
            speaker: as for `forward`.
            temperature: see `WaveNet.sample`.
            seed: see `WaveNet.sample`.
            progress: whether to show a bar with the time left.

        Raises:
            TypeError, ValueError: for another dtype, shape or range.
        """
        check_codes(codes, self.config.num_codes)
        if codes.ndim != 2 or not codes.numel():
            shape = tuple(codes.shape)
            raise ValueError(f"codes must have the shape (B, n) and not be empty, got {shape}")
        z_q = self.quantizer.lookup(codes).to(self.encoder.out.weight.dtype)
        with evaluating(self):
            levels = self.decoder.sample(
                codes.shape[1] * self.config.hop,
                batch=len(codes),
                temperature=temperature,
                seed=seed,
                label=speaker,
                condition=self.context(z_q),
                progress=progress,
            )
        return levels.to(torch.uint8)

    def _check(self, levels: Tensor) -> Tensor:
        """Levels as the encoder takes them, (B, 1, T), once they are found to fit."""
        x = to_companded(levels)
        if x.ndim != 2 or not x.numel() or x.shape[1] % self.config.hop:
            raise ValueError(
                f"levels must have the shape (B, T), T a multiple of {self.config.hop} and none "
                f"of them 0; got {tuple(x.shape)}"
            )
        return x[:, None]
