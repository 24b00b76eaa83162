"""To measure a model does not change it: whatever mode it is in, and whatever is asked of it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vqvae_lite.baselines.autoencoder import AutoencoderConfig
from vqvae_lite.baselines.bits import evaluate_bits
from vqvae_lite.baselines.gumbel import GumbelConfig
from vqvae_lite.baselines.vae import VAEConfig
from vqvae_lite.baselines.vimco import VIMCOConfig
from vqvae_lite.encoding import encode_images
from vqvae_lite.evaluation import evaluate, score_images
from vqvae_lite.figures.codes import colors_of_codebook, explore_codes
from vqvae_lite.figures.futures import explore_futures, imagine_tree
from vqvae_lite.figures.walk import explore_walk
from vqvae_lite.images import TensorImages, to_float
from vqvae_lite.model import ModelConfig
from vqvae_lite.models import new_model
from vqvae_lite.modules import evaluating
from vqvae_lite.priors.nats import nats_per_code
from vqvae_lite.priors.pixelcnn import PixelCNNConfig
from vqvae_lite.priors.wavenet import WaveNetConfig
from vqvae_lite.secondstage.pixelvae import PixelVAEConfig
from vqvae_lite.secondstage.pixelvqvae import PixelVQVAEConfig
from vqvae_lite.secondstage.swap import measure_latent_use, rise_by_latent
from vqvae_lite.sound.cepstral import CepstralConfig
from vqvae_lite.sound.coding import decode_waves, encode_utterances, encode_wave
from vqvae_lite.sound.evaluation import evaluate_sound
from vqvae_lite.sound.files import Utterance
from vqvae_lite.sound.model import SoundConfig
from vqvae_lite.video.clips import Clip
from vqvae_lite.video.coding import encode_clips
from vqvae_lite.video.evaluation import compare_ahead, nats_ahead, nats_per_video_code
from vqvae_lite.video.judge import ActionJudge
from vqvae_lite.video.past import VideoConfig

SEED = torch.Generator().manual_seed(0)
IMAGES = torch.randint(256, (3, 3, 16, 16), generator=SEED).to(torch.uint8)
MAPS = torch.randint(9, (5, 6, 6), generator=SEED)
CODES = torch.randint(7, (3, 4, 4), generator=SEED)
LATENTS = torch.randint(4, (3, 2, 4, 4), generator=SEED)
WAVES = [torch.rand(length, generator=SEED) - 0.5 for length in (70, 100)]
LEVELS = torch.randint(256, (2, 80), generator=SEED).to(torch.uint8)
ROWS = [torch.randint(7, (length,), generator=SEED) for length in (3, 5)]
SPEAKERS = [0, 1]
WHO = torch.tensor(SPEAKERS)
LATENT = torch.ones(2, 3, 4, 4)
CEPSTRA = torch.ones(2, 8, 5).cumsum(1)
LABEL = torch.tensor([0, 2, 1])
DRAW = {"seed": 1, "progress": False}
FILM = torch.randint(7, (2, 5, 4, 4), generator=SEED)
ACTIONS = torch.randint(2, (2, 4), generator=SEED)
UTTERANCES = [Utterance("a", "ann", wave, "", ()) for wave in WAVES]

MAP = {"rows": 6, "columns": 6, "num_values": 9, "width": 4, "num_layers": 2, "dropout": 0.5}
SHAPE = {"width": 8, "num_residual": 1}
SETTINGS = {
    "vqvae": ModelConfig(num_codes=7, code_dim=4, restart_below=0.1, **SHAPE),
    "likely": ModelConfig(num_codes=7, code_dim=4, likelihood="categorical", **SHAPE),
    "vae": VAEConfig(latent_channels=3, **SHAPE),
    "vimco": VIMCOConfig(num_codebooks=2, num_codes=4, code_dim=4, samples=2, **SHAPE),
    "gumbel": GumbelConfig(num_codebooks=2, num_codes=4, code_dim=4, annealing_steps=3, **SHAPE),
    "autoencoder": AutoencoderConfig(num_codebooks=2, num_codes=4, **SHAPE),
    "pixelvae": PixelVAEConfig(num_latents=3, warmup_steps=5, **MAP),
    "pixelvqvae": PixelVQVAEConfig(num_codebooks=2, num_codes=5, code_dim=4, **MAP),
    "soundvqvae": SoundConfig(
        num_speakers=2, strides=(2, 5), width=8, num_residual=1, num_codes=7, code_dim=4,
        decoder_width=8, skip_width=8, num_cycles=1, layers_per_cycle=2,
    ),
    "cepstralvqvae": CepstralConfig(num_speakers=2, coefficients=5, width=8, code_dim=4),
    "pixelcnn": PixelCNNConfig(num_codes=7, width=8, num_layers=2, num_classes=3, dropout=0.5),
    "wavenet": WaveNetConfig(num_codes=7, width=8, skip_width=8, num_classes=2, dropout=0.5),
    "video": VideoConfig(
        num_codes=7, num_actions=2, history=2, embedding=4, width=8, pixelcnn_width=8,
        num_layers=2, dropout=0.5,
    ),
    "judge": None,
}  # fmt: skip


def make(name: str) -> nn.Module:
    """A small model, none of whose outputs is the same for everything."""
    if name == "judge":
        torch.manual_seed(0)
        return ActionJudge(3)
    model = new_model("vqvae" if name == "likely" else name, SETTINGS[name], seed=0)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    if name == "autoencoder":
        model.fit_bins(torch.randn(4, 2, 4, 4, generator=generator))
    return model


class Clips(list):
    actions = None


def noise(model: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.stack([model.noise(IMAGES, 2, generator) for _ in IMAGES])


ALL: dict[str, list[Callable]] = {
    "vqvae": [
        lambda m: m.encode(to_float(IMAGES)),
        lambda m: m.decode(CODES),
        lambda m: encode_images(m, TensorImages(IMAGES)),
        lambda m: evaluate(m, TensorImages(IMAGES)),
        lambda m: score_images(m, TensorImages(IMAGES)).psnr,
        lambda m: compare_ahead(m, FILM, FILM.flip(0), IMAGES[:2, None].expand(-1, 5, 3, 16, 16)),
        lambda m: encode_clips(m, Clips([Clip("a", IMAGES, None)])).codes,
        lambda m: colors_of_codebook(m),
        lambda m: explore_codes(m, IMAGES),
        lambda m: explore_futures(m, FILM[0], FILM[:, 1:3], ["left", "right"]),
        lambda m: explore_walk(m, make("video").eval(), FILM, ACTIONS, ["left", "right"], seen=3),
    ],
    "likely": [lambda m: m.bound(IMAGES), lambda m: evaluate_bits(m, TensorImages(IMAGES))],
    "vae": [
        lambda m: m.decode(LATENT),
        lambda m: m.bound(IMAGES, noise(m)),
        lambda m: evaluate_bits(m, TensorImages(IMAGES), samples=2),
    ],
    "vimco": [
        lambda m: m.bound(IMAGES, noise(m)),
        lambda m: evaluate_bits(m, TensorImages(IMAGES), samples=2),
    ],
    "gumbel": [
        lambda m: m.bound(IMAGES, noise(m)),
        lambda m: evaluate_bits(m, TensorImages(IMAGES), samples=2),
    ],
    "autoencoder": [
        lambda m: m.encode(to_float(IMAGES)),
        lambda m: m.decode(LATENTS),
        lambda m: m.bound(IMAGES, lambda codes: -codes.flatten(1).sum(1).float()),
    ],
    "pixelvae": [
        lambda m: m.infer(MAPS, torch.Generator().manual_seed(2)),
        lambda m: measure_latent_use(m, MAPS),
        lambda m: rise_by_latent(m, MAPS),
    ],
    "pixelvqvae": [
        lambda m: m.encode(MAPS),
        lambda m: m.infer(MAPS),
        lambda m: measure_latent_use(m, MAPS),
        lambda m: rise_by_latent(m, MAPS),
    ],
    "soundvqvae": [
        lambda m: m.encode(LEVELS),
        lambda m: m.decode(CODES[0, :2], WHO, seed=1, progress=False),
        lambda m: encode_wave(m, WAVES[0]),
        lambda m: encode_utterances(m, UTTERANCES),
        lambda m: list(decode_waves(m, ROWS, SPEAKERS, seed=1, progress=False)),
        lambda m: evaluate_sound(m, WAVES, SPEAKERS, rate=8000),
    ],
    "cepstralvqvae": [lambda m: m.encode(CEPSTRA)],
    "pixelcnn": [
        lambda m: m.log_prob(CODES, LABEL),
        lambda m: m.sample((4, 3), batch=3, label=LABEL, **DRAW),
        lambda m: m.cached_logits(CODES, LABEL),
        lambda m: nats_per_code(m, CODES, label=LABEL),
    ],
    "wavenet": [
        lambda m: m.log_prob(CODES[:2, 0], WHO),
        lambda m: m.sample(6, batch=2, label=WHO, **DRAW),
        lambda m: m.cached_logits(CODES[:2, 0], WHO),
        lambda m: nats_per_code(m, ROWS, label=WHO),
    ],
    "video": [
        lambda m: m.log_prob(FILM, ACTIONS),
        lambda m: m.sample(FILM, 2, torch.cat([ACTIONS, ACTIONS], 1)[:, :6], seed=1),
        lambda m: nats_per_video_code(m, list(FILM), list(ACTIONS)),
        lambda m: nats_ahead(m, FILM[:, :3], FILM[:, 3:], FILM[:, 3:], ACTIONS),
        lambda m: imagine_tree(m, FILM[0], ACTIONS[0], depth=1, frames=1),
        lambda m: explore_walk(make("vqvae").eval(), m, FILM, ACTIONS, ["left", "right"], seen=3),
    ],
    "judge": [lambda m: m.name(IMAGES)],
}  # fmt: skip


def leaves(result) -> list[Tensor]:
    """All numbers of a result, whatever it is made of."""
    if hasattr(result, "_repr_mimebundle_"):
        return [torch.tensor(list(result._repr_mimebundle_()["text/html"].encode()))]
    if isinstance(result, list | tuple):
        return [leaf for part in result for leaf in leaves(part)]
    return [torch.as_tensor(result)]


@pytest.mark.parametrize(
    ("name", "use"),
    [
        pytest.param(name, use, id=f"{name}-{number}")
        for name, uses in ALL.items()
        for number, use in enumerate(uses)
    ],
)
def test_to_measure_a_model_does_not_change_it(name, use):
    expected = leaves(use(make(name).eval()))
    model = make(name).train()
    frozen = list(model.modules())[-1].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    awake = []

    def note(module: nn.Module, *_) -> None:
        awake.append(module.training)

    for module in model.modules():
        module.register_forward_hook(note)
    found = leaves(use(model))
    assert awake, "a part of the model was called"
    assert not any(awake), "each part in eval mode"
    for module in model.modules():
        assert module.training == (module is not frozen)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_modes_come_back_after_an_error_too():
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(3).eval())

    @evaluating(model)
    def fail():
        assert not any(module.training for module in model.modules())
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [module.training for module in model.modules()] == [True, True, False]
