"""The map that a prior fills in, in a headless browser: its prior against torch, what the dice
decide, and what mouse and keyboard do.
"""

import base64
import io
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image

from pages import rounded
from vqvae_lite.figures.codes import colors_of_codebook
from vqvae_lite.figures.prior import explore_prior
from vqvae_lite.images import to_float, to_uint8
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig

ROWS, COLUMNS, K = 8, 10, 40  # of the maps
HALF, PLACES = ROWS // 2 * COLUMNS, ROWS * COLUMNS


def prior_of(**settings):
    """A prior that is far from sure and far from uniform."""
    torch.manual_seed(2)
    prior = GatedPixelCNN(PixelCNNConfig(**settings)).eval()
    torch.nn.init.normal_(prior.head.weight, std=4 * settings["width"] ** -0.5)
    torch.nn.init.normal_(prior.head.bias, std=0.3)
    for attention in prior.attention.values():
        torch.nn.init.normal_(attention.out.weight, std=settings["width"] ** -0.5)
        torch.nn.init.normal_(attention.norm.weight)
        torch.nn.init.normal_(attention.norm.bias)
    return prior


class Visit:
    """The page of a model, a prior and two frames, and everything that went wrong on it."""

    def __init__(self, chromium, folder, prior, size, seed, bits):
        torch.manual_seed(11)
        num_codes = prior.config.num_codes
        self.model = VQVAE(ModelConfig(width=8, num_codes=num_codes, code_dim=6)).eval()
        self.prior, self.page_prior = prior, rounded(prior, bits)
        frames = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
        with torch.no_grad():
            z_e = self.model.encoder(to_float(frames)).movedim(1, -1).flatten(0, -2)
            self.model.quantizer.codebook.copy_(z_e[torch.randint(len(z_e), (num_codes,))])
            self.codes = self.model.encode(to_float(frames))
            self.model.decoder.doublings[-1].weight *= 0.6 / self.model.decode(self.codes).std()
            # The decoder's weights are rounded too, and the codebook's.
            self.page_model = rounded(self.model)
            book = self.model.quantizer.codebook
            step = book.abs().amax(1, keepdim=True) / 127
            self.page_model.quantizer.codebook.copy_((book / step).round() * step)
        file = folder / "figure.html"
        figure = explore_prior(self.model, prior, frames, seed=seed, bits=bits)
        file.write_text(figure.page, encoding="utf-8")

        self.trouble = []
        self.context = chromium.new_context(
            viewport={"width": 358, "height": 1000}, offline=True, color_scheme="dark"
        )
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.goto(file.as_uri())
        self.do(lambda: None)

    def do(self, act, *arguments):
        """Acts, waits until the figure rests, and returns its state."""
        act(*arguments)
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        self.page.wait_for_function(
            "() => document.documentElement.dataset.state.endsWith('still')"
        )
        return self.state()

    def state(self):
        text = self.page.locator("html").get_attribute("data-state")
        return {
            key: int(value) if value.isdigit() else value
            for key, value in re.findall(r"(\w+) ([\w.]+)", text)
        }

    def click(self, name):
        return self.do(self.page.locator(f"#{name}").click)

    def press(self, key):
        return self.do(self.page.locator("#map").press, key)

    def select(self, place):
        box = self.page.locator("#map").bounding_box()
        x = (place % COLUMNS + 0.5) * box["width"] / COLUMNS
        y = (place // COLUMNS + 0.5) * box["height"] / ROWS
        return self.do(lambda: self.page.locator("#map").click(position={"x": x, "y": y}))

    def canvas(self, selector):
        """What a canvas shows: (height, width, 4) uint8; where nothing is, alpha is 0."""
        address = self.page.evaluate("s => document.querySelector(s).toDataURL()", selector)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))

    def map(self):
        """The codes of the map, by their colours: (rows * columns,), -1 where there is none."""
        pixels = self.canvas("#map canvas").reshape(-1, 4)
        colors = [tuple(color) for color in colors_of_codebook(self.model).tolist()]
        assert len(set(colors)) == len(colors)
        codes = [colors.index(tuple(p[:3])) if p[3] else -1 for p in pixels.tolist()]
        return torch.tensor(codes)

    def offered(self):
        """The codes in the list, and their percentages as text."""
        names = self.page.locator(".choice .code").all_inner_texts()
        shares = self.page.locator(".choice .share").all_inner_texts()
        return [int(name.split()[-1]) for name in names], shares

    def here(self):
        return self.page.locator(".facts p").first.inner_text()


@pytest.fixture
def visit(chromium, tmp_path):
    visits = []

    def go(prior=None, size=(4 * ROWS, 4 * COLUMNS), seed=1, bits=8):
        prior = prior or prior_of(num_codes=K, width=12, num_layers=3)
        visits.append(Visit(chromium, tmp_path, prior, size, seed, bits))
        return visits[-1]

    yield go
    for each in visits:
        each.context.close()
        assert each.trouble == []


WITH_ATTENTION = {
    "num_codes": 30, "width": 32, "num_layers": 5, "position_channels": 12, "attention_every": 2,
}  # fmt: skip

LOGITS = """([codes, height, width, changes]) => {
  const map = VQ.prior(VQ.data.prior).on(height, width), rows = [];
  const along = () => {
    for (let i = map.known(); i < codes.length; i++) {
      rows.push(Array.from(map.logits(i)));
      map.put(codes[i]);
    }
  };
  along();
  for (const [place, code] of changes) {
    codes[place] = code;
    map.back(place);
    along();
  }
  for (const place of [0, codes.length - 1]) rows.push(Array.from(map.logits(place)));
  return rows;
}"""


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"num_codes": 512, "width": 32, "num_layers": 12}, (21, 21)),
        ({"num_codes": 30, "width": 10, "num_layers": 3, "kernel_size": 5}, (7, 12)),
        ({"num_codes": 9, "width": 5, "num_layers": 2, "kernel_size": 7}, (5, 3)),
        (WITH_ATTENTION, (7, 12)),
    ],
    ids=["width 32", "kernel 5", "odd width", "attention"],
)
def test_logits_in_the_page_are_those_of_torch(visit, settings, size):
    visit = visit(prior_of(**settings))
    height, width = size
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(settings["num_codes"], size, generator=generator)
    changes = [[2 * width, 4], [height * width - 1, 5]]
    rows = visit.page.evaluate(LOGITS, [codes.flatten().tolist(), height, width, changes])
    rows, wanted, exact = torch.tensor(rows), [], []
    with torch.no_grad():
        for place, code in [(0, codes[0, 0].item()), *changes]:
            codes.view(-1)[place] = code
            for logits, prior in [(wanted, visit.page_prior), (exact, visit.prior)]:
                logits.append(prior.logits(codes[None])[0].flatten(1).T[place:])
        final = visit.page_prior.logits(codes[None])[0].flatten(1).T
    wanted = torch.cat([*wanted, final[[0, -1]]])
    assert wanted.std() > 1
    assert (rows - wanted).abs().max() < 1e-3
    # What 8 bits cost: within 0.2 at these random weights, whose logits have a spread above 1.
    exact = torch.cat(exact)
    assert (rows[: len(exact)] - exact).abs().max() < 0.2


@pytest.mark.parametrize("bits", [2, 5, 7])
def test_weights_of_few_bits_are_read_as_they_were_written(visit, bits):
    visit = visit(prior_of(**WITH_ATTENTION), bits=bits)
    codes = torch.arange(PLACES) * 7 % WITH_ATTENTION["num_codes"]
    rows = visit.page.evaluate(LOGITS, [codes.tolist(), ROWS, COLUMNS, []])
    with torch.no_grad():
        wanted = visit.page_prior.logits(codes.view(1, ROWS, COLUMNS))[0].flatten(1).T
    assert (torch.tensor(rows)[:PLACES] - wanted).abs().max() < 1e-3


def test_what_is_shown_is_what_the_prior_and_the_decoder_make_of_the_map(visit):
    """Codes in the list, their shares, nats and the picture, all by torch from the codes."""
    visit = visit()
    visit.click("finish")
    codes = visit.map().view(ROWS, COLUMNS)
    with torch.no_grad():
        log_probs = visit.page_prior.logits(codes[None])[0].log_softmax(0).flatten(1).T
    nats = -log_probs.gather(1, codes.view(-1, 1)).sum().item()
    total = visit.page.locator("#total").inner_text()
    assert total.startswith(f"{PLACES} codes, {nats:.0f} nats: {nats / PLACES:.2f} a code")
    wanted = to_uint8(visit.page_model.decode(codes[None]))[0].permute(1, 2, 0).numpy()
    picture = visit.canvas("#decoded")
    assert (picture[..., 3] == 255).all()
    assert np.abs(picture[..., :3].astype(int) - wanted).max() <= 1
    for place in (0, 37, PLACES - 1):
        visit.select(place)
        best = log_probs[place].sort(descending=True)
        offered, shares = visit.offered()
        assert offered == best.indices[:8].tolist()
        for text, share in zip(shares, best.values[:8].exp(), strict=True):
            assert abs(float(text.strip("< %")) - 100 * share) < 0.6
        entropy = -(log_probs[place].exp() * log_probs[place]).sum()
        label = visit.page.locator(".facts .label").inner_text()
        assert label == f"Entropy {entropy:.2f} nats, of log {K} = {math.log(K):.2f} at most"


FIRST_CODES = """async count => {
  const click = id => document.getElementById(id).click(), codes = [];
  for (let i = 0; i < count; i++) {
    ["new", "play", "step"].forEach(click);  // a new map, halted, and its first code
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    codes.push(+document.querySelector(".facts p").textContent.match(/code (\\d+)/)[1]);
  }
  return codes;
}"""


def test_codes_are_drawn_as_often_as_they_are_probable(visit):
    """The first position's code over many seeds."""
    visit = visit()
    with torch.no_grad():
        logits = visit.page_prior.logits(torch.zeros(1, 1, 1, dtype=torch.long))[0, :, 0, 0]
    drawn = torch.tensor(visit.page.evaluate(FIRST_CODES, 400))
    # Kolmogorov and Smirnov's distance, and its bound at 5 %; the seeds make it the same each time.
    frequency = (drawn.bincount(minlength=K) / 400).cumsum(0)
    distance = (frequency - logits.softmax(0).cumsum(0)).abs().max().item()
    assert distance < 1.36 / 400**0.5
    assert len(drawn.unique()) > 5


def test_same_seed_gives_the_same_map(visit):
    first, second, other = visit(seed=5), visit(seed=5), visit(seed=6)
    for each in (first, second, other):
        each.click("finish")
    assert torch.equal(first.map(), second.map())
    assert (first.map() != other.map()).any()
    assert first.state() == second.state()
    # The next seed by the button, played to its end.
    state = first.click("new")
    assert (state["seed"], state["filled"]) == (6, PLACES)
    assert torch.equal(first.map(), other.map())


def test_another_code_keeps_all_before_and_draws_again_what_follows(visit):
    visit = visit()
    visit.click("finish")
    before, place = visit.map(), 34
    visit.select(place)
    offered, _ = visit.offered()
    number = next(i for i, code in enumerate(offered) if code != before[place])
    state = visit.click(f"choice-{number + 1}")
    assert (state["filled"], state["at"], state["choices"]) == (PLACES, place, 1)
    assert f"You chose code {offered[number]}," in visit.here()
    after = visit.map()
    assert torch.equal(after[:place], before[:place])
    assert after[place] == offered[number]
    others = (after[place + 1 :] != before[place + 1 :]).sum()
    told = visit.page.locator("#told").inner_text()
    assert f"Of the {PLACES - place - 1} codes after it {others} came out otherwise" in told
    assert others > 0
    # As if the map had been drawn so from the start: the dice and the codes before decide a code.
    with torch.no_grad():
        log_probs = visit.page_prior.logits(after.view(1, ROWS, COLUMNS))[0].log_softmax(0)
    nats = -log_probs.flatten(1).T.gather(1, after[:, None]).sum().item()
    assert visit.page.locator("#total").inner_text().startswith(f"{PLACES} codes, {nats:.0f} nats")
    # An earlier choice does away with a later one.
    visit.select(3)
    assert visit.press("2")["choices"] == 1
    assert torch.equal(visit.map()[:3], before[:3])


def test_choosing_what_was_drawn_changes_nothing(visit):
    visit = visit()
    visit.click("finish")
    before = visit.map()
    for place in range(20, PLACES):
        visit.select(place)
        offered, _ = visit.offered()
        if before[place] in offered:
            break
    state = visit.press(str(offered.index(before[place]) + 1))
    assert (state["at"], state["choices"]) == (place, 1)
    assert torch.equal(visit.map(), before)


def test_keyboard_does_what_the_mouse_does(visit):
    visit = visit()
    start = visit.state()
    at = start["at"]
    state = visit.press("ArrowRight")
    assert (state["at"], state["filled"]) == (at + 1, at + 1)  # the next one to be drawn
    assert visit.press("ArrowDown")["at"] == at + 1  # what comes later waits
    offered, _ = visit.offered()
    state = visit.press("2")
    assert (state["at"], state["filled"], state["choices"]) == (at + 1, at + 2, 1)
    assert f"You chose code {offered[1]}," in visit.here()
    assert visit.press("Shift+ArrowUp")["at"] == (at + 1) % COLUMNS
    assert visit.press("ArrowLeft")["at"] == (at + 1) % COLUMNS - 1
    for name, change in [("step", 1), ("step", 1)]:
        filled = visit.state()["filled"]
        state = visit.do(visit.page.locator(f"#{name}").press, "Enter")
        assert state["filled"] == filled + change
        assert state["at"] == filled
    assert visit.do(visit.page.locator("#choice-3").press, "Enter")["choices"] == 2
    assert visit.do(visit.page.locator("#play").press, "Enter")["filled"] == PLACES
    visit.do(visit.page.locator("#temperature").press, "ArrowLeft")
    assert visit.state()["temperature"] == "0.95"


@pytest.mark.parametrize("button", ["play", "new"])
@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_map_fills_in_code_after_code_where_motion_is_welcome(visit, button, motion):
    visit = visit()
    visit.page.emulate_media(reduced_motion=motion)
    visit.page.evaluate(
        "window.told = []; new MutationObserver(() => told.push(document.querySelector('#told')"
        ".textContent)).observe(document.querySelector('#told'), {childList: true})"
    )
    assert visit.click(button)["filled"] == PLACES
    told = " ".join(visit.page.evaluate("told"))
    assert ("Each code is drawn given all those before it" in told) == (motion != "reduce")


# Play, and halt after a few codes: in the page, for on a busy machine a click from here is late.
PLAY_PAST = """async filled => {
  const play = document.getElementById("play");
  const now = () => +document.documentElement.dataset.state.match(/filled (\\d+)/)[1];
  play.click();
  while (now() <= filled) await new Promise(requestAnimationFrame);
  play.click();
}"""


def test_play_stops_and_goes_on(visit):
    visit = visit()
    filled = visit.state()["filled"]
    stopped = visit.do(visit.page.evaluate, PLAY_PAST, filled)["filled"]
    assert filled < stopped < PLACES
    visit.page.wait_for_timeout(200)
    assert visit.state()["filled"] == stopped
    assert visit.click("play")["filled"] == PLACES


def test_completion_keeps_the_given_half(visit):
    visit = visit()
    visit.click("finish")
    state = visit.click("start-1")
    assert (state["filled"], state["start"]) == (HALF, 1)
    state = visit.click("finish")
    assert state["filled"] == PLACES
    assert torch.equal(visit.map()[:HALF], visit.codes[1].flatten()[:HALF])
    visit.select(HALF - 1)
    assert visit.here().startswith("Given: code")
    # Another code among the given ones leaves the others.
    visit.select(5)
    visit.press("1")
    codes = visit.map()
    assert torch.equal(codes[6:HALF], visit.codes[1].flatten()[6:HALF])
    assert torch.equal(codes[:5], visit.codes[1].flatten()[:5])
    assert visit.click("start-empty")["filled"] == 0


def test_picture_shows_no_more_than_the_map_has(visit):
    visit = visit()
    filled = visit.click("step")["filled"]
    wanted = np.zeros((ROWS, COLUMNS), bool)
    wanted.reshape(-1)[:filled] = True
    shown = visit.canvas("#decoded")[..., 3] > 0
    assert np.array_equal(shown, wanted.repeat(4, 0).repeat(4, 1))
    assert np.array_equal(visit.map().numpy() >= 0, wanted.reshape(-1))
    # The decoder gets zeros where there is no code, as it does beyond the edge of the map.
    codes = visit.map().view(1, ROWS, COLUMNS)
    with torch.no_grad():
        z_q = visit.page_model.quantizer.lookup(codes.clamp(min=0)) * (codes >= 0)[:, None]
        picture = to_uint8(visit.page_model.decoder(z_q))[0].permute(1, 2, 0).numpy()
    difference = np.abs(visit.canvas("#decoded")[..., :3].astype(int) - picture)
    assert difference[shown].max() <= 1


def test_temperature_and_the_uniform_prior(visit):
    visit = visit()
    visit.click("finish")
    slider = visit.page.locator("#temperature")
    visit.do(slider.fill, "0.2")
    cold = visit.page.locator("#total").inner_text()
    visit.do(slider.fill, "1.5")
    hot = visit.page.locator("#total").inner_text()

    def nats(text):
        return float(re.search(r"([\d.]+) nats", text)[1])

    assert nats(cold) < nats(hot)
    assert "(at temperature 1)" in hot
    state = visit.click("prior-uniform")
    assert (state["filled"], state["prior"]) == (PLACES, "uniform")
    text = visit.page.locator("#total").inner_text()
    assert nats(text) == round(PLACES * math.log(K))
    assert visit.offered() == (list(range(8)), ["2.5 %"] * 8)
    counts = visit.map().bincount(minlength=K)
    assert (counts > 0).sum() > K / 2


def test_page_does_not_scroll_sideways(visit):
    visit = visit()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 358
