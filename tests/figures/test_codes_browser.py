"""The explorer of an image's codes in a headless browser: its decoder against torch, and what
mouse, keyboard and touch do.
"""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from explorer import shown

DECODE = """([codes, height, width, changes]) => {
  const decode = VQ.decoder(VQ.data.models[0].decoder).on(height, width);
  const pictures = [Array.from(decode(codes).packed())];
  for (const [y, x, code] of changes) {
    codes[y * width + x] = code;
    pictures.push(Array.from(decode(codes, {x0: x, x1: x, y0: y, y1: y}).packed()));
  }
  pictures.push(Array.from(decode(codes).packed()));
  return pictures;
}"""


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"width": 64}, (84, 84)),
        (
            {"width": 38, "num_halvings": 3, "num_residual": 1, "num_codes": 100, "code_dim": 10},
            (64, 40),
        ),
        ({"width": 5, "num_halvings": 1, "num_residual": 3, "num_codes": 9, "code_dim": 3}, (6, 8)),
    ],
    ids=["book", "three halvings", "odd width"],
)
def test_page_decodes_as_torch_does(explore, settings, size):
    explorer = explore(settings, size)
    model, (height, width) = explorer.model, explorer.codes.shape[1:]
    codes = torch.randint(model.config.num_codes, (height, width))
    changes = [[0, 0, 1], [height - 1, width - 1, 2], [height // 2, 1, 0]]
    pictures = explorer.page.evaluate(DECODE, [codes.flatten().tolist(), height, width, changes])
    # After a change the page computes again only what it reaches; the last picture is all anew.
    for picture, change in zip(pictures, [None, *changes, None], strict=True):
        if change:
            codes[change[0], change[1]] = change[2]
        wanted = model.decode(codes[None])[0].permute(1, 2, 0)
        assert wanted.abs().max() > 1
        assert (torch.tensor(picture).view(wanted.shape) - wanted).abs().max() < 1e-3
    assert pictures[-1] == pictures[-2]


def test_page_opens_with_the_chosen_frame_decoded(explore):
    explorer = explore()
    assert np.abs(explorer.picture() - shown(explorer.model, explorer.codes[1])).max() <= 1


def test_pointing_shows_the_code_its_uses_and_its_pixels(explore):
    explorer = explore()
    code = explorer.codes[1, 3, 7].item()
    assert explorer.do(explorer.page.mouse.move, *explorer.at(3, 7))["code"] == code
    card = explorer.page.locator(".card")
    here, everywhere = (explorer.codes[1] == code).sum(), (explorer.codes == code).sum()
    assert card.locator("h2").inner_text().strip() == f"Code {code}"
    assert card.locator(".facts").inner_text() == (
        f"{here} of the 80 places here, {everywhere} of 240 in all 3 pictures."
    )
    assert card.locator(".tiles canvas").count() == min(12, everywhere)
    assert card.locator(".bars rect").count() == 6
    assert card.locator(".tiles .tile").count() == 12


def test_what_lies_below_stays_where_it_is(explore):
    """Whatever code is pointed at: else the palette would run away from the pointer."""
    explorer = explore()
    order, bars = explorer.page.locator("#order"), explorer.page.locator(".bars")
    tops = set()
    for place in [(0, 0), (3, 7), (5, 1), (7, 9)]:
        explorer.do(explorer.page.mouse.move, *explorer.at(*place))
        tops.add(tuple(each.bounding_box()["y"] for each in (order, bars)))
    box = explorer.page.locator("#palette").bounding_box()
    for share in (0.1, 0.5, 0.9):
        x, y = box["x"] + share * box["width"], box["y"] + box["height"] / 2
        explorer.do(explorer.page.mouse.move, x, y)
        tops.add(tuple(each.bounding_box()["y"] for each in (order, bars)))
    assert len(tops) == 1


def test_painting_changes_the_picture_and_undo_restores_it(explore):
    explorer = explore()
    page, codes = explorer.page, explorer.codes[1].clone()
    before = explorer.picture()
    explorer.do(page.locator("#mode-paint").click)
    hand = explorer.do(page.locator("#hand").fill, "17")["hand"]
    assert hand == 17

    page.mouse.move(*explorer.at(2, 1))
    page.mouse.down()
    page.mouse.move(*explorer.at(2, 8))  # a quick hand leaves no gaps
    state = explorer.do(page.mouse.up)
    codes[2, 1:9] = 17
    assert state["changed"] == (codes != explorer.codes[1]).sum()
    assert (before != explorer.picture()).any()
    assert np.abs(explorer.picture() - shown(explorer.model, codes)).max() <= 1

    explorer.do(page.locator("#undo").click)
    assert np.array_equal(explorer.picture(), before)
    assert page.locator("#undo").get_attribute("aria-disabled") == "true"


def test_replace_all_reaches_every_place_of_a_code(explore):
    explorer = explore()
    page, codes = explorer.page, explorer.codes[1].clone()
    explorer.do(page.locator("#hand").fill, "5")
    explorer.do(page.locator("#mode-replace").click)
    codes[codes == codes[6, 2]] = 5
    state = explorer.do(page.mouse.click, *explorer.at(6, 2))
    assert state["changed"] == (codes != explorer.codes[1]).sum() > 0
    assert np.abs(explorer.picture() - shown(explorer.model, codes)).max() <= 1


def test_a_click_that_changes_nothing_says_why(explore):
    explorer = explore()
    page = explorer.page
    hand = explorer.codes[1, 6, 2].item()
    explorer.do(page.locator("#hand").fill, str(hand))
    explorer.do(page.locator("#mode-replace").click)
    state = explorer.do(page.mouse.click, *explorer.at(6, 2))
    assert state["changed"] == 0
    # In the figure itself: to screen readers it is said a moment later, elsewhere.
    said = page.locator(".edit").get_by_text(f"Code {hand} is the one in hand")
    assert said.count() == 1
    explorer.do(page.locator("#mode-look").click)
    assert said.count() == 0


def test_the_difference_is_that_of_frame_and_decoded_picture(explore):
    explorer = explore()
    explorer.do(explorer.page.locator("#map").focus)
    address = explorer.page.evaluate("document.getElementById('original').toDataURL()")
    frame = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB")
    )
    mean = np.abs(frame.astype(int) - explorer.picture()).mean()
    told = explorer.page.locator(".pictures figcaption").last.inner_text()
    assert abs(float(re.search(r"([\d.]+) of 255", told)[1]) - mean) < 0.2


def test_keyboard_does_what_the_mouse_does(explore):
    explorer = explore()
    page, keys = explorer.page, explorer.page.keyboard
    before = explorer.picture()
    explorer.do(page.locator("#palette").focus)
    explorer.do(keys.press, "ArrowRight")
    state = explorer.do(keys.press, "Enter")
    hand = state["hand"]
    explorer.do(page.locator("#mode-paint").press, "Enter")
    explorer.do(page.locator("#map").focus)
    start = explorer.do(keys.press, "ArrowDown")["cursor"]
    state = explorer.do(keys.press, "Shift+ArrowRight")
    assert (state["mode"], state["cursor"]) == ("paint", start + 5)
    state = explorer.do(keys.press, "Enter")
    assert (state["code"], state["changed"]) == (hand, 1)
    assert (before != explorer.picture()).any()
    assert explorer.do(keys.press, "Control+z")["changed"] == 0
    assert np.array_equal(explorer.picture(), before)
    state = explorer.do(keys.press, "p")
    assert state["hand"] == state["code"]


def test_each_frame_keeps_its_changes_until_reset(explore):
    explorer = explore()
    page = explorer.page
    before = explorer.picture()
    explorer.do(page.locator("#mode-paint").click)
    explorer.do(page.locator("#hand").fill, "3")
    state = explorer.do(page.mouse.click, *explorer.at(4, 4))
    assert state["changed"] == 1
    state = explorer.do(page.locator("#frame-1").press, "ArrowRight")
    assert (state["frame"], state["changed"]) == (2, 0)
    assert np.abs(explorer.picture() - shown(explorer.model, explorer.codes[2])).max() <= 1
    assert explorer.do(page.locator("#frame-1").click)["changed"] == 1
    assert explorer.do(page.locator("#reset").click)["changed"] == 0
    assert np.array_equal(explorer.picture(), before)
    assert explorer.do(page.locator("#undo").click)["changed"] == 1  # a reset can be undone


def test_numbers_that_are_no_codes_are_not_taken(explore):
    explorer = explore()
    hand = explorer.page.locator("#hand")
    explorer.do(hand.fill, "7")
    for wrong in ("40", "-1", "1.5", ""):
        assert explorer.do(hand.fill, wrong)["hand"] == 7
    explorer.do(hand.blur)
    assert hand.input_value() == "7"


def test_a_finger_paints_in_its_mode_only(explore):
    phone = {"viewport": {"width": 358, "height": 700}, "has_touch": True, "is_mobile": True}
    explorer = explore(context=phone)
    page = explorer.page
    assert page.evaluate("document.documentElement.scrollWidth") == 358
    touch = page.context.new_cdp_session(page)

    def swipe(mode):
        """A finger goes up the map; returns what it may do to the page, and the state after."""
        explorer.do(page.locator(f"#mode-{mode}").click)
        page.locator("#map").evaluate("map => map.scrollIntoView({block: 'center'})")
        allowed = page.locator("#map").evaluate("map => getComputedStyle(map).touchAction")
        for row in range(7, 0, -1):
            x, y = explorer.at(row, 5)
            kind = "touchStart" if row == 7 else "touchMove"
            event = {"type": kind, "touchPoints": [{"x": x, "y": y}]}
            touch.send("Input.dispatchTouchEvent", event)
        end = {"type": "touchEnd", "touchPoints": []}
        return allowed, explorer.do(touch.send, "Input.dispatchTouchEvent", end)["changed"]

    page.locator("#hand").fill("7")
    assert swipe("look") == ("auto", 0)
    painted = (explorer.codes[1, 1:8, 5] != 7).sum()
    assert painted > 0
    assert swipe("paint") == ("none", painted)
