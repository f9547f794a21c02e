"""The recordings behind a folder of codes, each in one piece.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codes_folder import CodesFolder
from ..errors import CodesError

__all__ = ["Recordings", "whole_clips"]

logger = logging.getLogger(__name__)

_CHUNK = re.compile(r"(?P<clip>.+_c\d+)_t(?P<seconds>\d+)_(?P<milliseconds>\d{3,4})")
"""The name of a chunk's file, as codec-bpe's `--file_per_chunk` writes it: with 1000 milliseconds,
too, where it rounds them up."""


class Recordings:
    """The clips of a folder, those that codec-bpe cut into files of chunks in one piece again.

    Every channel is a recording of its own. May be iterated any number of times. Where a chunk is
    missing, those around it are joined, and a warning names the recording.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: CodesFolder) -> None:
        self.folder = folder
        self._groups: dict[Path, list[tuple[int, Path]]] = {}
        for file in folder.files:
            chunk = _CHUNK.fullmatch(file.stem)
            name, at = (chunk["clip"], _milliseconds(chunk)) if chunk else (file.stem, 0)
            self._groups.setdefault(file.with_name(name), []).append((at, file))
        self._warn_of_gaps()

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def names(self) -> list[str]:
        """What to call each recording: its path in the folder, without what tells chunks apart."""
        return [name.relative_to(self.folder.path).as_posix() for name in self._groups]

    def __iter__(self) -> Iterator[npt.NDArray[np.integer[Any]]]:
        for name, chunks in self._groups.items():
            if len({at for at, _ in chunks}) < len(chunks):
                raise CodesError(
                    f"{name} is there twice, whole and in chunks: remove the files of one of them."
                )
            parts = [self.folder.load(file) for _, file in sorted(chunks)]
            if len({len(part) for part in parts}) > 1:
                raise CodesError(
                    f"The chunks of {name} have different numbers of codebooks: encode that "
                    "recording again."
                )
            yield np.concatenate(parts, axis=1)

    def _warn_of_gaps(self) -> None:
        starts = {name: sorted(at for at, _ in group) for name, group in self._groups.items()}
        steps = (step for each in starts.values() for step in _steps(each) if step)
        widest = 1.5 * min(steps, default=0)  # starts may be rounded to milliseconds
        broken = [
            name
            for name, each in starts.items()
            if each[0] or any(step > widest for step in _steps(each))
        ]
        if broken:
            logger.warning(
                "Chunks of %d recording(s) are missing, %s among them; what is before and after is "
                "joined. Remove the other files of these recordings, and encode them again.",
                len(broken),
                broken[0],
            )


def whole_clips(codes: Iterable[Any]) -> Iterable[Any]:
    """Clips `[K, T]` in one piece each: the `Recordings` of a `CodesFolder`, others as they are."""
    return Recordings(codes) if isinstance(codes, CodesFolder) else codes


def _steps(starts: Sequence[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(starts)]


def _milliseconds(chunk: re.Match[str]) -> int:
    return int(chunk["seconds"]) * 1000 + int(chunk["milliseconds"])
