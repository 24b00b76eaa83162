"""The models that run in a page: how fast, and how near to PyTorch. Needs a Chromium.

python benchmarks/page_model.py

Frames of the test mazes go through chapter 3's figure in a headless browser: once with its kernel
in WebAssembly, once in plain JavaScript, in one thread. "apart" is the largest difference from
PyTorch; the weights in the page are rounded, to 16 bits, 8, or 7 as in the book, so most of it is
that. Times are medians of 30; the machine is shared, so their ratio says more than they do.
"""

import sys
import tempfile
from pathlib import Path

import torch
from record import run, without_options
from playwright.sync_api import Browser, sync_playwright

from vqvae_lite.figures.codes import explore_codes
from vqvae_lite.images import to_float
from vqvae_lite.maze import load_maze
from vqvae_lite.model import VQVAE
from vqvae_lite.models import load_checkpoint

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import browser  # noqa: E402

FRAMES = 6
RUN = """([index, frames]) => {
  const [, height, width] = VQ.data.size, model = VQ.data.models[index];
  const decoder = VQ.decoder(model.decoder);
  const encoder = VQ.encoder(model.encoder, model.decoder.codebook);
  const shift = model.encoder.halvings.length;
  const encode = encoder.on(height, width), decode = decoder.on(height >> shift, width >> shift);
  const made = frames.map((bytes) => {
    const pixels = Float32Array.from(bytes, (value) => value / 127.5 - 1);
    const { vectors } = encode(pixels), codes = encoder.nearest(vectors);
    return { codes: Array.from(codes), vectors: Array.from(vectors.packed()),
      picture: Array.from(decode(codes).packed()) };
  });
  const median = (act) => {
    const times = Array.from({ length: 30 }, () => {
      const start = performance.now();
      act();
      return performance.now() - start;
    });
    return times.sort((a, b) => a - b)[15];
  };
  const pixels = Float32Array.from(frames[0], (value) => value / 127.5 - 1);
  const codes = Int32Array.from(made[0].codes);
  const milliseconds = {
    encode: median(() => encoder.nearest(encode(pixels).vectors)),
    decode: median(() => decode(codes)),
  };
  return { made, fast: VQ.kernel.fast, milliseconds };
}"""


def measured(program: Browser, page_text: str, model: VQVAE, index: int, frames, plain: bool):
    """Times of one model in the page, and how far it is from PyTorch."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "figure.html")
        file.write_text(page_text, encoding="utf-8")
        page = program.new_page()
        if plain:
            page.add_init_script("delete window.WebAssembly")
        page.goto(file.as_uri())
        page.wait_for_timeout(2000)  # the figure's own work is done then
        lists = frames.permute(0, 2, 3, 1).flatten(1).tolist()
        found = page.evaluate(RUN, [index, lists])
        page.close()
    assert found["fast"] != plain
    images = to_float(frames)
    with torch.no_grad():
        vectors = model.encoder(images).permute(0, 2, 3, 1).flatten(1)
        codes = torch.tensor([each["codes"] for each in found["made"]])
        wanted = model.decode(codes.view(-1, *model.encode(images).shape[1:]))
    pictures = torch.tensor([each["picture"] for each in found["made"]])
    return {
        **{f"{name}_ms": round(time, 2) for name, time in found["milliseconds"].items()},
        "vectors_apart": round(
            (torch.tensor([e["vectors"] for e in found["made"]]) - vectors).abs().max().item(), 6
        ),
        "pictures_apart": round(
            (pictures - wanted.permute(0, 2, 3, 1).flatten(1)).abs().max().item(), 6
        ),
        "grey_levels_apart": round(
            127.5 * (pictures - wanted.permute(0, 2, 3, 1).flatten(1)).abs().mean().item(), 3
        ),
        "codes_equal": round((codes == model.encode(images).flatten(1)).double().mean().item(), 4),
    }


def main() -> tuple[str, dict]:
    without_options(__doc__)
    path = browser.find()
    if path is None:
        raise SystemExit("page_model: needs a Chromium or Chrome")
    names = ("maze", "photographs")
    models = [load_checkpoint(ROOT / "checkpoints" / name).model for name in names]
    test = load_maze("test").frames
    frames = test[:: len(test) // FRAMES][:FRAMES]
    figures: dict = {}
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=path)
        for bits in (16, 8, 7):
            figure = explore_codes(models[0], frames, photographs=models[1], bits=bits)
            for index, name in enumerate(names):
                row = measured(program, figure.page, models[index], index, frames, False)
                figures[f"{name}_{bits}_bits"] = row
                print(name, bits, row)
            if bits == 7:
                plain = measured(program, figure.page, models[0], 0, frames, True)
                figures["maze_plain_javascript"] = plain
                fast = figures["maze_7_bits"]
                figures["times_faster_than_plain"] = {
                    name: round(plain[f"{name}_ms"] / fast[f"{name}_ms"], 1)
                    for name in ("encode", "decode")
                }
                print(plain, figures["times_faster_than_plain"])
        figures["first_picture_ms"] = first_picture(program, figure.page)
        print(figures["first_picture_ms"])
    figures["weights_kb"] = {
        name: round(sum(p.numel() for p in model.parameters()) / 1000)
        for name, model in zip(names, models, strict=True)
    }
    return "page_model", figures


def first_picture(program: Browser, page_text: str) -> float:
    """Milliseconds from the page's first script to its first decoded picture; median of five."""
    watch = """
      const start = performance.now();
      new MutationObserver((_, observer) => {
        if (!document.documentElement.dataset.state) return;
        window.first = performance.now() - start;
        observer.disconnect();
      }).observe(document, {attributes: true, subtree: true});
    """
    times = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "figure.html")
        file.write_text(page_text, encoding="utf-8")
        for _ in range(5):
            page = program.new_page()
            page.add_init_script(watch)
            page.goto(file.as_uri())
            page.locator("html[data-state*=frame]").wait_for(state="attached")
            times.append(page.evaluate("window.first"))
            page.close()
    return round(sorted(times)[2])


if __name__ == "__main__":
    run(main)
