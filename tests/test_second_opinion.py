"""Two opinions of a frame: `benchmarks/second_opinion.py`, in miniature."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import second_opinion as benchmark

from vqvae_lite.priors.nats import nats_per_code
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig
from vqvae_lite.video.evaluation import nats_ahead
from vqvae_lite.video.model import VideoConfig, VideoPrior

CODES, SEEN, FRAMES = 16, 6, 4


@pytest.fixture
def two():
    """A dynamics model and a prior with attention, both in double precision, and sure of things."""
    torch.manual_seed(0)
    video = VideoPrior(
        VideoConfig(num_codes=CODES, width=16, pixelcnn_width=16, num_layers=1, num_actions=3)
    )
    prior = GatedPixelCNN(
        PixelCNNConfig(CODES, width=16, num_layers=2, position_channels=4, attention_every=1)
    )
    for model in (video, prior):
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    return video.double().eval(), prior.double().eval()


@pytest.fixture
def film():
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(CODES, (3, SEEN + FRAMES, 4, 5), generator=generator)
    return codes, torch.randint(3, (3, SEEN + FRAMES - 1), generator=generator)


def test_a_pool_of_one_draws_the_films_of_that_one(two, film):
    video, prior = two
    codes, actions = film
    start = codes[:, :SEEN]
    alone = video.sample(start, FRAMES, actions, seed=5, progress=False)
    pool = benchmark.Pool(video, prior, torch.tensor([1.0, 0.0]))
    assert torch.equal(pool.sample(start, FRAMES, actions, seed=5), alone)
    without_past = benchmark.Pool(video, prior, torch.tensor([0.0, 1.0]))
    drawn = without_past.sample(start, FRAMES, actions, seed=5)
    assert not torch.equal(drawn, alone)
    for step in range(FRAMES):
        seed = 5 * 1_000_003 + step
        frame = prior.sample((4, 5), batch=3, seed=seed, progress=False)
        assert torch.equal(drawn[:, step], frame)


def test_what_each_of_the_two_says_is_what_it_says_elsewhere(two, film):
    video, prior = two
    codes, actions = film
    seen, true = codes[:, :SEEN], codes[:, SEEN:]
    split = SimpleNamespace(seen=seen, true=true, actions=actions)
    drawn = true.flip(0)
    expected = nats_ahead(video, seen, drawn, true, actions).mean(0)
    for ahead in (1, 3):
        found = benchmark.opinions(video, prior, split, drawn, ahead)
        of_video, of_prior = (
            found.nats(torch.tensor(each)).item() for each in ([1.0, 0.0], [0.0, 1.0])
        )
        assert of_video == pytest.approx(expected[ahead - 1].item(), rel=1e-6)
        alone = nats_per_code(prior, true[:, ahead - 1])
        assert of_prior == pytest.approx(alone, rel=1e-6)


def test_the_weights_by_which_codes_were_drawn_are_found_again():
    generator = torch.Generator().manual_seed(2)
    one, other = (
        (2 * torch.randn(40, CODES, 20, 20, generator=generator)).log_softmax(1) for _ in range(2)
    )
    weights = torch.tensor([0.7, 0.4])
    shares = benchmark.pooled(one, other, weights).softmax(1).movedim(1, -1)
    drawn = shares.flatten(0, 2).multinomial(1, generator=generator).view(40, 20, 20)
    found = benchmark.fit(benchmark.Opinions(one, other, drawn))
    torch.testing.assert_close(found, weights, atol=0.03, rtol=0)
