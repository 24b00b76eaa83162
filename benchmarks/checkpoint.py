"""A checkpoint measured on held-out images, with the command that trained it.

python benchmarks/checkpoint.py checkpoints/maze maze_checkpoint
python benchmarks/checkpoint.py runs/mine mine --folder pictures/test
"""

import argparse

from record import run
from torch.utils.data import Dataset

from vqvae_lite import evaluate, load_checkpoint
from vqvae_lite.images import FolderImages
from vqvae_lite.recipes.images import load_images
from vqvae_lite.recipes.recipe import recipe_of


def main() -> tuple[str, dict]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="a checkpoint or run folder")
    parser.add_argument("name", help="of the results file")
    parser.add_argument("--folder", help="a folder of test images, for a recipe without splits")
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.checkpoint)
    recipe = recipe_of(checkpoint)
    sets: dict[str, Dataset]
    if options.folder:
        sets = {"test": FolderImages(options.folder, recipe.data.size)}
    else:
        sets = {split: load_images(recipe, split) for split in ("validation", "test")}
    figures = {"step": checkpoint.config["step"], "recipe": checkpoint.config["recipe"]}
    for split, images in sets.items():
        measured = evaluate(checkpoint.model, images)
        figures[split] = {
            name: round(value, 5) if isinstance(value, float) else value
            for name, value in measured._asdict().items()
        }
        print(split, figures[split])
    return options.name, figures


if __name__ == "__main__":
    run(main)
