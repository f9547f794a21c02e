"""What a tokenizer's backend is, apart from what it was last called with."""

from __future__ import annotations

import json
from typing import Any

from transformers import PreTrainedTokenizerFast

__all__ = ["state_of"]


def state_of(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """The JSON of a tokenizer's backend, which stays as it is.

    A call sets truncation and padding in the backend, where they stay until the next one. They are
    no part of the tokenizer, and would cut and pad what is tokenized with the backend itself.
    """
    state: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    return {**state, "truncation": None, "padding": None}
