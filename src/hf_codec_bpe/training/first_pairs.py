"""Where every pair of neighbouring codes is: two counting sorts, first by left code, then by right.

Words are looked at in blocks, and left codes one by one, so that the caller can stop in between.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..jit import Int, compiled
from .state import BORDER, State

__all__ = ["count_left", "place_by_left", "queue_pairs_of"]

Array = npt.NDArray[Any]


@compiled
def count_left(symbols: Array, start: Int, end: Int, counts: Array) -> None:
    """Counts the pairs at a range of positions by their left code."""
    for at in range(start, end):
        if symbols[at] != BORDER and symbols[at + 1] != BORDER:
            counts[symbols[at]] += 1


@compiled
def place_by_left(symbols: Array, start: Int, end: Int, cursors: Array, positions: Array) -> None:
    """Puts each of that range where its left code's cursor is."""
    for at in range(start, end):
        if symbols[at] != BORDER and symbols[at + 1] != BORDER:
            positions[cursors[symbols[at]]] = at
            cursors[symbols[at]] += 1


@compiled
def queue_pairs_of(state: State, left: Int, start: Int, end: Int, threshold: Int) -> None:
    """Queues the pairs of one left code, whose positions are there from `start` to `end`.

    Positions of pairs that occur less than `threshold` times are dropped, and others move forward
    into their room. The queue is not in order yet.
    """
    symbols, after = state.symbols, state.after
    found = state.positions[start:end].copy()
    rights = np.empty(len(found), dtype=np.int32)
    for i in range(len(found)):
        rights[i] = symbols[found[i] + 1]
        after[rights[i]].gained += 1
    for right in rights:
        if after[right].gained > 0:
            after[right].cursor = _queue_pair(state, left, right, after[right].gained, threshold)
            after[right].gained = 0
    for i in range(len(found)):
        cursor = after[rights[i]].cursor
        if cursor >= 0:
            state.positions[cursor] = found[i]
            after[rights[i]].cursor = cursor + 1


@compiled
def _queue_pair(state: State, left: Int, right: Int, count: Int, threshold: Int) -> Int:
    if count < threshold:
        return -1
    sizes = state.sizes
    start = sizes[0].positions
    item = state.queue[sizes[0].queue]
    item.pair = np.int64(left) << 32 | np.int64(right)
    item.count = count
    item.start = start
    item.length = count
    sizes[0].queue += 1
    sizes[0].positions += count
    return start
