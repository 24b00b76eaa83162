"""VAE, VQ-VAE, Gumbel-softmax and VIMCO in bits per dimension under one protocol (section 4.1).

One encoder, decoder, likelihood, batch and number of steps for all; every figure over the whole
test set, and a mean over the seeds, each of which gives first weights and an order of images of
its own. The paper's experiment, on CIFAR-10 and for a GPU:

    python benchmarks/likelihood.py cifar10 --profile paper --run runs/likelihood

A run that was stopped goes on where it was. On images of one's own, in two folders:

    python benchmarks/likelihood.py folder --folder pictures --test held-out --run runs/likelihood

In the quick profile the codes are fewer than the paper's; with --large-code a VQ-VAE with as many
is compared too.
"""

import argparse
import statistics
from argparse import Namespace
from dataclasses import asdict, replace
from pathlib import Path

from record import run
from stages import finish_prior, train_stages

from vqvae_lite import evaluate_bits
from vqvae_lite.distributed import Place, processes
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import FolderImages
from vqvae_lite.models import load_checkpoint
from vqvae_lite.priors.nats import CodeFrequencies
from vqvae_lite.recipes.images import load_images, preparation, training_images
from vqvae_lite.recipes.priors import load_prior
from vqvae_lite.recipes.profiles import get_recipe
from vqvae_lite.recipes.recipe import Recipe

# A VQ-VAE with the latents of section 3.2, in the profile in which the others have fewer.
LARGE = "vqvae_8x8x10"
# By profile: what all models share, then what each adds. The paper's latents are 8 x 8 x 10.
SHARED = {
    "quick": ["size=32", "width=64", "likelihood=logistic", "batch_size=16", "learning_rate=2e-3"],
    "paper": ["size=32", "likelihood=categorical"],
}
LATENTS = {
    "quick": ["num_codebooks=2", "num_codes=512"],
    "paper": ["num_codebooks=10", "num_codes=512", "code_dim=64"],
}
# What belongs to one model was chosen for it in short trials, on the validation mazes.
OWN = {
    ("vae", "quick"): ["latent_channels=32"],
    ("vae", "paper"): ["latent_channels=32"],
    ("vqvae", "quick"): [
        *LATENTS["quick"],
        "code_dim=4",
        "restart_below=0.1",
        "decay=0.99",
        "commitment=1",
    ],
    # By gradient, as the profile has it; the restarts are ours.
    ("vqvae", "paper"): [*LATENTS["paper"], "restart_below=0.1"],
    ("gumbel", "quick"): [*LATENTS["quick"], "code_dim=16", "annealing_steps=8000"],
    ("gumbel", "paper"): LATENTS["paper"],
    ("vimco", "quick"): [*LATENTS["quick"], "code_dim=16", "samples=10"],
    ("vimco", "paper"): LATENTS["paper"],
}
OWN[LARGE, "quick"] = [*OWN["vqvae", "quick"], "num_codebooks=10"]
SAMPLES = 50  # of the importance-weighted bounds


# The learned prior, trained on the codes of the training images.
PRIOR = {
    "quick": ["dropout=0.2", "steps=1000", "batch_size=32", "checkpoint_every=250"],
    "paper": [],
}
# Section 4.1 of the paper, lower bounds on true CIFAR-10, bits per dimension.
PAPER = {"vae": 4.51, "vqvae": 4.67, "vimco": 5.14}
KINDS = ("vae", "vqvae", "gumbel", "vimco")


def main() -> tuple[str, dict] | None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=["cifar10", "folder", "maze"])
    parser.add_argument("--profile", choices=["quick", "paper"], default="quick")
    parser.add_argument("--run", required=True, help="the folder for the runs")
    parser.add_argument("--name", default="likelihood", help="of the results file")
    parser.add_argument("--folder", help="with the recipe folder: training images")
    parser.add_argument("--test", help="with the recipe folder: test images")
    parser.add_argument(
        "--only", choices=[*KINDS, LARGE, "prior"], help="train this one, and measure nothing"
    )
    parser.add_argument(
        "--large-code", action="store_true", help="also a VQ-VAE with 8 x 8 x 10 codes"
    )
    parser.add_argument("--seeds", type=int, default=3, help="0, 1, ...: so many; default: 3")
    parser.add_argument(
        "--once",
        nargs="*",
        choices=[*KINDS, LARGE],
        default=[],
        help="these are trained with seed 0 alone",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="[MODEL.]NAME=VALUE",
        help="such as steps=1000 for all models, or vimco.steps=1000 for one; may be repeated",
    )
    parser.add_argument(
        "--last-steps",
        type=int,
        default=0,
        help="so many of the steps, the last ones, at a tenth of the step size; default: none",
    )
    parser.add_argument("--device")
    options = parser.parse_args()
    if (options.recipe == "folder") != (options.test is not None):
        parser.error("--test belongs to the recipe folder, and the recipe folder needs it")
    if options.large_code and options.profile == "paper":
        parser.error("--large-code is for the profile quick: in paper every code is as large")
    for option in ("only", "once"):
        if LARGE in (getattr(options, option) or ()) and not options.large_code:
            parser.error(f"--{option} {LARGE} needs --large-code")
    recipes = {
        name: get_recipe(
            options.recipe,
            options.profile,
            kind="vqvae" if name == LARGE else name,
            folder=options.folder,
            settings=[
                *SHARED[options.profile],
                *OWN[name, options.profile],
                *(setting for setting in options.settings if "." not in setting.partition("=")[0]),
                *own_settings(name, options.settings),
            ],
        )
        for name in (*KINDS, *([LARGE] if options.large_code else []))
    }
    run = Path(options.run)
    seeds = {name: range(1 if name in options.once else options.seeds) for name in recipes}
    with processes(options.device) as place:
        for name, seed in pairs_of(seeds):
            if options.only in (None, name):
                recipe = with_seed(recipes[name], seed)
                train_model(recipe, run / f"{name}-{seed}", place, options.last_steps)
        for seed in seeds["vqvae"] if options.only in (None, "prior") else ():
            vqvae = load_checkpoint(run / f"vqvae-{seed}")
            recipe = get_recipe(
                "prior",
                options.profile,
                [*PRIOR[options.profile], *own_settings("prior", options.settings)],
                codes_of=vqvae.model,
            )
            finish_prior(run / f"prior-{seed}", vqvae, with_seed(recipe, seed), place)
        if options.only:
            return None
        return options.name, measure(run, recipes, seeds, options, place)


def pairs_of(seeds: dict[str, range]) -> list[tuple[str, int]]:
    return [(name, seed) for name, each in seeds.items() for seed in each]


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    return replace(recipe, training=replace(recipe.training, seed=seed))


def own_settings(name: str, settings: list[str]) -> list[str]:
    """Those of the settings that are for one model alone, "vqvae.num_codebooks=3" for example."""
    return [setting[len(name) + 1 :] for setting in settings if setting.startswith(f"{name}.")]


def train_model(recipe: Recipe, run: Path, place: Place, last_steps: int) -> None:
    """Trains a recipe's model in stages, on its own training images."""
    train_stages(
        recipe.kind,
        recipe.model,
        lambda: training_images(recipe),
        recipe.training,
        last_steps,
        run,
        details=lambda stage: {"recipe": replace(recipe, training=stage).to_json()},
        place=place,
        prepare=preparation(recipe),
    )


def measure(
    run: Path,
    recipes: dict[str, Recipe],
    seeds: dict[str, range],
    options: Namespace,
    place: Place,
) -> dict:
    """Every model on the whole test set; what was measured before a stop is not measured again."""
    recipe = recipes["vqvae"]
    if options.test:
        images = FolderImages(options.test, recipe.data.size)
    else:
        images = load_images(recipe, "test")
    models = {
        name: {"settings": asdict(recipe.model), "training": asdict(recipe.training)}
        for name, recipe in recipes.items()
    }
    found = {name: [] for name in (*recipes, "vqvae, frequencies", "vqvae, learned prior")}
    for name, seed in pairs_of(seeds):
        model = load_checkpoint(run / f"{name}-{seed}").model.to(place.device)
        samples = 1 if recipes[name].kind == "vqvae" else SAMPLES
        keep = run / f"{name}-{seed}.results"
        found[name].append(
            evaluate_bits(model, images, samples=samples, keep=keep, progress=True).means()
        )
        if name == "vqvae":
            codes = encode_images(model, training_images(recipe))
            counted = CodeFrequencies(codes, recipe.model.num_codes).log_prob
            prior = load_prior(run / f"prior-{seed}", model)
            learned = prior.model.to(place.device).log_prob
            keep = run / f"prior-{seed}.results"
            found["vqvae, frequencies"].append(evaluate_bits(model, images, prior=counted).means())
            found["vqvae, learned prior"].append(
                evaluate_bits(model, images, prior=learned, keep=keep, progress=True).means()
            )
            models["vqvae, learned prior"] = {
                "settings": asdict(prior.model.config),
                "parameters": sum(weights.numel() for weights in prior.model.parameters()),
                "step": prior.config["step"],
            }

    for name, each in found.items():
        means = {part: statistics.fmean(one[part] for one in each) for part in each[0]}
        models[name] = {**models.get(name, {}), **means, "seeds": each}
        print(name, {part: round(means[part], 4) for part in ("reconstruction", "prior", "bound")})
    elbos = [one["reconstruction"] + one["prior"] for one in models["vae"]["seeds"]]
    elbo = statistics.fmean(elbos)
    return {
        "profile": options.profile,
        "images": len(images),
        "last_steps_at_a_tenth_of_the_rate": options.last_steps,
        "samples": SAMPLES,
        "models": models,
        "minus_the_vaes_elbo": {
            name: round(parts["bound"] - elbo, 4) for name, parts in models.items()
        },
        "minus_the_vaes_elbo_by_seed": {
            name: [round(one["bound"] - elbos[seed], 4) for seed, one in enumerate(parts["seeds"])]
            for name, parts in models.items()
        },
        "paper": {
            **PAPER,
            "vqvae minus vae": round(PAPER["vqvae"] - PAPER["vae"], 2),
            "vimco minus vae": round(PAPER["vimco"] - PAPER["vae"], 2),
        },
    }


if __name__ == "__main__":
    run(main)
