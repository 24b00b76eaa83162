"""The VQ-VAE of cepstra: its units, its losses, what a code hears and answers for."""

import pytest
import torch
import torch.nn.functional as F

from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.models import load_checkpoint, new_model
from vqvae_lite.sound.cepstral import CepstralConfig, CepstralVQVAE
from vqvae_lite.sound.measures import mfcc
from vqvae_lite.sound.windows import SpokenFrames, Windows, crop
from vqvae_lite.training import TrainingConfig, train

SMALL = {"num_speakers": 3, "coefficients": 5, "width": 12, "num_codes": 9, "code_dim": 4}
SPEAKER = torch.tensor([0, 2])


def make(**settings) -> CepstralVQVAE:
    return new_model("cepstralvqvae", CepstralConfig(**{**SMALL, **settings}), seed=0)


def frames(batch: int = 2, length: int = 24) -> torch.Tensor:
    return torch.randn(batch, length, 5, generator=torch.Generator().manual_seed(1))


def noise(seconds: float = 1.0, seed: int = 2) -> torch.Tensor:
    """Noise whose loudness and colour change all the time."""
    generator = torch.Generator().manual_seed(seed)
    wave = torch.randn(round(16_000 * seconds), generator=generator)
    pieces = []
    for piece in wave.split(320):
        kernel = torch.randn(1, 1, 9, generator=generator)
        pieces.append(F.conv1d(piece[None, None], kernel, padding=4)[0, 0])
    return torch.cat(pieces).div(40).clamp(-1, 1)


def test_a_code_stands_for_40_milliseconds_and_the_last_may_be_short():
    model = make().eval()
    assert model.config.hop == 640
    heard = model.cepstra(noise()[:6500])
    assert heard.shape == (44, 5)
    torch.testing.assert_close(heard[:38], mfcc(noise()[:6500], 5)[:38])
    assert model.encode(heard[None]).shape == (1, 11)


def test_a_model_of_cepstra_in_bfloat16():
    """Its units stay exact: in bfloat16 little would be left of a level of -60 dB."""
    exact = make().eval()
    exact.set_units([noise(2.0)])
    model = make().eval()
    model.load_state_dict(exact.state_dict())
    model.bfloat16()
    assert torch.equal(model.units, exact.units)
    loss = exact(frames(), SPEAKER).loss.item()
    assert model(frames(), SPEAKER).loss.item() == pytest.approx(loss, rel=0.05)
    assert model.encode(frames()).shape == (2, 6)


def test_a_unit_is_what_a_cepstrum_changes_by_in_20_milliseconds():
    model = make()
    waves = [noise(2.0), noise(1.0, seed=3)]
    model.set_units(waves)
    cepstra = [(mfcc(wave, 5) - model.mean) @ model.units for wave in waves]
    changes = torch.cat([one[2:] - one[:-2] for one in cepstra])
    spread = changes.T @ changes / len(changes)
    torch.testing.assert_close(spread / spread[0, 0], torch.eye(5), atol=1e-3, rtol=0)
    # The mean as an answer has a squared error of 1.
    together = torch.cat(cepstra)
    torch.testing.assert_close(together.mean(0), torch.zeros(5), atol=1e-3, rtol=0)
    assert together.square().mean().item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("waves", [[torch.zeros(16_000)], [noise()[:400]], [noise()[:800]]])
def test_speech_that_says_nothing_of_units_is_named(waves):
    model = make()
    with pytest.raises(ValueError, match="the speech must change in all of 5 cepstra"):
        model.set_units(waves)
    assert torch.equal(model.units, torch.eye(5)), "nothing was changed"


@pytest.mark.parametrize("neighbours", [0.0, 0.3])
def test_the_loss_is_what_the_configuration_says(neighbours):
    model = make(neighbours=neighbours).eval()
    x = frames()
    out = model(x, SPEAKER)
    total = out.reconstruction_loss + out.codebook_loss + 0.25 * out.commitment_loss
    torch.testing.assert_close(out.loss, total)
    assert torch.equal(out.codes, model.encode(x))
    # By hand, a code after the other.
    vectors = model.quantizer.lookup(out.codes)
    own = x.view(2, 6, 4, 5).mean(2)
    hidden = F.relu(model.code(vectors) + model.speaker(SPEAKER)[:, :, None])
    answers = model.answer(hidden).view(2, 3, 5, 6)
    errors = weights = 0
    for line, offset in enumerate((-1, 0, 1)):
        weight = 1 if offset == 0 else neighbours
        for code in range(6):
            target = own[:, min(max(code + offset, 0), 5)]
            errors += weight * (answers[:, line, :, code] - target).square().mean() / 6
        weights += weight
    torch.testing.assert_close(out.reconstruction_loss, errors / weights)


def test_distances_are_in_the_models_units():
    model = make().eval()
    out = model(frames(), SPEAKER)
    model.mean.fill_(3.0)
    model.units.mul_(0.5)
    again = model(2 * frames() + 3, SPEAKER)
    assert torch.equal(again.codes, out.codes)
    torch.testing.assert_close(again.loss, out.loss)


def test_the_encoder_gets_the_decoders_gradient_straight_through():
    model = make(commitment=0.0)
    model(frames(), SPEAKER).loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
    assert model.encoder[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("context", [0, 1, 2])
def test_a_code_hears_as_many_codes_to_each_side_as_the_context_says(context):
    model = make(context=context)
    x = frames(1, 60).requires_grad_()
    z_e = model._encode(model._check(x))
    seen = torch.autograd.grad(z_e[0, :, 7].sum(), x)[0][0].abs().sum(1).nonzero()
    assert (seen.min(), seen.max()) == (28 - 4 * context, 31 + 4 * context)


def test_the_decoder_is_told_who_speaks_and_the_encoder_is_not():
    model = make().eval()
    one, other = (model(frames(), torch.tensor([speaker] * 2)) for speaker in (0, 1))
    assert torch.equal(one.codes, other.codes)
    assert one.reconstruction_loss != other.reconstruction_loss


@pytest.mark.slow
def test_it_learns_sounds_apart():
    """Three sounds in a row, a tenth of a second each: three codes are enough to tell them."""
    means = 3 * torch.randn(3, 5, generator=torch.Generator().manual_seed(3))
    kind = torch.arange(4000).div(8, rounding_mode="floor") % 3
    row = means[kind] + 0.1 * torch.randn(4000, 5, generator=torch.Generator().manual_seed(4))
    model = make(context=0, neighbours=0.0, num_speakers=1)
    data = Windows([row], 24, SpokenFrames)
    training = TrainingConfig(steps=200, batch_size=8, learning_rate=3e-3, precision="float32")

    def in_step(batch):
        return SpokenFrames(batch.frames[:, :24], batch.speaker)

    train(model, data, training, prepare=in_step, progress=False)
    model.eval()
    codes = model.encode(row[None])[0]
    for sound in range(3):
        others = codes[kind[::4] != sound]
        assert not set(codes[kind[::4] == sound].tolist()) & set(others.tolist())
    assert model(row[None], torch.tensor([0])).reconstruction_loss < 0.3


def test_windows_of_frames_are_cut_whole():
    rows = [torch.arange(40.0)[:, None] + torch.tensor([0.0, 100.0]), torch.zeros(3, 2)]
    windows = Windows(rows, 8, SpokenFrames)
    batch = windows.__getitems__([0, 2, 3])
    assert batch.frames.shape == (3, 16, 2)
    cut = crop(batch)
    assert cut.frames.shape == (3, 8, 2)
    starts = cut.frames[:, 0, 0]
    assert torch.equal(cut.frames[..., 0], starts[:, None] + torch.arange(8.0))
    assert torch.equal(cut.frames[..., 1], cut.frames[..., 0] + 100)
    with pytest.raises(ValueError, match="must give a window of 82 frames: nobody says more"):
        Windows(rows, 41, SpokenFrames)


@pytest.mark.parametrize(
    ("x", "speaker", "error", "message"),
    [
        (frames().int(), SPEAKER, TypeError, "frames must be a floating-point tensor"),
        (frames()[0], SPEAKER, ValueError, r"frames must have the shape \(B, T, 5\)"),
        (frames()[:, :23], SPEAKER, ValueError, "T a multiple of 4"),
        (frames()[:, :0], SPEAKER, ValueError, "none of them 0"),
        (frames()[..., :4], SPEAKER, ValueError, r"got \(2, 24, 4\)"),
        (frames(), torch.tensor([0, 3]), ValueError, r"label must lie in \[0, 3\)"),
        (frames(), torch.tensor([0]), ValueError, r"label must have the shape \(2,\)"),
        (frames(), torch.tensor([0.0, 1.0]), TypeError, "label must be integers"),
    ],
)
def test_bad_input_is_named(x, speaker, error, message):
    with pytest.raises(error, match=message):
        make()(x, speaker)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"context": -1}, "context must be at least 0"),
        ({"neighbours": -0.1}, "neighbours must be finite and at least 0"),
        ({"neighbours": float("nan")}, "neighbours must be finite"),
        ({"frames": 0}, "frames must be at least 1"),
        ({"num_codes": 0}, "num_codes"),
        ({"coefficients": 41}, "coefficients must be at most 40, got 41"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_a_checkpoint_holds_the_units_too(tmp_path):
    model = make()
    model.set_units([noise()])
    save_checkpoint(tmp_path / "model", model, step=3)
    again = load_checkpoint(tmp_path / "model").model
    heard = model.cepstra(noise(seed=5))[None]
    assert torch.equal(again.encode(heard), model.eval().encode(heard))
    assert torch.equal(again.units, model.units)


def test_at_its_ends_a_sound_goes_on_as_it_is():
    """All codes of a sound that does not change hear the same, the first and the last as well."""
    model = make()
    same = torch.linspace(5, 9, 5).expand(1, 5 * model.config.frames, -1)
    z_e = model._encode(model._check(same))
    torch.testing.assert_close(z_e, z_e[:, :, 2:3].expand_as(z_e))
