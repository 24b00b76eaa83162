"""Codes packed into bits."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vqvae_lite.data import packed
from vqvae_lite.data.packed import pack_codes, unpack_codes


@settings(max_examples=50)
@given(
    st.data(),
    st.one_of(st.integers(1, 5000), st.integers(0, 62).map(lambda bits: 2**bits)),
    st.integers(0, 50),
)
def test_packing_is_lossless_and_tight(data, num_codes, count):
    codes = torch.tensor(
        data.draw(st.lists(st.integers(0, num_codes - 1), min_size=count, max_size=count)),
        dtype=torch.int64,
    )
    found = pack_codes(codes, num_codes)
    bits = max(1, math.ceil(math.log2(num_codes)))
    assert len(found) == math.ceil(count * bits / 8)
    assert torch.equal(unpack_codes(found, count, num_codes), codes)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 25])
def test_pieces_packed_one_after_another_are_as_in_one_go(count, monkeypatch):
    codes = torch.arange(count) * 11 % 20
    whole = pack_codes(codes, 20)
    digits = "".join(f"{code:05b}" for code in codes.tolist())
    assert "".join(f"{byte:08b}" for byte in whole).rstrip("0") == digits.rstrip("0")
    monkeypatch.setattr(packed, "_CHUNK", 8)
    assert pack_codes(codes, 20).tolist() == whole.tolist()
    assert torch.equal(unpack_codes(whole, count, 20), codes)


def test_codes_out_of_range_are_neither_packed_nor_unpacked():
    with pytest.raises(ValueError, match=r"\[0, 4\)"):
        pack_codes(torch.tensor([4]), 4)
    with pytest.raises(ValueError, match=r"codes must lie in \[0, 3\), got values from 3 to 3"):
        unpack_codes(pack_codes(torch.tensor([3]), 4), 1, 3)
    with pytest.raises(ValueError, match="2 codes of 2 bits need 1 bytes, got 2"):
        unpack_codes(torch.zeros(2, dtype=torch.uint8).numpy(), 2, 4)
