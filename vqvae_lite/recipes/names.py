"""The recipes by name, and what each is told beside its settings; no import that takes time."""

from difflib import get_close_matches

PROFILES = ("quick", "paper", "paper-ema")
KINDS = ("vqvae", "vae", "vimco", "gumbel")  # of models of images

# What a recipe can be told of these, and whether it must be.
RECIPES: dict[str, dict[str, bool]] = {
    "maze": {"kind": False, "folder": False},
    "cifar10": {"kind": False},
    "folder": {"kind": False, "folder": True},
    "speech": {},
    "sound": {"folder": True},
    "prior": {"codes_of": True, "classes": False, "codes": False},
    "video": {"codes_of": True, "folder": False},
}
_OPTIONS = {
    "kind": "--model",
    "folder": "--folder",
    "codes_of": "--codes-of",
    "classes": "--classes",
    "codes": "--codes",
}


def check_recipe(name: str, **given: object) -> None:
    """Raises ValueError for an unknown recipe, and for what it takes no or what it lacks.

    Args:
        name: of the recipe.
        given: `kind`, `folder`, `codes_of` and `classes`, as `get_recipe` takes them, and `codes`;
            None is not given.
    """
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"unknown recipe {name!r}{hint}: expected one of {', '.join(RECIPES)}")
    for what, value in given.items():
        option = f"{what} ({_OPTIONS[what]} on the command line)"
        if value is not None and what not in RECIPES[name]:
            raise ValueError(f"the recipe {name!r} takes no {option}, got {value!r}")
        if value is None and RECIPES[name].get(what):
            raise ValueError(f"the recipe {name!r} needs {option}")
