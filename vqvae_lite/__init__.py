"""The VQ-VAE of van den Oord, Vinyals and Kavukcuoglu (NIPS 2017), small enough to read."""

__version__ = "0.1.0"

from vqvae_lite.checkpoints import load_checkpoint, save_checkpoint
from vqvae_lite.evaluation import evaluate
from vqvae_lite.model import VQVAE, ModelConfig, VQVAEOutput
from vqvae_lite.quantizer import QuantizerOutput, VectorQuantizer, nearest_codes, straight_through
from vqvae_lite.training import TrainingConfig, train

__all__ = [
    "VQVAE",
    "ModelConfig",
    "QuantizerOutput",
    "TrainingConfig",
    "VQVAEOutput",
    "VectorQuantizer",
    "evaluate",
    "load_checkpoint",
    "nearest_codes",
    "save_checkpoint",
    "straight_through",
    "train",
]
