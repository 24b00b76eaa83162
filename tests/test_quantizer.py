"""The quantizer against brute force, hand-derived gradients and the formulas of appendix A.1."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vqvae_lite import VectorQuantizer, nearest_codes, straight_through

SPATIAL = [(), (7,), (3, 5), (2, 3, 4)]


def brute_force(vectors: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    """All distances in float64."""
    difference = vectors.double()[:, None] - codebook.double()[None]
    return difference.square().sum(-1)


def quantizer(*arguments, **options) -> VectorQuantizer:
    """With codes as spread out as the data of these tests."""
    vq = VectorQuantizer(*arguments, **options)
    with torch.no_grad():
        vq.codebook.normal_(generator=torch.Generator().manual_seed(1))
    return vq


def latents(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60)
@given(
    n=st.integers(1, 200),
    k=st.integers(1, 70),
    d=st.integers(1, 40),
    offset=st.sampled_from([0.0, 5.0, 1000.0]),
    seed=st.integers(0, 2**31),
)
def test_nearest_codes_are_the_nearest(n, k, d, offset, seed):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(n, d, generator=generator) + offset
    codebook = torch.randn(k, d, generator=generator) + offset
    distances = brute_force(vectors, codebook)
    codes = nearest_codes(vectors, codebook)
    chosen = distances.gather(1, codes[:, None])[:, 0]
    # Where two codes are equally near to seven digits either may be chosen.
    assert torch.all(chosen <= distances.min(1).values + 1e-5 * (d + chosen))


def test_a_tie_goes_to_the_lowest_index():
    codebook = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    assert nearest_codes(torch.tensor([[0.9, 0.0]]), codebook).item() == 0


@pytest.mark.parametrize("places", [(0, 1), (3, 70), (100, 2500), (2047, 2048, 4999)])
def test_a_tie_goes_to_the_lowest_index_of_all_groups_and_tiles(places):
    codebook = latents(5000, 4)
    codebook[list(places)] = torch.tensor([9.0, -9.0, 9.0, 9.0])
    vectors = codebook[places[0]] + 0.01 * latents(5, 4, seed=1)
    assert nearest_codes(vectors, codebook).tolist() == [places[0]] * 5


@pytest.mark.parametrize(("n", "k"), [(3000, 700), (2049, 65), (4500, 2049), (1, 4100), (0, 3)])
def test_tiles_change_nothing(n, k):
    vectors, codebook = latents(n, 8), latents(k, 8, seed=1)
    assert torch.equal(nearest_codes(vectors, codebook), brute_force(vectors, codebook).argmin(1))


@pytest.mark.parametrize(
    ("vectors", "codebook", "error", "message"),
    [
        ([[0.0]], torch.ones(2, 1), TypeError, "vectors must be a tensor, got list"),
        (torch.ones(2, 1), None, TypeError, "codebook must be a tensor, got NoneType"),
        (torch.ones(2, 1).int(), torch.ones(2, 1), TypeError, "vectors must be floating point"),
        (torch.ones(2, 1), torch.ones(2, 1).int(), TypeError, "codebook must be floating point"),
        (torch.ones(2, 1), torch.ones(2, 1).double(), TypeError, "the dtype of the codebook"),
        (torch.ones(2, 4), torch.ones(2, 6), ValueError, r"shape \(N, 6\) .* got \(2, 4\)"),
        (torch.ones(6), torch.ones(2, 6), ValueError, r"vectors must have .* got \(6,\)"),
        (torch.ones(2, 6), torch.ones(0, 6), ValueError, r"neither of them 0, got \(0, 6\)"),
        (torch.ones(2, 6), torch.ones(6), ValueError, r"codebook must have .* got \(6,\)"),
    ],
)
def test_vectors_and_codebook_must_fit(vectors, codebook, error, message):
    with pytest.raises(error, match=message):
        nearest_codes(vectors, codebook)


@settings(max_examples=60)
@given(
    spatial=st.sampled_from(SPATIAL),
    k=st.integers(1, 20),
    d=st.integers(1, 9),
    books=st.integers(1, 3),
    batch=st.integers(1, 3),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]),
    last=st.booleans(),
    decay=st.sampled_from([None, 0.9]),
    training=st.booleans(),
)
def test_shapes_dtypes_and_layouts(spatial, k, d, books, batch, dtype, last, decay, training):
    vq = quantizer(k, d, num_codebooks=books, decay=decay).train(training)
    before = vq.codebook.detach().clone().view(books, k, d)
    z_e = latents(batch, books * d, *spatial).to(dtype)
    if last and len(spatial) == 2:
        z_e = z_e.contiguous(memory_format=torch.channels_last)
    out = vq(z_e)
    assert out.quantized.shape == z_e.shape
    assert out.quantized.dtype == z_e.dtype
    grid = (batch, *spatial) if books == 1 else (batch, books, *spatial)
    assert out.codes.shape == grid
    assert out.codes.dtype == torch.int64
    codes = out.codes.view(batch, books, -1)
    for book in range(books):
        rows = z_e[:, book * d : (book + 1) * d].reshape(batch, d, -1).movedim(1, -1)
        distances = brute_force(rows.reshape(-1, d).float(), before[book])
        chosen = distances.gather(1, codes[:, book].reshape(-1, 1))[:, 0]
        assert torch.all(chosen <= distances.min(1).values + 1e-4)
        expected = before[book][codes[:, book]].movedim(-1, 1).to(dtype)
        given_rows = out.quantized[:, book * d : (book + 1) * d].reshape(batch, d, -1)
        assert torch.equal(given_rows, expected)


def test_straight_through_is_exact_in_value_and_gradient():
    # Beside a z_e so large, z_e + (z_q - z_e) has lost most digits of z_q.
    z_e = (latents(4, 3) * 1e4).requires_grad_()
    z_q = latents(4, 3, seed=1).requires_grad_()
    out = straight_through(z_e, z_q)
    assert torch.equal(out, z_q)
    weight = latents(4, 3, seed=2)
    (out * weight).sum().backward()
    assert torch.equal(z_e.grad, weight)
    assert z_q.grad is None


@pytest.mark.parametrize(
    ("z_e", "z_q", "error", "message"),
    [
        ([1.0], torch.ones(1), TypeError, "z_e must be a tensor, got list"),
        (torch.ones(1), None, TypeError, "z_q must be a tensor, got NoneType"),
        (torch.ones(2, 1), torch.ones(1, 2), ValueError, r"shape of z_e, \(2, 1\), got \(1, 2\)"),
        (torch.ones(1), torch.ones(1).double(), TypeError, "dtype of z_e, torch.float32, got"),
    ],
)
def test_straight_through_takes_two_that_are_alike(z_e, z_q, error, message):
    with pytest.raises(error, match=message):
        straight_through(z_e, z_q)


def test_gradients_of_the_losses_by_hand():
    vq = quantizer(5, 3, decay=None, commitment=0.25).double()
    z_e = latents(2, 3, 4).double().requires_grad_()
    out = vq(z_e)
    rows = z_e.detach().movedim(1, -1).reshape(-1, 3)
    codes = out.codes.flatten()
    difference = rows - vq.codebook.detach()[codes]
    count = difference.numel()
    assert out.commitment_loss.item() == pytest.approx((difference**2).mean().item())
    assert out.codebook_loss.item() == pytest.approx((difference**2).mean().item())
    assert out.loss.item() == pytest.approx(1.25 * (difference**2).mean().item())
    out.loss.backward()
    # beta d/dz mean (z - e)^2, and d/de the same without beta, summed over a code's vectors.
    by_hand = (0.25 * 2 * difference / count).view(2, 4, 3).movedim(-1, 1)
    assert torch.allclose(z_e.grad, by_hand)
    sums = torch.zeros(5, 3, dtype=torch.float64).index_add_(0, codes, -2 * difference / count)
    assert torch.allclose(vq.codebook.grad, sums)


def test_the_reconstruction_moves_the_encoder_and_not_the_codebook():
    vq = quantizer(5, 3, decay=None)
    z_e = latents(2, 3, 4).requires_grad_()
    weight = latents(2, 3, 4, seed=3)
    (vq(z_e).quantized * weight).sum().backward()
    assert torch.equal(z_e.grad, weight)
    assert vq.codebook.grad is None


@pytest.mark.parametrize("books", [1, 3])
def test_ema_follows_the_formula_over_several_steps(books):
    decay, k, d = 0.9, 6, 4
    vq = quantizer(k, d, decay=decay, num_codebooks=books)
    e = vq.codebook.detach().double().view(books, k, d).clone()
    count = torch.zeros(books, k, dtype=torch.float64)
    total = torch.zeros(books, k, d, dtype=torch.float64)
    for step in range(8):
        z_e = latents(3, books * d, 5, seed=step) + step  # the data move, so the codes must
        vq(z_e)
        for book in range(books):
            rows = z_e[:, book * d : (book + 1) * d].movedim(1, -1).reshape(-1, d).double()
            codes = brute_force(rows, e[book]).argmin(1)
            n = torch.bincount(codes, minlength=k).double()
            sums = torch.zeros(k, d, dtype=torch.float64).index_add_(0, codes, rows)
            count[book] = decay * count[book] + (1 - decay) * n
            total[book] = decay * total[book] + (1 - decay) * sums
            used = count[book] > 0
            e[book][used] = total[book][used] / count[book][used, None]
        assert torch.allclose(vq.codebook.double().view(books, k, d), e, atol=1e-5)
        assert torch.allclose(vq.count.double().view(books, k), count, atol=1e-5)


def test_an_unused_code_stays_where_it_is_for_ever():
    vq = VectorQuantizer(2, 2, decay=0.5)
    vq.codebook.copy_(torch.tensor([[0.0, 0.0], [50.0, 50.0]]))
    for step in range(400):  # long enough for 0.5 ** step to leave float32
        vq(latents(8, 2, seed=step))
    assert torch.equal(vq.codebook[1], torch.tensor([50.0, 50.0]))
    assert torch.isfinite(vq.codebook).all()


def test_ema_has_no_codebook_loss_and_no_codebook_gradient():
    vq = quantizer(5, 3, decay=0.99)
    out = vq(latents(2, 3, 4).requires_grad_())
    assert out.codebook_loss.item() == 0
    assert out.loss.item() == pytest.approx(0.25 * out.commitment_loss.item())
    assert not list(vq.parameters())


@pytest.mark.parametrize("decay", [None, 0.99])
@pytest.mark.parametrize("restart_below", [None, 0.1])
def test_eval_mode_changes_nothing(decay, restart_below):
    vq = quantizer(16, 3, decay=decay, restart_below=restart_below).eval()
    before = copy.deepcopy(vq.state_dict())
    vq(latents(4, 3, 6))
    for name, value in vq.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("decay", [None, 0.9])
def test_eval_is_what_freezes_a_codebook_in_a_model_that_trains(decay):
    vq = quantizer(16, 2, decay=decay, restart_below=0.1)
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), vq)
    model.train().requires_grad_(False)
    before = copy.deepcopy(vq.state_dict())
    model(latents(8, 2))
    assert not torch.equal(vq.count, before["count"]), "requires_grad_ is no switch of it"
    before = copy.deepcopy(vq.state_dict())
    model.train()
    vq.eval()
    model.requires_grad_(True)
    model(latents(8, 2, seed=1)).loss.backward()
    for name, value in vq.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert model[0].weight.grad.abs().sum() > 0


def test_encode_changes_nothing_in_training_mode():
    vq = quantizer(16, 3, restart_below=0.1)
    before = copy.deepcopy(vq.state_dict())
    codes = vq.encode(latents(4, 3, 6))
    for name, value in vq.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert torch.equal(codes, vq.eval()(latents(4, 3, 6)).codes)


@pytest.mark.parametrize("decay", [None, 0.99])
def test_the_first_batch_initialises_the_codebook(decay):
    vq = VectorQuantizer(8, 3, decay=decay, restart_below=0.0)
    z_e = latents(4, 3, 6) + 100
    out = vq(z_e)
    rows = z_e.movedim(1, -1).reshape(-1, 3)
    quantized = out.quantized.movedim(1, -1).reshape(-1, 3)
    matches = (quantized[:, None] == rows[None]).all(-1)
    assert matches.any(1).all(), "every code was a vector of the batch"
    assert len(out.codes.unique()) == 8, "and all of them different"


def test_a_small_batch_initialises_what_it_can():
    vq = VectorQuantizer(10, 2, restart_below=0.0)
    vq(latents(3, 2) + 100)
    assert (vq.codebook.norm(dim=1) > 50).sum() == 3
    vq(latents(3, 2, seed=1) + 100)
    assert (vq.codebook.norm(dim=1) > 50).sum() == 6


@pytest.mark.parametrize("decay", [None, 0.9])
def test_a_dead_code_is_restarted_with_its_state(decay):
    vq = quantizer(4, 2, decay=decay, restart_below=0.1)
    vq(latents(64, 2))
    with torch.no_grad():
        vq.codebook[3] = 1e3
        vq.count[3] = 1e-4
    z_e = latents(64, 2, seed=1)
    out = vq(z_e)
    assert (out.codes == 3).any(), "the restarted code is in use at once"
    assert vq.codebook.norm(dim=1).max() < 10
    assert vq.count[3] > 0.1 * 64 / 4
    # And it stays among the data: with an old sum of vectors it would be thrown far away.
    for step in range(50):
        vq(latents(64, 2, seed=step))
    assert vq.codebook.norm(dim=1).max() < 10


def test_restarts_take_other_rows_each_time():
    vq = VectorQuantizer(4, 2, restart_below=0.0)
    z_e = latents(64, 2)
    first = vq(z_e).quantized.unique(dim=0)
    vq.count.zero_()
    second = vq(z_e).quantized.unique(dim=0)
    assert not torch.equal(first, second)


def test_autocast_computes_in_float32():
    vq = quantizer(64, 16).eval()
    z_e = latents(32, 16, 4)
    exact = vq(z_e)
    with torch.autocast("cpu", torch.bfloat16):
        out = vq(z_e)
    assert torch.equal(out.codes, exact.codes)
    assert out.loss.dtype == torch.float32
    assert torch.equal(out.loss, exact.loss)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"decay": None}, {"restart_below": 0.1, "num_codebooks": 2}],
    ids=["ema", "gradient", "restarts"],
)
def test_compiles_without_a_graph_break(options):
    torch._dynamo.reset()
    eager = quantizer(16, 4, **options)
    compiled = copy.deepcopy(eager)
    # The "eager" backend runs the captured graph as it is: what counts here is the capture.
    run = torch.compile(compiled, fullgraph=True, backend="eager")
    for step in range(2):
        z_e = latents(3, eager.num_codebooks * 4, 8, seed=step)
        z_e[..., :4] = 1.5  # equal vectors, of which only one may become a code
        z_e.requires_grad_()
        again = z_e.detach().clone().requires_grad_()
        a, b = eager(z_e), run(again)
        assert torch.equal(a.codes, b.codes)
        (a.quantized.sum() + a.loss).backward()
        (b.quantized.sum() + b.loss).backward()
        assert torch.allclose(z_e.grad, again.grad)
        assert torch.allclose(eager.codebook, compiled.codebook)
    with pytest.raises(RuntimeError, match="NaN or Inf"):
        run(torch.full_like(z_e, float("nan")))


def test_a_gradient_codebook_remembers_its_use_for_about_a_hundred_passes():
    vq = quantizer(4, 2, decay=None)
    for step in range(1, 4):
        vq(latents(64, 2, seed=step))
        assert vq.count.sum().item() == pytest.approx(64 * (1 - 0.99**step), rel=1e-5)


def test_lookup_is_the_inverse_of_quantizing():
    for books in (1, 3):
        vq = quantizer(7, 4, num_codebooks=books).eval()
        out = vq(latents(2, 4 * books, 3, 5))
        assert torch.equal(vq.lookup(out.codes), out.quantized)
        for dtype in (torch.int16, torch.uint8, torch.uint64):
            assert torch.equal(vq.lookup(out.codes.to(dtype)), out.quantized)


def test_saved_state_gives_the_same_training():
    vq = quantizer(8, 3, restart_below=0.1)
    vq(latents(16, 3))
    other = VectorQuantizer(8, 3, restart_below=0.1)
    other.load_state_dict(vq.state_dict())
    for step in range(1, 4):
        a, b = vq(latents(16, 3, seed=step)), other(latents(16, 3, seed=step))
        assert torch.equal(a.codes, b.codes)
        assert torch.equal(vq.codebook, other.codebook)


def test_the_generator_decides_the_first_codebook():
    def first(seed):
        return VectorQuantizer(4, 2, generator=torch.Generator().manual_seed(seed)).codebook

    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))
    assert -1 / 4 <= first(0).min() < 0 < first(0).max() <= 1 / 4


def half(vq):
    return vq.half()


def bfloat16(vq):
    return vq.bfloat16()


def inside_a_model(vq):
    return torch.nn.Sequential(torch.nn.Linear(2, 2), vq).to(torch.bfloat16)[1]


def twice(vq):
    return vq.double().half()


def assigned(vq):
    state = {name: value.to(torch.bfloat16) for name, value in vq.state_dict().items()}
    state["passes"] = vq.passes
    vq.load_state_dict(state, assign=True)
    return vq


def by_default(vq):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        return VectorQuantizer(
            4, 2, decay=vq.decay, restart_below=vq.restart_below, num_codebooks=vq.num_codebooks
        )
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("cast", [half, bfloat16, inside_a_model, twice, assigned, by_default])
@pytest.mark.parametrize("decay", [None, 0.9])
@pytest.mark.parametrize("books", [1, 2])
def test_no_cast_takes_precision_from_the_codebook(cast, decay, books):
    """Counted in bfloat16 the use of a code stops at 256, and its code runs away from the data."""
    plain = VectorQuantizer(4, 2, decay=decay, restart_below=0.0, num_codebooks=books)
    vq = cast(copy.deepcopy(plain))
    if cast not in (assigned, by_default):
        assert torch.equal(vq.codebook, plain.codebook), "not even rounded"
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    z_e = (corners.repeat(1024, books) + 0.1 * latents(4096, 2 * books)).bfloat16()
    for _ in range(60):
        out = vq(z_e)
    assert out.quantized.dtype == torch.bfloat16
    assert out.loss.dtype == vq.codebook.dtype == vq.count.dtype == torch.float32
    assert torch.allclose(vq.count, torch.tensor(1024.0), rtol=0.01)
    if decay is not None:
        assert torch.allclose(vq.codebook.abs(), torch.tensor(1.0), atol=0.02)
    assert out.commitment_loss < 0.1
    assert isinstance(vq.codebook, torch.nn.Parameter) == (decay is None)


def test_casts_move_and_widen_as_always():
    vq = quantizer(4, 2, decay=None)
    vq(latents(8, 2)).loss.backward()
    gradient = vq.codebook.grad.clone()
    vq.bfloat16()
    assert torch.equal(vq.codebook.grad, gradient)
    assert vq.passes.dtype == torch.int64
    vq.double()
    assert vq.codebook.dtype == vq.count.dtype == vq.codebook.grad.dtype == torch.float64
    assert vq(latents(8, 2)).loss.dtype == torch.float64
    assert vq.float().codebook.dtype == vq.codebook.grad.dtype == torch.float32
    same = vq.codebook
    assert vq.to(memory_format=torch.channels_last).codebook is same
    moved = vq.to("meta", torch.float16)
    assert moved.codebook.device.type == moved.count.device.type == "meta"
    assert moved.codebook.dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_codes": 0}, ValueError, "num_codes must be at least 1, got 0"),
        ({"code_dim": 0}, ValueError, "code_dim must be at least 1, got 0"),
        ({"num_codebooks": -1}, ValueError, "num_codebooks must be at least 1, got -1"),
        ({"num_codes": 2.5}, TypeError, "num_codes must be an int, got 2.5"),
        ({"num_codes": True}, TypeError, "num_codes must be an int, got True"),
        ({"commitment": -1}, ValueError, "commitment must be finite and at least 0, got -1"),
        ({"commitment": float("nan")}, ValueError, "commitment must be finite"),
        ({"decay": 1.0}, ValueError, r"decay must be None or in \[0, 1\), got 1.0"),
        ({"decay": -0.1}, ValueError, "decay must be None"),
        ({"restart_below": 1}, ValueError, "restart_below must be None"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        VectorQuantizer(**options)


@pytest.mark.parametrize(
    ("z_e", "error", "message"),
    [
        ([[0.0] * 8], TypeError, "z_e must be a tensor, got list"),
        (None, TypeError, "z_e must be a tensor, got NoneType"),
        (torch.zeros(2, 8, dtype=torch.int64), TypeError, "floating point, got torch.int64"),
        (torch.zeros(2, 7), ValueError, r"\(B, 8, \*spatial\).*got \(2, 7\)"),
        (torch.zeros(8), ValueError, r"got \(8,\)"),
        (torch.zeros(0, 8), ValueError, "must not be empty"),
        (torch.full((2, 8, 3), float("nan")), ValueError, "NaN or Inf .48 of 48"),
        (torch.tensor([[float("inf")] * 8]), ValueError, "NaN or Inf"),
        (torch.tensor([[-float("inf")] + [0.0] * 7]), ValueError, "NaN or Inf .1 of 8"),
    ],
)
@pytest.mark.parametrize("decay", [None, 0.9])
def test_bad_input_changes_nothing(z_e, error, message, decay):
    vq = VectorQuantizer(4, 4, num_codebooks=2, decay=decay, restart_below=0.1)
    vq(latents(4, 8))
    before = copy.deepcopy(vq.state_dict())
    with pytest.raises(error, match=message):
        vq(z_e)
    for name, value in vq.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("restart_below", [None, 0.1])
def test_bad_numbers_are_found_in_every_place(restart_below):
    vq = quantizer(70, 2, num_codebooks=2, restart_below=restart_below)
    z_e = latents(3, 4, 2)
    for place in range(z_e.numel()):
        bad = z_e.clone()
        bad.view(-1)[place] = [float("nan"), float("inf"), -float("inf")][place % 3]
        with pytest.raises(ValueError, match=r"NaN or Inf \(1 of 24 values\)"):
            vq(bad)
        with pytest.raises(ValueError, match=r"NaN or Inf \(1 of 24 values\)"):
            vq.encode(bad)


def test_numbers_whose_squares_are_infinite_are_numbers():
    assert quantizer(4, 2).encode(torch.tensor([[1e38, 3e38]])).shape == (1,)


@pytest.mark.parametrize(
    ("books", "codes", "error", "message"),
    [
        (1, torch.tensor([0, 4]), ValueError, r"\[0, 4\), got values from 0 to 4"),
        (1, [0], TypeError, "codes must be a tensor, got list"),
        (1, torch.tensor([4], dtype=torch.uint64), ValueError, "got values from 4 to 4"),
        (1, torch.tensor([-1]), ValueError, "got values from -1 to -1"),
        (1, torch.tensor([0.0]), TypeError, "must be integers, got torch.float32"),
        (1, torch.tensor([True]), TypeError, "must be integers, got torch.bool"),
        (1, torch.tensor(1), ValueError, "at least one dimension"),
        (3, torch.zeros(2, 2, dtype=torch.int64), ValueError, r"\(B, 3, \*spatial\)"),
    ],
)
def test_bad_codes(books, codes, error, message):
    with pytest.raises(error, match=message):
        VectorQuantizer(4, 2, num_codebooks=books).lookup(codes)
