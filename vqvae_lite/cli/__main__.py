"""`python -m vqvae_lite.cli`, also under `torchrun -m vqvae_lite.cli -- train ... --run RUN`.

Without the `--` torchrun takes `--run` for one of its own options, `--run-path`.
"""

import sys

from vqvae_lite.cli.main import main

sys.exit(main())
