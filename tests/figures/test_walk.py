"""The imagined walk: what Python puts into its page, and what it refuses."""

import numpy as np
import pytest
import torch

from pages import data_of, model_of, unpack, video_prior_of
from vqvae_lite.figures.codes import colors_of_codebook
from vqvae_lite.figures.walk import explore_walk, video_data

NAMES = ("forward", "left", "right")


def walks_of(count=2, length=8, size=(4, 5)):
    generator = torch.Generator().manual_seed(2)
    codes = torch.randint(40, (count, length, *size), generator=generator)
    return codes, torch.randint(3, (count, length - 1), generator=generator)


def test_the_page_holds_walks_names_decoder_and_dynamics():
    model, prior, (codes, actions) = model_of(), video_prior_of(), walks_of()
    figure = explore_walk(model, prior, codes, actions, NAMES, seen=3, seed=7, bits=6)
    data = data_of(figure)
    assert np.array_equal(unpack(data["codes"]), codes.numpy())
    assert np.array_equal(unpack(data["actions"]), actions.numpy())
    assert np.array_equal(unpack(data["colors"]), colors_of_codebook(model))
    assert (data["seen"], data["seed"], data["names"]) == (3, 7, list(NAMES))
    assert data["dynamics"] == video_data(prior, bits=6)
    assert data["decoder"]["codebook"]["steps"]["dtype"] == "int8"
    again = explore_walk(model, prior, codes, actions, NAMES, seen=3, seed=7, bits=6)
    assert figure._repr_mimebundle_() == again._repr_mimebundle_()


@pytest.mark.parametrize("bits", [8, 5])
def test_weights_are_within_half_a_step_of_each_row_and_biases_exact(bits):
    prior = video_prior_of()
    data, past = video_data(prior, bits=bits), prior.past
    read, block = data["past"]["blocks"][2], past.blocks[2]
    for packed, weight, wanted in [
        (data["past"]["embedding"], past.embedding.weight, bits),
        (data["past"]["mix"]["weight"], past.mix.weight.permute(0, 2, 3, 1), bits),
        (read["spread"]["weight"], block.spread.weight.permute(0, 2, 3, 1), bits),
        (read["out"]["weight"], block.out.weight.permute(0, 2, 3, 1), bits),
        (data["past"]["actions"][1], past.actions[1].weight, 8),
        (data["frame"]["embedding"], prior.frame.embedding.weight, bits),
    ]:
        weight = weight.detach().numpy()
        step = unpack(packed["step"]).reshape(-1, *[1] * (weight.ndim - 1))
        assert packed["steps"]["dtype"] == f"int{wanted}"
        assert (np.abs(unpack(packed["steps"]) * step - weight) <= 0.501 * step).all()
    for packed, bias in [
        (data["past"]["mix"]["bias"], past.mix.bias),
        (read["spread"]["bias"], block.spread.bias),
        (read["out"]["bias"], block.out.bias),
    ]:
        assert np.array_equal(unpack(packed), bias.detach().numpy())
    assert [block["apart"] for block in data["past"]["blocks"]] == [1, 2, 4, 1, 2, 4]
    assert data["frame"]["features"] == prior.config.width
    assert (data["past"]["turns"], data["past"]["circle"]) == ([], None)


def test_the_page_knows_how_a_model_that_remembers_turns():
    data = video_data(video_prior_of(turns=(0, 2, -1), circle=30))
    assert (data["past"]["turns"], data["past"]["circle"]) == ([0, 2, -1], 30)


def test_a_walk_may_end_with_what_was_seen():
    codes, actions = walks_of(1, 1)
    figure = explore_walk(model_of(), video_prior_of(), codes, actions, NAMES, seen=1)
    assert unpack(data_of(figure)["actions"]).shape == (1, 0)


@pytest.mark.slow
def test_the_page_leaves_a_notebook_room_for_the_rest():
    """Of the size of the book's models, with six walks of 36 frames."""
    model = model_of(width=64, num_codes=512, code_dim=8)
    prior = video_prior_of(
        num_codes=512, history=4, embedding=32, width=104, pixelcnn_width=56, num_layers=8
    )
    codes, actions = torch.randint(512, (6, 36, 21, 21)), torch.randint(3, (6, 35))
    page = explore_walk(model, prior, codes, actions, NAMES, seen=36, bits=6)
    assert len(page._repr_mimebundle_()["text/html"]) < 2_300_000


def test_bad_input_is_named():
    model, prior, (codes, actions) = model_of(), video_prior_of(), walks_of()

    def refused(match, error=ValueError, **changes):
        given = {"model": model, "prior": prior, "codes": codes, "actions": actions}
        given |= {"names": NAMES, **changes}
        with pytest.raises(error, match=match) as caught:
            explore_walk(**given)
        assert "\n" not in str(caught.value)

    refused("model must be of type VQVAE", TypeError, model=prior)
    refused("prior must be of type VideoPrior", TypeError, prior=prior.frame)
    refused("codes must be integers, got torch.float32", TypeError, codes=codes.float())
    refused("actions must be integers, got torch.float32", TypeError, actions=actions.float())
    refused("seen must be an int", TypeError, seen=1.5)
    refused("seed must be an int", TypeError, seed="1")
    refused(r"codes must have the shape \(N, T, h, w\)", codes=codes[0])
    refused(r"N from 1 to 8, got \(9, ", codes=codes[:1].expand(9, -1, -1, -1))
    refused(r"codes must lie in \[0, 40\)", codes=codes + 40)
    refused(r"actions must have the shape \(2, 7\), got \(2, 6\)", actions=actions[:, 1:])
    refused(r"actions must lie in \[0, 3\)", actions=actions + 1)
    refused("names must be those of the prior's 3 actions, got 2", names=NAMES[:2])
    refused("names must be 2 to 9 actions, got 1", names=NAMES[:1])
    refused("seen must be at least 1", seen=0)
    refused("seen must be at most 8", seen=9)
    refused("seed must be at most 99, got 100", seed=100)
    refused("seed must be at least 0", seed=-1)
    refused("bits must be 2 to 8, got 9", bits=9)
    refused("prior must know actions", prior=video_prior_of(num_actions=None))
    refused("prior must draw code by code", prior=video_prior_of(num_layers=0))
    refused("over the model's 40 codes, got one over 30", prior=video_prior_of(num_codes=30))
    refused("model must have 1 codebook, got 2", model=model_of(num_codebooks=2))
