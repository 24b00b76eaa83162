"""The command `vqvae-lite score`: a folder's strangest pictures."""

import csv
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from vqvae_lite.checkpoints import Checkpoint
from vqvae_lite.cli.files import check_vqvae
from vqvae_lite.distributed import processes
from vqvae_lite.evaluation import score_images
from vqvae_lite.files import writing
from vqvae_lite.images import FolderImages
from vqvae_lite.priors.pixelcnn import GatedPixelCNN
from vqvae_lite.recipes.classes import labels_of
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.recipes.recipe import recipe_of


def run_score(options: Namespace, checkpoint: Checkpoint) -> None:
    """Prints the pictures of a folder that fit a model worst, and writes what all of them score."""
    check_vqvae(checkpoint)
    by = options.by or ("error" if options.prior is None else "nats")
    if by == "nats" and options.prior is None:
        raise ValueError("--by nats is of a prior: name its run with --prior")
    with processes(options.device) as place:
        images = FolderImages(options.folder, recipe_of(checkpoint).data.size)
        if place.rank == 0:
            images.check()
        model, log_prob, label = checkpoint.model.to(place.device), None, None
        if options.prior is not None:
            prior = load_prior(options.prior, model)
            if not isinstance(prior.model, GatedPixelCNN):
                kind = type(prior.model).__name__
                raise ValueError(f"{prior.path} holds a {kind}: a prior over pictures is needed")
            if prior.model.config.num_classes is not None:
                label = labels_of(images, recipe_of(prior).data.classes, options.folder, "")
            log_prob = prior.model.to(place.device).log_prob
        scores = score_images(
            model, images, log_prob=log_prob, label=label, place=place, progress=True
        )
        if place.rank:
            return  # the first process has them all
    columns = {"psnr_db": scores.psnr}
    if scores.nats_per_code is not None:
        columns["nats_per_code"] = scores.nats_per_code
    ranks = scores.psnr if by == "error" else -columns["nats_per_code"]
    order = ranks.argsort(stable=True).tolist()

    def name(index: int) -> str:
        return images.files[index].relative_to(options.folder).as_posix()

    if options.output is not None:
        _write(options.output, name, columns, order)
    print("  ".join([*(f"{title:>13}" for title in columns), "file"]))
    for index in order[: options.top]:
        print("  ".join([*(f"{column[index]:13.3f}" for column in columns.values()), name(index)]))


def _write(
    path: Path, name: Callable[[int], str], columns: dict[str, Tensor], order: list[int]
) -> None:
    """A CSV file of all pictures, the strangest first; names keep the bytes that they have."""
    with (
        writing(path) as partial,
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", *columns])
        for index in order:
            values = (f"{column[index].item():.6f}" for column in columns.values())
            table.writerow([name(index), *values])
