"""Mu-law: levels and waveforms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vqvae_lite.sound.mulaw import compand, expand, to_companded, to_levels, to_wave

ALL = torch.arange(256, dtype=torch.uint8)


def test_every_level_comes_back():
    assert torch.equal(to_levels(to_wave(ALL)), ALL)
    assert torch.equal(to_levels(expand(to_companded(ALL))), ALL)


def test_the_curve_is_that_of_the_formula():
    for x in (-1.0, -0.3, -0.001, 0.0, 0.02, 0.5, 1.0):
        expected = math.copysign(math.log(1 + 255 * abs(x)) / math.log(256), x) if x else 0.0
        assert compand(torch.tensor(x)).item() == pytest.approx(expected, abs=1e-6)
    assert to_wave(ALL[[0, 255]]).tolist() == pytest.approx([-1, 1])


@given(st.floats(-1, 1))
def test_the_error_is_half_a_step_of_the_nearer_levels(x):
    back = to_wave(to_levels(torch.tensor([x]))).item()
    # A level is 2 / 255 wide after companding; expanding stretches it by its slope.
    slope = math.log(256) / 255 * (1 + 255 * max(abs(x), abs(back)))
    assert abs(back - x) <= slope / 255 + 1e-6


def test_quiet_sound_keeps_more_than_a_straight_scale_would_give_it():
    wave = 0.01 * torch.sin(torch.arange(1000) / 7)
    error = (to_wave(to_levels(wave)) - wave).square().mean()
    straight = ((wave * 127.5).round() / 127.5 - wave).square().mean()
    assert error < straight / 30


def test_outside_is_clipped_and_half_precision_is_taken():
    assert to_levels(torch.tensor([-3.0, 3.0])).tolist() == [0, 255]
    assert to_levels(torch.zeros(2, 3, dtype=torch.float16)).tolist() == [[128] * 3] * 2


@pytest.mark.parametrize("wave", [torch.zeros(3, dtype=torch.int16), [0.0]])
def test_a_wave_of_another_type_is_refused(wave):
    with pytest.raises(TypeError, match="wave must be a floating-point tensor"):
        to_levels(wave)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_inf_are_refused(bad):
    with pytest.raises(ValueError, match="wave must be finite"):
        to_levels(torch.tensor([0.0, bad]))


@pytest.mark.parametrize("function", [to_companded, to_wave])
def test_levels_of_another_type_are_refused(function):
    with pytest.raises(TypeError, match="levels must be a uint8 tensor"):
        function(torch.zeros(3))
