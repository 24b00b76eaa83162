"""Posterior collapse by hand: the loss, and its page beside PyTorch and under keys and touch."""

import json
import math
import re

import pytest
import torch

from pages import on_a_phone
from vqvae_lite.figures.collapse import collapse_by_hand, two_bit_loss


def number(value):
    return torch.tensor(value, dtype=torch.float64)


def test_a_silent_posterior_costs_one_bit_for_each_pixel_that_is_not_seen():
    for sees in (0.0, 0.4, 1.0):
        loss = two_bit_loss(number(0.0), number(0.0), number(0.0), sees=sees)
        assert loss.item() == pytest.approx((2 - sees) * math.log(2), abs=1e-9)


def test_the_price_is_the_divergence_of_two_gaussians():
    mu, log_sigma = number(1.3), number(-0.7)
    posterior = torch.distributions.Normal(mu, log_sigma.exp())
    kl = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    a = number(2.0)
    paid = two_bit_loss(mu, log_sigma, a, kl=3.0) - two_bit_loss(mu, log_sigma, a, kl=1.0)
    assert paid.item() == pytest.approx(2 * kl.item(), abs=1e-9)


@pytest.mark.parametrize("wrong", [{"kl": 3.0}, {"sees": 1.5}, {"start": -0.1}])
def test_numbers_out_of_range_are_refused(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(
        ValueError, match=rf"{name} must be in \[0, ., got".replace("., ", ".\\], ")
    ):
        collapse_by_hand(**wrong)
    assert value not in (0, 1)


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    file = tmp_path_factory.mktemp("collapse") / "figure.html"
    file.write_text(collapse_by_hand().page, encoding="utf-8")
    with on_a_phone(chromium, file, reduced_motion="reduce") as page:
        yield page


def state(page):
    text = page.evaluate("document.documentElement.dataset.state")
    found = {
        name: float(re.search(rf"{name} ([-\d.]+)", text)[1]) for name in ("knows", "cost", "vq")
    }
    return json.loads(text.split("; ")[0]), int(re.search(r"step (\d+)", text)[1]), found


def choose(page, **settings):
    for name, value in settings.items():
        page.locator(f"#{name}").fill(str(value))
    page.locator("#end").tap()
    return state(page)


@pytest.mark.parametrize(
    ("kl", "sees", "start"), [(1.0, 0.0, 0.3), (0.4, 0.7, 1.2), (2.0, 1.0, 0.0)]
)
def test_training_is_that_of_pytorch(page, kl, sees, start):
    parameters = [number(value).requires_grad_() for value in (start, 0.0, 0.0)]
    for _ in range(200):
        loss = two_bit_loss(*parameters, kl=kl, sees=sees)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= 0.1 * gradient
    found = page.evaluate(
        """([start, options]) => {
          let model = { mu: start, logSigma: 0, a: 0 };
          for (let i = 0; i < 200; i++) model = VQ.twoBits.stepVae(model, options);
          return [model.mu, model.logSigma, model.a];
        }""",
        [start, {"kl": kl, "sees": sees, "rate": 0.1}],
    )
    assert found == pytest.approx([value.item() for value in parameters], abs=1e-8)


def test_the_blind_decoder_is_told_and_the_seeing_one_is_not(page):
    _, step, blind = choose(page, kl=1, sees=0, start=0.3)
    assert step == 800
    assert blind["knows"] > 0.5
    _, _, seeing = choose(page, sees=1)
    assert seeing["knows"] < 0.05
    assert seeing["cost"] == pytest.approx(math.log(2), abs=1e-3)


def test_an_encoder_that_starts_silent_stays_silent_though_it_would_pay(page):
    _, _, stuck = choose(page, kl=1, sees=0, start=0)
    assert stuck["knows"] == 0
    assert "not left its silence" in page.locator("#told").inner_text()
    _, _, free = choose(page, start=0.01)
    assert free["knows"] > 0.5


def test_the_vq_vae_pays_for_its_code_in_any_case(page):
    for sees in (0, 1):
        _, _, found = choose(page, kl=1, sees=sees, start=0.3)
        assert found["vq"] == pytest.approx(math.log(2), abs=0.005)


def test_keys_change_the_settings_and_train_goes_to_the_end_without_motion(page):
    choose(page, kl=1, sees=0, start=0.3)
    page.locator("#kl").focus()
    page.keyboard.press("ArrowRight")
    settings, step, _ = state(page)
    assert (settings["kl"], step) == (1.05, 0)
    page.locator("#run").focus()
    page.keyboard.press("Enter")
    assert state(page)[1] == 800
