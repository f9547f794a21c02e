"""Which codes each token stands for: ids to codes by looking them up, many at a time.

Axis letters: V = all tokens of a tokenizer, L = tokens of a sequence, N = codes of a sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .alphabet import CodebookAlphabet
from .jit import Records, has_numba, is_loaded

__all__ = ["TokenCodes"]

Ids = npt.NDArray[np.integer[Any]]


_MANY = 4096
"""This many ids are worth loading numba for, if it is installed and nothing has loaded it yet."""


class TokenCodes:
    """The codes of the tokens of a vocabulary.

    Args:
        texts: The code characters of each token that stands for codes, by its id.
        alphabet: What they are characters of.
        num_tokens: V, the size of the vocabulary.

    Example:
        >>> alphabet = CodebookAlphabet([2, 2], unicode_offset=ord("a"))
        >>> tokens = TokenCodes({1: "a", 3: "bd", 4: "c"}, alphabet, num_tokens=5)
        >>> tokens.codes_of(np.array([3, 1, 4])).tolist()
        [[1, 0], [1, 0]]
    """

    def __init__(
        self, texts: Mapping[int, str], alphabet: CodebookAlphabet, num_tokens: int
    ) -> None:
        ids = np.fromiter(texts, dtype=np.int64, count=len(texts))
        lengths = np.fromiter(map(len, texts.values()), dtype=np.int64, count=len(texts))
        self._alphabet = alphabet
        self.num_codes: npt.NDArray[np.int32] = np.zeros(num_tokens, dtype=np.int32)
        """How many codes each token `[V]` stands for; 0 for one that stands for none."""
        self.num_codes[ids] = lengths
        # The positions of all tokens in the alphabet, one token after the other, and where the
        # first one of each is.
        self._positions = alphabet.positions_of("".join(texts.values())).astype(np.int32)
        first = np.cumsum(lengths) - lengths
        self._first = np.zeros(num_tokens, dtype=np.int32)
        self._first[ids] = first
        starts = np.cumsum([0, *alphabet.codebook_sizes])
        codebooks = np.searchsorted(starts, self._positions, side="right") - 1
        self._codes = (self._positions - starts[codebooks]).astype(np.int32)  # the same as codes
        self.turns: npt.NDArray[np.int32] = np.full(num_tokens, -1, dtype=np.int32)
        """The codebook that each token `[V]` begins with; -1 if its codes are not in turn."""
        self.turns[ids] = _turns(codebooks, first, lengths, alphabet.num_codebooks)

    @cached_property
    def _tokens(self) -> Records:
        """What the compiled loop reads of a token, side by side in memory."""
        from .code_loops import TOKEN

        tokens = np.empty(len(self.num_codes), dtype=TOKEN)
        tokens["first"], tokens["count"], tokens["turn"] = self._first, self.num_codes, self.turns
        tokens["next_turn"] = (self.turns + self.num_codes) % self._alphabet.num_codebooks
        return tokens

    @cached_property
    def _decode(self) -> Callable[..., tuple[bool, npt.NDArray[np.int64]]]:
        from .code_loops import decode, get_ready

        get_ready()
        return decode

    def positions_of(self, ids: Ids) -> npt.NDArray[np.int32]:
        """Positions `[N]` in the alphabet of tokens `[L]`, each of which stands for some code."""
        if len(ids) == 0:
            return np.zeros(0, dtype=np.int32)
        lengths, first = self.num_codes[ids], self._first[ids]
        ends = np.cumsum(lengths, dtype=np.int64)
        # Where to read: one further each time, but after a token where the next one's codes are.
        steps = np.ones(ends[-1], dtype=np.int32)
        steps[0] = first[0]
        steps[ends[:-1]] = first[1:] - first[:-1] - lengths[:-1] + 1
        return self._positions[np.cumsum(steps, dtype=np.int32, out=steps)]

    def codes_of(self, ids: Ids) -> npt.NDArray[np.int64] | None:
        """Codes `[K, T]` of tokens `[L]`.

        Returns:
            `None` unless all stand for codes, which make up whole frames.
        """
        return self._decoded(ids) if _is_worth_numba(ids) else self._looked_up(ids)

    def _looked_up(self, ids: Ids) -> npt.NDArray[np.int64] | None:
        if len(ids) and (ids.min() < 0 or ids.max() >= len(self.num_codes)):
            return None
        if not self.num_codes[ids].all():
            return None
        return self._alphabet.codes_of(self.positions_of(ids))

    def _decoded(self, ids: Ids) -> npt.NDArray[np.int64] | None:
        """The same by a compiled loop."""
        num_codebooks = self._alphabet.num_codebooks
        if ids.dtype == np.uint64:  # as lists come; what is huge becomes negative
            ids = ids.view(np.int64)
        if ids.dtype != np.int64 or not ids.flags.carray:  # the kind that it is compiled for
            ids = ids.astype(np.int64)
        in_turn, codes = self._decode(self._tokens, self._codes, num_codebooks, ids)
        return codes if in_turn else None


def _turns(
    codebooks: npt.NDArray[np.int64],
    first: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    num_codebooks: int,
) -> npt.NDArray[np.int64]:
    """The codebook that each token begins with, or -1 if one of its codes is not in turn."""
    if not len(first):
        return first
    before = np.repeat(codebooks[first] - first, lengths)
    is_wrong = codebooks != (before + np.arange(len(codebooks))) % num_codebooks
    return np.where(np.logical_or.reduceat(is_wrong, first), -1, codebooks[first])


def _is_worth_numba(ids: Ids) -> bool:
    return (len(ids) >= _MANY or is_loaded()) and has_numba()
