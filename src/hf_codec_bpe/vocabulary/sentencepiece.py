"""SentencePiece-style BPE: Llama 2, Mistral's first ones, Gemma.

Their vocabularies hold characters as they are, so codes and their merges go in directly. What must
go is the dummy space that begins a text: it would become a token of its own before audio.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["without_dummy_space"]

_BEGINNING = r"(?<![\s\S])"  # neither \A, which JavaScript lacks, nor ^, which also follows "\n"


def without_dummy_space(backend: dict[str, Any], character_class: str) -> None:
    """Makes a backend, in place, begin no audio with a space that is not in the text.

    A `Prepend` normalizer makes it in older conversions, a `Metaspace` pre-tokenizer in newer ones.
    It is taken away right after. A `Metaspace` must see audio apart from the text before it: a
    text that begins with a space gets no dummy one, and would lose its own. (With
    `prepend_scheme="always"`, text that follows audio begins with a dummy space, as it does after
    special tokens.)

    Args:
        backend: The JSON of a `tokenizers.Tokenizer`.
        character_class: The code characters; see `CodebookAlphabet.character_class`.
    """
    for step in _steps(backend["normalizer"], "normalizers"):
        if step["type"] == "Prepend":
            rule = _removal(step["prepend"], character_class)
            replace = {"type": "Replace", "pattern": rule, "content": ""}
            backend["normalizer"] = _with_last(backend["normalizer"], "normalizers", replace)
    for step in _steps(backend["pre_tokenizer"], "pretokenizers"):
        if step["type"] == "Metaspace" and step["prepend_scheme"] != "never":
            rule = _removal(step["replacement"], character_class)
            split = {"type": "Split", "pattern": rule, "behavior": "Removed", "invert": False}
            backend["pre_tokenizer"] = _with_last(backend["pre_tokenizer"], "pretokenizers", split)


def _removal(space: str, character_class: str) -> dict[str, str]:
    return {"Regex": f"{_BEGINNING}{re.escape(space)}(?=[{character_class}])"}


def _steps(part: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    """A part of a backend as the list of its steps."""
    if part is None:
        return []
    return list(part[key]) if part["type"] == "Sequence" else [part]


def _with_last(part: dict[str, Any] | None, key: str, step: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", key: [*_steps(part, key), step]}
