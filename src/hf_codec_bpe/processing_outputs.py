"""What a language model wrote, taken apart into text and audio.

Axis letters: K = codebooks, T = frames, L = tokens.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .alphabet import Errors
from .codec_vocabulary import CodecVocabulary
from .errors import TokenizerError
from .tokenization_codec_bpe import CodecBPETokenizer, as_sequence

__all__ = ["TextOrCodes", "split_output"]

logger = logging.getLogger(__name__)


class TextOrCodes(NamedTuple):
    """A stretch of a sequence: one of the two is there."""

    text: str | None
    codes: npt.NDArray[np.int64] | None
    """Codes `[K, T]`."""


def split_output(
    vocabulary: CodecVocabulary, ids: Any, errors: Errors = "strict"
) -> list[TextOrCodes]:
    """Text and clips in the order in which they were written.

    Special tokens end a clip and are left out; so does text, which is decoded. A codec's own
    tokenizer has no text: its sequences are one clip each, special tokens in them left out.

    Args:
        vocabulary: The codec's.
        ids: Integers `[L]`: a list, a numpy array, or a torch tensor.
        errors: `"strict"` raises on clips that are not whole frames, and on pieces of code
            characters, which byte-level vocabularies hold; `"drop"` keeps whole frames.

    Raises:
        TokenizerError: An id outside the vocabulary, or a piece of a code character.
        AlphabetError: A clip that is not of whole frames.
    """
    tokenizer = vocabulary.tokenizer
    if isinstance(tokenizer, CodecBPETokenizer):
        return [TextOrCodes(None, tokenizer.ids_to_codes(ids, errors))]
    sequence = _without_pieces(vocabulary, _inside(tokenizer, as_sequence(ids)), errors)
    special = set(tokenizer.all_special_ids)
    audio = dict(zip(sequence, vocabulary.is_audio(sequence).tolist(), strict=True))
    parts = []
    for kind, run in groupby(sequence, lambda i: "audio" if audio[i] else i in special or "text"):
        if kind == "audio":
            parts.append(TextOrCodes(None, vocabulary.ids_to_codes(list(run), errors)))
        elif kind == "text":
            parts.append(TextOrCodes(tokenizer.decode(list(run)), None))
    return parts


def _inside(tokenizer: Any, sequence: Sequence[int]) -> Sequence[int]:
    wrong = [i for i in sequence if not 0 <= i < len(tokenizer)]
    if wrong:
        raise TokenizerError(
            f"Id {wrong[0]} is outside the vocabulary of {len(tokenizer)} tokens: leave out ids "
            "that this tokenizer did not make, such as the -100 of ignored labels."
        )
    return sequence


def _without_pieces(
    vocabulary: CodecVocabulary, sequence: Sequence[int], errors: str
) -> Sequence[int]:
    pieces = [i for i in sequence if i in vocabulary.pieces]
    if not pieces:
        return sequence
    if errors == "strict":
        raise TokenizerError(
            f"Token {pieces[0]} is a piece of a code character, which no audio is written with: "
            "pass errors='drop', or generate with AudioGrammarLogitsProcessor."
        )
    logger.warning("Dropped %d pieces of code characters.", len(pieces))
    return [i for i in sequence if i not in vocabulary.pieces]
