"""Which Unicode characters may stand for codes, and strings as arrays of code points."""

from __future__ import annotations

import codecs
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import AlphabetError

__all__ = [
    "END",
    "PRIVATE_PLANES",
    "UNASSIGNED_PLANES",
    "default_offset",
    "from_text",
    "to_text",
    "usable_code_points",
]

CodePoints: TypeAlias = npt.NDArray[np.uint32]

PRIVATE_PLANES = 0xF0000
"""Planes 15 and 16, private use: no human text is ever touched. 131,068 characters."""
UNASSIGNED_PLANES = 0x40000
"""Planes 4 to 13, unassigned: for alphabets that the private planes cannot hold."""

END = 0x110000
"""The end of Unicode."""
_SURROGATES = np.arange(0xD800, 0xE000)
_NONCHARACTERS = np.concatenate(
    [np.arange(0xFDD0, 0xFDF0)]
    + [np.array([plane + 0xFFFE, plane + 0xFFFF]) for plane in range(0, END, 0x10000)]
)


def usable_code_points(offset: int, size: int, *, skip_noncharacters: bool) -> CodePoints:
    """The first `size` code points from `offset` on that may stand for a code.

    Surrogates never may: no UTF text holds them.

    Raises:
        AlphabetError: Too few remain after the offset, or it is not a code point.

    Example:
        >>> [hex(point) for point in usable_code_points(0xD7FF, 2, skip_noncharacters=True)]
        ['0xd7ff', '0xe000']
    """
    if not 0 <= offset < END:
        raise AlphabetError(
            f"unicode_offset={offset:#x} is not a code point: choose one from 0 to {END - 1:#x}."
        )
    usable = np.ones(END, dtype=bool)
    usable[_SURROGATES] = False
    if skip_noncharacters:
        usable[_NONCHARACTERS] = False
    points = (np.flatnonzero(usable[offset:]) + offset).astype(np.uint32)
    if size > len(points):
        raise AlphabetError(
            f"{size} codes do not fit after unicode_offset={offset:#x}, which leaves "
            f"{len(points)} characters. Leave unicode_offset at its default, or start at "
            f"{UNASSIGNED_PLANES:#x}."
        )
    return points[:size].copy()


def default_offset(size: int) -> int:
    """Where an alphabet of `size` characters starts unless told otherwise."""
    private = END - PRIVATE_PLANES - 4  # each of the two planes ends in two noncharacters
    return PRIVATE_PLANES if size <= private else UNASSIGNED_PLANES


def from_text(text: str) -> CodePoints:
    """A string as code points `[len(text)]`; lone surrogates, which JSON may hold, pass."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def to_text(code_points: CodePoints) -> str:
    """Code points as a string."""
    return codecs.utf_32_le_decode(code_points.astype("<u4", copy=False).data)[0]
