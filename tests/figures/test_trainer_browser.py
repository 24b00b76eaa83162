"""The VQ-VAE that trains in the page, in a browser: equal to PyTorch, and driven by all hands."""

import json
import re

import pytest
import torch
import torch.nn.functional as F

from pages import on_a_phone
from vqvae_lite.figures.trainer import first_model, plane_data, train_in_page
from vqvae_lite.quantizer import VectorQuantizer

SEED, HIDDEN, CODES, STEPS = 5, 16, 12, 100
USUAL = {
    "rate": 0.01, "beta": 0.25, "decay": None, "share": None,
    "copy": True, "stopEncoder": True, "stopCodebook": True,
}  # fmt: skip
CHANGES = [
    {}, {"rate": 0.03, "beta": 2.0}, {"beta": 0.0}, {"share": 0.1}, {"share": 0.0},
    {"decay": 0.9}, {"decay": 0.99, "share": 0.1}, {"copy": False}, {"decay": 0.9, "copy": False},
    {"stopEncoder": False}, {"stopCodebook": False, "beta": 1.0},
]  # fmt: skip
IN_PAGE = """([model, points, settings, steps]) => {
  const started = VQ.tiny.start(model), values = Float64Array.from(points);
  let seen;
  for (let i = 0; i < steps; i++) seen = VQ.tiny.step(started, values, settings);
  const names = ["w1", "b1", "w2", "b2", "v1", "c1", "v2", "c2", "codebook"];
  return { weights: names.map((name) => [...started[name]]), error: seen.error,
    perplexity: seen.perplexity };
}"""


def in_pytorch(points, settings):
    """The same steps by PyTorch and the package's quantizer: all weights, one after another."""
    encoder, decoder, codebook = first_model(SEED, HIDDEN, CODES)
    vq = VectorQuantizer(
        CODES,
        2,
        commitment=settings["beta"],
        decay=settings["decay"],
        restart_below=settings["share"],
    ).double()
    with torch.no_grad():
        vq.codebook.copy_(codebook)
    learned = [*encoder.parameters(), *decoder.parameters(), *vq.parameters()]
    optimizer = torch.optim.Adam(learned, settings["rate"])
    for _ in range(STEPS):
        z = encoder(points)
        out = vq(z)
        by_gradient = vq.decay is None
        e = F.embedding(out.codes, vq.codebook) if by_gradient else out.quantized.detach()
        pulled = z.detach() if settings["stopEncoder"] else z
        kept = e.detach() if settings["stopCodebook"] else e
        made = decoder(out.quantized if settings["copy"] else e)
        loss = F.mse_loss(made, points) + settings["beta"] * F.mse_loss(z, kept)
        if by_gradient:
            loss = loss + F.mse_loss(pulled, e)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weights = [*encoder.parameters(), *decoder.parameters(), vq.codebook]
    return [weight.detach().flatten() for weight in weights], F.mse_loss(made, points).item()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("trainer") / "figure.html"
    path.write_text(train_in_page(plane_data(120)).page, encoding="utf-8")
    return path


@pytest.fixture
def page(chromium, file):
    with on_a_phone(chromium, file) as page:
        yield page


def state(page):
    """The settings, the step and the whole state of the figure."""
    text = page.evaluate("document.documentElement.dataset.state")
    return json.loads(text.split("; ")[0]), int(re.search(r"step (\d+)", text)[1]), text


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_hundred_steps_are_those_of_pytorch(page, change):
    settings = USUAL | change
    points = plane_data(120)["rings"]
    model = {"seed": SEED, "hidden": HIDDEN, "codes": CODES}
    found = page.evaluate(IN_PAGE, [model, points.flatten().tolist(), settings, STEPS])
    weights, error = in_pytorch(points, settings)
    for ours, theirs in zip(found["weights"], weights, strict=True):
        torch.testing.assert_close(torch.tensor(ours).double(), theirs, atol=1e-4, rtol=0)
    assert abs(found["error"] - error) < 1e-4


def test_steps_are_taken_by_mouse_and_by_key(page):
    page.locator("#step").click()
    assert state(page)[1] == 1
    page.locator("#hundred").focus()
    page.keyboard.press("Enter")
    assert state(page)[1] == 101
    page.locator("#again").click()
    assert state(page)[1] == 0


def test_it_runs_until_it_is_paused(page):
    page.locator("#run").click()
    page.wait_for_function("/step \\d\\d+; running/.test(document.documentElement.dataset.state)")
    page.locator("#run").click()
    stopped = state(page)[1]
    page.wait_for_timeout(150)
    assert state(page)[1] == stopped > 9


def test_without_motion_a_run_goes_to_its_end_at_once(chromium, file):
    context = chromium.new_context(reduced_motion="reduce", offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.locator("#run").click()
    assert state(page)[1] == 300
    context.close()


def test_all_settings_reach_the_training(page):
    page.locator("#rule").select_option("EMA, decay 0.9")
    assert page.locator("#stopEncoder").is_disabled()
    page.locator("#rule").select_option("gradient")
    page.locator("#care").select_option("are restarted")
    page.locator("#set").select_option("moons")
    for name in ("codes", "beta", "rate"):
        page.locator(f"#{name}").focus()
        page.keyboard.press("ArrowRight")
    for name in ("copy", "stopEncoder", "stopCodebook"):
        page.locator(f"#{name}").uncheck()
    page.locator("#seed").fill("7")
    page.locator("#seed").press("Enter")
    assert state(page)[0] == {
        "data": "moons", "codes": 17, "seed": 7, "beta": 0.5, "decay": None, "share": 0.1,
        "rate": 0.03, "copy": False, "stopEncoder": False, "stopCodebook": False,
    }  # fmt: skip


def test_points_of_ones_own_come_by_touch_and_by_key(page):
    page.locator("#points").tap()
    assert "12 points" in state(page)[2]
    page.locator("#points").focus()
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Enter")
    settings, step, text = state(page)
    assert settings["data"] == "your own clicks"
    assert (step, "24 points" in text) == (0, True)
    page.locator("#hundred").click()
    assert state(page)[1] == 100


def test_the_missions_can_be_fulfilled(page):
    """Rings collapse with a beta of 0; each of three changes cures it."""

    def beta(presses, key):
        page.locator("#beta").focus()
        for _ in range(presses):
            page.keyboard.press(key)

    def run(count):
        page.locator("#again").click()
        for _ in range(count):
            page.locator("#hundred").click()

    def ticked(task):
        return page.locator(f"#task-{task}").inner_text().startswith("\u2713")

    beta(4, "ArrowLeft")
    assert not ticked("collapse")
    run(10)
    assert ticked("collapse")
    beta(4, "ArrowRight")
    run(3)
    assert ticked("beta")
    assert "\u03b2" in page.locator("#task-cures").inner_text().partition("Found")[2]
    beta(4, "ArrowLeft")
    for menu, cured, usual in (
        ("#care", "are restarted", "are left alone"),
        ("#rule", "EMA, decay 0.5", "gradient"),
    ):
        page.locator(menu).select_option(cured)
        run(6)
        page.locator(menu).select_option(usual)
    assert ticked("cures"), page.locator("#task-cures").inner_text()
