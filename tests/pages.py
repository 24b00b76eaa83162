"""What the tests of interactive pages share: a small model, frames, sentences, a page's data."""

import base64
import copy
import json
import math
import re
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from vqvae_lite.figures.voices import VoicedClip
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.models import new_model
from vqvae_lite.sound.files import Utterance
from vqvae_lite.sound.labels import Phone
from vqvae_lite.sound.speech import PHONES
from vqvae_lite.video.past import VideoConfig


def model_of(**changes):
    torch.manual_seed(3)
    settings = {"width": 8, "num_codes": 40, "code_dim": 6}
    return VQVAE(ModelConfig(**(settings | changes))).eval()


def video_prior_of(**settings):
    """Small, with three actions over 40 codes, far from sure and far from uniform."""
    config = {"num_codes": 40, "num_actions": 3, "history": 2, "embedding": 4, "width": 6}
    config |= {"pixelcnn_width": 6, "num_layers": 2, **settings}
    prior = new_model("video", VideoConfig(**config), seed=0).eval()
    torch.manual_seed(1)
    for parameter in prior.parameters():
        nn.init.normal_(parameter, std=0.5)
    return prior


def rounded(module, bits=8):
    """A copy with the weights that the page has: whole steps, with a step for each row."""
    module = copy.deepcopy(module)
    for name, weight in module.named_parameters():
        if name.endswith("bias") or ".norm." in name:
            continue
        # Rows are codes and output channels: the last dimension of the head's last weight and the
        # second of a transposed convolution, the first elsewhere.
        axis = 2 if name == "head.weight" else 1 if "doublings" in name else 0
        rows = weight.data.movedim(axis, 0)
        largest = rows.flatten(1).abs().amax(1).view(-1, *[1] * (rows.ndim - 1))
        step = torch.where(largest > 0, largest, 1) / (2 ** (bits - 1) - 1)
        rows.copy_((rows / step).round() * step)
    return module


def frames_of(count=3, height=24, width=32):
    generator = torch.Generator().manual_seed(5)
    shape = (count, 3, height, width)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def data_of(figure):
    text = re.search(r'<script type="application/json" id="data">(.*?)</script', figure.page)[1]
    return json.loads(text)


def unpack(packed):
    raw = base64.b64decode(packed["base64"])
    signed, bits = re.fullmatch(r"(u?)int(\d+)|\w+", packed["dtype"]).groups()
    if bits and bits not in ("8", "16", "32"):
        bits, count = int(bits), math.prod(packed["shape"])
        ones = np.unpackbits(np.frombuffer(raw, np.uint8))[: bits * count].reshape(count, bits)
        values = ones @ (1 << np.arange(bits)[::-1]) - (0 if signed else 2 ** (bits - 1))
        return values.reshape(packed["shape"])
    return np.frombuffer(raw, packed["dtype"]).reshape(packed["shape"])


def phone_counts_of(num_codes=12):
    """How often each code stood in each phone: a few phones a code, and none for the last."""
    counts = torch.zeros(num_codes, len(PHONES), dtype=torch.int64)
    for k in range(num_codes - 1):
        counts[k, 3 * k] = 60
        counts[k, 3 * k + 1] = 30 + k
        counts[k, 3 * k + 2] = 10
        counts[k, PHONES.index("pau")] += 5
    return counts


def clips_of(lengths=(100, 40, 70)):
    """Sentences of so many codes of 64 samples by ann, bob and cid, each a tone in each voice."""
    generator = torch.Generator().manual_seed(7)
    clips = []
    for c, (name, length) in enumerate(zip(("one", "two", "six"), lengths, strict=True)):
        places = torch.arange(length)
        codes = torch.randint(12, (length,), generator=generator)
        codes = torch.where(places % 3 > 0, codes[places // 9 * 9], codes)  # some runs, some alone
        time = torch.arange(length * 64) / 16000
        waves = [
            0.5 * (2 * torch.pi * 100 * (v + 2 * c + 2) * time * (1 + time)).sin() for v in range(4)
        ]
        end = length * 64 / 16000
        phones = (Phone(0.0, 0.07, "pau"), Phone(0.07, 0.11, "s"), Phone(0.11, round(end, 4), "iy"))
        speakers = ("ann", "bob", "cid")
        text = f"Sentence {name}, <b>said</b>."
        utterance = Utterance(name, speakers[c], waves[3], text, phones)
        clips.append(VoicedClip(utterance, codes, dict(zip(speakers, waves, strict=False))))
    return clips


def trouble_of(page):
    """A list of what goes wrong on a page from now on: exceptions, and words to the console."""
    trouble = []

    def note(message):
        if "willReadFrequently" not in message.text:  # about the tests' own reading of pixels
            trouble.append(message.text)

    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", note)
    return trouble


@contextmanager
def on_a_phone(chromium, file, **options):
    """A figure's page, 390 x 844 with touch and no network, on which no script may fail."""
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, offline=True, **options
    )
    page, trouble = context.new_page(), []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert trouble == []
