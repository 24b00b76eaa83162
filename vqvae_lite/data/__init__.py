"""Files of data: the book's own, wherever they lie, and pictures of any kind."""

from vqvae_lite.data.places import find

__all__ = ["find"]
