"""The command `vqvae-lite`."""
