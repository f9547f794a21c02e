"""Which codes each token of an extended vocabulary is made of."""

from __future__ import annotations

from collections import Counter
from math import gcd
from typing import Any, NamedTuple

from ..codec_vocabulary import alphabets_of

__all__ = ["Composition", "compositions"]


class Composition(NamedTuple):
    """A merged token and the ids of its codes."""

    token_id: int
    code_ids: list[int]
    alone: bool
    """Whether no token before it has the same mean: the same codes in the same proportions."""


def compositions(tokenizer: Any, first_id: int) -> list[Composition]:
    """The merged tokens from `first_id` on, in the order of their ids.

    Args:
        tokenizer: An extended one.
        first_id: Where the tokens of new codecs begin.
    """
    ids = range(first_id, len(tokenizer))
    texts = tokenizer.backend_tokenizer.decode_batch([[i] for i in ids], skip_special_tokens=False)
    characters = set().union(*(alphabet.characters for alphabet in alphabets_of(tokenizer)))
    audio = [
        (token_id, text)
        for token_id, text in zip(ids, texts, strict=True)
        if characters.issuperset(text)
    ]
    id_of = {text: token_id for token_id, text in audio if len(text) == 1}
    seen: set[tuple[tuple[int, int], ...]] = {((code_id, 1),) for code_id in id_of.values()}
    found = []
    for token_id, text in audio:
        if len(text) > 1:
            code_ids = [id_of[char] for char in text]
            proportions = _proportions(code_ids)
            found.append(Composition(token_id, code_ids, proportions not in seen))
            seen.add(proportions)
    return found


def _proportions(code_ids: list[int]) -> tuple[tuple[int, int], ...]:
    """What two sequences of codes with the same mean have in common.

    Example:
        >>> _proportions([7, 5, 5, 5, 7, 5])
        ((5, 2), (7, 1))
    """
    counts = Counter(code_ids)
    divisor = gcd(*counts.values())
    return tuple(sorted((code_id, count // divisor) for code_id, count in counts.items()))
