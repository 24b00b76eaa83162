"""An image's codes to look at and to change: a page with the model's own decoder in it."""

import base64
import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from vqvae_lite.figures.page import InteractiveFigure, pack, pack_steps
from vqvae_lite.figures.plots import bare
from vqvae_lite.images import to_float, to_uint8
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import device_of, with_float64
from vqvae_lite.quantizers import codebook_of

# What a figure `uses` whose page decodes, and one that paints maps of codes as they fill.
DECODER = ("kernelcode", "kernel", "network", "decoder")
PAINTER = (*DECODER, "board", "painter")

_TALLEST = 16383  # pixels: WebP holds no more


@torch.no_grad()
def explore_codes(
    model: VQVAE,
    frames: Tensor,
    *,
    photographs: VQVAE | None = None,
    chosen: int = 0,
    bits: int = 16,
) -> InteractiveFigure:
    """A whole model at work in the page: frames, or the reader's own pictures, to codes and back.

    The page encodes and decodes by itself. A picture's way can be followed step by step; pointing
    at a code shows its vector, its places and pixels that it stands for; where the map is painted
    with other codes the page decodes it again. Pictures of the reader's own, from a file, the
    camera or drawn, are made as large as the frames and stay in the page.

    Args:
        model: a model of colour images with one codebook.
        frames: uint8 (N, 3, H, W), H and W multiples of 2 ** num_halvings. With 6 frames of
            84 x 84, two models of width 64 and 8 bits the page takes some 1 MB.
        photographs: another such model, with as many halvings, through which the reader's own
            pictures go; None: they go through `model`.
        chosen: the frame that the page opens with.
        bits: of a weight in the page, 16, or 2 to 8; see `decoder_data`.

    Raises:
        TypeError: `frames` is no uint8 tensor.
        ValueError: frames that the models cannot encode, a `chosen` that is not among them, or a
            model with several codebooks or other than three channels, or of another scale.
    """
    models = {"trained on these frames": model}
    if photographs is not None:
        models["trained on photographs"] = photographs
    for name, each in models.items():
        if each.config.in_channels != 3:
            raise ValueError(
                f"a model must have 3 channels, got {each.config.in_channels} ({name})"
            )
        if each.config.num_halvings != model.config.num_halvings:
            raise ValueError(
                f"both models must halve equally often, got {model.config.num_halvings} and "
                f"{each.config.num_halvings}"
            )
    components = {name: _components(each) for name, each in models.items()}
    codes = model.encode(to_float(frames).to(device_of(model))).cpu()
    count, _, height, width = frames.shape
    if count * height > _TALLEST:
        raise ValueError(
            f"frames, one below the other, must be at most {_TALLEST} pixels high, "
            f"got {count} of {height}"
        )
    if not 0 <= chosen < len(frames):
        raise ValueError(f"chosen must be a frame, 0 to {len(frames) - 1}, got {chosen}")
    decoded = to_uint8(model.decode(codes[chosen, None].to(device_of(model))))
    rows, columns = codes.shape[1:]
    colors = _colors(next(iter(components.values())))
    return InteractiveFigure(
        "codemap",
        {
            "frames": webp(frames, lossless=True),
            "size": [count, height, width],
            "models": [
                _model_data(name, each, components[name], bits) for name, each in models.items()
            ],
            "chosen": chosen,
        },
        title="A picture, its map of codes, and the way between them",
        description=(
            f"{count} frames of {width} x {height} pixels, each with its map of {columns} x {rows} "
            "codes and the picture that the decoder makes of it; pictures of your own can be "
            "added. The whole model runs in the page. A picture's way can be followed step by "
            "step. Pointing at a code shows its vector, its places and pixels that it stands for; "
            "painting other codes on the map changes the picture."
        ),
        still=_still(frames[chosen], colors[codes[chosen]], decoded[0]),
        height=1100,
        click="#mode-paint",
        key="#map|ArrowRight",
        uses=[
            *DECODER, "encoder", "vqvae", "board", "codecard", "palette", "distances", "codeparts",
            "pixels", "mapedits", "sources", "way", "stations", "missions", "codemissions",
        ],
    )  # fmt: skip


def _model_data(name: str, model: VQVAE, components: Tensor, bits: int) -> dict[str, Any]:
    plane = components[:, [0, min(1, components.shape[1] - 1)]].cpu()  # of one direction, twice
    return {
        "name": name,
        "decoder": decoder_data(model, bits=bits),
        "encoder": encoder_data(model, bits=bits),
        "colors": pack(_colors(components), "uint8"),
        "atlas": pack(plane, "float16"),
    }


@torch.no_grad()
def colors_of_codebook(model: VQVAE) -> np.ndarray:
    """A colour for each code, alike where the codes' vectors are alike.

    The first three principal components of the codebook are ranked, so that all colours serve,
    and become the lightness and the two colour axes of the Oklab space (Ottosson 2020). Which
    way a component points is free: each is turned so that codes that decode brighter come last.

    Args:
        model: a model with one codebook.

    Returns:
        uint8 (K, 3), RGB: `colors_of_codebook(model)[codes]` is a picture of a map of codes.

    Raises:
        ValueError: the model has several codebooks.
    """
    return _colors(_components(model))


def _colors(components: Tensor) -> np.ndarray:
    """(K, 3) uint8, from what `_components` gives."""
    ranks = components.argsort(0).argsort(0) / max(1, len(components) - 1)
    lab = np.full((len(components), 3), 0.5)
    lab[:, : ranks.shape[1]] = ranks.cpu()
    return _oklab_to_rgb(lab * [0.48, 0.26, 0.26] + [0.42, -0.13, -0.13])


def _components(model: VQVAE) -> Tensor:
    """(K, 3 or fewer): the codes along the principal axes of the codebook, brighter ones last."""
    config = model.config
    if config.num_codebooks != 1:
        raise ValueError(f"model must have 1 codebook, got {config.num_codebooks}")
    vectors = with_float64(codebook_of(model.quantizer)).double()
    vectors = vectors - vectors.mean(0)
    components = vectors @ torch.linalg.svd(vectors, full_matrices=False).Vh[:3].T
    alone = torch.arange(config.num_codes, device=device_of(model))
    alone = alone[:, None, None].expand(-1, 3, 3)
    brightness = torch.cat([model.decode(few).flatten(1).mean(1) for few in alone.split(512)])
    brightness = with_float64(brightness).double()
    return components * (components.T @ (brightness - brightness.mean())).sign()


def decoder_data(model: VQVAE, *, bits: int = 16) -> dict[str, Any]:
    """Codebook and decoder as `web/decoder.js` reads them.

    The weights are whole steps, with a step of its own for each code and for each output channel:
    with 16 bits, the space of half precision, they come some six times nearer than that.

    Args:
        model: a model with one codebook, whose quantizer has its vectors: see `codebook_of`.
        bits: of a weight, 16, or 2 to 8. With 8 the book's model paints a pixel half a grey level
            off on average, in half the space.
    """
    decoder = model.decoder
    # Both kinds of convolution as (out, height, width, in); a transposed one is (in, out, ...).
    plain, transposed = (0, 2, 3, 1), (1, 2, 3, 0)
    return {
        "codebook": pack_steps(codebook_of(model.quantizer).cpu(), bits),
        "from_codes": layer_data(decoder.from_codes, plain, bits),
        "residuals": _residuals_data(decoder.residuals, bits),
        "doublings": [layer_data(doubling, transposed, bits) for doubling in decoder.doublings],
    }


def encoder_data(model: VQVAE, *, bits: int = 16) -> dict[str, Any]:
    """The encoder as `web/encoder.js` reads it; `decoder_data` has the codebook.

    Args:
        model: a model of images.
        bits: of a weight, 16, or 2 to 8.
    """
    encoder, plain = model.encoder, (0, 2, 3, 1)
    return {
        "halvings": [layer_data(halving, plain, bits) for halving in encoder.halvings],
        "residuals": _residuals_data(encoder.residuals, bits),
        "to_codes": layer_data(encoder.to_codes, plain, bits),
    }


def _residuals_data(residuals: Any, bits: int) -> list[list[dict[str, Any]]]:
    plain = (0, 2, 3, 1)
    return [
        [layer_data(block.conv3x3, plain, bits), layer_data(block.conv1x1, plain, bits)]
        for block in residuals
    ]


def layer_data(layer: Any, order: tuple[int, ...], bits: int) -> dict[str, Any]:
    """A layer's weights in steps, and its bias, where it has one, in float32.

    Args:
        layer: linear or a convolution.
        order: of the weights' dimensions in the page; its first becomes the rows.
        bits: of a weight, 16, or 2 to 8.
    """
    data = {"weight": pack_steps(layer.weight.detach().cpu().permute(order), bits)}
    return data if layer.bias is None else data | {"bias": pack(layer.bias.detach().cpu())}


def _oklab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """(N, 3) lightness, green to red, blue to yellow -> (N, 3) uint8 sRGB, clipped."""
    to_lms = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728],
                       [1, -0.0894841775, -1.2914855480]])  # fmt: skip
    to_linear = np.array([[4.0767416621, -3.3077115913, 0.2309699292],
                          [-1.2684380046, 2.6097574011, -0.3413193965],
                          [-0.0041960863, -0.7034186147, 1.7076147010]])  # fmt: skip
    linear = np.clip((lab @ to_lms.T) ** 3 @ to_linear.T, 0, 1)
    srgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return (255 * srgb).round().astype(np.uint8)


def webp(frames: Tensor, *, lossless: bool) -> str:
    """Frames one below the other, as the address of a picture that holds itself.

    Args:
        frames: uint8 (N, 3, H, W).
        lossless: whether to keep them to the bit, or to save most of the space.
    """
    buffer = io.BytesIO()
    sheet = frames.cpu().permute(0, 2, 3, 1).flatten(0, 1).numpy()
    quality = 100 if lossless else 80
    Image.fromarray(sheet).save(buffer, "WEBP", lossless=lossless, quality=quality, method=6)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _still(frame: Tensor, code_map: np.ndarray, decoded: Tensor) -> Figure:
    rows, columns, _ = code_map.shape
    figure, axes = plt.subplots(1, 3, figsize=(7, 2.6))
    panels = [
        (frame.cpu().permute(1, 2, 0).numpy(), "frame"),
        (code_map, f"its {columns} \u00d7 {rows} codes"),
        (decoded.cpu().permute(1, 2, 0).numpy(), "decoded from the codes"),
    ]
    for axis, (picture, title) in zip(axes, panels, strict=True):
        bare(axis).imshow(picture)
        axis.set_title(title, fontsize=9.5, loc="center")
    return figure
