"""Checkpoints: what was stored comes back, whatever precision it was stored in."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vqvae_lite.checkpoints import save_checkpoint
from vqvae_lite.model import VQVAE, ModelConfig
from vqvae_lite.models import load_checkpoint

SHARED = Path(__file__).resolve().parents[1] / "checkpoints"
SMALL = ModelConfig(width=8, code_dim=4, num_codes=16)


def restore(folder: Path, file: str, change) -> None:
    """Stores the tensors of a file anew, each as `change` makes it."""
    tensors = load_file(folder / file)
    save_file({name: change(name, value) for name, value in tensors.items()}, folder / file)


@pytest.mark.parametrize(
    "path", sorted(file.parent for file in SHARED.rglob("config.json")), ids=lambda path: path.name
)
def test_every_shared_checkpoint_loads(path):
    checkpoint = load_checkpoint(path)
    assert checkpoint.model.kind == checkpoint.config["kind"]
    assert not checkpoint.model.training
    for name, value in checkpoint.model.state_dict().items():
        assert value.dtype == (torch.float32 if value.is_floating_point() else torch.int64), name


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_on_the_disk_is_float32_in_memory(tmp_path, half):
    model = VQVAE(SMALL, torch.Generator().manual_seed(0))
    model.quantizer.passes += 70_001  # more than either half precision holds
    optimizer = {f"{name}/exp_avg": value for name, value in model.named_parameters()}
    save_checkpoint(tmp_path / "m", model, step=1, optimizer=optimizer)
    for file in ("model.safetensors", "optimizer.safetensors"):
        restore(tmp_path / "m", file, lambda _, value: value.to(half) if value.ndim else value)
    loaded = load_checkpoint(tmp_path / "m")
    assert loaded.model.quantizer.passes == 70_001
    for name, value in model.state_dict().items():
        again = loaded.model.state_dict()[name]
        assert again.dtype == value.dtype, name
        assert torch.equal(again, value.to(half).to(value.dtype) if value.ndim else value), name
    for name, value in loaded.optimizer.items():
        assert value.dtype == torch.float32, name
        assert torch.equal(value, optimizer[name].to(half).float()), name
