"""The explorer of codes, opened in a browser: what its test files share."""

import base64
import io
import re

import numpy as np
import torch
from PIL import Image

from vqvae_lite.figures.codes import explore_codes
from vqvae_lite.images import to_float, to_uint8
from vqvae_lite.model import VQVAE, ModelConfig

TINY = {"width": 12, "num_codes": 40, "code_dim": 6}  # of maps of 8 x 10 codes
ROWS, COLUMNS = 8, 10


@torch.no_grad()
def trained(model, frames):
    """A model as after training, and the codes of the frames.

    Outputs of the encoder that differ, codes among them, and pictures that fill the range.
    """
    encoder, decoder = model.encoder, model.decoder
    z_e = encoder(to_float(frames)).movedim(1, -1).flatten(0, -2)
    encoder.to_codes.weight /= z_e.std(0)[:, None, None, None]
    encoder.to_codes.bias.sub_(z_e.mean(0)).div_(z_e.std(0))
    z_e = (z_e - z_e.mean(0)) / z_e.std(0)
    rows = torch.randperm(len(z_e))[: model.config.num_codes]
    model.quantizer.codebook.copy_(z_e[rows])
    codes = model.encode(to_float(frames))
    decoder.doublings[-1].weight *= 0.6 / model.decode(codes).std()
    return codes


class Explorer:
    """The page of a model and some frames, and everything that went wrong on it."""

    def __init__(self, chromium, folder, settings, size, context=None, script=""):
        torch.manual_seed(11)
        self.model = VQVAE(ModelConfig(**settings)).eval()
        frames = torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8)
        self.frames = frames
        other = {"width": 16, "num_codes": 24, "code_dim": 5}
        self.photographs = VQVAE(
            ModelConfig(**other, num_halvings=self.model.config.num_halvings)
        ).eval()
        self.codes = trained(self.model, frames)
        trained(self.photographs, frames)
        assert len(self.codes[1].unique()) > 5
        file = folder / "figure.html"
        figure = explore_codes(self.model, frames, photographs=self.photographs, chosen=1)
        file.write_text(figure.page, encoding="utf-8")

        self.trouble = []
        options = {"viewport": {"width": 700, "height": 1000}, "offline": True}
        self.context = chromium.new_context(**(options | (context or {})))
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.add_init_script(script)
        self.page.goto(file.as_uri())
        # The chosen frame is there, and then all are encoded.
        self.page.locator(".facts", has_text="all 3").wait_for()

    def do(self, act, *arguments, **options):
        """Acts, waits until the figure has drawn what came of it, and returns its state."""
        act(*arguments, **options)
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        text = self.page.locator("html").get_attribute("data-state")
        return {
            key: int(value) if value.isdigit() else value
            for key, value in re.findall(r"(\w+) (\w+)", "mode " + text.split("; ", 1)[1])
        } | {"frame": int(re.match(r"frame (\d+)", text)[1])}

    def picture(self):
        """What the page shows as decoded: (height, width, 3) uint8."""
        address = self.page.evaluate("document.getElementById('decoded').toDataURL()")
        return np.asarray(
            Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB")
        ).astype(int)

    def pixel(self, x, y):
        """One pixel of the picture as the page has it: (3,) ints."""
        return self.page.evaluate(
            """([x, y]) => {
              const context = document.getElementById("original").getContext("2d");
              return Array.from(context.getImageData(x, y, 1, 1).data.slice(0, 3));
            }""",
            [x, y],
        )

    def at(self, row, column):
        """Where a square of the map is on the page."""
        box = self.page.locator("#map").bounding_box()
        x = box["x"] + (column + 0.5) * box["width"] / COLUMNS
        return x, box["y"] + (row + 0.5) * box["height"] / ROWS


def shown(model, codes):
    return to_uint8(model.decode(codes[None]))[0].permute(1, 2, 0).numpy().astype(int)
