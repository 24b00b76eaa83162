"""Chapter 6: distributions over codes, trained after the codes, and drawn from."""
