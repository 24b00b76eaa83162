"""Models with categorical latents so small that all their codes can be tried."""

import itertools
import math

import torch

from vqvae_lite.images import to_float
from vqvae_lite.models import MODELS

IMAGE = torch.tensor([[[[30, 200], [90, 120]]]], dtype=torch.uint8)


def make(kind, **settings):
    """One position of two latents with 3 values each: 9 codes for an image of 2 x 2."""
    torch.manual_seed(0)
    tiny = {
        "in_channels": 1,
        "width": 3,
        "num_halvings": 1,
        "num_residual": 1,
        "num_codes": 3,
        "num_codebooks": 2,
        "code_dim": 2,
        "likelihood": "logistic",
    }
    return kind(MODELS[kind.kind][0](**{**tiny, **settings}))


def every_code():
    return torch.tensor(list(itertools.product(range(3), repeat=2)))[:, :, None, None]


def log_joint_and_posterior(model):
    """log p(x, z) and log q(z | x) of each of the 9 codes."""
    codes = every_code()
    log_p = model.likelihood(model.parameters_of(codes)).log_prob(IMAGE.expand(9, -1, -1, -1))
    log_q = model.posterior(to_float(IMAGE))[0, :, 0, 0]  # (2, 3)
    of_codes = log_q[0, codes[:, 0, 0, 0]] + log_q[1, codes[:, 1, 0, 0]]
    return log_p.flatten(1).sum(1) - math.log(9), of_codes
