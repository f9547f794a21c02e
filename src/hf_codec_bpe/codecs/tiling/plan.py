"""Where a clip is cut into tiles, so that every kept output sees all that it would see uncut.

Axis letters: T = positions of the output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from .layers import Layer, main_path

__all__ = ["Geometry", "Tile", "plan"]

LANES = 32
"""Values that torch computes at a time at most: two AVX-512 vectors, or twice two of AVX2. What is
left over at the end of a tensor takes another way, where an ELU now and then rounds differently."""


class Geometry(NamedTuple):
    """What layers do to lengths; `left` and `right` in samples."""

    hop: int
    left: int
    """How far an output sees beyond the samples of its own in front."""
    right: int
    """And after."""
    stride: int
    """Of the last convolution."""

    @classmethod
    def of(cls, layers: Sequence[Layer]) -> Geometry:
        """Walks through the layers' convolutions; nothing may come after the last of them."""
        hop = stride = 1
        left = right = 0
        for convolution in main_path(layers):
            left += convolution.left * hop
            right += convolution.right * hop
            stride = convolution.stride
            hop *= stride
        return cls(hop, left, right, stride)

    @property
    def surplus(self) -> int:
        """T to compute and drop after a tile, where the end of a tensor took another way.

        The coarsest tensors that this happens to are those in front of the last convolution.
        """
        return -(-(LANES - 1) // self.stride)


class Tile(NamedTuple):
    """Outputs `start` to `stop`, computed from the samples `first` to `last`.

    The first and the last tile are padded by the layers. `skipped` outputs in front are dropped:
    at the end of the clip, padding in front keeps positions where they are among `LANES`, and
    spoils what is dropped.
    """

    start: int
    stop: int
    first: int
    last: int
    skipped: int
    starts: bool
    ends: bool


def plan(geometry: Geometry, length: int, tile: int) -> list[Tile]:
    """Tiles for a clip of `length` samples.

    Args:
        geometry: What the layers do.
        length: Samples.
        tile: Samples that a tile is made for; it reads some more, and the last one up to twice as
            many.

    Returns:
        None of them if the clip is too short for two, or if one would see beyond its neighbours.
    """
    size, total = -(-tile // geometry.hop), -(-length // geometry.hop)
    starts = range(0, total // size * size, size)
    seen = max(geometry.left, (geometry.surplus + 1) * geometry.hop + geometry.right)
    if len(starts) < 2 or seen > size * geometry.hop:
        return []
    return list(_tiles(geometry, length, [*starts, total]))


def _tiles(geometry: Geometry, length: int, bounds: Sequence[int]) -> Iterator[Tile]:
    hop = geometry.hop
    for start, stop in pairwise(bounds[:-1]):
        first = max(0, start * hop - geometry.left)
        last = (stop + geometry.surplus) * hop + geometry.right
        yield Tile(start, stop, first, last, 0, start == 0, False)
    start, stop = bounds[-2:]
    unit = LANES * hop
    first = max(0, start * hop - geometry.left) // unit * LANES
    yield Tile(start, stop, first * hop, length, start - first, True, True)
