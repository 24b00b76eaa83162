"""Films, and the page of a film in a browser: what the tests of its figures share."""

import base64
import io

import numpy as np
import torch
from PIL import Image

from pages import trouble_of


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


def visits_of(open_page):
    """For a fixture: opens pages, and closes them when the test has ended."""
    visits = []

    def go(*args, **settings):
        visits.append(open_page(*args, **settings))
        return visits[-1]

    yield go
    for visit in visits:
        visit.close()


class FilmPage:
    """A page with a film, `page`, that says "still" at the end of its state when it rests.

    Opened without a network; `trouble` is what went wrong on it.
    """

    def __init__(self, chromium, folder, figure, script="", **options):
        file = folder / "figure.html"
        file.write_text(figure.page, encoding="utf-8")
        self.context = chromium.new_context(offline=True, **options)
        self.context.add_init_script(script)
        self.page = self.context.new_page()
        self.trouble = trouble_of(self.page)
        self.page.goto(file.as_uri())

    def close(self):
        self.context.close()
        assert self.trouble == []

    def note_states(self):
        """The page itself notes its states from now on: a busy machine may look too late."""
        self.page.evaluate("""() => {
          const { documentElement: page } = document;
          window.states = [page.dataset.state];
          const note = () => states.push(page.dataset.state);
          new MutationObserver(note).observe(page, { attributes: true });
        }""")

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
