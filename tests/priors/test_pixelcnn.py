"""The gated PixelCNN: what it may see, what it sees, and that it is a distribution."""

import itertools
import math

import pytest
import torch
from torch import nn

from vqvae_lite.priors.pixelcnn import GatedPixelCNN, PixelCNNConfig


def make(seed: int = 0, **settings) -> GatedPixelCNN:
    """A small model with random weights everywhere, the head's too, in float64."""
    settings = {"num_codes": 5, "width": 16, "num_layers": 3, **settings}
    torch.manual_seed(seed)
    model = GatedPixelCNN(PixelCNNConfig(**settings)).double()
    for parameter in (model.head.weight, model.head.bias):
        nn.init.normal_(parameter)
    for attention in model.attention.values():
        nn.init.normal_(attention.out.weight)
    return model


def random_codes(model: GatedPixelCNN, batch: int, height: int, width: int) -> torch.Tensor:
    config = model.config
    books = (config.num_codebooks,) if config.num_codebooks > 1 else ()
    generator = torch.Generator().manual_seed(2)
    return torch.randint(config.num_codes, (batch, *books, height, width), generator=generator)


def random_conditions(model: GatedPixelCNN, batch: int, height: int, width: int) -> dict:
    config, generator = model.config, torch.Generator().manual_seed(3)
    conditions = {}
    if config.num_classes:
        conditions["label"] = torch.randint(config.num_classes, (batch,), generator=generator)
    if config.condition_channels:
        shape = batch, config.condition_channels, height, width
        conditions["condition"] = torch.randn(shape, generator=generator, dtype=torch.float64)
    return conditions


def influence(model: GatedPixelCNN, height: int, width: int) -> torch.Tensor:
    """Which code has a gradient on which logits: bool (H * W * C outputs, H * W * C inputs).

    The gradient is that on the vectors that stand for the codes, in the stack and in the head.
    """
    books = model.config.num_codebooks
    vectors = {}

    def keep(name):
        def hook(_module, _inputs, output):
            vectors[name] = output
            return output

        return hook

    handles = [model.embedding.register_forward_hook(keep("stack"))]
    if books > 1:
        handles.append(model.head.embedding.register_forward_hook(keep("head")))
    codes = random_codes(model, 1, height, width)
    logits = model(codes, **random_conditions(model, 1, height, width)).logits
    for handle in handles:
        handle.remove()
    logits = logits.view(books, -1, height * width)  # of the batch's one map
    weight = torch.randn(logits.shape[1], dtype=logits.dtype)
    rows = []
    for position, book in itertools.product(range(height * width), range(books)):
        output = (logits[book, :, position] * weight).sum()
        gradients = torch.autograd.grad(
            output, list(vectors.values()), retain_graph=True, allow_unused=True
        )
        seen = torch.zeros(height * width, books, dtype=torch.bool)
        # The stack sums the codes of a position, so it sees all of them or none.
        seen |= (gradients[0] != 0).any(-1)[:, None]
        if books > 1 and gradients[1] is not None:
            seen[:, :-1] |= (gradients[1] != 0).any(-1).T
        rows.append(seen.flatten())
    return torch.stack(rows)


def all_earlier(number: int) -> torch.Tensor:
    return torch.ones(number, number).tril(-1).bool()


@pytest.mark.parametrize(
    ("height", "width", "settings"),
    [
        (5, 7, {"num_layers": 6}),
        (7, 4, {"num_layers": 6}),
        (5, 7, {"num_layers": 4, "kernel_size": 5}),
        (3, 4, {"num_codebooks": 3}),
        (4, 3, {"num_codebooks": 2, "num_classes": 3, "condition_channels": 2}),
        (1, 6, {"num_layers": 5}),
        (6, 1, {"num_layers": 5}),
        (6, 3, {"num_layers": 2, "position_channels": 8, "attention_every": 1}),
        (3, 3, {"num_codebooks": 2, "num_layers": 2, "attention_every": 2}),
    ],
)
def test_every_code_depends_on_all_earlier_ones_and_no_other(height, width, settings):
    model = make(**settings)
    seen = influence(model, height, width)
    assert torch.equal(seen, all_earlier(height * width * model.config.num_codebooks))


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_the_reach_is_that_of_the_description(kernel_size):
    model = make(num_layers=1, kernel_size=kernel_size)
    height, width = 7, 9
    reach = kernel_size // 2
    seen = influence(model, height, width).view(height, width, height, width)
    last = seen[-1, width // 2]
    expected = torch.zeros_like(last)
    expected[-1, width // 2 - reach - 1 : width // 2] = True
    # The horizontal stack passes on what v has found up to `reach` columns to the left.
    expected[-reach - 2 : -1, width // 2 - reach : width // 2 + reach + 1] = True
    assert torch.equal(last, expected)


@pytest.mark.parametrize("books", [1, 3])
def test_changing_a_code_changes_only_later_logits(books):
    """The same promise as the gradients', on values: in float32, as it is used."""
    model = make(num_codebooks=books, num_layers=4).float().eval()
    codes = random_codes(model, 1, 4, 5)
    order = codes.view(books, 20).T.flatten()  # in the order of the factorisation
    for place in range(0, len(order), 3):
        other = order.clone()
        other[place] = (other[place] + 1) % model.config.num_codes
        changed = other.view(20, books).T.reshape(codes.shape)
        before, after = model(codes).logits, model(changed).logits
        difference = (after - before).view(books, -1, 20).abs().amax(1).T.flatten()
        assert not difference[: place + 1].any()
        assert place + 1 == len(order) or difference[place + 1] > 0


def all_maps(num_codes: int, *shape: int) -> torch.Tensor:
    """Every map of this shape, one after another."""
    maps = itertools.product(range(num_codes), repeat=math.prod(shape))
    return torch.tensor(list(maps)).view(-1, *shape)


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({}, (2, 2)),
        ({"num_codebooks": 2}, (2, 1, 2)),
        ({"num_codes": 3, "kernel_size": 5}, (1, 4)),
        ({"num_codes": 2, "position_channels": 4, "attention_every": 1}, (2, 3)),
    ],
)
def test_probabilities_of_all_maps_sum_to_one(settings, shape):
    model = make(**{"num_codes": 2, **settings})
    maps = all_maps(model.config.num_codes, *shape)
    probabilities = model.log_prob(maps).exp()
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-12)
    assert probabilities.max() > 1.5 * probabilities.min(), "they are not all the same"


@pytest.mark.parametrize("books", [1, 3])
def test_log_prob_is_that_of_the_logits(books):
    model = make(num_codebooks=books)
    codes = random_codes(model, 4, 3, 5)
    by_code = model(codes).logits.log_softmax(-3).gather(-3, codes.unsqueeze(-3))
    log_prob = model.log_prob(codes)
    assert torch.allclose(log_prob, by_code.flatten(1).sum(1))
    assert model(codes).loss.item() == pytest.approx(-log_prob.mean().item() / (15 * books))


@pytest.mark.parametrize("books", [1, 3])
def test_a_new_model_is_uniform_and_can_leave_that(books):
    model = GatedPixelCNN(PixelCNNConfig(num_codes=7, num_codebooks=books, width=8, num_layers=2))
    codes = random_codes(model, 2, 3, 3)
    loss = model(codes).loss
    assert loss.item() == pytest.approx(math.log(7))
    assert not model(codes).logits.any()
    loss.backward()
    assert model.head.weight.grad.any()


@pytest.mark.slow
def test_it_learns_a_rule_over_positions_and_codebooks():
    """Rows alternate, and the second code is the first plus one: all but the corner is certain."""
    torch.manual_seed(0)
    model = GatedPixelCNN(PixelCNNConfig(num_codes=4, num_codebooks=2, width=16, num_layers=2))
    first = torch.arange(4)[:, None, None] + torch.arange(4)[:, None] + 2 * torch.arange(4)
    codes = torch.stack([first, first + 1], 1) % 4
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(120):
        loss = model(codes).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert model.log_prob(codes).mean().item() == pytest.approx(-math.log(4), abs=0.15)


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_a_layer_follows_its_equations(kernel_size):
    model = make(kernel_size=kernel_size, num_classes=3, condition_channels=2)
    layer, reach, width = model.layers[0], kernel_size // 2, model.config.width
    nn.init.normal_(layer.label.weight)
    torch.manual_seed(1)
    v, h = torch.randn(2, 1, width, 4, 5, dtype=torch.float64)
    conditions = random_conditions(model, 1, 4, 5)
    new_v, new_h = layer(v, h, **conditions)

    above = nn.functional.pad(v[0], (reach, reach, reach, 0))
    left = nn.functional.pad(h[0], (reach, 0))
    row, column = 2, 3
    condition = layer.label.weight[conditions["label"][0]]
    condition = (
        condition + layer.condition.weight[..., 0, 0] @ (conditions["condition"][0, :, row, column])
    )
    for_v, for_h = condition.split(2 * width)
    seen = above[:, row : row + reach + 1, column : column + kernel_size]
    gates = torch.einsum("oiyx,iyx->o", layer.vertical.weight, seen) + layer.vertical.bias + for_v
    by_hand = v[0, :, row, column] + gates[:width].tanh() * gates[width:].sigmoid()
    assert torch.allclose(new_v[0, :, row, column], by_hand)
    gates = layer.down.weight[..., 0, 0] @ by_hand + layer.down.bias + for_h
    seen = left[:, row, column : column + reach + 1]
    gates = gates + torch.einsum("oix,ix->o", layer.horizontal.weight[:, :, 0], seen)
    change = layer.out.weight[..., 0, 0] @ (gates[:width].tanh() * gates[width:].sigmoid())
    assert torch.allclose(new_h[0, :, row, column], h[0, :, row, column] + change)


@pytest.mark.parametrize("books", [2, 3])
def test_the_head_adds_the_codes_before_at_the_position(books):
    model = make(num_codebooks=books)
    head, width = model.head, model.config.width
    nn.init.normal_(head.turn)
    torch.manual_seed(1)
    features = torch.randn(4, width, dtype=torch.float64)
    codes = torch.randint(5, (books, 4))
    logits = head(features, codes)
    for book in range(books):
        x = features + head.turn[book]
        for before in range(book):
            x = x + head.embedding.weight[5 * before + codes[before]]
        hidden = (x.relu() @ head.hidden.weight.T + head.hidden.bias).relu()
        assert torch.allclose(logits[book], hidden @ head.weight[book] + head.bias[book])


@pytest.mark.parametrize("name", ["label", "condition"])
def test_a_condition_is_used_everywhere(name):
    model = make(num_classes=3, condition_channels=2)
    for layer in model.layers:
        nn.init.normal_(layer.label.weight)
    codes = random_codes(model, 1, 4, 5)
    conditions = random_conditions(model, 1, 4, 5)
    other = dict(conditions)
    other[name] = (conditions[name] + 1) % 3
    difference = (model(codes, **other).logits - model(codes, **conditions).logits).abs().amax(1)
    assert (difference > 0).all()


def test_a_condition_reaches_its_own_position():
    """The map says something of the very code that it stands beside, from the first on."""
    model = make(condition_channels=2, num_layers=1)
    codes, condition = random_codes(model, 1, 4, 5), torch.zeros(1, 2, 4, 5, dtype=torch.float64)
    condition[:, :, 0, 0] = 1
    without = model(codes, condition=0 * condition).logits
    difference = model(codes, condition=condition).logits - without
    assert difference[0, :, 0, 0].any()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 11), (16, 16)])
@pytest.mark.parametrize("books", [1, 3])
def test_any_size_and_integer_type(size, books):
    model = make(num_codebooks=books, kernel_size=5)
    codes = random_codes(model, 2, *size)
    logits = model(codes).logits
    assert logits.shape == (2, *([books] if books > 1 else []), 5, *size)
    assert torch.equal(model.logits(codes), logits)
    assert torch.equal(model(codes.to(torch.uint8)).logits, logits)
    assert torch.equal(model.log_prob(codes.to(torch.int16)), model.log_prob(codes))


def test_each_map_of_a_batch_stands_alone():
    model = make(num_codebooks=2, num_classes=3, condition_channels=2)
    codes, conditions = random_codes(model, 3, 4, 5), random_conditions(model, 3, 4, 5)
    together = model.log_prob(codes, **conditions)
    for i in range(3):
        alone = {name: value[i : i + 1] for name, value in conditions.items()}
        assert torch.allclose(model.log_prob(codes[i : i + 1], **alone)[0], together[i])


def test_dropout_only_in_training():
    model = make(dropout=0.5)
    codes = random_codes(model, 1, 4, 5)
    assert not torch.equal(model(codes).logits, model(codes).logits)
    model.eval()
    assert torch.equal(model(codes).logits, model(codes).logits)


def test_autocast_gives_float32_near_the_exact():
    model = make(width=32, num_codebooks=2).float()
    codes = random_codes(model, 2, 6, 6)
    exact = model.log_prob(codes)
    with torch.autocast("cpu", torch.bfloat16):
        logits, log_prob = model(codes).logits, model.log_prob(codes)
    assert logits.dtype == log_prob.dtype == torch.float32
    assert torch.allclose(log_prob, exact, rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("books", [1, 2])
def test_compiles_without_a_graph_break(books):
    torch._dynamo.reset()
    model = make(num_codebooks=books, num_classes=3, condition_channels=2)
    codes, conditions = random_codes(model, 2, 4, 5), random_conditions(model, 2, 4, 5)
    run = torch.compile(model.log_prob, fullgraph=True, backend="eager")
    assert torch.allclose(run(codes, **conditions), model.log_prob(codes, **conditions))


def test_saved_weights_give_the_same_model():
    model, other = make(num_codebooks=2), make(seed=1, num_codebooks=2)
    codes = random_codes(model, 2, 4, 5)
    assert not torch.equal(other(codes).logits, model(codes).logits)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(codes).logits, model(codes).logits)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"num_codes": 0}, ValueError, "num_codes must be at least 1, got 0"),
        ({"num_codes": None}, TypeError, "num_codes must be an int, got None"),
        ({"num_codebooks": 1.0}, TypeError, "num_codebooks must be an int, got 1.0"),
        ({"width": 0}, ValueError, "width must be at least 1, got 0"),
        ({"num_layers": 0}, ValueError, "num_layers must be at least 1, got 0"),
        ({"kernel_size": 4}, ValueError, "kernel_size must be odd, got 4"),
        ({"kernel_size": -1}, ValueError, "kernel_size must be at least 1, got -1"),
        ({"num_classes": 0}, ValueError, "num_classes must be at least 1, got 0"),
        ({"condition_channels": True}, TypeError, "condition_channels must be an int, got True"),
        ({"dropout": 1.0}, ValueError, r"dropout must be in \[0, 1\), got 1.0"),
        ({"dropout": float("nan")}, ValueError, "dropout must be in"),
        ({"position_channels": 0}, ValueError, "position_channels must be at least 1, got 0"),
        ({"position_channels": 6}, ValueError, "position_channels must be a multiple of 4, got 6"),
        ({"attention_every": 0}, ValueError, "attention_every must be at least 1, got 0"),
        ({"width": 24, "attention_every": 1}, ValueError, "width must be a multiple of 16"),
    ],
)
def test_bad_settings(settings, error, message):
    with pytest.raises(error, match=message):
        PixelCNNConfig(**settings)


ZEROS = torch.zeros(2, 3, 4, dtype=torch.int64)


@pytest.mark.parametrize("method", ["forward", "logits", "log_prob"])
@pytest.mark.parametrize(
    ("books", "codes", "error", "message"),
    [
        (1, ZEROS.float(), TypeError, "codes must be integers, got torch.float32"),
        (1, ZEROS + 5, ValueError, r"codes must lie in \[0, 5\), got values from 5 to 5"),
        (1, ZEROS - 1, ValueError, "got values from -1 to -1"),
        (1, ZEROS[0], ValueError, r"codes must have the shape \(B, H, W\).*got \(3, 4\)"),
        (1, ZEROS[0, 0, 0], ValueError, "at least one dimension"),
        (1, ZEROS[:, None], ValueError, r"got \(2, 1, 3, 4\)"),
        (1, ZEROS[:, :0], ValueError, r"not be empty, got \(2, 0, 4\)"),
        (3, ZEROS, ValueError, r"\(B, 3, H, W\).*got \(2, 3, 4\)"),
        (2, ZEROS[:, None], ValueError, r"\(B, 2, \*spatial\).*got \(2, 1, 3, 4\)"),
    ],
)
def test_bad_codes(method, books, codes, error, message):
    with pytest.raises(error, match=message):
        getattr(make(num_codebooks=books), method)(codes)


LABEL, MAP = torch.tensor([0, 2]), torch.zeros(2, 2, 3, 4, dtype=torch.float64)


@pytest.mark.parametrize(
    ("label", "condition", "error", "message"),
    [
        (None, MAP, ValueError, "label must be given"),
        (LABEL, None, ValueError, "condition must be given"),
        (LABEL.float(), MAP, TypeError, "label must be integers, got torch.float32"),
        (LABEL[:1], MAP, ValueError, r"label must have the shape \(2,\), got \(1,\)"),
        (LABEL + 1, MAP, ValueError, r"label must lie in \[0, 3\), got values from 1 to 3"),
        (LABEL, MAP.long(), TypeError, "condition must be floating point, got torch.int64"),
        (LABEL, MAP.mT, ValueError, r"condition must have the shape \(2, 2, 3, 4\), got"),
    ],
)
def test_bad_conditions(label, condition, error, message):
    with pytest.raises(error, match=message):
        make(num_classes=3, condition_channels=2)(ZEROS, label, condition)


@pytest.mark.parametrize("conditions", [{"label": LABEL}, {"condition": MAP}])
def test_a_model_without_conditions_takes_none(conditions):
    with pytest.raises(ValueError, match=f"{next(iter(conditions))} must be None"):
        make()(ZEROS, **conditions)
