"""Sampling: the cached path gives what the model gives, and draws what it says."""

import copy
import itertools

import pytest
import torch
from torch import nn

from vqvae_lite.priors import walk
from vqvae_lite.priors.operations import InNumPy, InTorch, operations_for
from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig


def make(seed: int = 0, **settings) -> GatedPixelCNN:
    """A small model with random weights everywhere, the head's and the labels' too."""
    settings = {"num_codes": 5, "width": 16, "num_layers": 3, **settings}
    torch.manual_seed(seed)
    model = GatedPixelCNN(PixelCNNConfig(**settings))
    nn.init.normal_(model.head.weight)
    if model.config.num_codebooks > 1:
        nn.init.normal_(model.head.turn)
    if model.config.num_classes:
        for layer in model.layers:
            nn.init.normal_(layer.label.weight)
    for attention in model.attention.values():
        nn.init.normal_(attention.out.weight)
    return model


def random_conditions(model: GatedPixelCNN, batch: int, height: int, width: int) -> dict:
    config, generator = model.config, torch.Generator().manual_seed(3)
    conditions = {}
    if config.num_classes:
        conditions["label"] = torch.randint(config.num_classes, (batch,), generator=generator)
    if config.condition_channels:
        shape = batch, config.condition_channels, height, width
        conditions["condition"] = torch.randn(shape, generator=generator)
    return conditions


def random_codes(model: GatedPixelCNN, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(model.config.num_codes, shape, generator=generator)


CONDITIONS = {"num_classes": 4, "condition_channels": 3}


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((8, 8), {}),
        ((32, 32), {"num_layers": 6}),
        ((7, 13), {"kernel_size": 5}),
        ((13, 7), {"num_codebooks": 3}),
        ((8, 8), {"num_classes": 4}),
        ((8, 8), {"condition_channels": 3}),
        ((7, 13), {"num_codebooks": 3, "kernel_size": 5, **CONDITIONS}),
        ((9, 7), {"kernel_size": 7}),
        ((5, 4), {"kernel_size": 1}),
        ((1, 5), {"kernel_size": 5}),
        ((5, 1), {"kernel_size": 5}),
        ((5, 7), {"position_channels": 8}),
        ((6, 5), {"position_channels": 4, "attention_every": 2, **CONDITIONS}),
        ((5, 6), {"num_codebooks": 2, "attention_every": 1}),
    ],
)
@pytest.mark.parametrize("ops", [InTorch, InNumPy])
def test_cached_logits_are_those_of_the_model(shape, settings, ops, monkeypatch):
    monkeypatch.setattr(walk, "operations_for", lambda _: ops)
    model = make(dropout=0.5, **settings)
    books = (model.config.num_codebooks,) if model.config.num_codebooks > 1 else ()
    codes = random_codes(model, 3, *books, *shape)
    conditions = random_conditions(model, 3, *shape)
    logits = model.cached_logits(codes, **conditions)
    assert model.training, "nothing was switched"
    with torch.no_grad():
        expected = model.eval()(codes, **conditions).logits
    assert logits.shape == expected.shape
    assert (logits - expected).abs().max() < 1e-4
    assert expected.std() > 0.3


def test_half_precision_stays_with_torch():
    assert operations_for(torch.zeros(1)) is InNumPy
    assert operations_for(torch.zeros(1, dtype=torch.float64)) is InNumPy
    assert operations_for(torch.zeros(1, dtype=torch.bfloat16)) is InTorch
    assert operations_for(torch.zeros(1, device="meta")) is InTorch


def every_map(model: GatedPixelCNN, *shape: int) -> torch.Tensor:
    number = torch.Size(shape).numel()
    maps = itertools.product(range(model.config.num_codes), repeat=number)
    return torch.tensor(list(maps)).view(-1, *shape)


def frequencies(drawn: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """How many of the drawn maps are each of the maps."""
    num_codes = int(maps.max()) + 1
    digits = num_codes ** torch.arange(maps[0].numel() - 1, -1, -1)
    return torch.bincount(drawn.flatten(1) @ digits, minlength=len(maps))


def chi_square(counts: torch.Tensor, probabilities: torch.Tensor) -> float:
    """In standard deviations from what it is on average for draws from these probabilities."""
    expected = probabilities / probabilities.sum() * counts.sum()
    assert expected.min() > 5
    statistic = ((counts - expected) ** 2 / expected).sum()
    degrees = len(counts) - 1
    return ((statistic - degrees) / (2 * degrees) ** 0.5).item()


@pytest.mark.parametrize(
    ("settings", "shape"),
    [({}, (2, 2)), ({"num_codebooks": 2}, (2, 1, 2)), ({"num_codebooks": 2}, (2, 2, 1))],
)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_samples_follow_the_distribution(settings, shape, temperature):
    model = make(num_codes=2, num_layers=2, **settings)
    with torch.no_grad():
        model.head.weight.mul_(0.4)  # no map so rare that it could not be counted
    maps = every_map(model, *shape)
    drawn = model.sample(shape[-2:], batch=20_000, seed=0, temperature=temperature, progress=False)
    with torch.no_grad():
        # The exact probabilities at this temperature: each step's softmax is tempered.
        steps = (model(maps).logits / temperature).log_softmax(-3).gather(-3, maps.unsqueeze(-3))
    probabilities = steps.flatten(1).sum(1).exp()
    assert abs(chi_square(frequencies(drawn, maps), probabilities)) < 5
    if temperature == 1.0:
        assert torch.allclose(probabilities, model.log_prob(maps).exp())
        assert chi_square(frequencies(drawn, maps), probabilities.flip(0)) > 5


def test_attention_sees_the_rows_in_which_nothing_is_drawn():
    """What is drawn after given rows is what a model that draws them all the same would draw."""
    model = make(position_channels=4, attention_every=1)
    whole = model.sample((4, 5), batch=3, seed=0, top_k=1, progress=False)
    given = whole.clone()
    given[:, 2:] = -1
    assert torch.equal(model.sample((4, 5), batch=3, top_k=1, given=given, progress=False), whole)
    given[:, 0] = (given[:, 0] + 1) % 5
    other = model.sample((4, 5), batch=3, top_k=1, given=given, progress=False)
    assert not torch.equal(other[:, 2:], whole[:, 2:])


@pytest.mark.parametrize("level", [0.0, 1 - 2**-53])
def test_the_extreme_random_numbers_draw_no_impossible_code(level, monkeypatch):
    model = make(num_codes=700)
    nn.init.zeros_(model.head.weight)
    model.head.bias.data[:] = -1e4
    model.head.bias.data[:, :, 100:600] = torch.randn(500)
    number = torch.tensor([[level]], dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: number)
    codes = model.sample((2, 3), progress=False)
    assert (codes == (599 if level else 100)).all()


def test_top_k_draws_among_the_most_probable():
    model = make(num_codes=6)
    drawn = model.sample((1, 1), batch=20_000, seed=0, top_k=3, progress=False).flatten()
    with torch.no_grad():
        probabilities = model(torch.zeros(1, 1, 1, dtype=torch.int64)).logits.softmax(1).flatten()
    best = probabilities.topk(3).indices.sort().values
    assert torch.equal(drawn.unique(), best)
    assert abs(chi_square(torch.bincount(drawn)[best], probabilities[best])) < 5


@pytest.mark.parametrize("books", [1, 3])
@pytest.mark.parametrize("settings", [{"temperature": 5e-324}, {"top_k": 1}])
def test_the_coldest_sample_takes_the_most_probable(books, settings):
    model = make(num_codebooks=books, **CONDITIONS).eval()
    conditions = random_conditions(model, 2, 5, 6)
    codes = model.sample((5, 6), batch=2, seed=1, progress=False, **settings, **conditions)
    with torch.no_grad():
        assert torch.equal(model(codes, **conditions).logits.argmax(-3), codes)


@pytest.mark.parametrize("books", [1, 3])
def test_given_codes_stay_and_the_rest_follows_from_those_before(books):
    model = make(num_codebooks=books).eval()
    shape = (4, books, 6, 5) if books > 1 else (4, 6, 5)
    generator = torch.Generator().manual_seed(5)
    given = random_codes(model, *shape)
    given[torch.rand(shape, generator=generator) < 0.5] = -1
    given[..., 0, :] = given[..., 0, :].clamp(min=0)  # a row with nothing to draw
    given[0] = -1
    before = given.clone()
    codes = model.sample((6, 5), batch=4, top_k=1, seed=0, given=given, progress=False)
    assert torch.equal(given, before)
    known = given >= 0
    assert torch.equal(codes[known], given[known])
    with torch.no_grad():
        assert torch.equal(model(codes).logits.argmax(-3)[~known], codes[~known])


def test_rows_given_in_whole_are_passed_over_and_count():
    model = make()
    model.eval()
    given = random_codes(model, 2, 6, 5)
    given[:, 3:] = -1
    codes = model.sample((6, 5), batch=2, top_k=1, seed=0, given=given, progress=False)
    with torch.no_grad():
        assert torch.equal(model(codes).logits.argmax(1)[:, 3:], codes[:, 3:])
    whole = model.sample((6, 5), batch=2, given=codes.to(torch.int16), progress=False)
    assert torch.equal(whole, codes)
    assert whole.dtype == torch.int64


def test_the_seed_decides_and_nothing_else_is_touched():
    model = make(num_codebooks=2)

    def draw(seed):
        return model.sample((4, 5), batch=3, seed=seed, progress=False)

    torch.manual_seed(0)
    state = torch.get_rng_state()
    before = copy.deepcopy(model.state_dict())
    first = draw(7)
    assert first.shape == (3, 2, 4, 5)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(draw(7), first)
    assert not torch.equal(draw(8), first)
    one, two = draw(None), draw(None)
    assert not torch.equal(one, two)
    torch.manual_seed(0)
    assert torch.equal(draw(None), one), "without a seed torch's own decides"
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    model(first.zero_()).loss.backward()  # samples are ordinary tensors, which may be changed


def test_autocast_changes_nothing():
    model = make()
    codes = model.sample((4, 5), batch=3, seed=0, progress=False)
    with torch.autocast("cpu", torch.bfloat16):
        again = model.sample((4, 5), batch=3, seed=0, progress=False)
        logits = model.cached_logits(codes)
    assert torch.equal(again, codes)
    assert torch.equal(logits, model.cached_logits(codes))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype):
    model = make(num_codebooks=2, **CONDITIONS).to(dtype)
    conditions = random_conditions(model, 2, 4, 5)
    codes = model.sample((4, 5), batch=2, seed=0, progress=False, **conditions)
    assert model.cached_logits(codes, **conditions).dtype == dtype


def test_the_bar_counts_positions(capsys):
    model = make(num_codebooks=2)
    given = torch.zeros(1, 2, 3, 4, dtype=torch.int64)
    given[:, 1, 2, 3] = -1
    model.sample((3, 4), seed=0)
    model.sample((3, 4), given=given)
    shown = capsys.readouterr().err
    assert "12/12" in shown
    assert "4/4" in shown.replace("12/12", "")
    model.sample((3, 4), progress=False)
    assert not capsys.readouterr().err


ZEROS = torch.zeros(1, 3, 4, dtype=torch.int64)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"shape": (3,)}, ValueError, r"shape must be a height and a width, got \(3,\)"),
        ({"shape": (0, 4)}, ValueError, "height must be at least 1, got 0"),
        ({"shape": (3, 4.0)}, TypeError, "width must be an int, got 4.0"),
        ({"batch": 0}, ValueError, "batch must be at least 1, got 0"),
        ({"temperature": 0}, ValueError, "temperature must be finite and above 0, got 0"),
        ({"temperature": -1.0}, ValueError, "temperature must be finite and above 0, got -1.0"),
        ({"temperature": float("nan")}, ValueError, "temperature must be finite and above 0"),
        ({"top_k": 0}, ValueError, "top_k must be at least 1, got 0"),
        ({"top_k": 6}, ValueError, "top_k must be at most 5, the codes; got 6"),
        ({"top_k": 2.0}, TypeError, "top_k must be an int, got 2.0"),
        ({"label": torch.tensor([0])}, ValueError, "label must be None"),
        ({"given": ZEROS.float()}, TypeError, "given must be integers, got torch.float32"),
        ({"given": ZEROS.mT}, ValueError, r"shape \(1, 3, 4\), got \(1, 4, 3\)"),
        ({"given": ZEROS - 2}, ValueError, r"\[0, 5\), or be -1 .* values from -2 to -2"),
        ({"given": ZEROS + 5}, ValueError, "got values from 5 to 5"),
    ],
)
def test_bad_arguments(arguments, error, message):
    arguments = {"shape": (3, 4), **arguments}
    with pytest.raises(error, match=message):
        make().sample(arguments.pop("shape"), progress=False, **arguments)


def test_bad_weights_and_codes():
    model = make()
    with pytest.raises(ValueError, match=r"codes must lie in \[0, 5\)"):
        model.cached_logits(ZEROS + 5)
    nn.init.constant_(model.head.bias, float("nan"))
    with pytest.raises(ValueError, match="finite weights, got NaN or Inf"):
        model.sample((3, 4), progress=False)
