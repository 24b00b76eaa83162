"""Chapter 7: sound as waves, levels and codes."""
