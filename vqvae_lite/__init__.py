"""The VQ-VAE of van den Oord, Vinyals and Kavukcuoglu (NIPS 2017), small enough to read."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

# The public names, and where each lives. A module is imported when the first of its names is asked
# for, so that who wants the quantizer alone need not wait for sound and film.
_HOMES = {
    "baselines.bits": ("BitsPerDim", "evaluate_bits"),
    "baselines.gumbel": ("GumbelConfig", "GumbelSoftmax"),
    "baselines.vae": ("VAE", "VAEConfig"),
    "baselines.vimco": ("VIMCO", "VIMCOConfig"),
    "checkpoints": ("save_checkpoint",),
    "codebook": ("nearest_codes",),
    "evaluation": ("evaluate",),
    "model": ("VQVAE", "ModelConfig", "VQVAEOutput"),
    "models": ("load_checkpoint",),
    "priors.pixelcnn": ("GatedPixelCNN", "PixelCNNConfig", "sample"),
    "priors.wavenet": ("WaveNet", "WaveNetConfig"),
    "quantizer": ("QuantizerOutput", "VectorQuantizer", "straight_through"),
    "quantizers": ("Quantizer", "quantizer_of"),
    "sound.model": ("SoundConfig", "SoundOutput", "SoundVQVAE"),
    "training": ("TrainingConfig", "train"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)

if TYPE_CHECKING:
    from vqvae_lite.baselines.bits import BitsPerDim, evaluate_bits
    from vqvae_lite.baselines.gumbel import GumbelConfig, GumbelSoftmax
    from vqvae_lite.baselines.vae import VAE, VAEConfig
    from vqvae_lite.baselines.vimco import VIMCO, VIMCOConfig
    from vqvae_lite.checkpoints import save_checkpoint
    from vqvae_lite.codebook import nearest_codes
    from vqvae_lite.evaluation import evaluate
    from vqvae_lite.model import VQVAE, ModelConfig, VQVAEOutput
    from vqvae_lite.models import load_checkpoint
    from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig, sample
    from vqvae_lite.priors.wavenet import WaveNet, WaveNetConfig
    from vqvae_lite.quantizer import QuantizerOutput, VectorQuantizer, straight_through
    from vqvae_lite.quantizers import Quantizer, quantizer_of
    from vqvae_lite.sound.model import SoundConfig, SoundOutput, SoundVQVAE
    from vqvae_lite.training import TrainingConfig, train


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
