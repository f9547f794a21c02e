"""How many codebooks: by count, or by bandwidth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from numbers import Real

from ..errors import CodecError

__all__ = ["select_codebooks"]

LARGEST_KBPS = 100
"""Bandwidths above are taken for bits per second: no codec has as many kilobits, or as few bits."""
TOLERANCE = 0.02
"""Published bandwidths are rounded: DAC's 7.8 kbps are 7.75."""


def select_codebooks(
    sizes: Sequence[int],
    frame_rate: float,
    *,
    num_codebooks: int | None = None,
    bandwidth: float | None = None,
    fewest: int = 1,
) -> tuple[int, ...]:
    """The sizes of the codebooks to use, from the first one on; by default of all.

    Args:
        sizes: The sizes of all codebooks.
        frame_rate: Frames per second.
        num_codebooks: How many to use.
        bandwidth: Or the bandwidth that they must have, in kbps or bps.
        fewest: How many there must be.

    Raises:
        CodecError: No such number of codebooks, a bandwidth that no number of them has, or both.

    Example:
        >>> select_codebooks([1024] * 32, 75, bandwidth=3)
        (1024, 1024, 1024, 1024)
        >>> select_codebooks([1024] * 32, 75, bandwidth=1500)
        (1024, 1024)
    """
    if bandwidth is not None:
        if num_codebooks is not None:
            raise CodecError("Pass num_codebooks or bandwidth, not both.")
        num_codebooks = _count(sizes, frame_rate, bandwidth)
    if num_codebooks is not None and num_codebooks not in range(fewest, len(sizes) + 1):
        raise CodecError(
            f"num_codebooks={num_codebooks!r} is not possible: this model has {len(sizes)} "
            f"codebooks, choose {fewest} to {len(sizes)}."
        )
    return tuple(sizes if num_codebooks is None else sizes[: int(num_codebooks)])


def _count(sizes: Sequence[int], frame_rate: float, bandwidth: float) -> int:
    if not isinstance(bandwidth, Real):
        raise CodecError(f"bandwidth={bandwidth!r} is no bandwidth: pass a number of kbps or bps.")
    wanted = bandwidth if bandwidth > LARGEST_KBPS else bandwidth * 1000
    possible = [frame_rate * bits for bits in accumulate(math.log2(size) for size in sizes)]
    nearest = min(range(len(possible)), key=lambda k: abs(possible[k] - wanted))
    is_near = abs(possible[nearest] - wanted) <= TOLERANCE * wanted
    if not (is_near and math.isfinite(wanted)):
        choices = ", ".join(f"{bps / 1000:g}" for bps in possible)
        raise CodecError(
            f"bandwidth={bandwidth:g} is that of no number of codebooks: choose among {choices} "
            "kbps, or pass num_codebooks."
        )
    return nearest + 1
