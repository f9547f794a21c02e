"""BPE on integers, compiled: the loops of `IntegerBPE`.

A *pair* of tokens is one integer, `left << 32 | right`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .jit import Int, Records, compiled, patience

__all__ = ["add_merges", "add_neighbours", "empty_table", "encode", "get_ready"]

Array = npt.NDArray[Any]

SLOT = np.dtype([("pair", np.int64), ("rank", np.int32), ("token", np.int32)])
"""A pair of tokens, when it is merged, and into what."""
FREE = -1
"""The pair of an unused slot."""
NEVER = 2**31 - 1
"""The rank of a pair that is not merged."""


def empty_table(num_pairs: int) -> Records:
    """A hash table that this many pairs fill at most by half."""
    table = np.zeros(1 << (2 * num_pairs + 1).bit_length(), dtype=SLOT)
    table["pair"] = FREE
    return table


@cache
def get_ready() -> None:
    """Compiles all loops, or loads what was compiled before."""
    ids, table = np.zeros(1, dtype=np.int64), empty_table(1)
    with patience("the loops of the tokenizer"):
        add_merges(table, ids, ids)
        add_neighbours(table, ids)
        encode(table, ids.astype(np.int32))


@compiled
def _find(table: Records, pair: Int) -> Int:
    """The slot of a pair, or the free one where it belongs (open addressing)."""
    mask = len(table) - 1
    mixed = np.uint64(pair) * np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing
    slot = np.int64((mixed ^ (mixed >> np.uint64(32))) & np.uint64(mask))
    while table[slot].pair != pair and table[slot].pair != FREE:
        slot = (slot + 1) & mask
    return slot


@compiled
def add_merges(table: Records, pairs: Array, tokens: Array) -> None:
    """Adds pairs, in the order in which they are merged, and what they become."""
    for rank in range(len(pairs)):
        slot = table[_find(table, pairs[rank])]
        slot.pair = pairs[rank]
        slot.rank = rank
        slot.token = tokens[rank]


@compiled
def add_neighbours(table: Records, pairs: Array) -> None:
    """Adds pairs of codes that are side by side in some token, but never merged themselves."""
    for pair in pairs:
        slot = table[_find(table, pair)]
        if slot.pair == FREE:
            slot.pair = pair
            slot.rank = NEVER


@compiled
def encode(table: Records, codes: Array) -> Array:
    """Merges codes, which are tokens themselves, into tokens.

    No token reaches across two codes that are side by side in none: what is before and what is
    after can be merged apart. Such stretches are short, mostly, and stay in the nearest cache.
    """
    tokens = codes.copy()
    size = len(codes)
    ranks = np.empty(size, dtype=np.int64)
    links = np.empty((size, 2), dtype=np.int64)
    heap = np.empty(3 * size, dtype=np.int64)
    written = start = 0
    while start < size:
        end = start + 1
        while end < size:
            slot = _find(table, np.int64(codes[end - 1]) << 32 | np.int64(codes[end]))
            if table[slot].pair == FREE:
                break
            ranks[end - 1 - start] = table[slot].rank
            end += 1
        stretch = tokens[start:end]
        _merge(table, stretch, ranks[: end - start], links, heap)
        for token in stretch:
            if token >= 0:
                tokens[written] = token
                written += 1
        start = end
    return tokens[:written]


@compiled
def _merge(table: Records, tokens: Array, ranks: Array, links: Array, heap: Array) -> None:
    """Merges one stretch: the lowest rank first, of equal ones the leftmost, as `tokenizers` does.

    Args:
        table: See `SLOT`.
        tokens: Codes; then tokens, with -1 where one was merged into an earlier one.
        ranks: Those of every token and the next, but for the last.
        links: Room for where the previous and the next token are.
        heap: Room for `rank << 32 | place`, three for each code.
    """
    end, size = len(tokens), 0
    ranks[end - 1] = NEVER
    for at in range(end):
        links[at, 0], links[at, 1] = at - 1, at + 1
        size = _push(heap, size, ranks[at], at)
    while size > 0:
        rank, at = heap[0] >> 32, heap[0] & 0xFFFFFFFF
        size = _pop(heap, size)
        if ranks[at] != rank:  # what was here then has been merged otherwise
            continue
        merged = links[at, 1]
        before, after = links[at, 0], links[merged, 1]
        tokens[at] = table[
            _find(table, np.int64(tokens[at]) << 32 | np.int64(tokens[merged]))
        ].token
        tokens[merged] = -1
        ranks[merged] = ranks[at] = NEVER
        links[at, 1] = after
        if after < end:
            links[after, 0] = at
            ranks[at] = _rank(table, tokens[at], tokens[after])
            size = _push(heap, size, ranks[at], at)
        if before >= 0:
            ranks[before] = _rank(table, tokens[before], tokens[at])
            size = _push(heap, size, ranks[before], before)


@compiled
def _rank(table: Records, left: Int, right: Int) -> Int:
    slot = table[_find(table, np.int64(left) << 32 | np.int64(right))]
    return np.int64(slot.rank) if slot.pair != FREE else np.int64(NEVER)


@compiled
def _push(heap: Array, size: Int, rank: Int, place: Int) -> Int:
    if rank == NEVER:
        return size
    item, at = rank << 32 | place, size
    while at > 0 and heap[(at - 1) // 2] > item:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = item
    return size + 1


@compiled
def _pop(heap: Array, size: Int) -> Int:
    size -= 1
    item, at = heap[size], 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= item:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = item
    return size
