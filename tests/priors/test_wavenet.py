"""WaveNet: what it may see, what it sees, that it is a distribution, and how it is sampled."""

import copy
import itertools

import pytest
import torch
from torch import nn

from vqvae_lite.priors.wavenet import WaveNet, WaveNetConfig

CONDITIONS = {"num_classes": 3, "condition_channels": 4, "hop": 5}


def make(seed: int = 0, **settings) -> WaveNet:
    """A small model with random weights everywhere, the head's and the label's too, in float64."""
    small = {"num_codes": 5, "width": 8, "skip_width": 9, "num_cycles": 2, "layers_per_cycle": 3}
    torch.manual_seed(seed)
    model = WaveNet(WaveNetConfig(**{**small, **settings})).double()
    for parameter in [model.head.weight, model.head.bias]:
        nn.init.normal_(parameter)
    if model.config.num_classes:
        nn.init.normal_(model.label.weight)
    return model.eval()


def random_codes(model: WaveNet, batch: int, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(model.config.num_codes, (batch, length), generator=generator)


def random_conditions(model: WaveNet, batch: int, length: int) -> dict:
    config, generator = model.config, torch.Generator().manual_seed(3)
    conditions = {}
    if config.num_classes:
        conditions["label"] = torch.randint(config.num_classes, (batch,), generator=generator)
    if config.condition_channels:
        shape = batch, config.condition_channels, length // config.hop
        conditions["condition"] = torch.randn(shape, generator=generator, dtype=torch.float64)
    return conditions


def influence(model: WaveNet, length: int) -> torch.Tensor:
    """Which code has a gradient on which logits: bool (length outputs, length inputs)."""
    vectors = []

    def keep(_module, _inputs, output):
        vectors.append(output)
        return output

    handle = model.embedding.register_forward_hook(keep)
    out = model(random_codes(model, 1, length), **random_conditions(model, 1, length))
    handle.remove()
    weight = torch.randn(model.config.num_codes, dtype=torch.float64)
    rows = [
        torch.autograd.grad(weight @ out.logits[0, :, step], vectors, retain_graph=True)[0]
        for step in range(length)
    ]
    return torch.cat(rows).ne(0).any(2)


@pytest.mark.parametrize(
    "settings",
    [{}, {"layers_per_cycle": 4}, {"num_cycles": 3, "layers_per_cycle": 1}, CONDITIONS],
)
def test_a_step_depends_on_all_before_it_within_reach_and_on_no_other(settings):
    model = make(**settings)
    reach = model.config.receptive_field
    seen = influence(model, reach + 10 - reach % 5)
    every = torch.ones_like(seen).tril(-1)
    assert torch.equal(seen, every & ~torch.ones_like(seen).tril(-reach - 1))


def test_the_reach_is_that_of_the_description():
    config = WaveNetConfig(num_cycles=2, layers_per_cycle=10)
    assert config.dilations == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] * 2
    assert config.receptive_field == 2 * 1023 + 1


def test_a_later_code_changes_nothing_before_it():
    model = make(**CONDITIONS)
    codes = random_codes(model, 2, 30)
    conditions = random_conditions(model, 2, 30)
    logits = model(codes, **conditions).logits
    changed = codes.clone()
    changed[:, 12] = (changed[:, 12] + 1) % 5
    moved = (model(changed, **conditions).logits - logits).abs().amax((0, 1)) > 0
    assert not moved[:13].any()
    assert moved[13:20].all()


def test_a_column_of_the_condition_reaches_its_steps_and_later_ones():
    model = make(**CONDITIONS)
    codes, conditions = random_codes(model, 1, 30), random_conditions(model, 1, 30)
    logits = model(codes, **conditions).logits
    conditions["condition"][:, :, 2] += 1
    moved = (model(codes, **conditions).logits - logits).abs().amax((0, 1)) > 0
    assert not moved[:10].any()
    assert moved[10:20].all()


def test_the_label_matters():
    model = make(num_classes=3)
    codes = random_codes(model, 1, 9)
    first, second = (model(codes, torch.tensor([label])).log_prob for label in (0, 1))
    assert abs(first - second) > 1e-3


@pytest.mark.parametrize("settings", [{}, {**CONDITIONS, "hop": 3}])
def test_the_probabilities_of_all_sequences_sum_to_one(settings):
    model = make(num_codes=3, **settings)
    codes = torch.tensor(list(itertools.product(range(3), repeat=6)))
    conditions = random_conditions(model, 1, 6)
    conditions = {
        name: value.expand(len(codes), *value.shape[1:]) for name, value in conditions.items()
    }
    out = model(codes, **conditions)
    assert out.log_prob.exp().sum().item() == pytest.approx(1)
    assert out.loss.item() == pytest.approx(-out.log_prob.sum().item() / codes.numel())


def test_an_untrained_model_is_uniform_and_ignores_its_label():
    model = WaveNet(WaveNetConfig(num_codes=7, width=8, layers_per_cycle=2, num_classes=2))
    codes = random_codes(model, 2, 10)
    torch.testing.assert_close(model(codes, torch.tensor([0, 1])).loss, torch.tensor(7.0).log())


@pytest.mark.parametrize(
    "settings", [{}, {"num_classes": 3}, {"condition_channels": 4, "hop": 1}, CONDITIONS]
)
def test_the_cached_logits_are_those_of_the_whole_forward_pass(settings):
    model = make(layers_per_cycle=5, **settings)
    codes = random_codes(model, 3, 90)
    conditions = random_conditions(model, 3, 90)
    whole = model(codes, **conditions).logits
    torch.testing.assert_close(model.cached_logits(codes, **conditions), whole)
    model.float()
    if "condition" in conditions:
        conditions["condition"] = conditions["condition"].float()
    cached = model.cached_logits(codes, **conditions)
    assert (cached - whole).abs().max() < 1e-4


def test_a_sample_follows_from_its_seed_and_changes_nothing():
    model = make(**CONDITIONS).train()
    before = copy.deepcopy(model.state_dict())
    conditions = random_conditions(model, 2, 20)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    draws = [
        model.sample(20, batch=2, seed=seed, progress=False, **conditions) for seed in (4, 4, 5)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_samples_have_the_frequencies_that_the_model_gives_them():
    model = make(num_codes=3)
    drawn = model.sample(3, batch=20_000, seed=1, progress=False)
    sequences = torch.tensor(list(itertools.product(range(3), repeat=3)))
    expected = model(sequences).log_prob.exp() * len(drawn)
    counts = torch.bincount(drawn @ torch.tensor([9, 3, 1]), minlength=27)
    chi_square = ((counts - expected) ** 2 / expected).sum().item()
    assert chi_square < 60  # 26 degrees of freedom: exceeded once in 6,000


def test_with_one_candidate_the_most_probable_code_is_drawn():
    model = make()
    drawn = model.sample(12, batch=2, top_k=1, progress=False)
    assert torch.equal(drawn, model(drawn).logits.argmax(1))
    assert torch.equal(model.sample(12, batch=2, temperature=1e-9, progress=False), drawn)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"width": 0}, ValueError, "width must be at least 1"),
        ({"hop": 2.5}, TypeError, "hop must be an int"),
        ({"dropout": 1.0}, ValueError, "dropout must be in"),
    ],
)
def test_impossible_settings_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        WaveNetConfig(**settings)


@pytest.mark.parametrize("method", ["forward", "log_prob", "cached_logits"])
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"codes": torch.zeros(1, 10)}, TypeError, "codes must be integers"),
        ({"codes": torch.full((1, 10), 5)}, ValueError, r"codes must lie in \[0, 5\)"),
        ({"codes": torch.zeros(1, 2, 5, dtype=int)}, ValueError, r"shape \(B, T\)"),
        ({"codes": torch.zeros(1, 0, dtype=int)}, ValueError, "not be empty"),
        ({"codes": torch.zeros(1, 11, dtype=int)}, ValueError, "multiple of the hop, 5; got 11"),
        ({"label": None}, ValueError, "label must be given"),
        ({"label": torch.tensor([3])}, ValueError, "label must lie in"),
        ({"condition": None}, ValueError, "condition must be given"),
        ({"condition": torch.zeros(1, 4, 3)}, ValueError, r"condition must have the shape"),
    ],
)
def test_what_does_not_fit_is_refused(method, change, error, message):
    model = make(**CONDITIONS)
    arguments = {
        "codes": torch.zeros(1, 10, dtype=int),
        "label": torch.tensor([0]),
        "condition": torch.zeros(1, 4, 2, dtype=torch.float64),
    }
    getattr(model, method)(**arguments)
    with pytest.raises(error, match=message):
        getattr(model, method)(**{**arguments, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": 0}, "length must be at least 1"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"temperature": 0}, "temperature must be finite and above 0"),
        ({"top_k": 6}, "top_k must be at most 5"),
        ({"label": torch.tensor([0])}, "label must be None"),
    ],
)
def test_a_sample_of_impossible_settings_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        make().sample(**{"length": 3, "progress": False, **change})


def test_a_broken_model_is_not_sampled():
    model = make()
    nn.init.constant_(model.hidden.bias, float("nan"))
    with pytest.raises(ValueError, match="finite weights"):
        model.sample(3, progress=False)
