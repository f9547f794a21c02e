"""How many codebooks: by count or by bandwidth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_codec_bpe.codecs.selection import select_codebooks
from hf_codec_bpe.errors import CodecError

ENCODEC = [1024] * 32


@pytest.mark.parametrize(
    ("bandwidth", "num_codebooks"),
    [
        (1.5, 2),
        (1500, 2),
        (3.0, 4),
        (6, 8),
        (12.0, 16),
        (24, 32),
        (24_000, 32),
        (0.75, 1),
        (750, 1),
    ],
)
def test_codec_bpes_bandwidths_of_encodec(bandwidth: float, num_codebooks: int) -> None:
    assert len(select_codebooks(ENCODEC, 75, bandwidth=bandwidth)) == num_codebooks


def test_rounded_figures_of_dac() -> None:
    assert len(select_codebooks([1024] * 9, 44_100 / 512, bandwidth=7.8)) == 9


@given(st.lists(st.sampled_from([8, 256, 1024, 65_536]), min_size=1, max_size=12), st.data())
def test_count_and_bandwidth_agree(sizes: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(sizes)))
    bits = sum(size.bit_length() - 1 for size in sizes[:count])
    assert select_codebooks(sizes, 50, bandwidth=50 * bits) == tuple(sizes[:count])
    assert select_codebooks(sizes, 50, num_codebooks=count) == tuple(sizes[:count])


def test_all_by_default() -> None:
    assert select_codebooks(ENCODEC, 75) == tuple(ENCODEC)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_codebooks": 33}, "this model has 32 codebooks, choose 1 to 32"),
        ({"num_codebooks": 0}, "choose 1 to 32"),
        ({"bandwidth": 2.0}, "choose among 0.75, 1.5, 2.25"),
        ({"bandwidth": 48}, "is that of no number"),
        ({"bandwidth": float("nan")}, "bandwidth=nan is that of no number"),
        ({"bandwidth": float("inf")}, "bandwidth=inf is that of no number"),
        ({"bandwidth": "3"}, "bandwidth='3' is no bandwidth"),
        ({"bandwidth": 3.0, "num_codebooks": 4}, "not both"),
    ],
)
def test_refusals(options: dict[str, float], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        select_codebooks(ENCODEC, 75, **options)  # type: ignore[arg-type]
