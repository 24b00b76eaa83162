"""Films, and the page of a film in a browser: what the tests of its figures share."""

import base64
import io

import numpy as np
import torch
from PIL import Image


def films_of(scenes=2, frames=5, height=20, width=24, count=2):
    """Smooth films, each of its own colours, by name."""
    generator = torch.Generator().manual_seed(0)
    films = {}
    for index in range(count):
        small = torch.rand(scenes * frames, 3, 3, 3, generator=generator)
        large = torch.nn.functional.interpolate(small, (height, width), mode="bilinear")
        film = (255 * large).to(torch.uint8).unflatten(0, (scenes, frames))
        films[f"film {index}"] = film
    return films


class FilmPage:
    """A page with a film, `page`, that says "still" at the end of its state when it rests."""

    def rest(self):
        """What the page says of itself, once it rests."""
        self.page.wait_for_function(
            "() => document.documentElement.dataset.state.endsWith('still')"
        )
        return self.page.locator("html").get_attribute("data-state")

    def press(self, key):
        self.page.locator("#film").press(key)
        return self.state()

    def click(self, selector):
        self.page.locator(selector).click()
        return self.state()

    def canvas(self, selector):
        address = self.page.evaluate("s => document.querySelector(s).toDataURL()", selector)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))
