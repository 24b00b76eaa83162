"""Chapter 8: clips as codes, and a model of what follows from actions."""
