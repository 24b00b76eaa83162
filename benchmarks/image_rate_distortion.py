"""Rate and distortion of small VQ-VAEs beside JPEG, WebP and AVIF, on frames and photographs.

One network, batch, number of steps and step size for all models, the last steps at a tenth of it;
what differs from "K=512" (a map of 21 x 21 codes of 8 numbers each, a codebook of moving averages
with restarts) is in a model's name. All are small, and trained for less than a minute each on one
CPU thread, in bfloat16 where it multiplies in that; all together take a quarter of an hour. What a
capacity is worth after so short a training need not be what it is worth after a long one. Only
K=512 is trained with three seeds; what lies within their spread is no difference. Beside them
stands `checkpoints/maze`, twice as wide and trained more than a hundred times as long.

    make data FRAMES=33600  # prints the folder; without --folder: the 3360 frames of data/maze
    python benchmarks/image_rate_distortion.py --run runs/image_rate_distortion \
        --folder ~/.cache/vqvae_lite/maze-33600 --cifar cifar10

All are measured on every fourth frame of the book's test mazes. --cifar names a folder of
photographs of 32 x 32 in the folders `train` and `test`; without it CIFAR-10 is looked for, and
where it is not, the photographs are left out. A quarter of those to train are read, and every
fortieth of those to test. A run that was stopped goes on with the models that are missing. With
--only, several processes can share a run: the last one, without it, writes the results.

The frames were stored as AVIF films of high quality, which may favour AVIF a little. Photographs
that were JPEG before favour JPEG, and most of all near the quality that they were stored with.
"""

import argparse
import json
import math
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from record import run
from image_coders import CODERS, QUALITIES, fidelity, measure_coder
from torch import Tensor, nn

from vqvae_lite import train
from vqvae_lite.data import find
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import FolderImages, TensorImages, load_cifar10, to_uint8
from vqvae_lite.maze import SIZE, load_maze
from vqvae_lite.metrics import CodeUsage, compressed_bits
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.modules import evaluating
from vqvae_lite.priors.nats import CodeFrequencies, nats_per_code
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import Recipe
from vqvae_lite.training import prepare_images

STEPS, LAST_STEPS = 640, 160  # the last ones at a tenth of the step size
SHARED = ("width=32", "code_dim=8", "decay=0.99", "restart_below=0.1", "batch_size=16")
# By name, what differs from the shared settings. None: no quantizer.
FRAMES: dict[str, tuple[str, ...]] = {
    "K=512": (),
    "no quantizer": (),
    "K=16": ("num_codes=16",),
    "K=64": ("num_codes=64",),
    "K=2048": ("num_codes=2048",),
    # The paper's codebook, as the profile `paper` has it: no restarts after the first batch.
    "by gradient": ("decay=none", "restart_below=0"),
    "K=512, seed 1": ("seed=1",),
    "K=512, seed 2": ("seed=2",),
    # 84 cannot be halved three times: two pixels more on every side, which are not measured.
    "map 11x11": ("num_halvings=3", "size=88"),
    "map 42x42": ("num_halvings=1",),
    "D=4": ("code_dim=4",),
    "D=64": ("code_dim=64",),
    # 4 numbers of each: the network is the same to the last weight.
    "two codebooks": ("num_codebooks=2", "code_dim=4"),
    "by gradient, restarts": ("decay=none",),
    "no restarts": ("restart_below=0",),
}
PHOTOGRAPHS: dict[str, tuple[str, ...]] = {
    f"K={num_codes}, map {side}x{side}": (f"num_codes={num_codes}", f"num_halvings={halvings}")
    for halvings, side in ((2, 8), (1, 16))
    for num_codes in (16, 512, 2048)
}
COUNTED = 2000  # training pictures whose codes say how often each is used


class Pictures(NamedTuple):
    """A kind of pictures, uint8 (N, 3, side, side).

    Attributes:
        train: what models learn from.
        measured: by name of the set; coders on "test" alone.
        recipe: of the model with settings.
        variants: the models.
    """

    train: Tensor
    measured: dict[str, Tensor]
    recipe: Callable[[list[str]], Recipe]
    variants: dict[str, tuple[str, ...]]


class Output(NamedTuple):
    """What `Unquantized` returns."""

    loss: Tensor


class Unquantized(nn.Module):
    """Encoder and decoder of a VQ-VAE, with the same first weights and nothing between them."""

    def __init__(self, model: Any):
        super().__init__()
        self.config, self.encoder, self.decoder = model.config, model.encoder, model.decoder

    def forward(self, x: Tensor) -> Output:
        return Output(F.mse_loss(self.decoder(self.encoder(x)).float(), x))


def frames(folder: str | None) -> Pictures:
    """Frames of mazes; another set's for training, the book's to measure."""
    return Pictures(
        load_maze("train", folder).frames,
        {split: load_maze(split).frames[::4] for split in ("validation", "test")},
        lambda settings: get_recipe("maze", "quick", settings),
        FRAMES,
    )


def photographs(folder: str | None) -> Pictures | None:
    """CIFAR-10, from a folder of files or as `load_cifar10` finds it; None where it is not."""
    sets: list[FolderImages | TensorImages]
    if folder:
        sets = [FolderImages(Path(folder) / split, 32) for split in ("train", "test")]
    else:
        try:
            sets = [load_cifar10(split, download=False) for split in ("train", "test")]
        except (FileNotFoundError, ImportError) as error:
            print(f"the photographs are left out: {error}")
            return None
    train_set, test = (
        images.__getitems__(list(range(0, len(images), every)))
        for images, every in zip(sets, (4, 40), strict=True)
    )
    return Pictures(
        train_set,
        {"test": test},
        lambda settings: get_recipe("cifar10", "quick", settings),
        PHOTOGRAPHS,
    )


def padded(images: Tensor, size: int) -> Tensor:
    """Pictures (N, 3, side, side) with their edge repeated up to a size."""
    side = images.shape[-1]
    near = (torch.arange(size) - (size - side) // 2).clamp(0, side - 1)
    return images if size == side else images[..., near, :][..., near]


def train_and_measure(pictures: Pictures, name: str) -> dict:
    """Trains one model and measures it."""
    settings = pictures.variants[name]
    recipe = pictures.recipe([*SHARED, f"steps={STEPS}", *settings])
    model = new_model("vqvae", recipe.model, recipe.training.seed)
    if name == "no quantizer":
        model = Unquantized(model)
    size, rate = recipe.data.size, recipe.training.learning_rate
    for steps, factor in ((STEPS, 1), (LAST_STEPS, 0.1)):
        train(
            model,
            TensorImages(pictures.train),
            replace(recipe.training, steps=steps, learning_rate=rate * factor),
            prepare=lambda images: prepare_images(padded(images, size)),
        )
    return {"settings": list(settings), **measure(model, size, pictures)}


def measure(model: Any, size: int, pictures: Pictures) -> dict[str, dict[str, float]]:
    """Fidelity on each set; of a model that has codes also what they take."""
    figures, counted = {}, None
    if not isinstance(model, Unquantized):
        some = pictures.train[:: max(1, len(pictures.train) // COUNTED)]
        codes = encode_images(model, TensorImages(padded(some, size)))
        counted = CodeFrequencies(codes, model.config.num_codes)
    for name, images in pictures.measured.items():
        figures[name] = fidelity(made_of(model, images, size), images)
        if counted:
            codes = encode_images(model, TensorImages(padded(images, size)))
            figures[name] |= sizes(model, codes, counted)
    return figures


@torch.no_grad()
def made_of(model: Any, images: Tensor, size: int) -> Tensor:
    """What a model makes of pictures, uint8 as they are."""
    start, side = (size - images.shape[-1]) // 2, images.shape[-1]
    parts = []
    with evaluating(model):
        for batch in padded(images, size).split(64):
            x = prepare_images(batch)
            if isinstance(model, Unquantized):
                made = model.decoder(model.encoder(x))
            else:
                made = model.decode(model.encode(x))
            parts.append(to_uint8(made)[..., start : start + side, start : start + side])
    return torch.cat(parts)


def sizes(model: Any, codes: Tensor, counted: CodeFrequencies) -> dict[str, float]:
    """Bits of a picture's codes, as numbers of one size and as often as training had each; use."""
    usage = CodeUsage(model.config.num_codes, model.config.num_codebooks)
    usage.update(codes)
    latents = codes[0].numel()
    return {
        "bits": compressed_bits(latents, model.config.num_codes),
        "bits_by_frequency": round(latents * nats_per_code(counted, codes) / math.log(2), 2),
        "perplexity": round(usage.perplexity, 2),
        "fraction_used": round(usage.fraction_used, 4),
    }


def kept(file: Path, make: Callable[[], Any]) -> Any:
    """What was measured before a stop, or is now."""
    if not file.exists():
        file.write_text(json.dumps(make()), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def measure_kind(name: str, pictures: Pictures, run: Path, only: Collection[str] = ()) -> dict:
    """Coders and models on a kind of pictures: all, or those named, all of a kind by its name."""
    test, coders, models = pictures.measured["test"], {}, {}
    only = () if name in only else only
    for coder in CODERS:
        if only and coder not in only:
            continue
        coders[coder] = kept(
            run / f"{name}_{coder}.json",
            lambda coder=coder: [measure_coder(CODERS[coder], test, q) for q in QUALITIES],
        )
    for number, variant in enumerate(pictures.variants):
        if only and variant not in only:
            continue
        models[variant] = kept(
            run / f"{name}_{number}.json",
            lambda variant=variant: train_and_measure(pictures, variant),
        )
        print(name, variant, models[variant]["test"], flush=True)
    return {
        "images_to_train": len(pictures.train),
        "images": {split: len(images) for split, images in pictures.measured.items()},
        "raw_bits": 8 * test[0].numel(),
        "coders": coders,
        "models": models,
    }


def main() -> tuple[str, dict] | None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="the folder for what is measured")
    parser.add_argument("--folder", help="a larger set of mazes to train on; default: the book's")
    parser.add_argument("--cifar", help="photographs, in the folders train and test")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=["frames", "photographs", *FRAMES, *PHOTOGRAPHS],
        metavar="NAME",
        help="measure this model, or all of a kind, and write no results; may be repeated",
    )
    options = parser.parse_args()
    options.run.mkdir(parents=True, exist_ok=True)
    kinds = {"frames": frames(options.folder), "photographs": photographs(options.cifar)}
    figures = {
        name: measure_kind(name, pictures, options.run, options.only) if pictures else None
        for name, pictures in kinds.items()
    }
    if options.only:
        return None
    trained = load_checkpoint(find("checkpoints/maze")).model
    figures["frames"]["checkpoint"] = measure(trained, SIZE, kinds["frames"])
    shared = {"steps": STEPS + LAST_STEPS, "at_a_tenth_of_the_rate": LAST_STEPS, "shared": SHARED}
    return "image_rate_distortion", {**shared, **figures}


if __name__ == "__main__":
    run(main)
