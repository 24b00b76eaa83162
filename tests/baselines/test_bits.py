"""Bits per dimension of a VQ-VAE, and the evaluation of every model over a whole data set."""

import copy
import itertools
import math

import pytest
import torch

import vqvae_lite.baselines.bits as bits
from vqvae_lite import VQVAE, ModelConfig, TrainingConfig, load_checkpoint, train
from vqvae_lite.baselines.bits import evaluate_bits
from vqvae_lite.baselines.gumbel import GumbelConfig, GumbelSoftmax
from vqvae_lite.baselines.vae import VAE, VAEConfig
from vqvae_lite.baselines.vimco import VIMCO, VIMCOConfig
from vqvae_lite.images import TensorImages, to_float
from vqvae_lite.models import MODELS
from vqvae_lite.priors.nats import CodeFrequencies

SMALL = {"width": 4, "num_halvings": 1, "num_residual": 1, "likelihood": "logistic"}


def images(count=7, side=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)


def vqvae(**settings):
    torch.manual_seed(0)
    return VQVAE(ModelConfig(**{**SMALL, "num_codes": 5, "code_dim": 3, **settings})).eval()


def make(kind):
    torch.manual_seed(0)
    if kind == "vae":
        return VAE(VAEConfig(**SMALL, latent_channels=2))
    if kind == "vimco":
        return VIMCO(VIMCOConfig(**SMALL, num_codes=4, num_codebooks=2, code_dim=3))
    if kind == "gumbel":
        latents = {"num_codes": 4, "num_codebooks": 2, "code_dim": 3}
        return GumbelSoftmax(GumbelConfig(**SMALL, **latents, annealing_steps=4))
    return vqvae()


@pytest.mark.parametrize("num_codebooks", [1, 2])
def test_bound_of_a_vqvae_is_below_the_exact_likelihood(num_codebooks):
    """One position, so that every code can be tried."""
    model = vqvae(num_codebooks=num_codebooks)
    data = images(6, side=2)
    codes = torch.tensor(list(itertools.product(range(5), repeat=num_codebooks)))
    codes = codes.view(-1, 1, 1) if num_codebooks == 1 else codes[..., None, None]
    parameters = model.decoder(model.quantizer.lookup(codes))
    bound = model.bound(data)
    for index, image in enumerate(data):
        log_p = model.likelihood(parameters).log_prob(image.expand(len(codes), -1, -1, -1))
        joint = log_p.flatten(1).sum(1).double() - math.log(len(codes))
        assert bound.total[index] >= -joint.logsumexp(0) - 1e-6
        # The bound is the joint probability of the image and the one code that it is given.
        chosen = model.encode(to_float(image[None]))[0]
        place = (codes == chosen).flatten(1).all(1).nonzero().item()
        assert bound.total[index].item() == pytest.approx(-joint[place].item(), rel=1e-6)
    assert bound.prior.tolist() == pytest.approx([num_codebooks * math.log(5)] * 6)


def test_learned_prior_takes_the_place_of_the_uniform_one():
    model = vqvae(num_codebooks=2)
    given = []

    def prior(codes):
        given.append(codes)
        return -torch.arange(len(codes)).float()

    data = images(4)
    bound = model.bound(data, prior)
    assert torch.equal(given[0], model.encode(to_float(data)))
    assert bound.prior.tolist() == [0, 1, 2, 3]
    assert torch.equal(bound.reconstruction, model.bound(data).reconstruction)
    assert model.bound(data).prior.tolist() == pytest.approx([8 * math.log(5)] * 4)


def test_training_loss_of_a_vqvae_is_its_reconstruction_in_nats():
    model = vqvae()
    data = images()
    out = model(to_float(data))
    assert out.reconstruction.shape == (7, 6, 4, 4)
    nats = model.bound(data).reconstruction.sum().item() / data.numel()
    assert out.reconstruction_loss.item() == pytest.approx(nats, rel=1e-5)
    decoded = model.decode(out.codes)
    assert decoded.shape == data.shape
    assert decoded.abs().max() <= 1


def test_a_squared_error_is_no_likelihood():
    model = vqvae(likelihood=None)
    with pytest.raises(ValueError, match="squared error has no likelihood"):
        model.bound(images())


@pytest.mark.parametrize("kind", ["vqvae", "vae", "vimco", "gumbel"])
def test_every_image_counts_once_whatever_the_batch(kind):
    model = make(kind)
    data = TensorImages(images())
    samples = 1 if kind == "vqvae" else 3
    whole = evaluate_bits(model, data, samples=samples, batch_size=7)
    for batch_size in (1, 3):
        parts = evaluate_bits(model, data, samples=samples, batch_size=batch_size)
        for part, expected in zip(parts, whole, strict=True):
            assert part.shape == (7,)
            assert torch.allclose(part, expected, rtol=1e-6)
    assert whole.means()["bound"] == pytest.approx(whole.bound.mean().item())
    error = whole.bound.std().item() / 7**0.5
    assert whole.means()["standard_error"] == pytest.approx(error)
    other = evaluate_bits(model, data, samples=samples, seed=1)
    assert torch.equal(other.bound, whole.bound) == (kind == "vqvae")


def test_bits_of_a_uniform_model_are_eight_and_the_prior_comes_on_top():
    model = vqvae(likelihood="categorical")
    for parameter in model.decoder.parameters():
        parameter.data.zero_()
    means = evaluate_bits(model, TensorImages(images())).means()
    assert means["reconstruction"] == pytest.approx(8, abs=1e-6)
    assert means["prior"] == pytest.approx(4 * math.log2(5) / 48)
    assert means["bound"] == pytest.approx(8 + 4 * math.log2(5) / 48, abs=1e-6)


@pytest.mark.parametrize("kind", ["vqvae", "vae", "vimco", "gumbel"])
def test_resumed_evaluation_equals_a_whole_one(kind, tmp_path, monkeypatch):
    model = make(kind)
    data = TensorImages(images())
    samples = 1 if kind == "vqvae" else 3
    whole = evaluate_bits(model, data, samples=samples, batch_size=2)
    keep = tmp_path / "results"
    writes = []
    write = bits._write

    def killed_after_two(*arguments):
        write(*arguments)
        writes.append(1)
        if len(writes) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(bits, "_write", killed_after_two)
    with pytest.raises(KeyboardInterrupt):
        evaluate_bits(model, data, samples=samples, batch_size=2, keep=keep)
    resumed = evaluate_bits(model, data, samples=samples, batch_size=2, keep=keep)
    assert len(writes) == 4  # batches of 2, 2, 2 and 1, none of them twice
    for part, expected in zip(resumed, whole, strict=True):
        assert torch.equal(part, expected)
    # Complete: nothing is left to do.
    again = evaluate_bits(model, data, samples=samples, batch_size=2, keep=keep)
    assert len(writes) == 4
    assert torch.equal(again.bound, whole.bound)
    for other, seed in [(model, 1), (copy.deepcopy(model), 0)]:
        if other is not model:
            next(other.parameters()).data[0] += 1
        with pytest.raises(ValueError, match="holds the results of another evaluation"):
            evaluate_bits(other, data, samples=samples, seed=seed, batch_size=2, keep=keep)


@pytest.mark.parametrize("kind", ["vae", "vimco", "gumbel"])
def test_the_bound_is_that_of_all_samples_together(kind):
    model, data = make(kind).eval(), images(2)
    measured = evaluate_bits(model, TensorImages(data), samples=3)
    for index, image in enumerate(data[:, None]):
        noise = model.noise(image, 3, torch.Generator().manual_seed(index))
        parts, importance = model.bound(image, noise[None])
        assert measured.bound[index] == pytest.approx(importance.item() / 48 / math.log(2))
        assert measured.prior[index] == pytest.approx(parts.prior.item() / 48 / math.log(2))
        assert abs(measured.bound[index] * 48 * math.log(2) - parts.total.item()) > 0.01


def test_a_learned_prior_says_what_the_codes_cost():
    model, data = vqvae(), images()
    prior = CodeFrequencies(model.encode(to_float(data)), 5)
    measured = evaluate_bits(model, TensorImages(data), prior=prior.log_prob)
    expected = -prior.log_prob(model.encode(to_float(data))) / 48 / math.log(2)
    torch.testing.assert_close(measured.prior, expected)
    torch.testing.assert_close(measured.bound, measured.reconstruction + expected)
    assert not torch.allclose(expected, expected.new_tensor(4 * math.log2(5) / 48))


@pytest.mark.parametrize("num_codebooks", [1, 2])
def test_code_frequencies_are_a_prior(num_codebooks):
    shape = (50, 2, 2) if num_codebooks == 1 else (50, num_codebooks, 2, 2)
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 3, shape, generator=generator)
    prior = CodeFrequencies(codes, 4)  # code 3 is never used
    single = torch.tensor(list(itertools.product(range(4), repeat=num_codebooks)))
    single = single.view(-1, 1, 1) if num_codebooks == 1 else single[..., None, None]
    assert prior.log_prob(single).exp().sum().item() == pytest.approx(1)
    assert prior.log_prob(single).isfinite().all()
    # By hand: the counts plus one, by codebook.
    rows = codes[:, None] if num_codebooks == 1 else codes
    expected = 0.0
    for row in rows.unbind(1):
        counts = torch.bincount(row.flatten(), minlength=4) + 1
        expected = expected + (counts / counts.sum()).log()[row].flatten(1).sum(1)
    assert torch.allclose(prior.log_prob(codes), expected.double(), atol=1e-5)


def test_errors_of_the_evaluation():
    data = TensorImages(images())

    class Empty(torch.utils.data.Dataset):
        def __len__(self):
            return 0

    with pytest.raises(ValueError, match="no images to evaluate on"):
        evaluate_bits(vqvae(), Empty())
    with pytest.raises(ValueError, match="samples must be 1, got 5"):
        evaluate_bits(vqvae(), data, samples=5)
    with pytest.raises(ValueError, match="VAE has its own prior"):
        evaluate_bits(make("vae"), data, prior=lambda codes: codes)
    with pytest.raises(ValueError, match="samples must be at least 1"):
        evaluate_bits(make("vae"), data, samples=0)


def test_evaluation_gives_the_model_back_as_it_was():
    model = vqvae().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate_bits(model, TensorImages(images()))
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kind", ["vae", "vimco", "gumbel"])
def test_a_run_with_noise_resumes_to_the_same_numbers(kind, tmp_path):
    data = TensorImages(images(12))
    config = TrainingConfig(steps=6, batch_size=4, checkpoint_every=3, precision="float32")
    model = make(kind)
    state = torch.get_rng_state()
    whole = train(model, data, config, run=tmp_path / "a", progress=False)
    assert torch.equal(torch.get_rng_state(), state)

    half = TrainingConfig(steps=3, batch_size=4, checkpoint_every=3, precision="float32")
    train(make(kind), data, half, run=tmp_path / "b", progress=False)
    checkpoint = load_checkpoint(tmp_path / "b")
    assert checkpoint.config["kind"] == kind
    torch.rand(5)  # whatever was drawn in between
    resumed = train(
        checkpoint.model, data, config, run=tmp_path / "b", resume=checkpoint, progress=False
    )
    assert resumed == whole
    assert {"loss", "kl", "reconstruction_loss"} == set(whole[0].means)
    first, second = (load_checkpoint(tmp_path / run) for run in "ab")
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name])


def test_a_checkpoint_of_a_kind_that_nobody_knows(tmp_path):
    config = TrainingConfig(steps=1, batch_size=4, precision="float32")
    train(make("vae"), TensorImages(images()), config, run=tmp_path, progress=False)
    with pytest.raises(ValueError, match="'kind' must be one of .* got 'vae'"):
        load_checkpoint(tmp_path, models={"gan": MODELS["vae"]})
