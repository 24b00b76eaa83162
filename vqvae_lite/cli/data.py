"""The command `vqvae-lite data`."""

from argparse import Namespace

from vqvae_lite.data.fetch import fetch


def run_data(options: Namespace) -> None:
    """Fetches archives of the book's files."""
    for name in options.names:
        folder = fetch(name, options.data, options.address, progress=True)
        print(f"{name}: {folder}")
