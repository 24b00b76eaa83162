"""The tree of futures in a headless browser: which frame shows, what it looks like, the keys."""

import itertools
import re

import numpy as np
import pytest
import torch

from films import FilmPage, visits_of
from pages import model_of
from vqvae_lite.figures.codes import colors_of_codebook
from vqvae_lite.figures.futures import explore_futures
from vqvae_lite.images import to_uint8

NAMES = ("forward", "left", "right")
SEEN, STEP, DEPTH, ROWS, COLUMNS = 4, 3, 2, 4, 5


def codes_of(seen, tree, path, frame):
    """The map that a path of actions shows at a frame."""
    if frame < SEEN:
        return seen[frame]
    level = (frame - SEEN) // STEP + 1
    choices = tuple(NAMES.index(name) for name in path[:level])
    place = list(itertools.product(range(3), repeat=level)).index(choices)
    before = sum(3**k for k in range(1, level))
    return tree[before + place, (frame - SEEN) % STEP]


class Visit(FilmPage):
    """The page of a tree, for a reader who wants no motion, and what went wrong on it."""

    def __init__(self, chromium, folder, motion):
        generator = torch.Generator().manual_seed(3)
        self.model = model_of()
        with torch.no_grad():
            self.model.quantizer.codebook.normal_(std=6, generator=generator)
        self.seen = torch.randint(40, (SEEN, ROWS, COLUMNS), generator=generator)
        self.tree = torch.randint(40, (12, STEP, ROWS, COLUMNS), generator=generator)
        super().__init__(
            chromium, folder, explore_futures(self.model, self.seen, self.tree, NAMES),
            viewport={"width": 358, "height": 1000}, color_scheme="dark",
            reduced_motion="no-preference" if motion else "reduce",
        )  # fmt: skip

    def state(self):
        """Frame from 1, frames in all, path, once the film rests."""
        text = self.rest()
        frame, count, path, total = re.match(
            r"frame (\d+) of (\d+); path ([\w,]*); sum (\d+)", text
        ).groups()
        path = path.split(",") if path else []
        codes = codes_of(self.seen, self.tree, path, int(frame) - 1).flatten()
        assert int(total) == sum((k + 1) * (i + 1) for i, k in enumerate(codes.tolist()))
        return int(frame), int(count), path


@pytest.fixture
def visit(chromium, tmp_path):
    yield from visits_of(lambda motion=False: Visit(chromium, tmp_path, motion))


def test_keys_walk_through_the_tree(visit):
    visit = visit()
    assert visit.state() == (SEEN, SEEN, [])
    assert visit.press("ArrowLeft") == (7, 7, ["left"])
    assert visit.press("3") == (10, 10, ["left", "right"])
    assert visit.press("ArrowUp") == (10, 10, ["left", "right"]), "the tree ends here"
    assert "The tree ends here" in visit.page.locator("#told").inner_text()
    assert visit.press("ArrowDown") == (7, 7, ["left"])
    assert visit.press("ArrowUp") == (10, 10, ["left", "forward"])
    assert visit.press("Backspace") == (7, 7, ["left"])
    assert visit.press("Backspace") == (4, 4, [])
    assert visit.press("ArrowDown") == (4, 4, []), "there is nothing before"
    assert visit.press("x") == (4, 4, [])


def test_buttons_slider_and_tree_do_the_same(visit):
    visit = visit()
    assert visit.click("#action-2") == (7, 7, ["right"])
    visit.page.locator("#frame").focus()
    visit.page.locator("#frame").press("ArrowLeft")
    assert visit.state() == (6, 7, ["right"])
    assert (
        "imagined: 2 after the last one seen, by right" in visit.page.locator("#told").inner_text()
    )
    visit.page.locator("#frame").press("Home")
    assert visit.state() == (1, 7, ["right"])
    assert "of 4 that were seen" in visit.page.locator("#told").inner_text()
    assert visit.click("#back") == (4, 4, [])
    # The places come in the order in which the tree grows: the start, forward, its three, left...
    visit.page.locator("#tree .dot").nth(7).dispatch_event("click")
    assert visit.state() == (10, 10, ["left", "left"])
    visit.page.locator("#tree .dot").nth(5).dispatch_event("click")
    assert visit.state() == (7, 7, ["left"])
    assert visit.click("#again") == (4, 4, [])


def test_the_tree_has_left_at_the_left(visit):
    visit = visit()
    places = []
    for key in ("ArrowLeft", "ArrowUp", "ArrowRight"):
        visit.press(key)
        places.append(float(visit.page.locator("#tree .here").get_attribute("cx")))
        visit.press("Backspace")
    left, forward, right = places
    start = float(visit.page.locator("#tree .here").get_attribute("cx"))
    assert left < forward == start < right


def test_picture_and_map_are_of_the_frame(visit):
    visit = visit()
    visit.press("ArrowRight")
    visit.press("ArrowLeft")
    codes = codes_of(visit.seen, visit.tree, ["right", "left"], 9)
    shown = visit.canvas("#map canvas")[..., :3]
    assert np.array_equal(shown, colors_of_codebook(visit.model)[codes])
    with torch.no_grad():
        wanted = to_uint8(visit.model.decode(codes[None]))[0].permute(1, 2, 0).numpy()
    picture = visit.canvas("#film canvas")[..., :3].astype(int)
    assert picture.shape == wanted.shape
    assert wanted.std() > 10
    assert abs(picture - wanted).mean() < 2, "weights of 8 bits"
    assert visit.page.locator(".badge").inner_text() == "imagined"


def test_the_film_plays_where_motion_is_welcome(visit):
    visit = visit(motion=True)
    visit.note_states()
    visit.page.locator("#action-0").click()
    visit.page.locator("html[data-state^='frame 7'][data-state$='still']").wait_for(
        state="attached"
    )
    states = visit.page.evaluate("states")
    frames = [int(re.match(r"frame (\d+)", text)[1]) for text in states]
    assert sorted(set(frames)) == [4, 5, 6, 7]
    assert frames == sorted(frames)
