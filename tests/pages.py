"""What the tests of interactive pages share: a small model, frames, and what a page holds."""

import base64
import json
import re

import numpy as np
import torch

from vqvae_lite.model import VQVAE, ModelConfig


def model_of(**changes):
    torch.manual_seed(3)
    settings = {"width": 8, "num_codes": 40, "code_dim": 6}
    return VQVAE(ModelConfig(**(settings | changes))).eval()


def frames_of(count=3, height=24, width=32):
    generator = torch.Generator().manual_seed(5)
    shape = (count, 3, height, width)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def data_of(figure):
    text = re.search(r'<script type="application/json" id="data">(.*?)</script', figure.page)[1]
    return json.loads(text)


def unpack(packed):
    raw = base64.b64decode(packed["base64"])
    return np.frombuffer(raw, packed["dtype"]).reshape(packed["shape"])
