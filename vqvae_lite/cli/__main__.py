"""`python -m vqvae_lite.cli`, also under `torchrun -m`."""

import sys

from vqvae_lite.cli.main import main

sys.exit(main())
