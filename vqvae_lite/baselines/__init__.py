"""Chapter 4: the models that the VQ-VAE is compared with, and their bits."""
