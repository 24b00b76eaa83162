"""`torch.func` over the quantizer and the VQ-VAE in eval mode."""

import pytest
import torch
from torch.func import functional_call, grad, hessian, jacfwd, jvp, stack_module_state, vmap

from vqvae_lite import VQVAE, ModelConfig, VectorQuantizer

OPTIONS = [{}, {"decay": None}, {"num_codebooks": 2}]


def quantizer(options: dict) -> VectorQuantizer:
    return VectorQuantizer(8, 3, generator=torch.Generator().manual_seed(0), **options).eval()


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def model(seed: int = 0) -> VQVAE:
    torch.manual_seed(seed)
    return VQVAE(ModelConfig(width=4, num_codes=8, code_dim=3)).eval()


@pytest.fixture(params=OPTIONS, ids=["ema", "gradient", "two codebooks"])
def case(request):
    vq = quantizer(request.param)
    z_e = drawn(2, 3 * vq.num_codebooks, 4)

    def loss(z_e):
        out = vq(z_e)
        return (out.quantized * torch.arange(4.0)).sum() + out.loss

    leaf = z_e.clone().requires_grad_()
    loss(leaf).backward()
    return vq, z_e, loss, leaf.grad


def test_gradients_of_the_first_and_the_second_order(case):
    vq, z_e, loss, gradient = case
    assert torch.allclose(grad(loss)(z_e), gradient)
    second = hessian(loss)(z_e[:1]).reshape(z_e[0].numel(), -1)
    of_commitment = 2 * vq.commitment / z_e[0].numel()
    assert torch.allclose(second, of_commitment * torch.eye(len(second)))


def test_directions(case):
    _, z_e, loss, gradient = case
    direction = drawn(*z_e.shape, seed=1)
    value, slope = jvp(loss, (z_e,), (direction,))
    assert torch.allclose(value, loss(z_e))
    assert torch.allclose(slope.float(), (gradient * direction).sum(), rtol=1e-4)
    assert torch.allclose(jacfwd(loss)(z_e).float(), gradient)


def test_one_by_one(case):
    vq, z_e, loss, _ = case
    whole = vq(z_e)
    out = vmap(lambda one: vq(one[None]))(z_e)
    assert torch.equal(out.codes[:, 0], whole.codes)
    assert torch.equal(out.quantized[:, 0], whole.quantized)
    assert torch.allclose(out.loss.mean(), whole.loss)
    assert torch.equal(
        vmap(vq.encode, in_dims=2)(z_e[..., None, :].movedim(-1, 2)),
        torch.stack([vq.encode(z_e[..., place, None]) for place in range(4)]),
    )
    alone = torch.stack([grad(loss)(one[None])[0] for one in z_e])
    assert torch.allclose(vmap(grad(lambda one: loss(one[None])))(z_e), alone)


def test_bad_numbers_are_named_inside_too():
    vq = quantizer({})
    with pytest.raises(ValueError, match=r"z_e contains NaN or Inf \(24 of 24 values\)"):
        vmap(vq)(torch.full((2, 1, 3, 4), float("nan")))


def test_a_model():
    vqvae = model()
    x = drawn(3, 3, 8, 8).clamp(-1, 1)
    leaf = x.clone().requires_grad_()
    vqvae(leaf).loss.backward()
    assert torch.allclose(grad(lambda x: vqvae(x).loss)(x), leaf.grad, atol=1e-7)
    slope = jvp(lambda x: vqvae(x).loss, (x,), (x,))[1]
    assert torch.allclose(slope.float(), (leaf.grad * x).sum(), atol=1e-5)

    def of_one(parameters, one):
        return functional_call(vqvae, parameters, one[None]).loss

    parameters = {name: value.detach() for name, value in vqvae.named_parameters()}
    each = vmap(grad(of_one), (None, 0))(parameters, x)
    for name, value in vqvae.named_parameters():
        assert torch.allclose(each[name].mean(0), value.grad, atol=1e-5), name


def test_several_models_at_once():
    models = [model(seed) for seed in range(3)]
    x = drawn(2, 3, 8, 8).clamp(-1, 1)
    state = stack_module_state(models)
    codes = vmap(lambda *state: functional_call(models[0], state, (x,)).codes)(*state)
    assert torch.equal(codes, torch.stack([vqvae(x).codes for vqvae in models]))
