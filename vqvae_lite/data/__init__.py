"""Where the book's own files lie: data sets, checkpoints and results."""

from vqvae_lite.data.places import find

__all__ = ["find"]
