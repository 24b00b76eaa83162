"""The explorer of an image's codes: what Python puts into the page."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from pages import data_of, frames_of, model_of, unpack
from vqvae_lite.figures.codes import colors_of_codebook, decoder_data, explore_codes


def test_page_holds_the_frames_to_the_bit():
    model, frames = model_of(), frames_of()
    data = data_of(explore_codes(model, frames, chosen=2))
    start = "data:image/webp;base64,"
    assert data["frames"].startswith(start)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["frames"][len(start) :]))))
    assert np.array_equal(sheet.reshape(3, 24, 32, 3), frames.permute(0, 2, 3, 1).numpy())
    assert data["size"] == [3, 24, 32]
    assert data["chosen"] == 2


def test_page_leaves_a_notebook_room_for_the_rest():
    """All of it but the frames, for which noise is no measure."""
    figure = explore_codes(
        model_of(width=64, num_codes=512, code_dim=64), frames_of(1, 84, 84), bits=8
    )
    assert len(figure._repr_mimebundle_()["text/html"]) < 700_000


def test_model_is_left_as_it_was():
    model = model_of().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    explore_codes(model, frames_of())
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_same_model_and_frames_give_the_same_page():
    first, second = (explore_codes(model_of(), frames_of()) for _ in range(2))
    assert first._repr_mimebundle_() == second._repr_mimebundle_()


def test_weights_are_within_half_a_step_of_each_row():
    model = model_of()
    model.decoder.from_codes.weight.data[2] = 0.0
    data = decoder_data(model)
    for packed, weight in [
        (data["codebook"], model.quantizer.codebook),
        (data["from_codes"]["weight"], model.decoder.from_codes.weight.permute(0, 2, 3, 1)),
        (data["doublings"][1]["weight"], model.decoder.doublings[1].weight.permute(1, 2, 3, 0)),
    ]:
        weight = weight.detach().numpy()
        step = unpack(packed["step"]).reshape(-1, *[1] * (weight.ndim - 1))
        largest = np.abs(weight).max(tuple(range(1, weight.ndim)), keepdims=True)
        assert (step <= np.where(largest > 0, largest, 1) / 32767 * 1.001).all()
        assert (np.abs(unpack(packed["steps"]) * step - weight) <= 0.501 * step).all()
    assert [len(block) for block in data["residuals"]] == [2, 2]


def test_near_codes_have_near_colors():
    model = model_of(num_codes=100)
    angle = torch.linspace(0, 2 * torch.pi, 101)[:100]
    circle = torch.stack([angle.cos(), angle.sin(), *[0.01 * angle] * 4], dim=1)
    model.quantizer.codebook.copy_(circle)
    colors = colors_of_codebook(model).astype(float)
    assert colors.shape == (100, 3)
    beside = np.abs(colors - np.roll(colors, 1, axis=0))[1:].mean()
    opposite = np.abs(colors - np.roll(colors, 50, axis=0)).mean()
    assert beside < opposite / 5
    assert len(np.unique(colors, axis=0)) > 90


def test_codes_that_decode_brighter_have_lighter_colors():
    """Whichever way the decoder turns its picture."""
    model = model_of()
    dark = colors_of_codebook(model).mean(1)
    with torch.no_grad():
        model.decoder.doublings[-1].weight.neg_()
        model.decoder.doublings[-1].bias.neg_()
    assert np.corrcoef(dark, colors_of_codebook(model).mean(1))[0, 1] < -0.5


@pytest.mark.parametrize("code_dim", [1, 2])
def test_codes_of_few_dimensions_have_colors_too(code_dim):
    assert colors_of_codebook(model_of(code_dim=code_dim)).shape == (40, 3)


def test_bad_input_is_named():
    model, frames = model_of(), frames_of()
    with pytest.raises(TypeError, match="uint8"):
        explore_codes(model, frames.float())
    with pytest.raises(ValueError, match="must have the shape"):
        explore_codes(model, frames[0])
    with pytest.raises(ValueError, match="not empty"):
        explore_codes(model, frames[:0])
    with pytest.raises(ValueError, match="multiples of 4"):
        explore_codes(model, frames[:, :, :-1])
    with pytest.raises(ValueError, match=r"chosen must be .* 0 to 2, got 3"):
        explore_codes(model, frames, chosen=3)
    with pytest.raises(ValueError, match=r"1 codebook, got 2"):
        explore_codes(model_of(num_codebooks=2), frames)
    with pytest.raises(ValueError, match=r"3 channels, got 1"):
        explore_codes(model_of(in_channels=1), frames)
    with pytest.raises(ValueError, match=r"16383"):
        explore_codes(model, frames.new_zeros(1, 3, 16384, 4))
