"""The quantizer in the plane: its cells, and its page under mouse, finger and keys."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.path import Path

from vqvae_lite.codebook import nearest_codes
from vqvae_lite.figures import plane


def random_codes(num_codes, seed):
    return torch.rand(num_codes, 2, generator=torch.Generator().manual_seed(seed)) * 5 - 2.5


def area(polygon):
    x, y = polygon.T
    return 0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))


@pytest.mark.parametrize(("num_codes", "seed"), [(1, 0), (2, 1), (3, 2), (8, 3), (40, 4)])
def test_cells_hold_the_points_nearest_to_their_code(num_codes, seed):
    codebook = random_codes(num_codes, seed)
    points = torch.rand(2000, 2, generator=torch.Generator().manual_seed(seed)) * 6 - 3
    distances = (points[:, None] - codebook).square().sum(2).sort(1).values
    if num_codes > 1:
        points = points[distances[:, 1] - distances[:, 0] > 1e-4]
    codes = nearest_codes(points, codebook)
    for k, cell in enumerate(plane.voronoi_cells(codebook)):
        assert (Path(cell).contains_points(points.numpy()) == (codes == k).numpy()).all()


def test_cells_tile_the_square():
    cells = plane.voronoi_cells(random_codes(12, 5), limit=2.75)
    assert sum(area(cell) for cell in cells) == pytest.approx(5.5**2)
    assert all(np.abs(cell).max() <= 2.75 for cell in cells)


def test_code_far_outside_has_no_cell():
    cells = plane.voronoi_cells([[0, 0], [100, 0]])
    assert area(cells[0]) == pytest.approx(36)
    assert cells[1].shape == (0, 2)


def test_of_codes_in_one_place_the_first_takes_all():
    cells = plane.voronoi_cells([[1, 0], [-1, 0], [1, 0]])
    assert [len(cell) for cell in cells] == [4, 4, 0]
    assert area(cells[0]) == pytest.approx(18)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"codebook must have the shape \(K, 2\), got \(8, 3\)"):
        plane.voronoi_cells(torch.zeros(8, 3))
    with pytest.raises(ValueError, match="at most 8 codes, got 9"):
        plane.explore_plane(torch.zeros(9, 2), torch.zeros(4, 2), torch.zeros(2), shape=(2, 2))
    with pytest.raises(ValueError, match=r"outputs must fill the map \(2, 2\), got 5"):
        plane.explore_plane(torch.zeros(8, 2), torch.zeros(5, 2), torch.zeros(2), shape=(2, 2))


def test_stills_are_drawn():
    codebook, outputs = random_codes(4, 0), random_codes(6, 1)
    distances = (outputs[:, None] - codebook).square().sum(2)
    z_e = outputs.T.reshape(1, 2, 2, 3)
    figure = plane.draw_steps(z_e, distances, distances.argmin(1).view(2, 3), z_e)
    figure.canvas.draw()
    axis = plane.draw_codes(plt.subplots()[1], codebook)
    plane.draw_arrows(axis, outputs, outputs / 2, color="black", label="half")
    plane.draw_outputs(axis, outputs, chosen=1)
    plane.draw_target(axis, (0, 0))
    axis.figure.canvas.draw()
    plt.close("all")


# Far enough apart that no handle covers another.
CODES = [[-2, 2], [0, 2.5], [2, 2], [-0.7, 0.4], [1, 0.2], [-2.2, -0.8], [-0.4, -2], [2, -1.5]]
OUTPUTS = [[-1.2, 1.2], [0.5, 1.3], [2.5, 0.8], [-2.4, 0.4], [-1, -1], [1, -2.3]]


class Page:
    """The figure of eight codes and a map of 2 x 3 outputs, alone on a page of its own."""

    def __init__(self, browser, folder, **context):
        self.codebook, self.outputs = torch.tensor(CODES), torch.tensor(OUTPUTS)
        figure = plane.explore_plane(
            self.codebook, self.outputs, torch.tensor([1.0, -0.5]), shape=(2, 3)
        )
        file = folder / "figure.html"
        html = figure._repr_mimebundle_()["text/html"]
        file.write_text(f'<!doctype html><html data-theme="dark">{html}</html>', encoding="utf-8")
        self.context = browser.new_context(viewport={"width": 728, "height": 900}, **context)
        self.page = self.context.new_page()
        self.page.goto(file.as_uri())
        self.frame = self.page.query_selector("iframe").content_frame()

    @property
    def codes(self):
        return [int(text) for text in self.frame.locator(".map button").all_inner_texts()]

    @property
    def state(self):
        return self.frame.locator("html").get_attribute("data-state")

    def middle(self, selector):
        box = self.frame.locator(selector).bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def expect(self, outputs=None, codebook=None):
        """The page must agree with the package on where everything goes now."""
        outputs = self.outputs if outputs is None else outputs
        codebook = self.codebook if codebook is None else codebook
        assert self.codes == nearest_codes(outputs, codebook).tolist()


@pytest.fixture
def figure(chromium, tmp_path):
    pages = []

    def show(**context):
        pages.append(Page(chromium, tmp_path, **context))
        return pages[-1]

    yield show
    for page in pages:
        page.context.close()


def moved(tensor, row, place):
    tensor = tensor.clone()
    tensor[row] = torch.as_tensor(place)
    return tensor


def test_page_and_package_agree_at_the_start(figure):
    page = figure()
    page.expect()
    polygons = page.frame.locator("polygon.cell")
    drawn = [polygon.get_attribute("points") for polygon in polygons.all()]
    for text, cell in zip(drawn, plane.voronoi_cells(page.codebook.double()), strict=True):
        corners = np.array([pair.split(",") for pair in text.split()], dtype=float)
        # The square from -3 to 3 is drawn from (36, 404) to (436, 4).
        expected = [36, 404] + (cell + 3) / 6 * [400, -400]
        assert np.abs(corners - expected).max() < 0.06


def test_mouse_drags_outputs_and_codes(figure):
    page = figure()
    # To where another handle is, whose place is known to the pixel and to the plane.
    for handle, goal in (("#output-3", "#code-5"), ("#code-2", "#output-0")):
        page.page.mouse.move(*page.middle(handle))
        page.page.mouse.down()
        page.page.mouse.move(*page.middle(goal), steps=4)
        page.page.mouse.up()
        page.page.mouse.move(5, 5)
    outputs = moved(page.outputs, 3, page.codebook[5])
    page.expect(outputs, moved(page.codebook, 2, page.outputs[0]))
    assert page.codes[3] == 5
    assert page.codes[0] == 2


def test_code_moved_onto_another_loses_its_cell(figure):
    page = figure()
    # Into the corner, which both reach to the bit.
    for code in ("#code-3", "#code-4"):
        page.frame.locator(code).focus()
        for _ in range(8):
            page.page.keyboard.press("Shift+ArrowLeft")
            page.page.keyboard.press("Shift+ArrowDown")
    cells = page.frame.locator("polygon.cell")
    assert cells.nth(3).get_attribute("points") != ""
    assert cells.nth(4).get_attribute("points") == ""
    assert 4 not in page.codes


def test_finger_drags_and_does_not_scroll(figure):
    page = figure(has_touch=True)
    touch = page.context.new_cdp_session(page.page)
    start, end = page.middle("#output-1"), page.middle("#code-7")
    for share in (0, 0.3, 0.6, 1):
        place = {"x": start[0] + share * (end[0] - start[0])}
        place["y"] = start[1] + share * (end[1] - start[1])
        kind = "touchStart" if share == 0 else "touchMove"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.expect(moved(page.outputs, 1, page.codebook[7]))
    assert "chosen 1" in page.state
    assert page.page.evaluate("scrollY") == 0


def test_keys_move_what_has_the_focus(figure):
    page = figure()
    page.frame.locator("#code-4").focus()
    for key in ("ArrowRight", "Shift+ArrowUp", "Shift+ArrowUp", "ArrowDown"):
        page.page.keyboard.press(key)
    label = page.frame.locator("#code-4").get_attribute("aria-label")
    assert label == "Code 4 at (1.05,\u00a01.15)"
    page.expect(codebook=moved(page.codebook, 4, [1.05, 1.15]))
    assert page.codes[1] == 4


def test_code_map_is_one_stop_of_tab_and_chooses(figure):
    page = figure()
    page.frame.locator(".map button").first.focus()
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("ArrowRight")
    assert "chosen 4" in page.state
    assert page.frame.locator('.map button[tabindex="0"]').count() == 1
    assert page.frame.locator("#output-4").get_attribute("tabindex") == "0"


def test_steps_follow_the_gradient_and_start_again_undoes(figure):
    page = figure()
    before = page.state
    place, target = page.outputs[0].double(), torch.tensor([1.0, -0.5])
    for _ in range(8):
        page.frame.locator("#step").click()
        code = page.codebook[nearest_codes(place[None].float(), page.codebook)[0]].double()
        place = (place - 0.25 * (code - target)).clamp(-3, 3)
    page.expect(moved(page.outputs, 0, place.float()))
    page.frame.get_by_text("Start again").click()
    assert page.state == before


def test_a_handle_taken_beside_its_middle_does_not_jump(figure):
    page = figure()
    x, y = page.middle("#output-3")
    page.page.mouse.move(x + 9, y - 8)
    page.page.mouse.down()
    page.page.mouse.move(x + 10, y - 8)
    page.page.mouse.up()
    assert np.abs(np.subtract(page.middle("#output-3"), (x, y))).max() < 2


def test_steps_leave_a_trail_until_something_else_moves(figure):
    page = figure()

    def trail():
        return len(page.frame.locator(".trail").get_attribute("points").split())

    assert trail() == 1
    for _ in range(3):
        page.frame.locator("#step").click()
    assert trail() == 4
    page.frame.locator("#code-0").focus()
    page.page.keyboard.press("ArrowUp")
    assert trail() == 1


def test_codes_on_one_another_share_a_name(figure):
    page = figure()
    page.page.mouse.move(*page.middle("#code-2"))
    page.page.mouse.down()
    page.page.mouse.move(*page.middle("#code-5"), steps=4)
    page.page.mouse.up()
    names = page.frame.locator(".code-name").all_text_contents()
    assert names[2] == "2"
    assert names[5] == "2,5"


def test_theme_follows_the_page_around(figure):
    page = figure()
    root = page.frame.locator("html")
    assert root.get_attribute("data-theme") == "dark"
    page.page.evaluate("document.documentElement.dataset.theme = 'light'")
    page.frame.wait_for_function("document.documentElement.dataset.theme === 'light'")


def test_frame_is_as_high_as_its_page(figure):
    page = figure()
    inside = page.frame.evaluate("document.body.getBoundingClientRect().height")
    page.page.wait_for_function(
        "height => Math.abs(document.querySelector('iframe').clientHeight - height) < 2",
        arg=inside,
    )
