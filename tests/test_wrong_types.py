"""What is no tensor, no model or no settings is named in one line, wherever it is given."""

import numpy as np
import pytest
import torch

from vqvae_lite import (
    VQVAE,
    GatedPixelCNN,
    ModelConfig,
    PixelCNNConfig,
    TrainingConfig,
    VectorQuantizer,
    evaluate,
    sample,
    train,
)
from vqvae_lite.baselines.gumbel import GumbelConfig, GumbelSoftmax
from vqvae_lite.baselines.vae import VAE, VAEConfig
from vqvae_lite.encoding import CodeMaps, encode_images
from vqvae_lite.images import TensorImages
from vqvae_lite.likelihoods import Categorical
from vqvae_lite.metrics import CodeUsage, psnr
from vqvae_lite.models import MODELS
from vqvae_lite.priors.nats import CodeFrequencies, nats_per_code
from vqvae_lite.priors.wavenet import WaveNet, WaveNetConfig
from vqvae_lite.video.past import VideoConfig

VQ = VectorQuantizer(4, 2)
MODEL = VQVAE(ModelConfig(width=4, num_codes=4, code_dim=2))
PRIOR = GatedPixelCNN(PixelCNNConfig(num_codes=4, width=4, num_layers=1))
ROWS = WaveNet(WaveNetConfig(num_codes=4, width=4, skip_width=4, num_cycles=1, layers_per_cycle=1))
IMAGES = TensorImages(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
PIXELS = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
TAKES_A_TENSOR = {
    "z_e": [VQ, VQ.encode],
    "images": [MODEL, MODEL.encode, lambda x: psnr(x, PIXELS)],
    "references": [lambda x: psnr(PIXELS, x)],
    "codes": [
        VQ.lookup,
        MODEL.decode,
        PRIOR,
        PRIOR.log_prob,
        ROWS,
        CodeMaps,
        CodeUsage(4).update,
        lambda x: CodeFrequencies(x, 4),
    ],
    "given": [lambda x: PRIOR.sample((2, 2), given=x)],
    "parameters": [Categorical],
}
CASES = [(name, call) for name, calls in TAKES_A_TENSOR.items() for call in calls]


@pytest.mark.parametrize("value", [[[0, 1]], np.zeros((2, 2)), None, "0"], ids=repr)
@pytest.mark.parametrize(("name", "call"), CASES)
def test_no_tensor(name, call, value):
    if name == "given" and value is None:
        return  # that is how one says that nothing is given
    with pytest.raises(TypeError, match=rf"^{name} must be .*, got {type(value).__name__}$"):
        call(value)


@pytest.mark.parametrize("codes", [None, [[0, 1]], [np.zeros(3, dtype=int)], [0.5]], ids=repr)
def test_no_codes_to_measure(codes):
    with pytest.raises(TypeError, match="^codes must be a tensor, got"):
        nats_per_code(PRIOR, codes)


@pytest.mark.parametrize("config", [{}, {"width": 4}, "paper", TrainingConfig()], ids=repr)
@pytest.mark.parametrize("kind", MODELS)
def test_no_settings_of_a_model(kind, config):
    settings, model = MODELS[kind]
    given = type(config).__name__
    with pytest.raises(
        TypeError, match=f"^config must be of type {settings.__name__}, got {given}"
    ):
        model(config)


def test_no_settings_of_the_training():
    with pytest.raises(TypeError, match="^config must be of type TrainingConfig, got dict$"):
        train(MODEL, IMAGES, {"steps": 1})


@pytest.mark.parametrize("model", [None, ModelConfig(), VQ.encode])
def test_no_model(model):
    given = type(model).__name__
    with pytest.raises(TypeError, match=f"^model must be of type Module, got {given}$"):
        train(model, IMAGES, TrainingConfig(steps=1, batch_size=2))
    for use in (evaluate, encode_images):
        with pytest.raises(TypeError, match=f"^model must have encode and decode.* got {given}$"):
            use(model, IMAGES)
    with pytest.raises(TypeError, match=f"^model must be of type GatedPixelCNN, got {given}$"):
        sample(model, (2, 2))


@pytest.mark.parametrize("model", [PRIOR, VAE])
def test_another_model(model):
    with pytest.raises(TypeError, match="^model must have encode and decode, as VQVAE does; got"):
        evaluate(model, IMAGES)


@pytest.mark.parametrize("model", [MODEL, VQ])
def test_a_sample_of_another_model(model):
    with pytest.raises(TypeError, match="^model must be of type GatedPixelCNN, got"):
        sample(model, (2, 2))


@pytest.mark.parametrize("seed", ["1", 1.5, [1]])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(TypeError, match="^seed must be an int or None, got"):
        PRIOR.sample((2, 2), seed=seed, progress=False)
    with pytest.raises(TypeError, match="^seed must be an int or None, got"):
        ROWS.sample(3, seed=seed, progress=False)


def test_whole_numbers_of_numpy_are_seeds():
    first = PRIOR.sample((2, 2), seed=7, progress=False)
    assert torch.equal(PRIOR.sample((2, 2), seed=np.int64(7), progress=False), first)


@pytest.mark.parametrize("shape", [3, None, [2], (1, 2, 3)])
def test_a_shape_is_height_and_width(shape):
    with pytest.raises(ValueError, match="^shape must be a height and a width, got"):
        PRIOR.sample(shape)


def test_a_codebook_larger_than_any_memory():
    with pytest.raises(ValueError, match=r"no memory for a codebook of the shape \(10+, 64\)"):
        VectorQuantizer(10**15, 64)


TAKES_A_NUMBER = {
    "learning_rate": lambda x: TrainingConfig(learning_rate=x),
    "commitment": lambda x: VectorQuantizer(4, 2, commitment=x),
    "decay": lambda x: VectorQuantizer(4, 2, decay=x),
    "restart_below": lambda x: VectorQuantizer(4, 2, restart_below=x),
    "noise_variance": lambda x: VQVAE(ModelConfig(noise_variance=x)),
    "kl_weight": lambda x: VAE(VAEConfig(kl_weight=x)),
    "least_temperature": lambda x: GumbelSoftmax(GumbelConfig(least_temperature=x)),
    "dropout": lambda x: PixelCNNConfig(dropout=x),
    "own_draws": lambda x: VideoConfig(own_draws=x),
    "temperature": lambda x: PRIOR.sample((2, 2), temperature=x),
}


@pytest.mark.parametrize(
    "value", [torch.tensor(0.5), torch.ones(2), torch.ones(0), "0.5", True, [0.5]], ids=repr
)
@pytest.mark.parametrize("name", TAKES_A_NUMBER)
def test_no_number(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be a number, got "):
        TAKES_A_NUMBER[name](value)


@pytest.mark.parametrize("name", TAKES_A_NUMBER)
def test_a_number_of_numpy_is_one(name):
    TAKES_A_NUMBER[name](np.float32(0.5))
