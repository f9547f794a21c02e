"""Codes of an alphabet and of tokens, compiled: the loops of `CodebookAlphabet` and `TokenCodes`.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .jit import Int, Records, compiled, patience

__all__ = ["TOKEN", "by_frames", "decode", "get_ready"]

Array = npt.NDArray[Any]

TOKEN = np.dtype([(name, np.int32) for name in ("first", "count", "turn", "next_turn")])
"""Where the codes of a token are and how many; the codebook of the first, and of what follows the
last. A token that does not stand for codes in turn has `turn` -1."""


@cache
def get_ready() -> None:
    """Compiles all loops, or loads what was compiled before."""
    codes = np.zeros(1, dtype=np.int64)
    with patience("the loops of the alphabet"):
        for dtype in (np.int64, np.uint32):
            by_frames(codes[None], codes.astype(dtype), codes)
        decode(np.zeros(1, dtype=TOKEN), codes.astype(np.int32), 1, codes)


@compiled
def by_frames(codes: Array, starts: Array, sizes: Array) -> tuple[bool, Array]:
    """Codes `[K, T]`, plus the start `[K]` of each one's codebook, as `[T * K]`.

    Returns:
        Whether all are inside their codebooks, of `sizes` `[K]`, and the sums.
    """
    num_codebooks, num_frames = codes.shape
    found = np.empty(codes.size, dtype=starts.dtype)
    are_inside = True
    for codebook in range(num_codebooks):
        start, size = starts[codebook], sizes[codebook]
        for frame in range(num_frames):
            code = codes[codebook, frame]
            are_inside &= 0 <= code < size
            found[frame * num_codebooks + codebook] = start + starts.dtype.type(code)
    return are_inside, found


@compiled
def decode(tokens: Records, codes: Array, num_codebooks: Int, ids: Array) -> tuple[bool, Array]:
    """Codes `[K, T]` of tokens, if they are whole frames, every code in its turn.

    Args:
        tokens: See `TOKEN`.
        codes: The codes of all tokens.
        num_codebooks: K.
        ids: Tokens.

    Returns:
        Whether they are, and the codes.
    """
    total = due = np.int64(0)
    for token in ids:
        if not 0 <= token < len(tokens) or tokens[token].turn != due:
            return False, np.empty((num_codebooks, 0), dtype=np.int64)
        due = np.int64(tokens[token].next_turn)
        total += tokens[token].count
    found = np.empty((num_codebooks, total // num_codebooks), dtype=np.int64)
    if due != 0:
        return False, found
    codebook = frame = 0
    for token in ids:
        its = tokens[token]
        for at in range(its.first, its.first + its.count):
            found[codebook, frame] = codes[at]
            codebook += 1
            if codebook == num_codebooks:
                codebook = 0
                frame += 1
    return True, found
