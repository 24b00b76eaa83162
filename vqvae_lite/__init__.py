"""The VQ-VAE of van den Oord, Vinyals and Kavukcuoglu (NIPS 2017), small enough to read."""

from vqvae_lite.quantizer import QuantizerOutput, VectorQuantizer, nearest_codes, straight_through

__all__ = ["QuantizerOutput", "VectorQuantizer", "nearest_codes", "straight_through"]
__version__ = "0.1.0"
