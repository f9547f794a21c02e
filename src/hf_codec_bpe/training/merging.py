"""The merges: again and again, the most frequent pair becomes a token.

A token comes from one pair only. Suppose that the same codes become a token in two places. Until
then no other token reaches across their ends, and every merge is made in both, from left to right,
at the same time: so they are cut alike until they are whole, in the same merge. (A run of equal
tokens might be paired off differently, if it began further left in one place; but then it would
either be the same, or one of the pairs would reach across the end.)

So a pair comes up in one merge, the one that makes the later of its tokens, and gets rarer from
then on. Its positions are listed once, a pair too rare is never merged and need not be listed, and
no counts are kept: whoever needs one looks at how many of the positions still hold the pair.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..jit import Int, Records, compiled
from .queue import pop, push, recount_first
from .state import BORDER, State

__all__ = ["DONE", "NEEDS_ROOM", "PAUSED", "merge_pairs"]

Array = npt.NDArray[Any]

DONE, PAUSED, NEEDS_ROOM = 0, 1, 2


@compiled
def merge_pairs(state: State, num_tokens: Int, threshold: Int, max_length: Int, budget: Int) -> Int:
    """Merges until there are `num_tokens`, or no pair occurs `threshold` times.

    Args:
        state: See `State`.
        num_tokens: How many tokens to stop at.
        threshold: How often a pair must occur to be merged, at least 1.
        max_length: A token has fewer codes than this, unless it is a pair of codes.
        budget: About how many positions to look at before returning.

    Returns:
        `DONE`, or `PAUSED` or `NEEDS_ROOM` if there is more to do.
    """
    sizes, queue = state.sizes, state.queue
    while sizes[0].tokens < num_tokens and sizes[0].queue > 0:
        if budget < 0:
            return PAUSED
        pair, start, length = queue[0].pair, np.int64(queue[0].start), np.int64(queue[0].length)
        left, right = pair >> 32, pair & 0xFFFFFFFF
        positions = state.positions[start : start + length]
        count = _count(state.symbols, state.lengths[left], left, right, positions)
        budget -= length + 16
        if count < threshold:
            pop(queue, sizes[0].queue)
            sizes[0].queue -= 1
        elif count != queue[0].count:
            recount_first(queue, sizes[0].queue, count)
        else:
            if _lacks_room(state, 2 * count):  # for a pair on either side
                return NEEDS_ROOM
            pop(queue, sizes[0].queue)
            sizes[0].queue -= 1
            _merge(state, pair, positions, count, threshold, max_length)
    return DONE


@compiled
def _count(symbols: Array, left_length: Int, left: Int, right: Int, positions: Array) -> Int:
    """At how many of the positions the pair still is."""
    count = 0
    for i in range(len(positions)):
        at = np.int64(positions[i])
        count += symbols[at] == left and symbols[at + left_length] == right
    return count


@compiled
def _lacks_room(state: State, wanted: Int) -> bool:
    sizes = state.sizes
    sizes[0].wanted = wanted
    return sizes[0].positions + wanted > len(state.positions) or sizes[0].queue + wanted > len(
        state.queue
    )


@compiled
def _merge(
    state: State, pair: Int, positions: Array, count: Int, threshold: Int, max_length: Int
) -> None:
    """Makes a token of a pair that is at `count` of the positions, and queues what comes up."""
    sizes = state.sizes
    left, right, token = pair >> 32, pair & 0xFFFFFFFF, sizes[0].tokens
    length = state.lengths[left] + state.lengths[right]
    state.pairs[token] = pair
    state.lengths[token] = length
    sizes[0].tokens += 1
    befores = np.empty((count, 2), dtype=positions.dtype)
    afters = np.empty((count, 2), dtype=positions.dtype)
    num_befores, num_afters = _replace(state, pair, token, positions, befores, afters)
    for i in range(num_befores):
        before = np.int64(befores[i, 0])
        mergeable = state.lengths[before] + length < max_length
        _queue_once(state, state.before, before, before << 32 | token, mergeable, threshold)
    for i in range(num_afters):
        after = np.int64(afters[i, 0])
        mergeable = state.lengths[after] + length < max_length
        _queue_once(state, state.after, after, token << 32 | after, mergeable, threshold)
    _place(state.positions, state.before, befores, num_befores)
    _place(state.positions, state.after, afters, num_afters)


@compiled
def _replace(
    state: State, pair: Int, token: Int, positions: Array, befores: Array, afters: Array
) -> tuple[Int, Int]:
    """Writes a token over its pair, from left to right.

    In runs such as `ababab`, the token after itself comes up, and before that, for a moment, the
    token before `a`: that is listed too, and not counted any more when its turn comes.

    Returns:
        How many `(neighbour, position of the pair with it)` were listed on either side.
    """
    symbols, left, right = state.symbols, pair >> 32, pair & 0xFFFFFFFF
    left_length, length = np.int64(state.lengths[left]), np.int64(state.lengths[token])
    num_befores = num_afters = 0
    for i in range(len(positions)):
        at = np.int64(positions[i])
        if symbols[at] != left or symbols[at + left_length] != right:
            continue
        symbols[at + left_length] = BORDER  # nothing inside a token may look like one
        symbols[at] = token
        symbols[at + length - 1] = -length
        if symbols[at - 1] != BORDER:
            start = at - 1 if symbols[at - 1] >= 0 else at + symbols[at - 1]
            state.before[symbols[start]].gained += 1
            befores[num_befores, 0] = symbols[start]
            befores[num_befores, 1] = start
            num_befores += 1
        after = symbols[at + length]
        if after != BORDER:
            state.after[after].gained += 1
            afters[num_afters, 0] = after
            afters[num_afters, 1] = at
            num_afters += 1
    return num_befores, num_afters


@compiled
def _queue_once(
    state: State, side: Records, neighbour: Int, pair: Int, mergeable: bool, threshold: Int
) -> None:
    """Queues a pair when its neighbour is met first, and says where its positions belong."""
    gained = side[neighbour].gained
    if gained == 0:
        return
    side[neighbour].gained = 0
    side[neighbour].cursor = -1
    if gained < threshold or not mergeable:
        return
    sizes = state.sizes
    side[neighbour].cursor = sizes[0].positions
    item = state.queue[sizes[0].queue]
    item.pair = pair
    item.count = gained
    item.start = sizes[0].positions
    item.length = gained
    push(state.queue, sizes[0].queue)
    sizes[0].queue += 1
    sizes[0].positions += gained


@compiled
def _place(positions: Array, side: Records, found: Array, num_found: Int) -> None:
    """Writes positions where they belong."""
    for i in range(num_found):
        neighbour = found[i, 0]
        cursor = side[neighbour].cursor
        if cursor >= 0:
            positions[cursor] = found[i, 1]
            side[neighbour].cursor = cursor + 1
