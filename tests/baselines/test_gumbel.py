"""Gumbel-softmax: relaxed samples and their gradient by hand, annealing, what is measured."""

import math

import pytest
import torch

from enumerable import IMAGE, make
from vqvae_lite import TrainingConfig, evaluate_bits, load_checkpoint, save_checkpoint, train
from vqvae_lite.baselines.gumbel import GumbelSoftmax, relaxed_one_hot
from vqvae_lite.images import TensorImages, to_float

X = to_float(IMAGE)


def tiny(**settings):
    return make(GumbelSoftmax, **settings)


def test_a_relaxed_sample_by_hand():
    probabilities, noise, temperature = [0.5, 0.3, 0.2], [0.1, 0.7, 0.4], 0.8
    raised = [
        math.exp((math.log(p) - math.log(-math.log(u))) / temperature)
        for p, u in zip(probabilities, noise, strict=True)
    ]
    log_q = torch.tensor(probabilities).log().requires_grad_()
    found = relaxed_one_hot(log_q, torch.tensor(noise), temperature)
    expected = [part / sum(raised) for part in raised]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)
    # The softmax's derivative, over the temperature.
    found[1].backward()
    y = expected
    slopes = [-y[1] * y[0], y[1] * (1 - y[1]), -y[1] * y[2]]
    assert log_q.grad is not None
    assert log_q.grad.tolist() == pytest.approx([s / temperature for s in slopes], rel=1e-5)


def test_its_largest_entry_is_a_draw_and_the_others_vanish_in_the_cold():
    q = torch.tensor([0.5, 0.3, 0.2])
    noise = torch.rand(50_000, 3, generator=torch.Generator().manual_seed(0))
    noise[0, 0] = 0  # which torch.rand may draw
    warm, cold = (relaxed_one_hot(q.log(), noise, t) for t in (1.0, 0.01))
    assert torch.equal(warm.argmax(1), cold.argmax(1))
    found = torch.bincount(warm.argmax(1)) / len(noise)
    assert (found - q).abs().max() < 0.01
    for sample in (warm, cold):
        assert torch.allclose(sample.sum(1), torch.ones(len(noise)))
    assert cold.amax(1).median() > 1 - 1e-6
    assert warm.amax(1).median() < 0.9


def test_the_gradient_is_that_of_the_sum_written_out():
    model = tiny(temperature=0.7, least_temperature=0.7)
    torch.manual_seed(1)
    out = model(X)
    out.loss.backward()
    found = {name: weight.grad for name, weight in model.named_parameters()}

    model.zero_grad()
    torch.manual_seed(1)
    noise = torch.rand(2, 3)
    q = model.encoder(X).view(2, 3).softmax(1)
    mixed = []
    for latent in range(2):
        raised = [
            ((q[latent, k].log() - (-noise[latent, k].log()).log()) / 0.7).exp() for k in range(3)
        ]
        mixed += [sum(raised[k] / sum(raised) * model.codebook[latent, k] for k in range(3))]
    decoded = model.decoder(torch.cat(mixed).view(1, 4, 1, 1))
    nats = -model.likelihood(decoded).log_prob(IMAGE).sum()
    kl = (q * (q / (1 / 3)).log()).sum()
    ((nats + kl) / 4).backward()

    assert out.reconstruction_loss.item() == pytest.approx(nats.item() / 4, rel=1e-5)
    assert out.kl.item() == pytest.approx(kl.item() / 4, rel=1e-5)
    assert out.loss.item() == pytest.approx((nats + kl).item() / 4, rel=1e-5)
    for name, weight in model.named_parameters():
        assert torch.allclose(found[name], weight.grad, atol=1e-6), name
    assert all(found[name].abs().max() > 0 for name in ("codebook", "encoder.to_codes.weight"))


def test_the_temperature_falls_with_training_steps_alone():
    model = tiny(temperature=2.0, least_temperature=0.5, annealing_steps=4)
    found = []
    for _ in range(6):
        found.append(model.temperature.item())
        model(X)
        model.eval()(X)
        model.bound(IMAGE, torch.rand(1, 1, 2, 1, 1))
        model.train()
    # By the same factor in each step, and no further.
    assert found == pytest.approx([2, 2**0.5, 1, 0.5**0.5, 0.5, 0.5])


def test_each_step_draws_at_its_own_temperature():
    losses = []
    for steps, settings in [(2, {"temperature": 1.0}), (0, {"temperature": 0.5**0.5})]:
        model = tiny(annealing_steps=4, **settings)
        model.steps.fill_(steps)
        torch.manual_seed(0)
        losses.append(model(X).loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_the_temperature_goes_on_after_a_checkpoint(tmp_path):
    model = tiny(annealing_steps=4)
    model(X)
    save_checkpoint(tmp_path / "run", model, step=1)
    read = load_checkpoint(tmp_path / "run").model
    assert read.steps == 1
    assert read.temperature == model.temperature == pytest.approx(0.5**0.25)


def test_what_is_measured_has_no_temperature():
    model, noise = tiny(annealing_steps=10), torch.rand(1, 5, 2, 1, 1)
    torch.manual_seed(2)
    warm, bound = model.eval()(X), model.bound(IMAGE, noise)
    model.steps.fill_(10)
    torch.manual_seed(2)
    cold, again = model(X), model.bound(IMAGE, noise)
    assert warm == cold
    assert bound == again


def test_in_eval_mode_the_loss_is_that_of_discrete_latents():
    model = tiny()
    images = torch.randint(0, 256, (8, 1, 4, 4), dtype=torch.uint8)
    torch.manual_seed(2)
    out = model.eval()(to_float(images))
    torch.manual_seed(2)
    parts, _ = model.bound(images, torch.rand(8, 1, 2, 2, 2))
    assert out.loss.item() == pytest.approx(parts.total.sum().item() / images.numel(), rel=1e-5)
    assert out.kl.item() == pytest.approx(parts.prior.sum().item() / images.numel(), abs=1e-6)


def test_in_the_cold_the_decoder_sees_one_vector_of_each_codebook():
    model = tiny(temperature=1e-4, least_temperature=1e-4)
    torch.manual_seed(3)
    found = model(X).reconstruction_loss.item()
    torch.manual_seed(3)
    gumbel = -(-torch.rand(1, 2, 1, 1, 3).log()).log()
    codes = (model.posterior(X) + gumbel).argmax(-1)
    nats = -model.likelihood(model.parameters_of(codes)).log_prob(IMAGE).mean()
    assert found == pytest.approx(nats.item(), rel=1e-5)


def test_an_encoder_that_is_certain_still_has_a_gradient():
    """-p log p has none at p = 0, to which e^-200 rounds."""
    model = tiny()
    with torch.no_grad():
        model.encoder.to_codes.bias += torch.tensor([0.0, -200, -200] * 2)
    out = model(X)
    out.loss.backward()
    assert out.kl.item() * 4 == pytest.approx(2 * math.log(3), rel=1e-5)
    for name, weight in model.named_parameters():
        assert torch.isfinite(weight.grad).all(), name


@pytest.mark.slow
def test_a_short_training_lowers_the_bound():
    generator = torch.Generator().manual_seed(0)
    squares = torch.randint(0, 256, (40, 3, 2, 2), dtype=torch.uint8, generator=generator)
    images = TensorImages(squares.repeat_interleave(4, 2).repeat_interleave(4, 3))
    model = tiny(in_channels=3, width=16, num_codes=16, annealing_steps=300)
    bits = [evaluate_bits(model, images, samples=5).means()]
    config = TrainingConfig(steps=300, batch_size=20, learning_rate=5e-3, precision="float32")
    train(model, images, config, progress=False)
    bits.append(evaluate_bits(model, images, samples=5).means())
    assert bits[1]["bound"] < bits[0]["bound"] - 0.5
    assert bits[1]["prior"] > 5 * bits[0]["prior"], "its latents say something"


def test_a_gumbel_softmax_in_bfloat16():
    exact, model = tiny(), tiny().bfloat16()
    losses = []
    for either in (exact, model):
        torch.manual_seed(4)
        losses.append(either(X).loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    model.steps.fill_(2**24 + 256)
    model(X)
    assert model.steps.item() == 2**24 + 257, "which bfloat16 and float32 would round"
    noise = model.noise(IMAGE, 5, torch.Generator().manual_seed(0))[None]
    assert torch.allclose(model.bound(IMAGE, noise)[1], exact.bound(IMAGE, noise)[1], rtol=0.02)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"temperature": 0.0}, ValueError, "temperature must be finite and above 0, got 0"),
        ({"temperature": math.inf}, ValueError, "temperature must be finite and above 0"),
        ({"temperature": "1"}, TypeError, "temperature must be a number"),
        ({"least_temperature": 0}, ValueError, "least_temperature must be above 0 and at most"),
        ({"temperature": 0.4}, ValueError, r"at most temperature \(0.4\), got 0.5"),
        ({"least_temperature": math.nan}, ValueError, "least_temperature must be above 0"),
        ({"annealing_steps": 0}, ValueError, "annealing_steps must be at least 1, got 0"),
        ({"annealing_steps": 1e3}, TypeError, "annealing_steps must be an int"),
        ({"num_codes": 0}, ValueError, "num_codes must be at least 1"),
        ({"likelihood": "gauss"}, ValueError, "likelihood must be one of"),
    ],
)
def test_settings_out_of_range(settings, error, message):
    with pytest.raises(error, match=message):
        tiny(**settings)


def test_images_that_do_not_fit_count_no_step():
    model = tiny()
    for images in (torch.full((1, 1, 4, 4), -1.5), torch.zeros(0, 1, 4, 4)):
        with pytest.raises(ValueError, match="images"):
            model(images)
    assert model.steps == 0
