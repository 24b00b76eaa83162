"""What shows models and codes, in notebooks and on pages. Nothing else here imports it."""

from vqvae_lite.checks import require

require("matplotlib", "figures")
