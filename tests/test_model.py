"""Networks and model."""

import copy

import pytest
import torch
import torch.nn.functional as F

from vqvae_lite.baselines.autoencoder import AutoencoderConfig
from vqvae_lite.baselines.gumbel import GumbelConfig
from vqvae_lite.baselines.vae import VAEConfig
from vqvae_lite.baselines.vimco import VIMCOConfig
from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages, to_float
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.models import load_checkpoint
from vqvae_lite.modules import fingerprint
from vqvae_lite.networks import Decoder, Encoder, NetworkConfig, ResidualBlock, map_size


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def pixels(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def test_the_residual_block_adds_to_x_itself():
    block = ResidualBlock(4)
    x = images(2, 4, 5, 5)
    by_hand = x + block.conv1x1(F.relu(block.conv3x3(F.relu(x))))
    assert torch.equal(block(x), by_hand)
    assert (x < 0).any(), "with an in-place ReLU x would have lost its negative part"


@pytest.mark.parametrize("halvings", [1, 3])
def test_encoder_and_decoder_layer_by_layer(halvings):
    """Section 4.1, by hand: above all, no ReLU before the picture, nor after the last layer."""
    torch.manual_seed(0)
    encoder, decoder = Encoder(3, 4, 6, halvings), Decoder(6, 4, 3, halvings)
    x = images(2, 3, 16, 24)
    first, *others = encoder.halvings
    hidden = F.conv2d(x, first.weight, first.bias, stride=2, padding=1)
    for layer in others:
        hidden = F.conv2d(F.relu(hidden), layer.weight, layer.bias, stride=2, padding=1)
    for block in encoder.residuals:
        hidden = block(hidden)
    last = encoder.to_codes
    by_hand = F.conv2d(F.relu(hidden), last.weight, last.bias)
    assert torch.equal(encoder(x), by_hand)
    assert (x < 0).any()
    assert (by_hand < 0).any()

    first = decoder.from_codes
    hidden = F.conv2d(by_hand, first.weight, first.bias, padding=1)
    for block in decoder.residuals:
        hidden = block(hidden)
    for layer in decoder.doublings:
        hidden = F.conv_transpose2d(F.relu(hidden), layer.weight, layer.bias, 2, 1)
    assert torch.equal(decoder(by_hand), hidden)
    assert {tuple(layer.kernel_size) for layer in encoder.halvings} == {(4, 4)}
    assert {tuple(layer.kernel_size) for layer in decoder.doublings} == {(4, 4)}


def test_the_size_of_a_map_has_its_rows_first():
    assert map_size(torch.zeros(1, 3, 16, 24), 2) == (4, 6)


def test_residual_blocks_share_no_weights():
    encoder, decoder = Encoder(3, 4, 2), Decoder(2, 4, 3)
    for network in (encoder, decoder):
        first, second = network.residuals
        assert not torch.equal(first.conv3x3.weight, second.conv3x3.weight)


@pytest.mark.parametrize("halvings", [1, 2, 3])
@pytest.mark.parametrize("size", [(16, 16), (24, 40)])
def test_shapes_of_encoder_and_decoder(halvings, size):
    encoder = Encoder(3, 4, 6, num_halvings=halvings, num_residual=1)
    z = encoder(images(2, 3, *size))
    assert z.shape == (2, 6, size[0] // 2**halvings, size[1] // 2**halvings)
    decoder = Decoder(6, 4, 3, num_halvings=halvings, num_residual=1)
    assert decoder(z).shape == (2, 3, *size)


@pytest.mark.parametrize(
    "config", [ModelConfig, VAEConfig, VIMCOConfig, GumbelConfig, AutoencoderConfig]
)
def test_all_image_models_have_their_networks_from_the_same_four_settings(config):
    settings = config(1, 6, 3, 4)
    assert isinstance(settings, NetworkConfig)
    encoder, decoder = settings.encoder(5), settings.decoder(7, 9)
    z = encoder(images(2, 1, 16, 24))
    assert z.shape == (2, 5, 2, 3)
    assert decoder(torch.zeros(2, 7, 2, 3)).shape == (2, 9, 16, 24)
    for network in (encoder, decoder):
        assert [block.conv1x1.out_channels for block in network.residuals] == [6] * 4
    assert config() == config(3, 256, 2, 2), "the paper's"


def test_the_papers_network_has_the_papers_size():
    model = VQVAE(ModelConfig())
    strided = [layer for layer in model.encoder.modules() if getattr(layer, "stride", 1) == (2, 2)]
    assert [(layer.kernel_size, layer.out_channels) for layer in strided] == [((4, 4), 256)] * 2
    assert len(model.encoder.residuals) == len(model.decoder.residuals) == 2
    assert model(images(1, 3, 32, 32)).codes.shape == (1, 8, 8)


@pytest.mark.parametrize("books", [1, 2])
def test_the_model_in_parts_is_the_model(books):
    model = VQVAE(ModelConfig(width=8, code_dim=4, num_codes=16, num_codebooks=books)).eval()
    x = images(2, 3, 8, 12)
    out = model(x)
    codes = model.encode(x)
    assert torch.equal(codes, out.codes)
    assert torch.equal(model.decode(codes), out.reconstruction)
    loss = out.reconstruction_loss + out.codebook_loss + 0.25 * out.commitment_loss
    assert out.loss.item() == pytest.approx(loss.item())
    error = (out.reconstruction - x).square().mean()
    assert out.reconstruction_loss.item() == pytest.approx(error.item())


def test_noise_variance_divides_the_reconstruction_term_alone():
    torch.manual_seed(0)
    plain = VQVAE(ModelConfig(width=8)).eval()
    other = VQVAE(ModelConfig(width=8, noise_variance=0.5)).eval()
    other.load_state_dict(plain.state_dict())
    a, b = plain(images(2, 3, 8, 8)), other(images(2, 3, 8, 8))
    assert b.reconstruction_loss.item() == pytest.approx(2 * a.reconstruction_loss.item())
    assert torch.equal(a.commitment_loss, b.commitment_loss)


@pytest.mark.parametrize("likelihood", [None, "categorical"])
def test_a_model_in_bfloat16(likelihood, tmp_path):
    """Its networks are; its codebook, its losses and its checkpoints keep every digit."""
    config = ModelConfig(width=8, code_dim=4, num_codes=16, likelihood=likelihood)
    torch.manual_seed(0)
    exact = VQVAE(config)
    model = copy.deepcopy(exact).bfloat16()
    levels = pixels(2, 3, 8, 12)
    x = to_float(levels)
    out = model(x)
    out.loss.backward()
    assert model.encoder.to_codes.weight.grad.dtype == out.reconstruction.dtype == torch.bfloat16
    assert model.quantizer.codebook.dtype == out.loss.dtype == torch.float32
    if likelihood is None:
        assert model(x.bfloat16()).reconstruction_loss.dtype == torch.float32
    assert out.loss.item() == pytest.approx(exact(x).loss.item(), rel=1e-2)
    codes = encode_images(model, TensorImages(levels))
    assert torch.equal(codes, model.eval().encode(x))
    shown = model.decode(codes)
    if likelihood is None:
        assert torch.equal(shown, model(x).reconstruction)
    else:
        whole = model.bound(levels).reconstruction.sum().item() / levels.numel()
        assert whole == pytest.approx(model(x).reconstruction_loss.item(), rel=1e-5)
    assert len(fingerprint(model)) == 12
    assert fingerprint(model) != fingerprint(exact)
    again = load_checkpoint(save_checkpoint(tmp_path / "model", model, step=1)).model
    for name, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[name].to(value.dtype)), name


def test_every_part_learns():
    model = VQVAE(ModelConfig(width=8, code_dim=4, num_codes=16, decay=None))
    model(images(2, 3, 16, 16)).loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, "got torch.uint8"),
        (torch.zeros(3, 8, 8), ValueError, r"\(B, 3, H, W\), got \(3, 8, 8\)"),
        (torch.zeros(1, 1, 8, 8), ValueError, r"got \(1, 1, 8, 8\)"),
        (torch.zeros(1, 3, 8, 10), ValueError, "multiples of 4"),
        (torch.zeros(0, 3, 8, 8), ValueError, "batch not empty"),
    ],
)
@pytest.mark.parametrize("method", ["forward", "encode"])
def test_bad_images(x, error, message, method):
    with pytest.raises(error, match=message):
        getattr(VQVAE(ModelConfig(width=4)), method)(x)


def test_codes_of_the_wrong_rank():
    with pytest.raises(ValueError, match="3 dimensions"):
        VQVAE(ModelConfig(width=4)).decode(torch.zeros(2, 2, dtype=torch.int64))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"width": 0}, ValueError, "width must be at least 1"),
        ({"num_codes": 0}, ValueError, "num_codes must be at least 1"),
        ({"num_halvings": 0}, ValueError, "num_halvings must be at least 1"),
        ({"code_dim": "8"}, TypeError, "code_dim must be an int"),
        ({"noise_variance": 0}, ValueError, "noise_variance must be finite and above 0"),
    ],
)
def test_bad_configurations(options, error, message):
    with pytest.raises(error, match=message):
        VQVAE(ModelConfig(**options))
