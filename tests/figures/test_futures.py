"""The tree of futures: its order and its draws, and what Python puts into its page."""

import itertools

import numpy as np
import pytest
import torch

from pages import data_of, model_of, unpack, video_prior_of
from vqvae_lite.figures.codes import colors_of_codebook
from vqvae_lite.figures.futures import explore_futures, imagine_tree

NAMES = ("forward", "left", "right")


def seen_of(frames=3):
    generator = torch.Generator().manual_seed(2)
    codes = torch.randint(40, (frames, 4, 5), generator=generator)
    return codes, torch.randint(3, (frames - 1,), generator=generator)


@pytest.mark.slow
def test_every_place_of_the_tree_follows_from_the_choices_that_lead_there():
    """At hardly any temperature there is one future for each sequence, and here it stands."""
    prior, (seen, actions) = video_prior_of(), seen_of()
    tree = imagine_tree(prior, seen, actions, depth=3, frames=2, temperature=1e-6)
    assert tree.shape == (3 + 9 + 27, 2, 4, 5)
    start = 0
    for level in (1, 2, 3):
        for place, choices in enumerate(itertools.product(range(3), repeat=level)):
            chosen = torch.cat([actions, torch.tensor(choices).repeat_interleave(2)])[None]
            film = prior.sample(seen[None], 2 * level, chosen, temperature=1e-6, progress=False)
            assert torch.equal(tree[start + place], film[0, -2:])
        start += 3**level


def test_the_seed_decides_the_tree():
    prior, (seen, actions) = video_prior_of(), seen_of()
    one, same, other = (
        imagine_tree(prior, seen, actions, depth=2, frames=1, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one[:3], one[3:6]), "levels have dice of their own"


def test_the_page_holds_codes_names_and_decoder():
    model, (seen, actions) = model_of(), seen_of()
    tree = imagine_tree(video_prior_of(), seen, actions, depth=2, frames=2)
    figure = explore_futures(model, seen, tree, NAMES)
    data = data_of(figure)
    assert np.array_equal(unpack(data["seen"]), seen.numpy())
    assert np.array_equal(unpack(data["futures"]), tree.numpy())
    assert np.array_equal(unpack(data["colors"]), colors_of_codebook(model))
    assert (data["depth"], data["names"]) == (2, list(NAMES))
    assert data["decoder"]["codebook"]["steps"]["dtype"] == "int8"
    again = explore_futures(model, seen, tree, NAMES)
    assert figure._repr_mimebundle_() == again._repr_mimebundle_()


def test_the_page_leaves_a_notebook_room_for_the_rest():
    model = model_of(width=64, num_codes=512, code_dim=64)
    tree = torch.randint(512, (120, 3, 21, 21))
    page = explore_futures(model, torch.randint(512, (6, 21, 21)), tree, NAMES)
    assert len(page._repr_mimebundle_()["text/html"]) < 1_000_000


def test_bad_input_is_named():
    model, (seen, actions) = model_of(), seen_of()
    tree = torch.zeros(12, 2, 4, 5, dtype=torch.int64)
    with pytest.raises(ValueError, match="A = 3 actions, got 11 of them"):
        explore_futures(model, seen, tree[:11], NAMES)
    with pytest.raises(ValueError, match="got 0 of them"):
        explore_futures(model, seen, tree[:0], NAMES)
    with pytest.raises(ValueError, match="names must be 2 to 9 actions, got 1"):
        explore_futures(model, seen, tree, ("on",))
    with pytest.raises(ValueError, match="model must have 1 codebook, got 2"):
        explore_futures(model_of(num_codebooks=2), seen, tree, NAMES)
    with pytest.raises(ValueError, match="prior must know actions"):
        imagine_tree(video_prior_of(num_actions=None), seen, actions, depth=1, frames=1)
    with pytest.raises(ValueError, match="depth must be at least 1"):
        imagine_tree(video_prior_of(), seen, actions, depth=0, frames=1)
