"""What follows from a tokenizer, remembered outside of it: its attributes are hashed and saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["per_tokenizer"]

Result = TypeVar("Result")


def per_tokenizer(make: Callable[[Any], Result]) -> Callable[[Any], Result]:
    """Calls `make` once for each tokenizer, and again after tokens were added to it."""
    made: WeakKeyDictionary[Any, tuple[Any, Result]] = WeakKeyDictionary()

    def remembered(tokenizer: Any) -> Result:
        tokens = (len(tokenizer), tuple(tokenizer.all_special_tokens))
        known = made.get(tokenizer)
        if known is None or known[0] != tokens:
            known = made[tokenizer] = (tokens, make(tokenizer))
        return known[1]

    return remembered
