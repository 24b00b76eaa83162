"""The explorer of codes in a headless browser: the whole way of a picture, and the reader's own."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from explorer import COLUMNS, ROWS, shown
from vqvae_lite.images import to_float
from vqvae_lite.model import VQVAE
from vqvae_lite.quantizers import codebook_of

# A camera that shows one colour, as a browser's would.
CAMERA = """
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [160, 120];
  const context = canvas.getContext("2d");
  context.fillStyle = "rgb(200, 40, 40)";
  setInterval(() => context.fillRect(0, 0, 160, 120), 20);
  return window.stream = canvas.captureStream(30);
};
"""
CODES = """([model, pixels]) => {
  const [height, width] = VQ.data.size.slice(1);
  const whole = VQ.vqvae(VQ.data.models[model], {height, width});
  const {codes, vectors} = whole.encode(Uint8ClampedArray.from(pixels));
  return [Array.from(codes), Array.from(vectors)];
}"""


def encoded(explorer, model, picture):
    """Codes and vectors that the page gives of a picture, uint8 (3, H, W)."""
    pixels = picture.permute(1, 2, 0).flatten().tolist()
    codes, vectors = explorer.page.evaluate(CODES, [model, pixels])
    return torch.tensor(codes).view(ROWS, COLUMNS), torch.tensor(vectors).view(ROWS, COLUMNS, -1)


@pytest.mark.parametrize("script", ["", "delete window.WebAssembly"], ids=["wasm", "plain"])
def test_page_encodes_as_torch_does(explore, script):
    explorer = explore(script=script)
    assert explorer.page.evaluate("VQ.kernel.fast") == (script == "")
    for index, model in enumerate([explorer.model, explorer.photographs]):
        codes, vectors = encoded(explorer, index, explorer.frames[1])
        with torch.no_grad():
            wanted = model.encoder(to_float(explorer.frames[1:2]))[0].permute(1, 2, 0)
        assert (vectors - wanted).abs().max() < 1e-3
        nearest = torch.cdist(wanted.flatten(0, 1), codebook_of(model.quantizer)).sort(1)
        clear = (nearest.values[:, 1] - nearest.values[:, 0] > 1e-2).view(ROWS, COLUMNS)
        assert clear.float().mean() > 0.5
        assert (codes == model.encode(to_float(explorer.frames[1:2]))[0])[clear].all()


def test_each_station_tells_what_the_model_does(explore):
    explorer = explore()
    page, said = explorer.page, explorer.page.locator("#way-said")
    steps = []
    for _ in range(8):
        steps.append(explorer.do(page.locator("#way-on").click)["step"])
        if steps[-1] == "codes":
            different = len(explorer.codes[1].unique())
            assert f"{different} different codes" in said.inner_text()
        if steps[-1] == "difference":
            copy = shown(explorer.model, explorer.codes[1])
            frame = explorer.frames[1].permute(1, 2, 0).numpy().astype(int)
            psnr = 10 * np.log10(255**2 / ((copy - frame) ** 2).mean())
            assert abs(float(re.search(r"PSNR ([\d.]+)", said.inner_text())[1]) - psnr) < 0.1
        if steps[-1] == "back":
            ways = page.locator(".arrow").evaluate_all("all => all.map(a => a.dataset.goes)")
            assert ways == ["none", "copied", "copied", "back", "back", "none"]
    assert steps == [
        "picture", "encoder", "distances", "codes", "decoder", "difference", "back", "none",
    ]  # fmt: skip
    assert explorer.do(page.locator("#way-encoder").press, "Enter")["step"] == "encoder"


def test_distances_are_those_of_the_place_pointed_at(explore):
    explorer = explore()
    explorer.do(explorer.page.mouse.move, *explorer.at(5, 2))
    with torch.no_grad():
        vector = explorer.model.encoder(to_float(explorer.frames[1:2]))[0, :, 5, 2]
    far = (codebook_of(explorer.model.quantizer) - vector).norm(dim=1).sort()
    told = explorer.page.locator("#nearest").inner_text()
    assert "row 6, column 3" in told
    assert f"{far.values[0]:.2f} to code {far.indices[0]}" in told
    names = explorer.page.locator(".names span").all_inner_texts()
    assert [int(name) for name in names] == far.indices[:12].tolist()


def test_a_file_of_the_readers_own_goes_through_the_other_model(explore, tmp_path):
    explorer = explore()
    page = explorer.page
    picture = torch.randint(0, 256, (3, 32, 40), dtype=torch.uint8)
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / "mine.png")
    (tmp_path / "text.txt").write_text("no picture")

    def give(name):
        page.locator("#own-file").set_input_files(tmp_path / name)
        page.wait_for_timeout(300)

    state = explorer.do(give, "mine.png")
    assert (state["frame"], state["model"], state["pictures"]) == (3, 1, 4)
    codes = explorer.photographs.encode(to_float(picture[None]))[0]
    assert np.abs(explorer.picture() - shown(explorer.photographs, codes)).max() <= 2
    # The same picture through the model of the frames, and back.
    codes = explorer.model.encode(to_float(picture[None]))[0]
    assert explorer.do(page.locator("#model").select_option, index=0)["model"] == 0
    assert np.abs(explorer.picture() - shown(explorer.model, codes)).max() <= 2
    explorer.do(page.locator("#missions").select_option, index=3)
    assert "dB" in page.locator("#mission-answer").inner_text()
    # What is no picture is refused by name, and changes nothing.
    assert explorer.do(give, "text.txt")["pictures"] == 4
    assert "text.txt is no picture" in page.locator("#source-notice").inner_text()


def test_a_large_picture_is_cut_to_its_middle(explore, tmp_path):
    explorer = explore()
    wide = Image.new("RGB", (900, 240), "red")
    wide.paste((0, 0, 255), (300, 0, 600, 240))
    wide.save(tmp_path / "wide.png")
    explorer.page.locator("#own-file").set_input_files(tmp_path / "wide.png")
    explorer.page.wait_for_timeout(300)
    assert explorer.pixel(2, 16) == [0, 0, 255]


def test_drawing_by_mouse_and_by_key(explore):
    explorer = explore()
    page = explorer.page
    assert explorer.do(page.locator("#draw").click)["pictures"] == 4
    before = explorer.picture()
    box = page.locator("#sheet").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 120, steps=4)
    state = explorer.do(page.mouse.up)
    assert (state["pictures"], state["model"]) == (4, 1)
    drawn = explorer.picture()
    assert (drawn != before).any()
    explorer.do(page.locator("#sheet").press, "ArrowRight")
    explorer.do(page.locator("#sheet").press, "Enter")
    assert (explorer.picture() != drawn).any()
    explorer.do(page.locator("#clear").click)
    assert np.array_equal(explorer.picture(), before)
    explorer.do(page.locator("#frame-0").click)
    assert page.locator("#sheet").is_hidden()


def test_the_camera_runs_through_the_model_and_stops(explore):
    explorer = explore(script=CAMERA)
    page = explorer.page
    page.locator("#camera").click()
    page.locator("html[data-state*='pictures 4']").wait_for(state="attached")
    page.wait_for_timeout(300)
    assert np.abs(np.array(explorer.pixel(9, 9)) - [200, 40, 40]).max() < 12
    # Another picture of the camera is the same scene, not one more.
    assert explorer.do(page.locator("#camera").click)["pictures"] == 4
    assert page.evaluate("window.stream.getTracks().every(track => track.readyState === 'ended')")


def test_a_camera_that_is_refused_is_told(explore):
    explorer = explore(script="navigator.mediaDevices.getUserMedia = () => Promise.reject(1)")
    explorer.do(explorer.page.locator("#camera").click)
    assert "refused" in explorer.page.locator("#source-notice").inner_text()


def test_a_code_turns_into_another(explore):
    explorer = explore()
    page, codes = explorer.page, explorer.codes[1].clone()
    explorer.do(page.locator("#hand").fill, "5")
    explorer.do(page.locator("#mode-morph").click)
    assert page.locator("#share").is_disabled()
    start = explorer.picture()
    explorer.do(page.mouse.click, *explorer.at(6, 2))
    assert np.array_equal(explorer.picture(), start)
    model: VQVAE = explorer.model
    for share in (40, 100):
        explorer.do(page.locator("#share").fill, str(share))
        vectors = model.quantizer.lookup(codes[None]).clone()
        book = codebook_of(model.quantizer)
        between = book[codes[6, 2]] + share / 100 * (book[5] - book[codes[6, 2]])
        vectors[0, :, codes == codes[6, 2]] = between[:, None]
        with torch.no_grad():
            wanted = ((model.decoder(vectors)[0] + 1) * 127.5).round().clamp(0, 255)
        assert np.abs(explorer.picture() - wanted.permute(1, 2, 0).numpy()).max() <= 1
    assert page.locator("#midway").inner_text() == "nearest code: 5"
    # Nothing was put on the map.
    assert explorer.do(page.locator("#mode-look").click)["changed"] == 0
    assert np.array_equal(explorer.picture(), start)


def test_what_one_code_reaches(explore):
    explorer = explore(size=(32, 40))
    page = explorer.page
    explorer.do(page.locator("#against").select_option, "before")
    caption = page.locator("[data-panel=difference] figcaption")
    assert "0 pixels changed" in caption.inner_text()
    before = explorer.picture()
    explorer.do(page.locator("#hand").fill, "3")
    explorer.do(page.locator("#mode-paint").click)
    explorer.do(page.mouse.click, *explorer.at(4, 4))
    changed = (np.abs(explorer.picture() - before).max(2) > 1).sum()
    assert f"{changed} pixels changed" in caption.inner_text()
    assert changed > 16


def test_missions_say_when_they_are_fulfilled(explore):
    explorer = explore()
    page, answer = explorer.page, explorer.page.locator("#mission-answer")
    explorer.do(page.locator("#missions").select_option, index=2)
    assert answer.inner_text() == "Not yet."
    explorer.do(page.locator("#mode-paint").click)
    states = []
    for code in ("3", "9", "21", "30"):
        explorer.do(page.locator("#hand").fill, code)
        states.append(explorer.do(page.mouse.click, *explorer.at(4, 4))["solved"])
    assert states[-1] == 1
    assert answer.inner_text().startswith("One code changed ")
    assert "\u2713" in page.locator("#missions option").nth(2).inner_text()


def test_the_atlas_shows_what_each_code_paints(explore):
    explorer = explore()
    page = explorer.page
    explorer.do(page.locator("#order").select_option, "number")
    explorer.do(page.locator("#look").select_option, "tile")
    pixels = page.evaluate("""() => {
      const canvas = document.querySelector("#palette canvas");
      const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, 4);
      return [canvas.width, Array.from(data)];
    }""")
    width, tiles = pixels[0], np.array(pixels[1]).reshape(4, pixels[0], 4)[..., :3]
    assert width == 4 * 40
    # Far from the picture's edge a tile is the middle of nine of its code.
    nine = shown(explorer.model, torch.full((9, 9), 7))[16:20, 16:20]
    assert np.abs(tiles[:, 28:32].mean((0, 1)) - nine.mean((0, 1))).max() < 60
