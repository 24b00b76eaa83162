"""The command `vqvae-lite train`."""

from argparse import Namespace

from vqvae_lite.checkpoints import last_checkpoint
from vqvae_lite.cli.files import check_vqvae, to_resume
from vqvae_lite.distributed import processes
from vqvae_lite.models import load_checkpoint
from vqvae_lite.recipes.names import check_recipe
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.run import train_by
from vqvae_lite.recipes.video import actions_for_run
from vqvae_lite.sound.model import SoundVQVAE


def run_train(options: Namespace) -> None:
    """Trains a model by a recipe, or goes on with it."""
    name, folder = options.recipe, options.folder
    check_recipe(name, kind=options.model, folder=folder, codes_of=options.codes_of)
    coder = actions = None
    if options.codes_of is not None:
        coder = load_checkpoint(options.codes_of)
        if name == "video" or not isinstance(coder.model, SoundVQVAE):
            check_vqvae(coder)
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
    )
    resume = to_resume(options.run, options.resume)
    with processes(options.device) as place:
        train_by(recipe, options.run, place, coder=coder, resume=resume)
        if place.rank == 0:
            print(f"the last checkpoint is {last_checkpoint(options.run)}")
