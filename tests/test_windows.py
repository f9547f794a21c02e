"""Cutting clips into windows and grouping those."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hf_codec_bpe.codecs.windows import batches, plan, stacked

LENGTHS = st.lists(st.integers(1, 50), max_size=8)


@given(LENGTHS, st.none() | st.integers(1, 20), st.integers(0, 20))
def test_windows_cover_every_clip_once_and_in_order(
    lengths: list[int], chunk: int | None, context: int
) -> None:
    windows = plan(lengths, chunk, context)
    for clip, length in enumerate(lengths):
        own = [window for window in windows if window.clip == clip]
        assert own[0].start == 0
        assert own[-1].stop == length
        assert all(a.stop == b.start for a, b in pairwise(own))
        assert all(window.length == context + window.stop - window.start for window in own)


@given(st.integers(1, 50), st.integers(1, 20), st.integers(0, 20), st.integers(0, 5))
def test_a_window_is_previous_audio_silence_and_padding(
    length: int, chunk: int, context: int, padding: int
) -> None:
    clip = np.arange(1, length + 1, dtype=np.float32)
    around = np.concatenate([np.zeros(context, dtype=np.float32), clip])
    for window in plan([length], chunk, context):
        (samples,) = stacked([clip], [window], window.length + padding)
        expected = around[window.start : window.stop + context]
        assert samples.tolist() == [*expected.tolist(), *[0.0] * padding]


def test_windows_of_several_clips_are_rows() -> None:
    clips = [np.arange(first, first + 4, dtype=np.float32) for first in (1, 11)]
    windows = plan([4, 4], chunk=2, context=1)
    assert stacked(clips, windows, 4).tolist() == [
        [0, 1, 2, 0],
        [2, 3, 4, 0],
        [0, 11, 12, 0],
        [12, 13, 14, 0],
    ]


@given(LENGTHS, st.integers(1, 5))
def test_batches_hold_each_window_once_with_others_of_its_length(
    lengths: list[int], batch_size: int
) -> None:
    windows = plan(lengths, 20, 3)
    seen: list[int] = []
    for padded, members in batches(windows, lambda n: -(-n // 8) * 8, batch_size):
        assert 1 <= len(members) <= batch_size
        assert {-(-windows[i].length // 8) * 8 for i in members} == {padded}
        seen += members
    assert sorted(seen) == list(range(len(windows)))
