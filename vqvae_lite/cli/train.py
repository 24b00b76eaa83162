"""The command `vqvae-lite train`."""

from argparse import Namespace

from vqvae_lite.checkpoints import last_checkpoint
from vqvae_lite.cli.files import check_vqvae, to_resume
from vqvae_lite.distributed import entered_by_first, processes
from vqvae_lite.files import locked, to_write
from vqvae_lite.models import load_checkpoint
from vqvae_lite.recipes.classes import classes_of
from vqvae_lite.recipes.names import check_recipe
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import recipe_of
from vqvae_lite.recipes.run import train_by
from vqvae_lite.recipes.video import actions_for_run
from vqvae_lite.sound.model import SoundVQVAE

_NOT_YET_SPEECH = (
    "A quick run of sound shows that all works; what it makes is not yet speech. For that take "
    "--profile paper on a GPU, or the book's model, which `vqvae-lite data get checkpoints` puts "
    "into ~/.cache/vqvae_lite/checkpoints/speech"
)


def run_train(options: Namespace) -> None:
    """Trains a model by a recipe, or goes on with it."""
    name, folder = options.recipe, options.folder
    check_recipe(
        name,
        kind=options.model,
        folder=folder,
        codes_of=options.codes_of,
        classes=options.classes or None,
        codes=options.codes,
    )
    if options.codes and options.classes:
        raise ValueError("--codes have no classes: --classes is for images that are encoded")
    to_write(options.run, folder=True)
    coder = actions = classes = None
    if options.codes_of is not None:
        coder = load_checkpoint(options.codes_of)
        if name == "video" or not isinstance(coder.model, SoundVQVAE):
            check_vqvae(coder)
        if options.codes and isinstance(coder.model, SoundVQVAE):
            raise ValueError(f"--codes are of pictures; {coder.path} holds a SoundVQVAE")
        if options.classes:
            classes = classes_of(recipe_of(coder))
        if name == "video":
            actions = actions_for_run(options.run, coder, folder)
    recipe = get_recipe(
        name,
        options.profile,
        options.settings,
        kind=options.model,
        folder=folder,
        codes_of=coder and coder.model,
        num_actions=None if actions is None else len(actions),
        classes=classes,
    )
    with (
        processes(options.device) as place,
        entered_by_first(place, locked(options.run, "trained in")),
    ):
        resume = to_resume(options.run, options.resume)
        train_by(
            recipe,
            options.run,
            place,
            coder=coder,
            resume=resume,
            codes_in=options.codes,
            check=options.check,
        )
        if place.rank == 0:
            print(f"the last checkpoint is {last_checkpoint(options.run)}")
            if recipe.kind == "soundvqvae" and recipe.profile == "quick":
                print(_NOT_YET_SPEECH)
