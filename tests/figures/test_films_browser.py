"""Films side by side in a headless browser: button, slider, scenes, and the pixels."""

import re

import numpy as np
import pytest

from films import FilmPage, films_of, visits_of
from vqvae_lite.figures.films import play_films

SCENES = ("here", "there")
SEEN, FRAMES = 2, 5


class Visit(FilmPage):
    """The page of two films with two scenes, and what went wrong on it."""

    def __init__(self, chromium, folder, motion):
        self.films = films_of()
        super().__init__(
            chromium, folder, play_films(self.films, seen=SEEN, scenes=SCENES),
            viewport={"width": 358, "height": 1000},
            reduced_motion="no-preference" if motion else "reduce",
        )  # fmt: skip
        # The strips are decoded one after another; then all films are drawn.
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('canvas')].every((canvas) => "
            "canvas.getContext('2d').getImageData(0, 0, 1, 1).data[3] === 255)"
        )

    def state(self):
        """Scene and frame, both from 1, once the films rest; every canvas shows that frame."""
        scene, frame = map(int, re.match(r"scene (\d); frame (\d) of 5", self.rest()).groups())
        for index, film in enumerate(self.films.values()):
            shown = self.canvas(f"figure:nth-of-type({index + 1}) canvas")[..., :3].astype(int)
            wanted = film[scene - 1, frame - 1].permute(1, 2, 0).numpy()
            assert shown.shape == wanted.shape
            assert abs(shown - wanted).mean() < 8
            others = np.delete(film.flatten(0, 1).numpy(), FRAMES * (scene - 1) + frame - 1, 0)
            nearest = abs(shown - others.transpose(0, 2, 3, 1)).mean((1, 2, 3)).min()
            assert nearest > 16, "other frames are further away"
        return scene, frame

    def label(self):
        return self.page.locator("canvas").first.get_attribute("aria-label")


@pytest.fixture
def visit(chromium, tmp_path):
    yield from visits_of(lambda motion=False: Visit(chromium, tmp_path, motion))


def test_the_slider_shows_each_frame_of_all_films(visit):
    visit = visit()
    assert visit.state() == (1, SEEN)
    assert visit.label() == "film 0, seen, 2 of 2"
    slider = visit.page.locator("#frame")
    slider.press("ArrowRight")
    assert visit.state() == (1, 3)
    assert visit.label() == "film 0, +1"
    slider.press("Home")
    assert visit.state() == (1, 1)
    slider.press("End")
    assert visit.state() == (1, FRAMES)


def test_a_scene_begins_with_its_last_frame_seen(visit):
    visit = visit()
    visit.page.locator("#frame").press("End")
    assert visit.click("#scene-1") == (2, SEEN)
    pressed = [visit.page.locator(f"#scene-{i}").get_attribute("aria-pressed") for i in (0, 1)]
    assert pressed == ["false", "true"]
    visit.page.locator("#frame").press("End")
    assert visit.state() == (2, FRAMES)


def test_who_wants_no_motion_gets_the_end_and_then_the_start(visit):
    visit = visit()
    assert visit.click("#play") == (1, FRAMES)
    assert visit.click("#play") == (1, 1)


def test_one_button_plays_all_films(visit):
    visit = visit(motion=True)
    visit.note_states()
    visit.page.locator("#play").click()
    visit.page.locator("html[data-state='scene 1; frame 5 of 5; still']").wait_for(state="attached")
    frames = [int(re.search(r"frame (\d)", text)[1]) for text in visit.page.evaluate("states")]
    assert sorted(set(frames)) == [2, 3, 4, 5]
    assert frames == sorted(frames)
    assert visit.page.locator("#play").inner_text() == "Play"
    # Once more: from the first frame on, and then a pause.
    visit.page.locator("#play").click()
    visit.page.locator("html[data-state$='playing']").wait_for(state="attached")
    assert visit.page.locator("#play").inner_text() == "Pause"
    visit.page.locator("#play").click()
    assert visit.state()[1] < FRAMES


def test_it_fits_a_telephone(visit):
    visit = visit()
    assert visit.page.evaluate("document.documentElement.scrollWidth <= 358")
