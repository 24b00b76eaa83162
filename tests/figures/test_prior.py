"""The map that a prior fills in: what Python puts into the page."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from pages import data_of, frames_of, model_of, unpack
from vqvae_lite.figures.prior import explore_prior, prior_data
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig


def prior_of(**changes):
    torch.manual_seed(4)
    settings = {"num_codes": 40, "width": 10, "num_layers": 2}
    prior = GatedPixelCNN(PixelCNNConfig(**(settings | changes))).eval()
    torch.nn.init.normal_(prior.head.weight)
    torch.nn.init.normal_(prior.head.bias)
    return prior


def test_page_holds_the_frames_and_their_codes():
    model, frames = model_of(), frames_of(2)
    data = data_of(explore_prior(model, prior_of(), frames, seed=7))
    start = "data:image/webp;base64,"
    assert data["frames"].startswith(start)
    sheet = Image.open(io.BytesIO(base64.b64decode(data["frames"][len(start) :])))
    assert sheet.size == (32, 48)
    assert np.array_equal(unpack(data["codes"]), model.encode(frames.float() / 127.5 - 1).numpy())
    assert data["seed"] == 7


def test_weights_are_within_half_a_step_of_each_row_and_biases_exact():
    prior = prior_of(kernel_size=5)
    prior.layers[0].down.weight.data[3] = 0.0
    data = prior_data(prior)
    layer, read = prior.layers[1], data["layers"][1]
    for packed, weight in [
        (data["embedding"], prior.embedding.weight),
        (read["vertical"]["weight"], layer.vertical.weight.permute(0, 2, 3, 1)),
        (read["horizontal"]["weight"], layer.horizontal.weight.permute(0, 2, 3, 1)),
        (read["out"]["weight"], layer.out.weight.permute(0, 2, 3, 1)),
        (data["layers"][0]["down"]["weight"], prior.layers[0].down.weight.permute(0, 2, 3, 1)),
        (data["head"][0]["weight"], prior.head.hidden.weight),
        (data["head"][1]["weight"], prior.head.weight[0].T),
    ]:
        weight = weight.detach().numpy()
        step = unpack(packed["step"]).reshape(-1, *[1] * (weight.ndim - 1))
        largest = np.abs(weight).max(tuple(range(1, weight.ndim)), keepdims=True)
        assert packed["steps"]["dtype"] == "int8"
        assert (step <= np.where(largest > 0, largest, 1) / 127 * 1.001).all()
        assert (np.abs(unpack(packed["steps"]) * step - weight) <= 0.501 * step).all()
    for packed, bias in [
        (read["vertical"]["bias"], layer.vertical.bias),
        (read["down"]["bias"], layer.down.bias),
        (data["head"][0]["bias"], prior.head.hidden.bias),
        (data["head"][1]["bias"], prior.head.bias[0, 0]),
    ]:
        assert np.array_equal(unpack(packed), bias.detach().numpy())
    assert data["reach"] == 2
    assert len(data["layers"]) == 2


def test_page_has_the_attention_and_what_tells_each_layer_where_it_is():
    prior = prior_of(width=32, num_layers=3, position_channels=8, attention_every=2)
    data = prior_data(prior, bits=5)
    assert data["positions"] == 8
    assert list(data["attention"]) == ["1"]
    look = data["attention"]["1"]["look"]["weight"]
    assert unpack(look["steps"]).shape == (96, 32)
    assert look["steps"]["dtype"] == "int5"
    assert data["layers"][2]["condition"]["weight"]["steps"]["shape"] == [128, 1, 1, 8]
    plain = prior_data(prior_of())
    assert plain["positions"] is None
    assert plain["attention"] == {}
    assert "condition" not in plain["layers"][0]


def test_page_leaves_a_notebook_room_for_the_rest():
    model = model_of(width=64, num_codes=512, code_dim=64)
    prior = prior_of(num_codes=512, width=32, num_layers=12)
    figure = explore_prior(model, prior, frames_of(4, 84, 84))
    assert len(figure._repr_mimebundle_()["text/html"]) < 850_000


def test_model_and_prior_are_left_as_they_were():
    modules = model_of().train(), prior_of(dropout=0.5).train()
    before = [{k: v.clone() for k, v in module.state_dict().items()} for module in modules]
    explore_prior(*modules, frames_of(2))
    for module, state in zip(modules, before, strict=True):
        assert module.training
        assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


@pytest.mark.slow
def test_same_model_prior_and_frames_give_the_same_page():
    first, second = (explore_prior(model_of(), prior_of(), frames_of(2)) for _ in range(2))
    assert first._repr_mimebundle_() == second._repr_mimebundle_()


def test_bad_input_is_named():
    model, prior, frames = model_of(), prior_of(), frames_of(2)
    with pytest.raises(TypeError, match="uint8"):
        explore_prior(model, prior, frames.float())
    with pytest.raises(ValueError, match="multiples of 4"):
        explore_prior(model, prior, frames[:, :, :-1])
    with pytest.raises(ValueError, match=r"model must have 1 codebook, got 2"):
        explore_prior(model_of(num_codebooks=2), prior, frames)
    with pytest.raises(ValueError, match=r"3 channels, got 1"):
        explore_prior(model_of(in_channels=1), prior, frames)
    with pytest.raises(ValueError, match=r"prior must have 1 codebook, got 3"):
        explore_prior(model, prior_of(num_codebooks=3), frames)
    with pytest.raises(ValueError, match=r"model's 40 codes, got one over 41"):
        explore_prior(model, prior_of(num_codes=41), frames)
    with pytest.raises(ValueError, match=r"no num_classes, got 5"):
        explore_prior(model, prior_of(num_classes=5), frames)
    with pytest.raises(ValueError, match=r"no condition_channels, got 6"):
        explore_prior(model, prior_of(condition_channels=6), frames)
    with pytest.raises(ValueError, match=r"bits must be 2 to 8, or 16, got 9"):
        explore_prior(model, prior, frames, bits=9)
    with pytest.raises(ValueError, match=r"seed must be in \[0, 2\^31\), got -1"):
        explore_prior(model, prior, frames, seed=-1)
