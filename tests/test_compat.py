"""codec-bpe's two functions, against codec-bpe itself."""

from __future__ import annotations

import logging

import codec_bpe
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hf_codec_bpe import chars_to_codes, codes_to_chars
from hf_codec_bpe.compat import UNICODE_OFFSET, UNICODE_OFFSET_LARGE
from hf_codec_bpe.errors import AlphabetError, CodesError

logging.getLogger("codec_bpe.core.converter").disabled = True

OFFSETS = st.sampled_from([UNICODE_OFFSET, UNICODE_OFFSET_LARGE, 0xF0000, 0xFDC8])


def test_offsets_are_codec_bpes() -> None:
    assert codec_bpe.UNICODE_OFFSET == UNICODE_OFFSET
    assert codec_bpe.UNICODE_OFFSET_LARGE == UNICODE_OFFSET_LARGE


@given(st.integers(1, 8), st.integers(1, 1024), st.integers(0, 30), OFFSETS, st.integers(0, 2**32))
def test_codes_to_chars(num_codebooks: int, size: int, frames: int, offset: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, size, (num_codebooks, frames))
    expected = codec_bpe.codes_to_chars(codes, size, unicode_offset=offset)
    assert codes_to_chars(codes, size, unicode_offset=offset) == expected
    assert codes_to_chars(codes.tolist(), size, unicode_offset=offset) == expected
    assert codes_to_chars(torch.from_numpy(codes), size, unicode_offset=offset) == expected


@given(st.integers(1, 5), st.integers(1, 6), st.lists(st.integers(-3, 29), min_size=1), OFFSETS)
def test_chars_to_codes_on_broken_strings(
    num_codebooks: int, size: int, positions: list[int], offset: int
) -> None:
    # Characters behind the alphabet are left out: codec-bpe makes codes of them that are no codes.
    text = "".join(chr(offset + i) for i in positions if i < num_codebooks * size)
    if not text:
        return
    expected = codec_bpe.chars_to_codes(
        text, num_codebooks, size, return_hanging_codes_chars=True, unicode_offset=offset
    )
    found = chars_to_codes(
        text, num_codebooks, size, return_hanging_codes_chars=True, unicode_offset=offset
    )
    assert found == expected


@pytest.mark.parametrize(
    ("kind", "type_"), [(None, list), ("np", np.ndarray), ("pt", torch.Tensor)]
)
def test_return_tensors(kind: str | None, type_: type) -> None:
    text = codes_to_chars([[1, 2], [3, 0]], 4)
    codes = chars_to_codes(text, 2, 4, return_tensors=kind)
    assert type(codes) is type_
    assert np.asarray(codes).tolist() == [[1, 2], [3, 0]]


def test_what_codec_bpe_gets_wrong_is_right_or_refused() -> None:
    assert chars_to_codes("", 2, 4) == [[], []]
    narrow = np.array([[255]], dtype=np.uint8)
    assert codes_to_chars(narrow, 256, copy_before_conversion=False) == chr(UNICODE_OFFSET + 255)
    assert narrow.tolist() == [[255]]
    with pytest.raises(AlphabetError, match="outside its codebook"):
        codes_to_chars([[4], [0]], 4)
    assert chars_to_codes("😀" + codes_to_chars([[1]], 4), 1, 4) == [[1]]


def test_refusals() -> None:
    with pytest.raises(AlphabetError, match="surrogates"):
        codes_to_chars(np.zeros((35, 1), dtype=int), 1024)
    with pytest.raises(ValueError, match="surrogate"):
        codec_bpe.codes_to_chars(np.zeros((35, 1), dtype=int), 1024)
    hanging = codes_to_chars([[1, 2], [3, 0]], 4)[1:]
    with pytest.raises(AlphabetError, match="hang over"):
        chars_to_codes(hanging, 2, 4, drop_hanging_codes=False)
    with pytest.raises(AlphabetError, match="inconsistent"):
        chars_to_codes(hanging + hanging, 2, 4, drop_inconsistent_codes=False)
    with pytest.raises(CodesError, match="return_tensors"):
        chars_to_codes("", 2, 4, return_tensors="tf")
    with pytest.raises(CodesError):
        codes_to_chars([], 4)
