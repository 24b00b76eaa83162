"""The replay of a training in a headless browser: with and without motion."""

import re

import pytest
import torch

from vqvae_lite.figures.learning import learn, replay_learning
from vqvae_lite.quantizer import VectorQuantizer

STATE = "document.documentElement.dataset.state"
SEEN = f"""window.seen = [];
addEventListener("DOMContentLoaded", () => new MutationObserver(() => seen.push({STATE}))
  .observe(document.documentElement, {{attributeFilter: ["data-state"]}}));"""


@pytest.fixture(scope="module")
def replay(tmp_path_factory):
    """A page of two phases of 30 steps, and the steps that it has."""
    phases = [torch.randn(40, 2, dtype=torch.float64) + 2 * phase for phase in range(2)]
    histories = {}
    for rule, decay in (("gradient", None), ("EMA", 0.9)):
        for care, restart_below in (("left alone", None), ("restarts", 0.0)):
            vq = VectorQuantizer(4, 2, decay=decay, restart_below=restart_below).double()
            histories[rule, care] = learn(vq, phases, steps=30, batch_size=8)
    file = tmp_path_factory.mktemp("learning") / "figure.html"
    page = replay_learning(phases, histories, news=["still", "moved"]).page
    file.write_text(page, encoding="utf-8")
    return file, histories["EMA", "restarts"].steps


@pytest.fixture
def opened(chromium, replay):
    file, _ = replay
    contexts = []

    def go(motion):
        contexts.append(chromium.new_context(reduced_motion=motion, offline=True))
        page = contexts[-1].new_page()
        page.add_init_script(SEEN)
        page.goto(file.as_uri())
        page.evaluate("seen.splice(0)")
        return page

    yield go
    for context in contexts:
        context.close()


def steps_seen(page):
    return [int(re.search(r"step (\d+)", state)[1]) for state in page.evaluate("seen")]


def test_play_shows_every_moment(opened, replay):
    page = opened("no-preference")
    page.locator("#play").click()
    page.wait_for_function(f"() => {STATE}.includes('step 60; still')")
    assert sorted(set(steps_seen(page))) == replay[1]


def test_without_motion_play_goes_to_the_end_of_each_phase_at_once(opened):
    page = opened("reduce")
    for end in (28, 60, 28):
        page.locator("#play").click()
        assert page.evaluate(STATE).endswith(f"step {end}; still")
    assert steps_seen(page) == [28, 60, 28]


def test_a_run_is_drawn_as_far_as_it_was_seen(opened, replay):
    page = opened("reduce")
    lines = page.locator("polyline.line")

    def lengths():
        points = [line.get_attribute("points").split() for line in lines.all()]
        return sorted(map(len, points))

    assert lengths() == [1, 1, 1, 1]
    page.locator("#step").fill("5")
    page.locator("#step").fill("2")
    assert lengths() == [1, 1, 1, 6]
