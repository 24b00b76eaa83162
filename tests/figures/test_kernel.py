"""The networks of the pages in a headless browser, in WebAssembly and without it, against torch."""

import re
import subprocess

import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kernel.build import WRITTEN, compiled
from pages import frames_of, model_of, unpack
from vqvae_lite.figures.codes import decoder_data, encoder_data, layer_data
from vqvae_lite.figures.page import InteractiveFigure
from vqvae_lite.images import to_float

PLAIN, TRANSPOSED = (0, 2, 3, 1), (1, 2, 3, 0)  # weights as (out, height, width, in)
WAYS = ["in WebAssembly", "in plain JavaScript"]


def page_of():
    """A page that has the networks' scripts, and nothing else to do."""
    figure = InteractiveFigure(
        "encoder", {}, title="Networks", description="None.", still=plt.figure(), height=100,
        click="#a", key="#a|Enter", uses=["kernelcode", "kernel", "network", "decoder"],
    )  # fmt: skip
    return figure.page


@pytest.fixture(scope="module", params=WAYS)
def page(request, chromium, tmp_path_factory):
    file = tmp_path_factory.mktemp("kernel") / "figure.html"
    file.write_text(page_of(), encoding="utf-8")
    context, trouble = chromium.new_context(offline=True), []
    if request.param == WAYS[1]:
        context.add_init_script("delete window.WebAssembly")
    page = context.new_page()
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text))
    page.goto(file.as_uri())
    assert page.evaluate("VQ.kernel.fast") == (request.param == WAYS[0])
    yield page
    context.close()
    assert trouble == []


@pytest.mark.slow
def test_the_committed_script_is_what_its_source_compiles_to(monkeypatch):
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    try:
        code = compiled()
    except FileNotFoundError as error:
        pytest.skip(f"nothing was compiled: {error}")
    except subprocess.CalledProcessError:
        if subprocess.run(["npm", "ping"], capture_output=True).returncode:
            pytest.skip("nothing was compiled: npm does not reach its registry")
        raise
    assert code == WRITTEN.read_text(encoding="utf-8")


def test_a_page_may_compile_its_kernel_and_nothing_more():
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page_of())[1]
    assert policy.replace("&#x27;", "'").split("; ") == [
        "default-src 'none'",
        "script-src 'unsafe-inline' 'wasm-unsafe-eval'",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
    ]


# A layer over a whole map; over the box that changes then; and over all of the changed map.
APPLY = """({
  layer, doubles, stride, stored, height, width, inputs, outputs, first, second, box,
}) => {
  const { FeatureMap, convolution, doubling, convolve, double } = VQ.network;
  const weights = doubles ? doubling(layer) : convolution(layer, {stride, stored});
  const apply = doubles ? double : convolve;
  const from = new FeatureMap(height, width, inputs, stored ?? undefined);
  const sizes = [height, width].map((n) => (doubles ? 2 * n : Math.floor(n / stride)));
  const kept = new FeatureMap(...sizes, outputs), fresh = new FeatureMap(...sizes, outputs);
  const put = (pixels) => {
    for (let i = 0; i < height * width; i++) {
      const place = from.place(Math.floor(i / width), i % width);
      from.values.set(pixels.slice(i * inputs, (i + 1) * inputs), place);
    }
  };
  put(first);
  apply(weights, from, kept, from.everywhere());
  const before = Array.from(kept.packed());
  put(second);
  const reached = apply(weights, from, kept, box);
  apply(weights, from, fresh, from.everywhere());
  return [before, ...[kept, fresh].map((map) => Array.from(map.packed())), reached];
}"""
KINDS = {
    "3 x 3": lambda inputs, outputs, bias: nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias),
    "1 x 1": lambda inputs, outputs, bias: nn.Conv2d(inputs, outputs, 1, bias=bias),
    "halving": lambda inputs, outputs, bias: nn.Conv2d(inputs, outputs, 4, 2, 1, bias=bias),
    "halving of a picture": lambda _, outputs, bias: nn.Conv2d(3, outputs, 4, 2, 1, bias=bias),
    "doubling": lambda inputs, outputs, bias: nn.ConvTranspose2d(
        inputs, outputs, 4, 2, 1, bias=bias
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_gives_what_torch_gives_and_a_box_what_the_whole_gives(page, kind):
    generator = torch.Generator().manual_seed(1)

    def number(low, high):
        return torch.randint(low, high + 1, (), generator=generator).item()

    for trial in range(12):
        # Channels that are no multiples of 8, sizes that are odd, and the others.
        layer = KINDS[kind](number(1, 20), number(1, 20), trial % 3 > 0)
        height, width = number(3, 13), number(3, 13)
        before = torch.randn(1, layer.in_channels, height, width, generator=generator)
        after = before.clone()
        y0, x0 = number(0, height - 1), number(0, width - 1)
        y1, x1 = number(y0, height - 1), number(x0, width - 1)
        after[:, :, y0 : y1 + 1, x0 : x1 + 1] += 1
        doubles = isinstance(layer, nn.ConvTranspose2d)
        data = layer_data(layer, TRANSPOSED if doubles else PLAIN, 16)
        *maps, reached = page.evaluate(
            APPLY,
            {
                "layer": data, "doubles": doubles, "stride": layer.stride[0],
                "stored": 3 if kind == "halving of a picture" else None,
                "height": height, "width": width,
                "inputs": layer.in_channels, "outputs": layer.out_channels,
                "first": before[0].permute(1, 2, 0).flatten().tolist(),
                "second": after[0].permute(1, 2, 0).flatten().tolist(),
                "box": {"y0": y0, "x0": x0, "y1": y1, "x1": x1},
            },
        )  # fmt: skip
        as_in_the_page(layer, data)
        with torch.no_grad():
            wanted = [layer(x)[0].permute(1, 2, 0) for x in (before, after)]
        first, boxed, whole = (torch.tensor(values).view(wanted[0].shape) for values in maps)
        assert (first - wanted[0]).abs().max() < 1e-4
        assert (whole - wanted[1]).abs().max() < 1e-4
        assert torch.equal(boxed, whole)
        # Little more than what has changed is computed.
        changed = (wanted[0] - wanted[1]).abs().amax(2) > 1e-6
        for axis, name in enumerate("yx"):
            places = changed.any(1 - axis).nonzero().flatten().tolist() or [0]
            assert places[0] - 1 <= reached[f"{name}0"] <= places[0]
            assert places[-1] <= reached[f"{name}1"] <= places[-1] + 1


def from_steps(packed):
    steps, step = (torch.tensor(unpack(packed[name])) for name in ("steps", "step"))
    return steps * step.view(-1, *[1] * (steps.ndim - 1))


@torch.no_grad()
def as_in_the_page(module, data):
    """Gives a network, or a layer of one, the weights that the page has."""
    if isinstance(data, list):
        for part, read in zip(module.children(), data, strict=True):
            as_in_the_page(part, read)
    elif "weight" in data:
        order = TRANSPOSED if isinstance(module, nn.ConvTranspose2d) else PLAIN
        back = torch.tensor(order).argsort().tolist()
        module.weight.copy_(from_steps(data["weight"]).permute(back))
    else:
        for name, read in data.items():
            as_in_the_page(getattr(module, name), read)


@torch.no_grad()
def small_model(frames):
    """An odd model, with vectors and pictures that fill their range; of two codes alike."""
    model = model_of(width=13, code_dim=10, num_halvings=3)
    encoder, decoder = model.encoder, model.decoder
    z_e = encoder(to_float(frames)).movedim(1, -1).flatten(0, -2)
    encoder.to_codes.weight /= z_e.std(0)[:, None, None, None]
    encoder.to_codes.bias.sub_(z_e.mean(0)).div_(z_e.std(0))
    codebook = model.quantizer.codebook
    codebook.copy_(encoder(to_float(frames)).movedim(1, -1).flatten(0, -2)[: len(codebook)])
    codebook[-1] = codebook[0]
    decoder.doublings[-1].weight *= 40
    read = {"encoder": encoder_data(model), "decoder": decoder_data(model)}
    as_in_the_page(encoder, read["encoder"])
    layers = {name: part for name, part in read["decoder"].items() if name != "codebook"}
    as_in_the_page(decoder, layers)
    codebook.copy_(from_steps(read["decoder"]["codebook"]))
    return model, read


# Frames to codes and back, one after another by the same two networks.
THERE_AND_BACK = """({encoder, decoder, frames, height, width}) => {
  const reads = VQ.encoder(encoder, decoder.codebook), paints = VQ.decoder(decoder);
  const encode = reads.on(height, width), packed = (map) => Array.from(map.packed());
  let decode = null;
  return frames.map((pixels) => {
    const { layers, vectors } = encode(Float32Array.from(pixels));
    const codes = reads.nearest(vectors), corner = vectors.vector(0, vectors.width - 1);
    decode = decode ?? paints.on(vectors.height, vectors.width);
    const picture = packed(decode(codes));
    const distances = Array.from(reads.distances(corner));
    return {
      layers: layers.map(packed), vectors: packed(vectors), codes: Array.from(codes),
      distances, picture,
    };
  });
}"""


@torch.no_grad()
def test_encoder_and_decoder_give_what_torch_gives(page):
    frames = frames_of(3, 40, 56)
    model, data = small_model(frames)
    images = to_float(frames)
    found = page.evaluate(
        THERE_AND_BACK,
        {
            **data, "height": 40, "width": 56,
            "frames": images.permute(0, 2, 3, 1).flatten(1).tolist(),
        },
    )  # fmt: skip

    def of(name, like):
        values = torch.tensor([each[name] for each in found])
        return values.view(len(like), *like.shape[2:], -1).movedim(-1, 1)

    z_e = model.encoder(images)
    assert z_e.std() > 0.5
    assert (of("vectors", z_e) - z_e).abs().max() < 1e-3
    x = images
    for i, halving in enumerate(model.encoder.halvings):
        x = halving(F.relu(x) if i else x)
        shown = x if i == 2 else F.relu(x)  # each is rectified for the next
        for each, wanted in zip(found, shown.permute(0, 2, 3, 1), strict=True):
            assert (torch.tensor(each["layers"][i]) - wanted.flatten()).abs().max() < 1e-3

    codebook = model.quantizer.codebook
    distances = torch.cdist(z_e.movedim(1, -1).double(), codebook.double()[None]) ** 2
    corner = torch.tensor([each["distances"] for each in found])
    assert (corner - distances[:, 0, -1]).abs().max() < 1e-3
    codes = of("codes", z_e)[:, 0]
    nearest = distances.sort(-1).values
    sure = nearest[..., 1] - nearest[..., 0] > 1e-3
    assert sure.float().mean() > 0.9
    assert torch.equal(codes[sure], model.encode(images)[sure])
    # Of the two codes alike it takes the first.
    assert (codes == 0).any()
    assert (codes != len(codebook) - 1).all()

    wanted = model.decode(codes)
    assert wanted.std() > 0.3
    assert (of("picture", wanted) - wanted).abs().max() < 1e-3
