"""Films chapter 3's figure in the built book for the README: book/_static/moving.webp.

    python tools/film_figure.py     # after `make book`; needs a Chromium

Somebody takes the code of a red floor in hand and paints letters with it; the model's decoder,
which runs in the page, paints the picture that such a map stands for.
"""

import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, FloatRect, Frame, Page, sync_playwright

import browser

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "_build" / "html" / "book" / "03_images.html"
FILM = ROOT / "book" / "_static" / "moving.webp"
VIEW = {"width": 1280, "height": 1400}  # the whole figure at once
SMALLER = 0.75
# What is not in the film: what the reader's own pictures and the way step by step are for.
HIDDEN = ".sources, .way, .note, .slot { display: none !important; }"
# The frame that has a red floor, a square of it, and the frame that is painted on.
RED, FLOOR, WALL = 3, (10, 17), 2
LETTERS = """
.....................
.....................
.....................
.....................
.#....#....###.......
.#....#...#...#......
.#....#..#.....#.....
..#..#...#.....#.....
..#..#...#.....#.....
..#..#...#..##.#.....
...##.....#...#......
...##......###.#.....
................#....
"""


def strokes() -> list[tuple[int, int]]:
    """The squares of the letters, column and row, in the order in which they are painted."""
    rows = LETTERS.strip().splitlines()
    squares = [(x, y) for y, row in enumerate(rows) for x, sign in enumerate(row) if sign == "#"]
    return sorted(squares, key=lambda square: (square[0] > 7, square[1], square[0]))


class Film:
    """Pictures of a figure with the pointer drawn in, and how long each is shown, in ms."""

    def __init__(self, page: Page, frame: Frame):
        self.page, self.frame = page, frame
        self.clip = self.shown()
        self.pictures: list[Image.Image] = []
        self.times: list[int] = []
        self.pointer = (0.0, 0.0)

    def shown(self) -> FloatRect:
        """What is filmed: from the frames down to the pictures' end."""
        parts = [self.frame.locator(each).bounding_box() for each in (".frames", ".pictures")]
        top, bottom = parts[0]["y"] - 6, parts[1]["y"] + parts[1]["height"]
        left, right = parts[0]["x"] - 6, parts[1]["x"] + parts[1]["width"] + 6
        return {"x": left, "y": top, "width": right - left, "height": bottom - top}

    def point(self, x: float, y: float) -> None:
        """Moves the pointer to a place on the page."""
        self.pointer = (x, y)
        self.page.mouse.move(x, y)

    def take(self, milliseconds: int) -> None:
        """Takes a picture when the figure has drawn itself."""
        self.frame.evaluate("new Promise(r => requestAnimationFrame(() => setTimeout(r, 30)))")
        picture = Image.open(io.BytesIO(self.page.screenshot(clip=self.clip))).convert("RGB")
        x, y = self.pointer[0] - self.clip["x"], self.pointer[1] - self.clip["y"]
        shape = [(0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12)]
        corners = [(x + a, y + b) for a, b in shape]
        ImageDraw.Draw(picture).polygon(corners, fill="black", outline="white")
        size = (round(picture.width * SMALLER), round(picture.height * SMALLER))
        self.pictures.append(picture.resize(size, Image.Resampling.LANCZOS))
        self.times.append(milliseconds)

    def save(self, path: Path) -> None:
        first, *rest = self.pictures
        first.save(
            path,
            save_all=True,
            append_images=rest,
            duration=self.times,
            loop=0,
            quality=40,
            method=6,
        )


def act(film: Film) -> None:
    """What is done with the figure."""
    frame = film.frame
    board = frame.locator(".edit .board")

    def over(square: tuple[int, int]) -> tuple[float, float]:
        box = board.bounding_box()
        side = box["width"] / 21
        return box["x"] + (square[0] + 0.5) * side, box["y"] + (square[1] + 0.5) * side

    def click(selector: str, milliseconds: int) -> None:
        box = frame.locator(selector).bounding_box()
        film.point(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        film.page.mouse.down()
        film.page.mouse.up()
        film.take(milliseconds)

    click(f"#frame-{RED}", 600)
    for step in range(5):  # from the top of the map down to the floor
        film.point(*over((6 + step, 5 + 3 * step)))
        film.take(250)
    film.point(*over(FLOOR))
    film.page.mouse.down()
    film.page.mouse.up()
    film.take(700)
    click(f"#frame-{WALL}", 500)
    click("#mode-paint", 500)
    for square in strokes():
        film.point(*over(square))
        film.page.mouse.down()
        film.page.mouse.up()
        film.take(110)
    film.take(2500)


def film(program: Browser) -> Film:
    """The film of the built page."""
    page = program.new_page(viewport=VIEW)
    page.goto(PAGE.as_uri())
    element = page.locator("iframe.vq-interactive").first
    element.scroll_into_view_if_needed()
    frame = element.element_handle().content_frame()
    frame.locator("html[data-state*=frame]").wait_for(state="attached")
    frame.evaluate("css => document.head.append(VQ.el('style', {}, css))", HIDDEN)
    page.wait_for_timeout(1500)
    made = Film(page, frame)
    act(made)
    page.close()
    return made


def main() -> int:
    path = browser.find()
    if not path or not PAGE.exists():
        print("film: needs the built book (make book) and a Chromium")
        return 1
    with sync_playwright() as playwright:
        made = film(playwright.chromium.launch(executable_path=path))
    made.save(FILM)
    print(f"film: {len(made.pictures)} pictures, {FILM.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
