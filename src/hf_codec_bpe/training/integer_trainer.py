"""Training on integers: the merges that `tokenizers` would learn, without a single string."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ..jit import patience
from .first_pairs import count_left, place_by_left, queue_pairs_of
from .merging import DONE, NEEDS_ROOM, merge_pairs
from .queue import heapify
from .state import BORDER, State, make_room, new_state

__all__ = ["compile_trainer", "learn_merges"]

Merges = npt.NDArray[np.int64]

_SLICE = 1 << 21
"""Positions looked at between two checks for Ctrl-C: well below a second."""


def learn_merges(
    symbols: npt.NDArray[np.int32],
    num_codes: int,
    num_tokens: int,
    min_frequency: int = 2,
    longest_token: int | None = None,
    show_progress: bool = False,
    index: type[Any] | None = None,
) -> Merges:
    """Learns merges by the rules of `tokenizers`' `BpeTrainer`.

    The most frequent pair is merged first; of equally frequent ones, the one with the smallest left
    token, then the smallest right one. Pairs of codes may always be merged; longer tokens only up
    to the longest allowed. Counts have 64 bits (those of `tokenizers` overflow at 2^31).

    Args:
        symbols: Codes `[N]`, numbered from 0, with `BORDER` before, between and after words. They
            are overwritten.
        num_codes: A, the size of the alphabet.
        num_tokens: How many codes and merged tokens there may be in all.
        min_frequency: How often a pair must occur to be merged.
        longest_token: How many codes a merged token may have; `None` for no limit.
        show_progress: Show a progress bar.
        index: The integer type of positions; by default the smallest that holds them.

    Returns:
        Left and right token `[M, 2]` of each merge; the first makes token A, the next A + 1...

    Example:
        >>> symbols = np.array([-1, 0, 1, 0, 1, 2, -1], dtype=np.int32)
        >>> learn_merges(symbols, num_codes=3, num_tokens=9).tolist()
        [[0, 1]]
    """
    threshold = max(1, min_frequency)
    max_length = len(symbols) if longest_token is None else longest_token + 1
    num_tokens = max(num_codes, min(num_tokens, num_codes + len(symbols)))
    state = new_state(symbols, num_codes, num_tokens, index or _index_type(len(symbols)))
    with tqdm(
        total=num_tokens - num_codes, desc="Merging", unit="token", disable=not show_progress
    ) as bar:
        state = _with_first_pairs(state, num_codes, threshold)
        status = NEEDS_ROOM
        while status != DONE:
            if status == NEEDS_ROOM:
                make_room(state)
            status = merge_pairs(state, num_tokens, threshold, max_length, _SLICE)
            bar.update(int(state.sizes[0]["tokens"]) - num_codes - bar.n)
    pairs = state.pairs[num_codes : state.sizes[0]["tokens"]]
    return np.stack([pairs >> 32, pairs & 0xFFFFFFFF], axis=1)


def _index_type(num_symbols: int) -> type[Any]:
    # Every pair is a position, and then every merge takes a token and makes two positions.
    return np.int32 if 3 * num_symbols < 2**31 else np.int64


def compile_trainer() -> None:
    """Compiles, or loads what was compiled before, so that training itself need not wait."""
    with patience("the trainer"):
        learn_merges(np.array([BORDER, 0, 1, 0, 1, BORDER], dtype=np.int32), 2, 3)


def _with_first_pairs(state: State, num_codes: int, threshold: int) -> State:
    """Queues every pair of codes that occurs often enough."""
    symbols = state.symbols
    starts = range(0, len(symbols) - 1, _SLICE)
    blocks = [(start, min(start + _SLICE, len(symbols) - 1)) for start in starts]
    counts = np.zeros(num_codes, dtype=np.int64)
    for start, end in blocks:
        count_left(symbols, start, end, counts)
    ends = np.cumsum(counts)
    state = state._replace(
        positions=np.empty(int(counts.sum()), dtype=state.positions.dtype),
        queue=np.empty(int(counts.sum()) // threshold, dtype=state.queue.dtype),
    )
    cursors = ends - counts
    for start, end in blocks:
        place_by_left(symbols, start, end, cursors, state.positions)
    for left in np.flatnonzero(counts):
        queue_pairs_of(state, left, ends[left] - counts[left], ends[left], threshold)
    heapify(state.queue, int(state.sizes[0]["queue"]))
    return state
