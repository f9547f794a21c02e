"""The queue: a binary heap whose first item is the most frequent pair, of equals the smallest.

Counts of items are those of when they entered: whoever takes the first one counts again.
"""

from __future__ import annotations

from ..jit import Int, Records, compiled

__all__ = ["heapify", "pop", "push", "recount_first"]


@compiled
def _precedes(item: Records, other: Records) -> bool:
    return item.count > other.count or (item.count == other.count and item.pair < other.pair)


@compiled
def push(queue: Records, size: Int) -> None:
    """Lets the item at `size` rise to its place among those before it."""
    at = size
    while at > 0:
        parent = (at - 1) // 2
        if not _precedes(queue[at], queue[parent]):
            break
        _swap(queue, at, parent)
        at = parent


@compiled
def _sink(queue: Records, size: Int, at: Int) -> None:
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _precedes(queue[child + 1], queue[child]):
            child += 1
        if not _precedes(queue[child], queue[at]):
            break
        _swap(queue, at, child)
        at = child


@compiled
def _swap(queue: Records, one: Int, other: Int) -> None:
    a, b = queue[one], queue[other]
    a.pair, b.pair = b.pair, a.pair
    a.count, b.count = b.count, a.count
    a.start, b.start = b.start, a.start
    a.length, b.length = b.length, a.length


@compiled
def pop(queue: Records, size: Int) -> None:
    """Removes the first item of `size`."""
    queue[0] = queue[size - 1]
    _sink(queue, size - 1, 0)


@compiled
def recount_first(queue: Records, size: Int, count: Int) -> None:
    """Gives the first item another count."""
    queue[0].count = count
    _sink(queue, size, 0)


@compiled
def heapify(queue: Records, size: Int) -> None:
    """Orders items that are in no order."""
    for at in range(size // 2 - 1, -1, -1):
        _sink(queue, size, at)
