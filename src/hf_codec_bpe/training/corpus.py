"""All codes to train on, as one array."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from .state import BORDER

__all__ = ["as_symbols"]


def as_symbols(words: Iterable[npt.NDArray[np.integer[Any]]]) -> npt.NDArray[np.int32]:
    """Words, which no token spans two of, one after another and with borders.

    Only one word at a time is held besides the result.

    Example:
        >>> as_symbols([np.array([0, 1]), np.array([2])]).tolist()
        [-1, 0, 1, -1, 2, -1]
    """
    symbols = np.empty(1 << 16, dtype=np.int32)
    symbols[0] = BORDER
    size = 1
    for word in words:
        end = size + len(word)
        if end >= len(symbols):  # in place, where the system can
            symbols.resize(max(end + 1, len(symbols) * 5 // 4), refcheck=False)
        symbols[size:end] = word
        symbols[end] = BORDER
        size = end + 1
    symbols.resize(size, refcheck=False)
    return symbols
