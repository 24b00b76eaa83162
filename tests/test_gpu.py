"""A GPU ends where the CPU does: every model's training, what is drawn, half precision, compiling.

Skipped where there is no GPU.
"""

from dataclasses import replace

import pytest
import torch

from test_distributed import ALONE, CONFIG, MODELS, data_of, train_all, without_chance
from test_modes import ACTIONS, CODES, FILM, LABEL, WHO
from test_modes import make as make_to_measure
from vqvae_lite.distributed import Place
from vqvae_lite.models import MODELS as ALL_MODELS
from vqvae_lite.models import new_model
from vqvae_lite.training import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
GPU = Place(0, 1, torch.device("cuda"))


@pytest.fixture(scope="module")
def both():
    """What training gives on the CPU and on the GPU, in full float32."""
    with pytest.MonkeyPatch.context() as patch:
        without_chance(patch.setattr)
        patch.setattr(torch.backends.cudnn, "allow_tf32", False)
        return train_all(ALONE), train_all(GPU)


@pytest.mark.parametrize("name", MODELS)
def test_training_ends_where_it_does_on_the_cpu(name, both):
    (states, records), (on_gpu, gpu_records) = (result[name] for result in both)
    for key, value in states.items():
        found = on_gpu[key].cpu()
        if value.is_floating_point():
            assert torch.allclose(found, value, rtol=1e-3, atol=1e-4), key
        else:
            assert torch.equal(found, value), key
    for (step, means, *_), (gpu_step, gpu_means, *_) in zip(records, gpu_records, strict=True):
        assert step == gpu_step
        assert gpu_means == pytest.approx(means, rel=1e-3, abs=1e-4)


def test_a_prior_draws_from_what_it_gives():
    model = make_to_measure("pixelcnn").eval()
    expected = model.cached_logits(CODES, LABEL)
    found = model.cuda().cached_logits(CODES.cuda(), LABEL.cuda())
    assert torch.allclose(found.cpu(), expected, atol=1e-4)
    drawn = model.sample((4, 3), batch=3, label=LABEL.cuda(), seed=1, progress=False)
    assert drawn.device.type == "cuda"
    again = model.sample((4, 3), batch=3, label=LABEL.cuda(), seed=1, progress=False)
    assert torch.equal(drawn, again)


def test_a_prior_of_sound_draws_from_what_it_gives():
    model, codes = make_to_measure("wavenet").eval(), CODES[:2, 0]
    expected = model.cached_logits(codes, WHO)
    found = model.cuda().cached_logits(codes.cuda(), WHO.cuda())
    assert torch.allclose(found.cpu(), expected, atol=1e-4)
    drawn, again = (
        model.sample(6, batch=2, label=WHO.cuda(), seed=1, progress=False) for _ in range(2)
    )
    assert drawn.device.type == "cuda"
    assert torch.equal(drawn, again)


def test_a_model_of_films_judges_and_draws():
    model = make_to_measure("video").eval()
    expected = model.log_prob(FILM, ACTIONS)
    film, actions = FILM.cuda(), ACTIONS.cuda()
    assert torch.allclose(model.cuda().log_prob(film, actions).cpu(), expected, rtol=1e-4)
    ahead = torch.cat([actions, actions], 1)[:, :6]
    drawn, again = (model.sample(film, 2, ahead, seed=1) for _ in range(2))
    assert drawn.device.type == "cuda"
    assert torch.equal(drawn, again)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("settings", [{"precision": "bfloat16"}, {"compile": True}])
def test_half_precision_and_compiled(name, settings):
    """Neither is the same to the digit: the losses of four steps are near those of the CPU."""
    model_config = MODELS[name]
    if hasattr(model_config, "dropout"):
        model_config = replace(model_config, dropout=0.0)
    kind = name if name in ALL_MODELS else "vqvae"
    data, prepare = data_of(name)
    losses = []
    with pytest.MonkeyPatch.context() as patch:
        without_chance(patch.setattr)
        for place, config in [(ALONE, CONFIG), (GPU, replace(CONFIG, **settings))]:
            torch._dynamo.reset()
            model = new_model(kind, model_config, seed=0)
            records = train(model, data, config, place=place, prepare=prepare, progress=False)
            losses.append([record.means["loss"] for record in records])
    assert losses[1] == pytest.approx(losses[0], rel=0.05, abs=0.02)
