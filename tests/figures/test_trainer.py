"""The VQ-VAE that trains in the page, without a browser: data, first weights, what is refused."""

import pytest
import torch
from torch import nn

from pages import data_of, unpack
from vqvae_lite.figures.trainer import first_model, plane_data, train_in_page


def test_data_are_of_one_shape_and_near_the_middle():
    for name, points in plane_data(60).items():
        assert points.shape == (60, 2), name
        assert points.abs().max() < 2.2, name


def test_rings_have_two_radii_moons_two_halves_and_blobs_six_middles():
    data = plane_data(600)
    radius = data["rings"].norm(dim=1)
    assert ((radius - 0.7).abs() < 0.3).sum() == ((radius - 1.6).abs() < 0.3).sum() == 300
    middles = torch.stack([data["blobs"][k::6].mean(0) for k in range(6)])
    assert torch.allclose(middles.norm(dim=1), torch.tensor(1.5).double(), atol=0.05)
    upper, lower = data["moons"][1::2, 1], data["moons"][::2, 1]
    assert upper.mean() > 0.2 > -0.2 > lower.mean()


def test_first_weights_lie_within_the_bounds_of_pytorch_and_depend_on_the_seed():
    encoder, decoder, codebook = first_model(3, 16, 8)
    for network in (encoder, decoder):
        assert isinstance(network[1], nn.Tanh)
        assert network[0].weight.abs().max() <= 2**-0.5
        assert network[2].weight.abs().max() <= 0.25
    assert codebook.shape == (8, 2)
    assert 0.06 < codebook.abs().max() <= 1 / 8
    assert torch.equal(codebook, first_model(3, 16, 8)[2])
    assert not torch.equal(codebook, first_model(4, 16, 8)[2])


def test_the_page_holds_the_points_in_thousandths():
    points = plane_data(20)
    data = data_of(train_in_page(points))
    for name, some in points.items():
        assert abs(unpack(data["sets"][name]) / data["unit"] - some.numpy()).max() <= 0.0005001


@pytest.mark.parametrize("data", [{}, {"a line": torch.zeros(5)}, {"space": torch.zeros(5, 3)}])
def test_other_points_are_refused(data):
    with pytest.raises(ValueError, match=r"of the shape \(N, 2\)"):
        train_in_page(data)


@pytest.mark.parametrize("codes", [1, 33])
def test_another_number_of_codes_is_refused(codes):
    with pytest.raises(ValueError, match=f"from 2 to 32, got {codes}"):
        train_in_page(plane_data(8), codes=codes)
