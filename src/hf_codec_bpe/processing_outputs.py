"""What a language model wrote, taken apart into text and audio.

Axis letters: K = codebooks, T = frames, L = tokens.
"""

from __future__ import annotations

import logging
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .alphabet import CodebookAlphabet, Errors
from .codec_vocabulary import CodecVocabulary, alphabets_of
from .errors import TokenizerError
from .per_tokenizer import per_tokenizer
from .tokenization_codec_bpe import CodecBPETokenizer, checked_ids

__all__ = ["TextOrCodes", "legible_ids", "split_output"]

logger = logging.getLogger(__name__)


class TextOrCodes(NamedTuple):
    """A stretch of a sequence: exactly one of the two is set."""

    text: str | None
    codes: npt.NDArray[np.int64] | None
    """Codes `[K, T]`."""


def split_output(
    vocabulary: CodecVocabulary, ids: Any, errors: Errors = "strict"
) -> list[TextOrCodes]:
    """Text and clips in the order in which they were written.

    Special tokens end a clip and are left out; text ends one too, and is decoded. A codec's own
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
        codes = tokenizer.ids_to_codes(ids, errors)
        return [TextOrCodes(None, codes)] if codes.size else []
    sequence = legible_ids(vocabulary, ids, errors)
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    audio = dict(zip(sequence, vocabulary.is_audio(sequence).tolist(), strict=True))
    parts: list[TextOrCodes] = []
    before: list[int] = []
    for kind, group in groupby(sequence, lambda i: "audio" if audio[i] else i in special or "text"):
        run = list(group)
        if kind == "audio":
            codes = vocabulary.ids_to_codes(run, errors)
            parts += [TextOrCodes(None, codes)] if codes.size else []
        elif kind == "text":
            parts.append(TextOrCodes(_text(tokenizer, run, before if parts else []), None))
        before = run[-1:]
    return parts


def legible_ids(vocabulary: CodecVocabulary, ids: Any, errors: Errors) -> list[int]:
    """The ids of a sequence that are text or this codec's audio; see `split_output`.

    Pieces of code characters and other codecs' audio are neither.
    """
    sequence: list[int] = checked_ids(ids, len(vocabulary.tokenizer)).tolist()
    foreign = _foreign(vocabulary.tokenizer)[vocabulary.alphabet]
    found = [i for i in sequence if i in foreign]
    if not found:
        return sequence
    if errors == "strict":
        raise TokenizerError(
            f"Token {found[0]} is a piece of a code character or another codec's audio, which no "
            "text or audio of this codec is written with: pass errors='drop', or decode it with "
            "that codec's processor."
        )
    logger.warning("Dropped %d tokens that are neither text nor whole codes.", len(found))
    return [i for i in sequence if i not in foreign]


def _text(tokenizer: Any, run: list[int], before: list[int]) -> str:
    """The text of ids after another one; at the beginning, some decoders take a space away."""
    if not before:
        return str(tokenizer.decode(run))
    prefix: str = tokenizer.decode(before, skip_special_tokens=False)
    return str(tokenizer.decode(before + run, skip_special_tokens=False))[len(prefix) :]


@per_tokenizer
def _foreign(tokenizer: Any) -> dict[CodebookAlphabet, frozenset[int]]:
    """What no text or audio of each codec holds: all pieces of codes, and other codecs' audio."""
    codecs = [CodecVocabulary.of(tokenizer, index=at) for at in range(len(alphabets_of(tokenizer)))]
    pieces = {token_id for codec in codecs for token_id in codec.pieces}
    return {
        codec.alphabet: frozenset(pieces.union(*(o.texts for o in codecs if o is not codec)))
        for codec in codecs
    }
