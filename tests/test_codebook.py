"""Restarts of codes: from different vectors, in a known order, the same on all processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vqvae_lite import VectorQuantizer
from vqvae_lite.codebook import restart_codes, row_keys


def latents(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def half_constant(*shape: int, seed: int = 0) -> torch.Tensor:
    """Maps whose left half is the same vector everywhere, as pictures with a black border give."""
    z_e = latents(*shape, seed=seed)
    z_e[..., : shape[-1] // 2] = 1.5
    return z_e


def distinct(rows: torch.Tensor) -> int:
    return len(rows.detach().unique(dim=0))


@pytest.mark.parametrize("decay", [None, 0.99])
@pytest.mark.parametrize("books", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_vector_initialises_two_codes(decay, books, dtype):
    vq = VectorQuantizer(64, 4, decay=decay, restart_below=0.0, num_codebooks=books).to(dtype)
    out = vq(half_constant(4, 4 * books, 6, 8).to(dtype))
    for codes in out.codes.movedim(1, 0) if books > 1 else [out.codes]:
        assert len(codes.unique()) == 64, "the first batch puts every code to use"


def test_rows_are_taken_in_the_order_of_their_places():
    """All different: steps of the golden section. Some alike: only the first of each."""
    rows = latents(13, 3)
    codebook, count = torch.zeros(5, 3), torch.tensor([0.0, 9.0, 0.0, 0.0, 9.0])
    codebook[[1, 4]] = torch.tensor([[1.0], [2.0]])  # else copies
    restart_codes(codebook, count, rows, 0.0, torch.tensor(2))
    order = [(place * 8 + 2) % 13 for place in range(13)]
    assert torch.equal(codebook[[0, 2, 3]], rows[order[:3]])
    assert count.tolist() == pytest.approx([2.6, 9, 2.6, 2.6, 9])

    rows[order[1]] = rows[order[0]]
    rows[order[2]] = codebook[4]  # in use already
    rows[order[4], 0], rows[order[3], 0] = 0.0, -0.0
    rows[order[4], 1:] = rows[order[3], 1:]
    count[[0, 2, 3]] = 0
    restart_codes(codebook, count, rows, 0.0, torch.tensor(2))
    assert torch.equal(codebook[[0, 2, 3]], rows[[order[0], order[3], order[5]]])


@pytest.mark.parametrize("count", [1, 2, 10, 12, 64])
def test_every_row_gets_its_turn(count):
    """Also where the step of the golden section has a factor in common with their number."""
    rows, codebook = latents(count, 3), torch.zeros(count, 3)
    restart_codes(codebook, torch.zeros(count), rows, 0.0, torch.tensor(0))
    assert torch.equal(codebook.unique(dim=0), rows.unique(dim=0))


def test_a_copy_of_a_code_is_dead():
    vq = VectorQuantizer(4, 2, restart_below=0.0)
    vq(latents(64, 2))
    vq.codebook[2] = vq.codebook[0]
    kept = vq.codebook[[0, 1, 3]].clone()
    assert (vq.count > 1).all(), "by its count it is in use"
    out = vq(latents(64, 2, seed=1))
    assert (out.codes == 2).any()
    assert torch.allclose(vq.codebook[[0, 1, 3]], kept, atol=0.1), "the others only learn"


def test_copies_stay_where_nothing_is_restarted():
    vq = VectorQuantizer(4, 2, decay=0.9)
    vq.codebook.fill_(9.0)
    vq(latents(8, 2))
    assert torch.equal(vq.codebook[1:], torch.full((3, 2), 9.0))


def test_too_few_different_vectors_leave_the_other_codes_waiting():
    vq = VectorQuantizer(8, 2, restart_below=0.0)
    z_e = torch.tensor([[5.0, 5.0], [7.0, 7.0]]).repeat(10, 1)
    for _ in range(3):
        before = vq.codebook.clone()
        vq(z_e)
    assert distinct(vq.codebook) == 8
    assert (vq.codebook.norm(dim=1) > 1).sum() == 2
    assert torch.equal(vq.codebook, before), "nothing left to be put in"
    assert (vq.count > 0).sum() == 2
    vq(latents(16, 2) + 20)
    assert (vq.codebook.norm(dim=1) > 1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("values", [[-1.0, 1.0], [0.0, 1.0, 2.0], [1e-30, 1e30]])
def test_keys_tell_rows_apart(dtype, values):
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(len(values), (30_000, 20), generator=generator)
    rows = torch.tensor(values, dtype=dtype)[drawn]
    assert len(row_keys(rows).unique()) == distinct(rows)
    assert torch.equal(row_keys(rows[5:9]), row_keys(rows)[5:9])


UNEQUAL = """
import sys, torch
sys.path[:0] = [{root!r}, {tests!r}]
import test_codebook as t
from vqvae_lite.distributed import processes
torch.set_num_threads(1)
with processes("cpu") as place:
    for number, options in enumerate(t.UNEQUAL_CASES):
        vq = t.VectorQuantizer(16, 2, generator=t.torch.Generator().manual_seed(0), **options)
        for step in range(4):
            vq(t.joint_batch(step).split([8, 5])[place.rank])
        torch.save(vq.state_dict(), f"{folder}/{{number}}-{{place.rank}}")
"""
UNEQUAL_CASES = [
    {"restart_below": 0.0},
    {"restart_below": 0.5, "decay": 0.5},
    {"restart_below": 0.5, "decay": None},
    {"decay": 0.9},
]


def joint_batch(step: int) -> torch.Tensor:
    """Thirteen vectors, three of which are the same: one among the first eight, two among five."""
    batch = latents(13, 2, seed=step)
    batch[[10, 12]] = batch[3].clone()
    return batch


@pytest.mark.slow
def test_processes_with_batches_of_unequal_size_end_like_one(tmp_path):
    script = tmp_path / "unequal.py"
    tests = Path(__file__).parent
    script.write_text(
        UNEQUAL.format(root=str(tests.parent), tests=str(tests), folder=str(tmp_path))
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    subprocess.run(
        [*command, "--nproc-per-node=2", str(script)],
        check=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for number, options in enumerate(UNEQUAL_CASES):
        vq = VectorQuantizer(16, 2, generator=torch.Generator().manual_seed(0), **options)
        for step in range(4):
            vq(joint_batch(step))
        first, second = (torch.load(tmp_path / f"{number}-{rank}") for rank in (0, 1))
        for name, value in vq.state_dict().items():
            assert torch.equal(first[name], second[name]), (options, name)
            assert torch.allclose(first[name], value, atol=1e-6), (options, name)
