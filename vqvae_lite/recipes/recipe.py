"""What all recipes share: profiles, settings by name, and the recipe that a checkpoint stores."""

from dataclasses import fields, replace
from typing import Any, get_args, get_origin

from vqvae_lite.checkpoints import Checkpoint, CheckpointError

PROFILES = ("quick", "paper")


def stored_recipe(checkpoint: Checkpoint, kind: Any, unknown: str) -> Any:
    """The recipe of a kind, a class with `from_json`, that a checkpoint was trained by.

    Args:
        checkpoint: of any model.
        kind: such as `Recipe`.
        unknown: what is not known without one, for the message.

    Raises:
        CheckpointError: none is stored in it, or an impossible one.
    """
    if "recipe" not in checkpoint.config:
        raise CheckpointError(
            f"{checkpoint.path} was saved without a recipe, so {unknown} are not known: "
            f"pass details={{'recipe': recipe.to_json()}} to save_checkpoint"
        )
    try:
        return kind.from_json(checkpoint.config["recipe"])
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(f"{checkpoint.path}: no valid recipe in it: {error}") from error


def with_setting(recipe: Any, setting: str) -> Any:
    """A recipe with another value for one field of its model, of its training, or of its own.

    Args:
        recipe: a dataclass with `model` and `training`, such as `Recipe`. Of its own fields those
            can be set that hold a number, such as `size`, or a tuple.
        setting: NAME=VALUE; a tuple's values stand between commas.

    Raises:
        ValueError: there is no such field, or the value is of another type.
    """
    key, equals, text = setting.partition("=")
    owners = {
        field.name: (owner, field.type)
        for owner in ("model", "training")
        for field in fields(getattr(recipe, owner))
    }
    own = {
        field.name: field.type
        for field in fields(recipe)
        if field.type in (int, float) or get_origin(field.type) is tuple
    }
    if not equals or key not in [*owners, *own]:
        raise ValueError(
            f"unknown setting {setting!r}: expected NAME=VALUE with one of "
            f"{', '.join([*owners, *own])}"
        )
    if key in own:
        return replace(recipe, **{key: _parse(key, text, own[key])})
    owner, kind = owners[key]
    part = replace(getattr(recipe, owner), **{key: _parse(key, text, kind)})
    return replace(recipe, **{owner: part})


def _parse(key: str, text: str, kind: type) -> object:
    optional = kind in (float | None, str | None, int | None)
    several = get_origin(kind) is tuple
    single = get_args(kind)[0] if optional or several else kind
    if optional and text.lower() == "none":
        return None
    try:
        if single is bool:
            return {"true": True, "false": False}[text.lower()]
        return tuple(single(part) for part in text.split(",")) if several else single(text)
    except (KeyError, ValueError):
        ending = " or none" if optional else " values, commas between them" if several else ""
        raise ValueError(
            f"setting {key!r} expects {single.__name__}{ending}, got {text!r}"
        ) from None
