"""Images: from uint8 to the network's range and back, and data sets of them."""

import os
from pathlib import Path


def data_root() -> Path:
    """The folder that downloads go to: VQVAE_LITE_DATA, by default ~/.cache/vqvae_lite."""
    return Path(os.environ.get("VQVAE_LITE_DATA") or "~/.cache/vqvae_lite").expanduser()
