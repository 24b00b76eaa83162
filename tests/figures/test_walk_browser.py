"""The imagined walk in a headless browser: its model against torch, its films, its keys."""

import re

import pytest
import torch
from torch import nn

from films import FilmPage, visits_of
from pages import model_of, on_a_phone, rounded, video_prior_of
from vqvae_lite.figures.codes import colors_of_codebook
from vqvae_lite.figures.prior import prior_data
from vqvae_lite.figures.walk import explore_walk
from vqvae_lite.images import to_uint8
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig

NAMES = ("forward", "left", "right")
WALKS, LENGTH, SEEN, ROWS, COLUMNS = 3, 7, 4, 4, 5
WAYS = ["in WebAssembly", "in plain JavaScript"]
ARROWS = {"forward": "ArrowUp", "left": "ArrowLeft", "right": "ArrowRight"}


def walks_of(count=WALKS, length=LENGTH, size=(ROWS, COLUMNS)):
    generator = torch.Generator().manual_seed(6)
    codes = torch.randint(40, (count, length, *size), generator=generator)
    return codes, torch.randint(3, (count, length - 1), generator=generator)


def as_in_the_page(prior, bits=8):
    """A copy with the weights that the page has; vectors of actions have 8 bits at least."""
    copied = rounded(prior, bits)
    copied.frame = rounded(prior.frame, bits)  # by the names that it goes by there
    copied.past.actions = rounded(prior.past.actions, max(bits, 8))
    return copied


class Visit(FilmPage):
    """The page of a tiny model and three walks, and what went wrong on it."""

    def __init__(self, chromium, folder, way=WAYS[0], motion="reduce", **settings):
        self.model, self.prior = model_of(), video_prior_of(**settings.pop("prior", {}))
        with torch.no_grad():
            generator = torch.Generator().manual_seed(3)
            self.model.quantizer.codebook.normal_(std=6, generator=generator)
        self.page_prior = as_in_the_page(self.prior, settings.get("bits", 8))
        self.codes, self.actions = walks_of()
        figure = explore_walk(
            self.model, self.prior, self.codes, self.actions, NAMES, seen=SEEN, **settings
        )
        super().__init__(
            chromium, folder, figure, "delete window.WebAssembly" if way == WAYS[1] else "",
            viewport={"width": 772, "height": 1000}, reduced_motion=motion,
        )  # fmt: skip
        assert self.page.evaluate("VQ.kernel.fast") == (way == WAYS[0])

    def state(self):
        """What the page says of itself, once it rests."""
        text = self.rest()
        found = dict(re.findall(r"(\w+) ([\w.,]*);", text))
        path = found["path"].split(",") if found["path"] else []
        assert int(found["frames"]) == len(path)
        return {
            "start": int(found["start"]), "path": path, "together": int(found["together"]),
            "sum": int(found["sum"]), "queued": found["queued"],
        }  # fmt: skip

    def map(self):
        """The codes that show, by their colours: (ROWS, COLUMNS)."""
        colors = [tuple(color) for color in colors_of_codebook(self.model).tolist()]
        assert len(set(colors)) == len(colors)
        pixels = self.canvas("#map canvas").reshape(-1, 4)[:, :3].tolist()
        return torch.tensor([colors.index(tuple(p)) for p in pixels]).view(ROWS, COLUMNS)

    def decoded(self, codes):
        with torch.no_grad():
            return to_uint8(self.model.decode(codes[None]))[0].permute(1, 2, 0).numpy()


@pytest.fixture
def visit(chromium, tmp_path):
    yield from visits_of(lambda *args, **settings: Visit(chromium, tmp_path, *args, **settings))


LOGITS = """([pasts, codes, height, width]) => {
  const model = VQ.dynamics(VQ.data.dynamics).on(height, width);
  return pasts.map(([maps, actions]) => {
    for (const _ of model.look(maps, actions));
    return codes.map((code, place) => {
      const logits = Array.from(model.map.logits(place));
      model.map.put(code);
      return logits;
    });
  });
}"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("prior", "bits", "size"),
    [
        ({}, 8, (ROWS, COLUMNS)),
        ({"history": 3, "embedding": 5, "width": 16, "pixelcnn_width": 12}, 5, (9, 6)),
        ({"history": 1, "width": 9, "pixelcnn_width": 5, "num_layers": 1}, 7, (11, 13)),
        ({"history": 1, "turns": (1, 2, 3), "circle": 4}, 8, (ROWS, COLUMNS)),
        ({"history": 3, "turns": (2, 1, -1)}, 8, (ROWS, COLUMNS)),
    ],
    ids=["8 bits", "5 bits", "7 bits", "with a memory and a circle", "with a memory"],
)
def test_logits_are_those_of_torch_at_the_start_of_a_film_and_later(visit, way, prior, bits, size):
    """After one, two and five frames: fewer than the model looks at, and more."""
    visit = visit(way, prior=prior, bits=bits)
    films, actions = walks_of(1, 6, size)
    pasts = [
        (films[0, :seen].flatten(1).tolist(), actions[0, :seen].tolist()) for seen in (1, 2, 5)
    ]
    codes = films[0, 5].flatten().tolist()
    found = torch.tensor(visit.page.evaluate(LOGITS, [pasts, codes, *size]))
    with torch.no_grad():
        for logits, (maps, done) in zip(found, pasts, strict=True):
            past = torch.tensor(maps).view(1, len(maps), *size)
            condition = visit.page_prior._look(len(maps), past, torch.tensor([done]))
            wanted = visit.page_prior.frame.logits(films[:, 5], condition=condition)
            wanted = wanted[0].flatten(1).T
            assert wanted.std() > 0.5
            assert (logits - wanted).abs().max() < 1e-3
    assert (found[0] - found[1]).abs().max() > 0.1


CONDITIONED = """([data, features, codes, height, width]) => {
  const map = new VQ.network.FeatureMap(height, width, data.features);
  features.forEach((vector, i) => {
    map.values.set(vector, map.place(Math.floor(i / width), i % width));
  });
  const prior = VQ.prior(data).on(height, width, map);
  return codes.map((code, place) => {
    const logits = Array.from(prior.logits(place));
    prior.put(code);
    return logits;
  });
}"""


def test_a_prior_may_be_conditioned_on_features_and_know_where_it_is(visit):
    settings = {"num_codes": 30, "width": 16, "num_layers": 3, "position_channels": 12}
    config = PixelCNNConfig(condition_channels=5, attention_every=2, **settings)
    torch.manual_seed(4)
    prior = GatedPixelCNN(config).eval()
    nn.init.normal_(prior.head.weight)
    for attention in prior.attention.values():
        nn.init.normal_(attention.out.weight, std=0.25)
    features, codes = torch.randn(1, 5, 6, 7), torch.randint(30, (1, 6, 7))
    given = [prior_data(prior), features[0].flatten(1).T.tolist(), codes.flatten().tolist(), 6, 7]
    found = torch.tensor(visit().page.evaluate(CONDITIONED, given))
    with torch.no_grad():
        wanted = rounded(prior).logits(codes, condition=features)[0].flatten(1).T
    assert wanted.std() > 0.5
    assert (found - wanted).abs().max() < 1e-3


def drawn_by_torch(visit, codes, actions, seed, temperature):
    """The map after these, by the page's dice: (1, ROWS, COLUMNS)."""
    places, before = ROWS * COLUMNS, codes.shape[1] * ROWS * COLUMNS
    levels = visit.page.evaluate(
        "([seed, first, n]) => [...Array(n).keys()].map(i => VQ.dice.uniform(seed, first + i))",
        [seed, before, places],
    )
    drawn = torch.zeros(1, places, dtype=torch.int64)
    condition = visit.page_prior._look(codes.shape[1], codes, actions)
    for place, level in enumerate(levels):
        logits = visit.page_prior.frame.logits(drawn.view(1, ROWS, COLUMNS), condition=condition)
        shares = (logits[0].flatten(1)[:, place].double() / temperature).softmax(0).cumsum(0)
        drawn[0, place] = (shares > level).nonzero()[0]
    return drawn.view(1, ROWS, COLUMNS)


@pytest.mark.parametrize("way", WAYS)
def test_a_film_of_the_page_is_the_one_that_torch_draws_by_the_same_dice(visit, way):
    visit = visit(way, seed=5)
    visit.click("#start-1")
    visit.page.locator("#temperature").fill("0.6")
    film, actions = visit.codes[1:2, :SEEN], visit.actions[1:2, : SEEN - 1]
    frames = []
    for name in ("left", "forward", "right"):
        visit.press(ARROWS[name])
        actions = torch.cat([actions, torch.tensor([[NAMES.index(name)]])], 1)
        with torch.no_grad():
            drawn = drawn_by_torch(visit, film, actions, 5, 0.6)
        film = torch.cat([film, drawn[:, None]], 1)
        frames.append(visit.map())
        assert torch.equal(frames[-1], drawn[0])
    assert not torch.equal(frames[0], frames[1])
    picture = visit.canvas("#film canvas")[..., :3].astype(int)
    assert abs(picture - visit.decoded(frames[-1])).mean() < 2, "weights of 8 bits"


def test_keys_buttons_and_the_picture_do_the_same(visit):
    visit = visit()
    assert visit.state()["path"] == []
    assert torch.equal(visit.map(), visit.codes[0, SEEN - 1])
    visit.press("ArrowLeft")
    visit.press("1")
    by_keys = visit.press("ArrowRight")
    assert by_keys["path"] == ["left", "forward", "right"]
    assert visit.page.locator("#count").inner_text() == "3 frames imagined"
    assert visit.press("Home")["path"] == []
    assert torch.equal(visit.map(), visit.codes[0, SEEN - 1])
    for action in (1, 0, 2):
        by_buttons = visit.click(f"#action-{action}")
    assert by_buttons == by_keys
    assert visit.click("#again")["path"] == []
    box = visit.page.locator("#film canvas").bounding_box()
    for share in (0.1, 0.5, 0.9):
        position = {"x": share * box["width"], "y": 0.5 * box["height"]}
        visit.page.locator("#film canvas").click(position=position)
        by_picture = visit.state()
    assert by_picture == by_keys
    assert visit.press("x") == by_keys


def test_seed_and_temperature_decide_the_film(visit):
    visit = visit(seed=3)
    films = {}
    for seed, temperature in [("3", "1"), ("4", "1"), ("3", "0.5"), ("3", "1")]:
        visit.page.locator("#seed").fill(seed)
        visit.page.locator("#temperature").fill(temperature)
        film = tuple(visit.press(key)["sum"] for key in ("ArrowUp", "ArrowUp"))
        assert films.setdefault((seed, temperature), film) == film
        visit.press("Home")
    assert len(set(films.values())) == 3


def test_the_recorded_walk_is_followed_to_its_end_and_left(visit):
    visit = visit()
    visit.click("#start-2")
    recorded = [NAMES[action] for action in visit.actions[2, SEEN - 1 :]]
    for frame in range(SEEN, LENGTH):
        assert visit.page.locator("#follow").get_attribute("aria-disabled") == "false"
        state = visit.click("#follow")
        assert state["path"] == recorded[: frame - SEEN + 1]
        assert state["together"] == frame - SEEN + 1
        wanted = visit.decoded(visit.codes[2, frame])
        assert abs(visit.canvas("#real")[..., :3].astype(int) - wanted).mean() < 2
        assert "what really came" in visit.page.locator(".truth figcaption").inner_text()
    assert visit.page.locator("#follow").get_attribute("aria-disabled") == "true"
    assert "The recorded walk ends here" in visit.page.locator("#told").inner_text()
    assert visit.press("Enter") == state, "there is nothing left to follow"
    assert visit.press("ArrowUp")["together"] == LENGTH - SEEN
    visit.press("Home")
    visit.press("Enter")  # as the button does
    other = next(name for name in NAMES if name != recorded[1])
    assert visit.press(ARROWS[other])["together"] == 1
    said = visit.page.locator(".truth figcaption").inner_text()
    assert said == "You left the recorded walk after 1 frame."
    wanted = visit.decoded(visit.codes[2, SEEN])
    assert abs(visit.canvas("#real")[..., :3].astype(int) - wanted).mean() < 2, "the last in common"


def test_one_action_waits_and_the_start_forgets_it(visit):
    visit = visit()
    visit.page.evaluate("""() => {
      for (const action of [0, 1, 2]) document.getElementById(`action-${action}`).click();
    }""")
    assert visit.state()["path"] == ["forward", "right"], "the last one that came waits"
    visit.page.evaluate("""() => {
      for (const id of ["action-0", "action-1", "again"]) document.getElementById(id).click();
    }""")
    visit.page.wait_for_timeout(200)
    assert visit.state()["path"] == []
    assert torch.equal(visit.map(), visit.codes[0, SEEN - 1])


@pytest.mark.parametrize("way", WAYS)
def test_sixty_frames_one_after_another(visit, way):
    visit = visit(way)
    visit.page.locator("#finished").click()
    keys = ["ArrowUp", "ArrowLeft", "ArrowUp", "ArrowRight", "ArrowRight", "2"] * 10
    for key in keys:
        state = visit.press(key)
    assert len(state["path"]) == 60
    assert visit.page.locator("#count").inner_text() == "60 frames imagined"


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_codes_show_as_they_are_drawn_where_that_is_wished(visit, motion):
    visit = visit(motion=motion)
    visit.page.evaluate(
        "window.lines = []; new MutationObserver(() => lines.push("
        "document.querySelector('.line-of-drawing').getAttribute('style'))).observe("
        "document.querySelector('.line-of-drawing'), {attributes: true})"
    )
    visit.press("ArrowUp")
    shown = [line for line in visit.page.evaluate("lines") if line.startswith("top")]
    assert bool(shown) == (motion == "no-preference")
    pressed = "live" if motion == "no-preference" else "finished"
    assert visit.page.locator(f"#{pressed}").get_attribute("aria-pressed") == "true"
    visit.page.locator("#live").dispatch_event("click")  # out of use where motion is not welcome
    assert visit.page.locator(f"#{pressed}").get_attribute("aria-pressed") == "true"
    visit.click("#finished")
    visit.page.evaluate("lines.length = 0")
    visit.press("ArrowUp")
    assert not [line for line in visit.page.evaluate("lines") if line.startswith("top")]


def test_fingers_walk_on_a_narrow_page(chromium, tmp_path):
    codes, actions = walks_of()
    file = tmp_path / "figure.html"
    figure = explore_walk(model_of(), video_prior_of(), codes, actions, NAMES, seen=SEEN)
    file.write_text(figure.page, encoding="utf-8")
    with on_a_phone(chromium, file) as page:
        page.locator("#action-1").tap()
        page.wait_for_function(
            "() => /path left;.*still$/.test(document.documentElement.dataset.state)"
        )
        box = page.locator("#film canvas").bounding_box()
        page.locator("#film canvas").tap(position={"x": 0.9 * box["width"], "y": 20})
        page.wait_for_function(
            "() => /path left,right;.*still$/.test(document.documentElement.dataset.state)"
        )
        assert page.evaluate("document.documentElement.scrollWidth") == 390
