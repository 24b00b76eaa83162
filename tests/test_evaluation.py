"""What each image of a data set is to a model; the means over all are in test_training.py."""

import math

import pytest
import torch

from vqvae_lite.distributed import Place
from vqvae_lite.evaluation import evaluate, score_images
from vqvae_lite.images import TensorImages, to_float, to_uint8
from vqvae_lite.metrics import psnr
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.priors.nats import CodeFrequencies, nats_per_code


def images(count):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 12, 12), generator=generator, dtype=torch.uint8)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = VQVAE(ModelConfig(width=4, code_dim=2, num_codes=6))
    model(to_float(images(8)))  # its codebook from data
    return model


def test_each_image_is_scored_by_itself_in_batches_of_any_size(model):
    pictures = images(7)
    alone = [score_images(model, TensorImages(picture[None])).psnr for picture in pictures]
    for batch_size in (1, 3, 64):
        scores = score_images(model, TensorImages(pictures), batch_size)
        assert torch.allclose(scores.psnr, torch.cat(alone))
        assert scores.nats_per_code is None
    assert model.training, "as it was"
    made = to_uint8(model.decode(model.encode(to_float(pictures))))
    assert torch.equal(scores.psnr, psnr(made, pictures))
    assert scores.psnr.mean().item() == pytest.approx(evaluate(model, TensorImages(pictures)).psnr)


def test_nats_are_those_of_the_codes_by_their_number(model):
    pictures = images(5)
    codes = model.encode(to_float(pictures))
    prior = CodeFrequencies(codes[:1], 6)
    scores = score_images(model, TensorImages(pictures), 2, log_prob=prior.log_prob)
    for nats, of_one in zip(scores.nats_per_code, codes, strict=True):
        assert nats.item() == pytest.approx(nats_per_code(prior, of_one[None]))


def test_the_prior_is_told_the_label_of_each_image(model):
    told = []

    def log_prob(codes, label):
        told.append(label.tolist())
        return -9.0 * label.float()

    label = torch.tensor([4, 0, 2])
    scores = score_images(model, TensorImages(images(3)), 2, log_prob=log_prob, label=label)
    assert told == [[4, 0], [2]]
    assert scores.nats_per_code.tolist() == [4, 0, 2]  # nine codes


def test_a_process_takes_its_share(model):
    pictures = images(5)
    whole = score_images(model, TensorImages(pictures), 2).psnr

    parts = []
    for rank in (0, 1):
        place = Place(rank, 2, torch.device("cpu"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("vqvae_lite.evaluation.Meeting", lambda place: Lonely())
            parts.append(score_images(model, TensorImages(pictures), 2, place=place).psnr)
    assert [len(part) for part in parts] == [2, 3] or [len(part) for part in parts] == [4, 1]
    assert torch.equal(torch.cat(parts), whole)


class Lonely:
    """A meeting that nobody else comes to."""

    def gather(self, value):
        return [value]


def test_a_picture_that_comes_back_whole_is_not_strange_at_all(model, monkeypatch):
    pictures = images(2)
    monkeypatch.setattr(model, "decode", lambda codes: to_float(pictures))
    assert score_images(model, TensorImages(pictures)).psnr.tolist() == [math.inf, math.inf]


def test_what_cannot_be_scored(model):
    with pytest.raises(TypeError, match="VQVAE"):
        score_images(torch.nn.Linear(2, 2), TensorImages(images(2)))
    with pytest.raises(ValueError, match="score"):
        score_images(model, [])
