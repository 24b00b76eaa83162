"""Data sets as codes."""

from typing import NamedTuple

import pytest
import torch

from vqvae_lite import VQVAE, ModelConfig, TrainingConfig, train
from vqvae_lite.encoding import CodeMaps, encode_images
from vqvae_lite.images import TensorImages, to_float


class Output(NamedTuple):
    """The least that the training loop asks of a model."""

    loss: torch.Tensor


@pytest.mark.parametrize("num_codebooks", [1, 2])
def test_codes_of_all_images_in_their_order(num_codebooks):
    torch.manual_seed(0)
    images = torch.randint(0, 256, (7, 3, 8, 12), dtype=torch.uint8)
    config = ModelConfig(width=4, num_codes=9, code_dim=2, num_codebooks=num_codebooks)
    model = VQVAE(config).train()
    model(to_float(images))  # which the first codebook is taken from
    before = model.quantizer.codebook.clone()
    codes = encode_images(model, TensorImages(images), batch_size=3)
    assert model.training
    assert torch.equal(model.quantizer.codebook, before)
    assert codes.shape == ((7, 2, 3) if num_codebooks == 1 else (7, 2, 2, 3))
    assert torch.equal(codes, model.eval().encode(to_float(images)))
    assert not torch.equal(codes, codes.flip(0)), "no image is like another"


def test_code_maps_are_a_data_set():
    codes = torch.arange(24).view(4, 2, 3)
    maps = CodeMaps(codes)
    assert len(maps) == 4
    assert torch.equal(maps[2], codes[2])
    assert torch.equal(maps.__getitems__([3, 0]), codes[[3, 0]])


def test_training_takes_codes_as_they_are():
    seen = []

    class Watching(torch.nn.Linear):
        config = None

        def forward(self, codes):
            seen.append(codes)
            return Output(super().forward(codes.float().flatten(1)).square().mean())

    maps = CodeMaps(torch.arange(24).view(4, 2, 3))
    config = TrainingConfig(steps=3, batch_size=2)
    history = train(Watching(6, 1), maps, config, prepare=torch.Tensor.long, progress=False)
    assert [record.step for record in history] == [1, 2, 3]
    assert all(set(record.means) == {"loss"} for record in history)
    assert sorted(int(code) for codes in seen[:2] for code in codes.flatten()) == list(range(24))


def test_what_is_no_data_set_of_codes():
    with pytest.raises(TypeError, match=r"integers, got torch\.float32"):
        CodeMaps(torch.zeros(1, 2, 2))
    with pytest.raises(TypeError, match=r"integers, got torch\.bool"):
        CodeMaps(torch.zeros(1, 2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="codes must have the shape"):
        CodeMaps(torch.zeros(2, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="none of them 0"):
        CodeMaps(torch.zeros(0, 2, 2, dtype=torch.int64))

    class Empty(torch.utils.data.Dataset):
        def __len__(self):
            return 0

    with pytest.raises(ValueError, match="no images to encode"):
        encode_images(VQVAE(ModelConfig(width=4)), Empty())
    with pytest.raises(TypeError, match="images must be a data set with a length, got Dataset"):
        encode_images(VQVAE(ModelConfig(width=4)), torch.utils.data.Dataset())
