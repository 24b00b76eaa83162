"""VAE and VQ-VAE over maps with a PixelCNN decoder, and what their latents are worth."""

import math

import pytest
import torch
from torch import nn

from vqvae_lite import TrainingConfig, train
from vqvae_lite.baselines.vae import gaussian_kl
from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.encoding import CodeMaps
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.secondstage.maps import Latents
from vqvae_lite.secondstage.pixelvae import PixelVAEConfig
from vqvae_lite.secondstage.pixelvqvae import PixelVQVAEConfig
from vqvae_lite.secondstage.swap import measure_latent_use, rise_by_latent, share_in_use

SMALL = {"rows": 7, "columns": 6, "num_values": 11, "width": 4, "num_layers": 2}
GAUSSIAN = {**SMALL, "num_latents": 5}
DISCRETE = {**SMALL, "num_codebooks": 3, "num_codes": 8, "code_dim": 2}
CONFIGS = {"pixelvae": (PixelVAEConfig, GAUSSIAN), "pixelvqvae": (PixelVQVAEConfig, DISCRETE)}


def make(kind, **settings):
    """A model whose logits are not all alike, as they are at the start."""
    config, common = CONFIGS[kind]
    model = new_model(kind, config(**{**common, **settings}), seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        weight = model.decoder.pixelcnn.head.weight
        weight.copy_(torch.randn(weight.shape, generator=generator))
    return model


def maps(count=4, rows=7, columns=6, num_values=11, seed=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(num_values, (count, rows, columns), generator=generator)


@pytest.mark.parametrize("kind", ["pixelvae", "pixelvqvae"])
def test_every_position_hears_the_latents(kind):
    # Wide enough that no position has all its ReLUs at 0.
    model, x = make(kind, width=16), maps(2)
    z = model.infer(x).z.requires_grad_()
    condition = model.decoder.condition(z)
    assert condition.shape == (2, 16, 7, 6)
    logits = model.decoder.pixelcnn.logits(x, condition=condition)
    for row, column in [(0, 0), (3, 5), (6, 0)]:
        answer = logits[1, :, row, column].sin().sum()
        (gradient,) = torch.autograd.grad(answer, z, retain_graph=True)
        assert (gradient[1] != 0).all()
        assert not gradient[0].any(), "those of its own map alone"


@pytest.mark.parametrize("kind", ["pixelvae", "pixelvqvae"])
def test_the_decoder_is_a_distribution_over_maps(kind):
    model = make(kind, rows=2, columns=1, num_values=3, num_layers=1)
    every = torch.cartesian_prod(torch.arange(3), torch.arange(3)).view(9, 2, 1)
    z = model.infer(every[:1]).z.expand(9, -1, -1)
    assert model.decoder(every, z).exp().sum().item() == pytest.approx(1, abs=1e-5)
    drawn = model.decoder.pixelcnn.sample(
        (2, 1), batch=9, condition=model.decoder.condition(z), seed=0
    )
    assert drawn.shape == (9, 2, 1)


def test_the_vaes_loss_is_minus_its_elbo():
    model, x = make("pixelvae"), maps()
    torch.manual_seed(5)
    out = model(x)
    torch.manual_seed(5)
    mean, log_variance = model.posterior(x)
    z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    nats = -model.decoder(x, z[..., None]).mean()
    kl = gaussian_kl(mean, log_variance).mean()
    assert out.nats.item() == pytest.approx(nats.item(), rel=1e-6)
    assert out.kl.item() == pytest.approx(kl.item(), rel=1e-6)
    assert out.loss.item() == pytest.approx((nats + kl).item() / 42, rel=1e-6)


def test_annealing_counts_training_steps_alone():
    model, x = make("pixelvae", warmup_steps=4).train(), maps()
    weights = []
    for _ in range(6):
        out = model(x)
        weights.append((out.loss.item() * 42 - out.nats.item()) / out.kl.item())
        model.eval()(x)
        model.train()
    assert weights == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1], abs=1e-4)
    out = model.eval()(x)
    assert out.loss.item() * 42 == pytest.approx((out.nats + out.kl).item(), rel=1e-6)


@pytest.mark.parametrize("kind", ["pixelvae", "pixelvqvae"])
def test_models_of_maps_in_bfloat16(kind):
    exact, model, x = make(kind), make(kind).bfloat16(), maps()
    assert model(x).loss.item() == pytest.approx(exact(x).loss.item(), rel=0.05)
    assert torch.isfinite(model.decoder(x, model.infer(x).z)).all()


def test_annealing_counts_on_in_bfloat16():
    model = make("pixelvae", warmup_steps=300).bfloat16()
    model.steps.fill_(256.0)
    model(maps())
    assert model.steps == 257, "where 256 + 1 is 256 the warm-up never ends"


def test_annealing_goes_on_after_a_checkpoint(tmp_path):
    model = make("pixelvae", warmup_steps=4).train()
    model(maps())
    save_checkpoint(tmp_path / "run", model, step=1)
    assert load_checkpoint(tmp_path / "run").model.steps == 1


def test_free_nats_cost_the_same_whether_used_or_not():
    model, x = make("pixelvae", free_nats=50.0), maps()
    out = model(x)
    assert 0 < out.kl < 50
    assert out.loss.item() == pytest.approx((out.nats.item() + 5 * 50) / 42, rel=1e-6)
    # One latent above its allowance pays; the others still do not.
    with torch.no_grad():
        model.encoder.out.bias[0] += 20
    out = model(x)
    paid = gaussian_kl(*(part[:, :1] for part in model.posterior(x))).mean()
    assert paid > 50
    assert out.loss.item() == pytest.approx((out.nats + paid).item() / 42 + 4 * 50 / 42, rel=1e-5)


def test_a_draw_of_the_posterior_comes_again_and_has_its_moments():
    model, x = make("pixelvae"), maps(1).expand(4000, -1, -1)
    first, again = (model.infer(x, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.z, again.z)
    assert first.z.shape == (4000, 5, 1)
    mean, log_variance = model.posterior(x[:1])
    spread = (0.5 * log_variance[0]).exp()
    assert torch.allclose(first.z[..., 0].mean(0), mean[0], atol=0.1)
    assert torch.allclose(first.z[..., 0].std(0), spread, rtol=0.1)
    assert torch.allclose(first.cost, gaussian_kl(mean, log_variance).expand(4000))


def test_the_vq_vaes_loss_and_gradients():
    model, x = make("pixelvqvae").train(), maps()
    out = model(x)
    assert out.codes.shape == (4, 3)
    total = out.nats / 42 + out.codebook_loss + 0.01 * out.commitment_loss
    assert out.loss.item() == pytest.approx(total.item(), rel=1e-6)
    out.nats.backward()
    assert model.encoder.embedding.weight.grad.abs().sum() > 0, "straight through the codes"


def test_the_vq_vaes_latents_are_its_codes_vectors():
    model, x = make("pixelvqvae"), maps()
    before = model.quantizer.codebook.clone()
    codes = model.train().encode(x)
    latents = model.infer(x)
    assert torch.equal(model.quantizer.codebook, before)
    for latent in range(3):
        assert torch.equal(latents.z[:, latent], before[latent][codes[:, latent]])
    assert latents.cost.tolist() == pytest.approx([3 * math.log(8)] * 4)
    model.eval()
    assert model(x).nats.item() == pytest.approx(-model.decoder(x, latents.z).mean().item())


def test_one_latent_alone():
    model, x = make("pixelvqvae", num_codebooks=1), maps()
    codes = model.encode(x)
    assert codes.shape == (4, 1)
    assert torch.equal(model.lookup(codes)[:, 0], model.quantizer.codebook[codes[:, 0]])
    assert model.train()(x).codes.shape == (4, 1)


@pytest.mark.parametrize("kind", ["pixelvae", "pixelvqvae"])
def test_training_and_checkpoints_know_them(kind, tmp_path):
    model = make(kind)
    config = TrainingConfig(steps=3, batch_size=2, checkpoint_every=3)
    data, prepare = CodeMaps(maps().byte()), torch.Tensor.long
    history = train(model, data, config, run=tmp_path, prepare=prepare, progress=False)
    assert history[-1].means["nats"] > 0
    assert ("perplexity" in history[-1].means) == (kind == "pixelvqvae")
    again = load_checkpoint(tmp_path).model
    assert again.config == model.config
    own, generator = model.eval().infer(maps(), torch.Generator().manual_seed(0)), torch.Generator()
    assert torch.equal(own.z, again.infer(maps(), generator.manual_seed(0)).z)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda x: x.float(), TypeError, "codes must be integers, got torch.float32"),
        (lambda x: x + 6, ValueError, r"codes must lie in \[0, 11\)"),
        (lambda x: x[:, :6], ValueError, r"shape \(B, 7, 6\) and not be empty, got \(4, 6, 6\)"),
        (lambda x: x[:0], ValueError, r"not be empty, got \(0, 7, 6\)"),
        (lambda x: x[0], ValueError, r"got \(7, 6\)"),
    ],
)
@pytest.mark.parametrize("kind", ["pixelvae", "pixelvqvae"])
def test_maps_that_do_not_fit(kind, change, error, words):
    with pytest.raises(error, match=words):
        make(kind)(change(maps()))


@pytest.mark.parametrize(
    ("kind", "settings", "error", "words"),
    [
        ("pixelvae", {"num_latents": 0}, ValueError, "num_latents must be at least 1"),
        ("pixelvae", {"free_nats": -1}, ValueError, "free_nats must be finite and at least 0"),
        ("pixelvae", {"warmup_steps": -5}, ValueError, "warmup_steps must be at least 1, got -5"),
        ("pixelvae", {"rows": 2.5}, TypeError, "rows must be an int"),
        ("pixelvqvae", {"num_codebooks": 0}, ValueError, "num_codebooks must be at least 1"),
        ("pixelvqvae", {"kernel_size": 2}, ValueError, "kernel_size must be odd"),
    ],
)
def test_settings_out_of_range(kind, settings, error, words):
    with pytest.raises(error, match=words):
        make(kind, **settings)


@pytest.mark.parametrize(
    ("codes", "error", "words"),
    [
        (torch.zeros(2, 3), TypeError, "must be integers"),
        (torch.zeros(2, 2, dtype=torch.long), ValueError, r"shape \(B, 3\), got \(2, 2\)"),
        (torch.full((2, 3), 8), ValueError, r"must lie in \[0, 8\)"),
    ],
)
def test_codes_that_do_not_fit(codes, error, words):
    with pytest.raises(error, match=words):
        make("pixelvqvae").lookup(codes)


class Listener(nn.Module):
    """Maps are 1 x 1, a latent is the map's number twice; -log p is how far the first is off."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def infer(self, x, generator):
        return Latents(x.float().view(-1, 1, 1).expand(-1, 2, 1), torch.full((len(x),), 2.0))

    def decoder(self, x, z):
        return -1 - (z[:, 0, 0] - x.flatten()).abs()


def test_what_a_swap_costs_is_counted_right():
    x = torch.arange(10, dtype=torch.uint8).view(10, 1, 1)
    model = Listener().eval()
    use = measure_latent_use(model, x, seed=4, batch_size=3)
    rises = rise_by_latent(model, x, seed=4, batch_size=3)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(4)).double()
    swapped = 1 + (order - order.roll(-1)).abs().mean().item()
    assert (use.nats, use.cost) == (1, 2)
    assert use.swapped == pytest.approx(swapped)
    assert use.swap_rise == pytest.approx(swapped - 1)
    assert rises.tolist() == pytest.approx([swapped - 1, 0])
    assert share_in_use(rises) == 0.5
    with pytest.raises(ValueError, match="at least 2 maps, got 1"):
        measure_latent_use(model, x[:1])


def test_a_deaf_decoder_is_found_out():
    model = make("pixelvqvae").eval()
    for layer in model.decoder.pixelcnn.layers:
        nn.init.zeros_(layer.condition.weight)
    use = measure_latent_use(model, maps())
    assert use.swap_rise == 0
    assert use.nats > 42
    assert share_in_use(rise_by_latent(model, maps())) == 0
