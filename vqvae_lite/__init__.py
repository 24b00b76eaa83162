"""The VQ-VAE of van den Oord, Vinyals and Kavukcuoglu (NIPS 2017), small enough to read."""

__version__ = "0.1.0"

from vqvae_lite.bits import BitsPerDim, evaluate_bits
from vqvae_lite.checkpoints import load_checkpoint, save_checkpoint
from vqvae_lite.evaluation import evaluate
from vqvae_lite.model import VQVAE, ModelConfig, VQVAEOutput
from vqvae_lite.pixelcnn import GatedPixelCNN, PixelCNNConfig
from vqvae_lite.quantizer import QuantizerOutput, VectorQuantizer, nearest_codes, straight_through
from vqvae_lite.sampling import sample
from vqvae_lite.soundmodel import SoundConfig, SoundOutput, SoundVQVAE
from vqvae_lite.training import TrainingConfig, train
from vqvae_lite.vae import VAE, VAEConfig
from vqvae_lite.vimco import VIMCO, VIMCOConfig
from vqvae_lite.wavenet import WaveNet, WaveNetConfig

__all__ = [
    "VAE",
    "VIMCO",
    "VQVAE",
    "BitsPerDim",
    "GatedPixelCNN",
    "ModelConfig",
    "PixelCNNConfig",
    "QuantizerOutput",
    "SoundConfig",
    "SoundOutput",
    "SoundVQVAE",
    "TrainingConfig",
    "VAEConfig",
    "VIMCOConfig",
    "VQVAEOutput",
    "VectorQuantizer",
    "WaveNet",
    "WaveNetConfig",
    "evaluate",
    "evaluate_bits",
    "load_checkpoint",
    "nearest_codes",
    "sample",
    "save_checkpoint",
    "straight_through",
    "train",
]
