"""Codes to ids without strings: a tokenizer's merges, on integers.

Axis letters: A = codes of an alphabet, N = codes of a sequence, M = merges.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .alphabet import CodebookAlphabet
from .jit import has_numba
from .token_codes import TokenCodes

__all__ = ["IntegerBPE"]

Ids = npt.NDArray[np.int64]


class IntegerBPE:
    """Merges codes exactly as a tokenizer does; needs numba.

    Args:
        code_ids: The token `[A]` of each code.
        merges: Left and right token and what they become `[M, 3]`, in the order of merging.
        tokens: The codes of every token.
    """

    def __init__(self, code_ids: Ids, merges: Ids, tokens: TokenCodes) -> None:
        from . import bpe_loops

        bpe_loops.get_ready()
        self._code_ids = code_ids.astype(np.int32)
        neighbours = self._neighbours(tokens)
        self._table = bpe_loops.empty_table(len(merges) + len(neighbours))
        bpe_loops.add_merges(self._table, _pairs(merges[:, 0], merges[:, 1]), merges[:, 2].copy())
        bpe_loops.add_neighbours(self._table, neighbours)

    @classmethod
    def of(
        cls,
        tokenizer: Any,
        alphabet: CodebookAlphabet,
        tokens: TokenCodes,
        encode_text: Callable[[str], list[int]],
    ) -> IntegerBPE | None:
        """A tokenizer's merges; `None` where it does more than merge codes, or without numba.

        Args:
            tokenizer: A fast tokenizer.
            alphabet: The codec's characters there.
            tokens: The codec's tokens there.
            encode_text: How the tokenizer itself makes ids of code characters.
        """
        if not has_numba():
            return None
        own = np.flatnonzero(tokens.num_codes)
        singles = own[tokens.num_codes[own] == 1]
        backend = json.loads(tokenizer.backend_tokenizer.to_str())
        if len(singles) != alphabet.size or not _is_plain(backend, alphabet):
            return None
        merges = _merges_among(backend["model"], set(own.tolist()))
        if not np.isin(merges[:, 2], own).all():
            return None
        code_ids = np.empty(alphabet.size, dtype=np.int64)
        code_ids[tokens.positions_of(singles)] = singles
        made = cls(code_ids, merges, tokens)
        # Normalizers and pre-tokenizers may be anything: those that change or cut codes, or put
        # something before them, show in a run with every token in it.
        run = tokens.positions_of(own)
        agrees = made.encode(run) == encode_text(alphabet.text_of(run))
        # Words that are tokens are taken whole, which makes no difference if merges get there too.
        if agrees and backend["model"].get("ignore_merges"):
            agrees = all(
                made.encode(tokens.positions_of(own[[i]])) == [own[i]] for i in range(len(own))
            )
        return made if agrees else None

    @staticmethod
    def is_exact_for(tokenizer: Any) -> bool:
        """Whether a tokenizer always merges now: somebody may have set a dropout meanwhile."""
        return not getattr(tokenizer.backend_tokenizer.model, "dropout", None)

    def encode(self, positions: npt.NDArray[np.integer[Any]]) -> list[int]:
        """Ids of codes `[N]`, numbered as `CodebookAlphabet.to_positions` does."""
        from .bpe_loops import encode

        ids: list[int] = encode(self._table, self._code_ids[positions]).tolist()
        return ids

    def _neighbours(self, tokens: TokenCodes) -> Ids:
        """Pairs of codes that are side by side in some token."""
        own = np.flatnonzero(tokens.num_codes)
        codes = self._code_ids[tokens.positions_of(own)].astype(np.int64)
        ends = np.cumsum(tokens.num_codes[own])
        return np.unique(np.delete(_pairs(codes[:-1], codes[1:]), ends[:-1] - 1))


def _is_plain(backend: dict[str, Any], alphabet: CodebookAlphabet) -> bool:
    """Whether a backend's model is BPE on characters, and no added token holds code characters."""
    model = backend["model"]
    if model["type"] != "BPE":
        return False
    marks = model["continuing_subword_prefix"] or model["end_of_word_suffix"]
    added = "".join(token["content"] for token in backend["added_tokens"])
    return not marks and bool((alphabet.positions_of(added) < 0).all())


def _merges_among(model: dict[str, Any], ids: set[int]) -> Ids:
    """The merges `[M, 3]` of a model whose tokens are all among those ids."""
    vocabulary = model["vocab"]
    found = []
    for merge in model["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        left_id, right_id = vocabulary[left], vocabulary[right]
        if left_id in ids and right_id in ids:
            found.append((left_id, right_id, vocabulary[left + right]))
    return np.array(found, dtype=np.int64).reshape(-1, 3)


def _pairs(left: Ids, right: Ids) -> Ids:
    return np.ascontiguousarray(left << 32 | right)
