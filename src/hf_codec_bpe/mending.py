"""What remains of a stream of codes when the codes that are out of turn are dropped."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["in_turn"]

Indices = npt.NDArray[np.int64]


def in_turn(codebooks: Indices, num_codebooks: int) -> npt.NDArray[np.bool_]:
    """Marks the codes that remain when those that are not their codebook's turn are dropped.

    The first code sets the turn (codebook 0 does if the first is foreign); from then on, the next
    code kept is the next one of the codebook that is due. The rule looks back at what was kept, so
    it seems to need a loop over codes. But inside a run of codes that follow each other in turn,
    a run that is entered is kept to its end: only runs need walking, and pointer doubling walks
    them all in log(runs) vectorised steps.

    Args:
        codebooks: The codebook `[N]` of each code; -1 for a foreign one.
        num_codebooks: K.

    Returns:
        A mask `[N]`.

    Example:
        >>> in_turn(np.array([0, 1, 1, 0, -1, 1]), 2).tolist()
        [True, True, False, True, False, True]
    """
    length = len(codebooks)
    kept = np.zeros(length, dtype=bool)
    starting = np.flatnonzero(codebooks == np.maximum(0, codebooks[:1]))
    if len(starting) == 0:
        return kept
    start = int(starting[0])

    due = (codebooks + 1) % num_codebooks
    joined = (codebooks[:-1] >= 0) & (codebooks[1:] == due[:-1])
    run_end = np.append(np.flatnonzero(~joined), length - 1)
    run_of = np.append(np.searchsorted(run_end, np.arange(length)), len(run_end))
    entry = _next_of(codebooks, after=run_end, wanted=due[run_end])  # of the run that comes next

    path = _path(np.append(run_of[entry], len(run_end)), int(run_of[start]))
    starts = np.append(start, entry[path[:-1]])
    steps = np.zeros(length + 1, dtype=np.int8)
    steps[starts] += 1
    steps[run_end[path] + 1] -= 1
    kept[:] = np.cumsum(steps[:-1])
    return kept


def _next_of(codebooks: Indices, after: Indices, wanted: Indices) -> Indices:
    """The next index beyond each of `after` that holds the wanted codebook; N where none does."""
    found = np.full(len(after), len(codebooks))
    for codebook in np.unique(wanted):
        asking = wanted == codebook
        indices = np.append(np.flatnonzero(codebooks == codebook), len(codebooks))
        at = np.searchsorted(indices, after[asking], side="right")
        found[asking] = indices[np.minimum(at, len(indices) - 1)]
    return found


def _path(following: Indices, start: int) -> Indices:
    """The nodes met from `start` on, in ascending order; the last node is the end and left out."""
    visited = np.zeros(len(following), dtype=bool)
    visited[start] = True
    jump = following
    for _ in range(len(following).bit_length()):
        visited[jump[visited]] = True
        jump = jump[jump]
    return np.flatnonzero(visited[:-1])
