"""All that training on integers keeps: arrays that compiled functions work on.

A *pair* (left, right) of tokens is one integer, `left << 32 | right`, so that pairs compare like
tuples. A *position* is an index into `symbols`; a pair is where its left token starts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..jit import Records

__all__ = ["BORDER", "SIZES", "State", "make_room", "new_state"]

Array = npt.NDArray[Any]

BORDER = -1
"""The symbol between words."""

SIZES = np.dtype([(name, np.int64) for name in ("tokens", "positions", "queue", "wanted")])
"""How many tokens, positions and queued pairs there are, and how many positions and pairs the next
merge may add."""


class State(NamedTuple):
    """The arrays. Those of positions are 32 bits wide where that is enough, or else 64."""

    symbols: Array
    """int32: a token's id where it starts, minus its length where it ends (unless that is the same
    place), `BORDER` before, between and after words. So neighbours are found without links."""
    lengths: Array
    """int32 by token: how many codes."""
    pairs: Array
    """int64 by token: the pair that it was merged from."""
    positions: Array
    """For each queued pair where it is, in ascending order; where it no longer is, too."""
    queue: Records
    """Records `pair, count, start, length`: a heap, and each pair's part of `positions`."""
    before: Records
    """Records `gained, cursor` by token: for the merge at hand, about pairs with it on the left."""
    after: Records
    """The same with it on the right."""
    sizes: Records
    """One record `SIZES`."""


def new_state(symbols: Array, num_codes: int, num_tokens: int, index: type[Any]) -> State:
    """A corpus, and nothing known about it.

    Args:
        symbols: See `State`.
        num_codes: How many tokens are single codes.
        num_tokens: The most tokens that there may be.
        index: The integer type of positions.
    """
    item = np.dtype([("pair", np.int64), *((n, index) for n in ("count", "start", "length"))])
    neighbour = np.dtype([("gained", index), ("cursor", index)])
    state = State(
        symbols=symbols,
        lengths=np.ones(num_tokens, dtype=np.int32),
        pairs=np.zeros(num_tokens, dtype=np.int64),
        positions=np.empty(0, dtype=index),
        queue=np.empty(0, dtype=item),
        before=np.zeros(num_tokens, dtype=neighbour),
        after=np.zeros(num_tokens, dtype=neighbour),
        sizes=np.zeros(1, dtype=SIZES),
    )
    state.sizes["tokens"] = num_codes
    return state


def make_room(state: State) -> None:
    """Makes room, in place, for as many positions and pairs as are wanted."""
    sizes = state.sizes[0]
    for array, size in ((state.positions, sizes["positions"]), (state.queue, sizes["queue"])):
        least = int(size + sizes["wanted"])
        if least > len(array):
            array.resize(max(least, len(array) * 5 // 4), refcheck=False)
