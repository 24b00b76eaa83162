"""The VQ-VAE of sound: shapes, losses, gradients, and what its parts may see."""

import pytest
import torch
from torch import nn

from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.sound.model import SoundConfig, SoundVQVAE
from vqvae_lite.sound.mulaw import to_companded

SMALL = {
    "num_speakers": 3, "strides": (2, 2, 5), "width": 16, "num_residual": 1, "num_codes": 12,
    "code_dim": 6, "decoder_width": 8, "skip_width": 9, "num_cycles": 1, "layers_per_cycle": 4,
}  # fmt: skip
SPEAKER = torch.tensor([0, 2])


def make(**settings) -> SoundVQVAE:
    """A small model whose decoder heeds its codes and its speaker."""
    model = new_model("soundvqvae", SoundConfig(**{**SMALL, **settings}), seed=0)
    torch.manual_seed(1)
    for parameter in (model.decoder.head.weight, model.decoder.label.weight):
        nn.init.normal_(parameter)
    return model


def sound(batch: int = 2, length: int = 80) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(256, (batch, length), generator=generator).to(torch.uint8)


@pytest.mark.parametrize(
    ("strides", "hop"), [((2,) * 6, 64), ((2,) * 7, 128), ((5, 4, 4, 4, 2), 640), ((3,), 3)]
)
def test_one_code_stands_for_as_many_samples_as_the_strides_say(strides, hop):
    model = make(strides=strides)
    assert model.config.hop == hop
    assert model.encode(sound(1, 4 * hop)).shape == (1, 4)


def test_a_model_of_sound_in_bfloat16():
    exact, model, levels = make().eval(), make().bfloat16().eval(), sound()
    out = model(levels, SPEAKER)
    assert out.loss.item() == pytest.approx(exact(levels, SPEAKER).loss.item(), rel=0.05)
    assert torch.equal(model.quantizer.codebook, exact.quantizer.codebook)
    shown = model.decode(model.encode(levels), SPEAKER, seed=0, progress=False)
    assert shown.shape == levels.shape


@pytest.mark.parametrize("decay", [None, 0.99])
def test_the_output_holds_every_term_of_the_loss(decay):
    model = make(decay=decay, commitment=0.5)
    model(sound(), SPEAKER)  # which the first codebook is taken from
    model.eval()
    levels = sound().flip(1)
    out = model(levels, SPEAKER)
    assert out.codes.shape == (2, 4)
    z_e = model.encoder(to_companded(levels)[:, None])
    z_q = model.quantizer.lookup(out.codes)
    distance = (z_e - z_q).square().mean()
    assert distance > 0.01, "no code is a vector of this sound"
    torch.testing.assert_close(out.commitment_loss, distance)
    torch.testing.assert_close(out.codebook_loss, distance if decay is None else 0 * distance)
    nats = -model.decoder(levels, SPEAKER, model.context(z_q)).log_prob.sum() / levels.numel()
    torch.testing.assert_close(out.reconstruction_loss, nats)
    torch.testing.assert_close(out.loss, nats + out.codebook_loss + 0.5 * distance)


def test_the_encoder_gets_the_decoders_gradient_straight_through():
    model = make(commitment=0.0)
    model(sound(), SPEAKER).loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
    assert model.encoder.strided[0].weight.grad.abs().max() > 0


def test_z_e_has_mean_0_and_variance_1_over_a_training_batch():
    z_e = make().encoder(torch.randn(8, 1, 400))
    torch.testing.assert_close(z_e.mean((0, 2)), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(z_e.var((0, 2), correction=0), torch.ones(6), atol=0.15, rtol=0)


def test_a_code_is_made_from_the_samples_around_it_alone():
    model = make().eval()
    x = torch.randn(1, 1, 800, requires_grad=True)
    seen = torch.autograd.grad(model.encoder(x)[0, :, 20].sum(), x)[0][0, 0] != 0
    # The block reaches one code to each side; a convolution of stride s, s / 2 beyond its own.
    assert seen[400:420].all()
    assert not seen[: 400 - 20 - 17].any()
    assert not seen[420 + 20 + 17 :].any()


@pytest.mark.parametrize(("context", "reach"), [(1, 0), (3, 2), (5, 4)])
def test_the_decoder_looks_at_as_many_codes_as_its_context_says(context, reach):
    model = make(context=context)
    z_q = torch.randn(1, 6, 20, requires_grad=True)
    seen = torch.autograd.grad(model.context(z_q)[0, :, 10].sum(), z_q)[0][0].abs().sum(0) != 0
    assert seen.nonzero().flatten().tolist() == list(range(10 - reach, 10 + reach + 1))


def test_training_and_encoding_agree_and_encoding_changes_nothing():
    model = make().eval()
    assert torch.equal(model.encode(sound()), model(sound(), SPEAKER).codes)
    model.train()
    model(sound(), SPEAKER)
    before = {name: value.clone() for name, value in model.quantizer.state_dict().items()}
    model.encode(sound())
    for name, value in model.quantizer.state_dict().items():
        assert torch.equal(value, before[name])


def test_decoding_draws_from_the_decoder_given_codes_and_speaker():
    model = make().eval()
    codes = model.encode(sound())
    drawn = model.decode(codes, SPEAKER, seed=3, progress=False)
    assert drawn.dtype == torch.uint8
    assert drawn.shape == (2, 80)
    assert torch.equal(drawn, model.decode(codes, SPEAKER, seed=3, progress=False))
    for other in (
        model.decode(codes, SPEAKER, seed=4, progress=False),
        model.decode(codes, SPEAKER.flip(0), seed=3, progress=False),
        model.decode((codes + 1) % 12, SPEAKER, seed=3, progress=False),
    ):
        assert not torch.equal(drawn, other)


def test_with_no_temperature_each_sample_is_the_likeliest_given_those_before():
    model = make().eval()
    codes = model.encode(sound())
    drawn = model.decode(codes, SPEAKER, temperature=1e-6, seed=0, progress=False)
    condition = model.context(model.quantizer.lookup(codes))
    assert torch.equal(model.decoder(drawn, SPEAKER, condition).logits.argmax(1), drawn.long())


def test_a_checkpoint_gives_the_same_model_back(tmp_path):
    model = make()
    model(sound(), SPEAKER)
    save_checkpoint(tmp_path / "step-00000001", model, step=1)
    loaded = load_checkpoint(tmp_path).model
    assert loaded.config == model.config
    assert torch.equal(loaded.encode(sound()), model.eval().encode(sound()))


@pytest.mark.slow
def test_it_learns_to_say_by_a_code_what_the_past_does_not_tell():
    """Each 20 samples are one of four random patterns; the decoder sees two samples back."""
    torch.manual_seed(0)
    patterns = torch.randint(256, (4, 20), dtype=torch.uint8)
    levels = patterns[torch.randint(4, (64, 8))].flatten(1)
    speakers = torch.randint(3, (64,))
    model = make(layers_per_cycle=1, restart_below=0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(100):
        out = model(levels, speakers)
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
    model.eval()
    codes = model.encode(levels)
    true, wrong = (
        model.decoder(levels, speakers, model.context(model.quantizer.lookup(c))).loss
        for c in (codes, codes.roll(1, 1))
    )
    assert true < 2.5  # uniform: log 256 = 5.5
    assert wrong > true + 0.5


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"num_speakers": 0}, ValueError, "num_speakers must be at least 1"),
        ({"strides": ()}, ValueError, "strides must name at least one"),
        ({"strides": (2, 0)}, ValueError, "strides must be at least 1"),
        ({"strides": (2.0,)}, TypeError, "strides must be an int"),
        ({"code_dim": 0}, ValueError, "code_dim must be at least 1"),
        ({"context": 2}, ValueError, "context must be odd"),
        ({"commitment": -1}, ValueError, "commitment must be"),
        ({"layers_per_cycle": 0}, ValueError, "layers_per_cycle must be at least 1"),
        ({"num_residual": -1}, ValueError, "num_residual must be at least 0"),
    ],
)
def test_impossible_settings_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        SoundVQVAE(SoundConfig(**{**SMALL, **settings}))


@pytest.mark.parametrize(
    ("levels", "speaker", "error", "message"),
    [
        (torch.zeros(2, 80), SPEAKER, TypeError, "levels must be a uint8 tensor"),
        (sound()[None], SPEAKER, ValueError, r"shape \(B, T\)"),
        (sound(2, 81), SPEAKER, ValueError, "multiple of 20"),
        (sound(2, 0), SPEAKER, ValueError, "none of them 0"),
        (sound(), torch.tensor([0, 3]), ValueError, "label must lie in"),
        (sound(), torch.tensor([0]), ValueError, "label must have the shape"),
    ],
)
def test_what_does_not_fit_is_refused(levels, speaker, error, message):
    model = make().eval()
    with pytest.raises(error, match=message):
        model(levels, speaker)


@pytest.mark.parametrize(
    ("codes", "error", "message"),
    [
        (torch.zeros(2, 4), TypeError, "codes must be integers"),
        (torch.full((2, 4), 12), ValueError, "codes must lie in"),
        (torch.zeros(4, dtype=int), ValueError, r"shape \(B, n\)"),
    ],
)
def test_codes_that_do_not_fit_are_refused(codes, error, message):
    with pytest.raises(error, match=message):
        make().decode(codes, SPEAKER, progress=False)
