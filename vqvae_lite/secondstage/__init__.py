"""Chapter 5: a few latents for a whole map, with a PixelCNN to decode them."""
