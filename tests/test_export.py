"""Models as graphs for other programs: `torch.export`, ONNX and traces, in batches of any size."""

import io
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from vqvae_lite import VQVAE, ModelConfig
from vqvae_lite.checkpoints import save_checkpoint

README = Path(__file__).resolve().parent.parent / "README.md"
ANY_BATCH = ({0: torch.export.Dim.DYNAMIC},)


class Part(nn.Module):
    """A method as a module."""

    def __init__(self, owner: nn.Module, name: str):
        super().__init__()
        self.owner, self.name = owner, name

    def forward(self, x):
        return getattr(self.owner, self.name)(x)


def parts(num_codebooks: int) -> dict[str, tuple[nn.Module, torch.Tensor]]:
    """Each with a batch of three that it takes."""
    torch.manual_seed(0)
    config = ModelConfig(width=4, num_codes=7, code_dim=3, num_codebooks=num_codebooks)
    model = VQVAE(config).eval().requires_grad_(False)
    x = torch.rand(3, 3, 8, 12) * 2 - 1
    z_e, codes = model.encoder(x), model.encode(x)
    return {
        "model": (model, x),
        "encoder": (model.encoder, x),
        "quantizer": (model.quantizer, z_e),
        "decoder": (model.decoder, z_e),
        "encode": (Part(model, "encode").eval(), x),
        "decode": (Part(model, "decode").eval(), codes),
    }


NAMES = list(parts(1))


def as_tuple(output) -> tuple:
    return tuple(output) if isinstance(output, (tuple, list)) else (output,)


def assert_same(ours, theirs) -> None:
    for a, b in zip(as_tuple(ours), as_tuple(theirs), strict=True):
        assert torch.allclose(a, b, atol=1e-5)
        assert a.dtype == b.dtype


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("num_codebooks", [1, 2])
def test_an_exported_graph_takes_any_batch(name, num_codebooks):
    part, x = parts(num_codebooks)[name]
    graph = torch.export.export(part, (x,), dynamic_shapes=ANY_BATCH).module()
    for batch in (x, x[:2], x.repeat(5, *[1] * (x.ndim - 1))):
        assert_same(graph(batch), part(batch))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("num_codebooks", [1, 2])
def test_onnx_runs_give_the_same(name, num_codebooks):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    part, x = parts(num_codebooks)[name]
    written = io.BytesIO()
    program = torch.onnx.export(part, (x,), dynamo=True, dynamic_shapes=ANY_BATCH, verbose=False)
    program.save(written)
    session = runtime.InferenceSession(written.getvalue())
    for batch in (x, x[:2], x.repeat(5, *[1] * (x.ndim - 1))):
        given = session.run(None, {session.get_inputs()[0].name: batch.numpy()})
        assert_same(map_tensors(given), part(batch))


def map_tensors(arrays) -> tuple:
    return tuple(torch.as_tensor(array) for array in arrays)


@pytest.mark.filterwarnings(
    "ignore::torch.jit.TracerWarning", "ignore:.torch.jit:DeprecationWarning"
)
@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.parametrize("name", ["model", "quantizer"])
def test_a_trace_can_be_saved(name):
    part, x = parts(2)[name]
    kept = io.BytesIO()
    torch.jit.save(torch.jit.trace(part, x), kept)
    kept.seek(0)
    trace = torch.jit.load(kept)
    for batch in (x, x[:2], x.repeat(5, 1, 1, 1)):
        assert_same(trace(batch), part(batch))


@pytest.mark.slow
def test_the_lines_of_the_readme(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    model = VQVAE(ModelConfig(width=4, num_codes=7, code_dim=3)).eval()
    save_checkpoint(tmp_path / "runs" / "maze", model, step=1)
    monkeypatch.chdir(tmp_path)
    section = README.read_text(encoding="utf-8").partition("### Export\n")[2]
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], {})
    x = torch.rand(5, 3, 84, 84) * 2 - 1
    for name, batch in [("encode", x), ("decode", model.encode(x))]:
        wanted = getattr(model, name)(batch)
        assert_same(torch.export.load(f"{name}.pt2").module()(batch), wanted)
        session = runtime.InferenceSession(f"{name}.onnx")
        assert_same(
            map_tensors(session.run(None, {session.get_inputs()[0].name: batch.numpy()})), wanted
        )
