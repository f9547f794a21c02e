"""Where a codec's characters go, beside those of others and of human text."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

from ..alphabet import CodebookAlphabet
from ..code_points import PRIVATE_PLANES, UNASSIGNED_PLANES
from ..errors import AlphabetError, TokenizerError
from ..tokenization_codec_bpe import CodecBPETokenizer
from .state import state_of

__all__ = [
    "as_entry",
    "check_added",
    "check_free",
    "move_alphabet",
    "placed",
]

logger = logging.getLogger(__name__)

_REGIONS = ((PRIVATE_PLANES, 0x110000), (UNASSIGNED_PLANES, 0xE0000))
"""Where codes may live: `(first, end)`. Plane 14 in between holds tags and variation selectors."""


def placed(alphabet: CodebookAlphabet, taken: Sequence[CodebookAlphabet]) -> CodebookAlphabet:
    """The alphabet as it is, or moved: away from human text, and after those that are taken.

    Args:
        alphabet: A codec's own.
        taken: Those of the codecs that were added before.

    Raises:
        AlphabetError: No region has room.
    """
    if _in_region(alphabet) and not any(_overlap(alphabet, other) for other in taken):
        return alphabet
    for first, end in _REGIONS:
        last = [run[1] for other in taken for run in other.ranges if first <= run[1] < end]
        try:
            moved = CodebookAlphabet(alphabet.codebook_sizes, max(last, default=first - 1) + 1)
        except AlphabetError:  # the region is the last one, and too small
            continue
        if _in_region(moved):
            logger.info("Moved the codes of %r to U+%X.", alphabet, moved.unicode_offset)
            return moved
    raise AlphabetError(
        f"No room is left for the {alphabet.size} characters of {alphabet!r} after those of "
        f"{len(taken)} other codecs: use fewer codebooks, or fewer codecs."
    )


def move_alphabet(
    tokenizer: CodecBPETokenizer, unicode_offset: int | None = None
) -> CodecBPETokenizer:
    """The same tokenizer over other characters: equal ids for equal codes.

    Args:
        tokenizer: A codec's tokenizer, which stays as it is.
        unicode_offset: The first character's new code point; see `CodebookAlphabet`.

    Raises:
        AlphabetError: An alphabet that does not fit after the offset.
        TokenizerError: A tokenizer with added tokens of code characters.
    """
    check_added(tokenizer)
    old = tokenizer.alphabet
    new = CodebookAlphabet(old.codebook_sizes, unicode_offset)
    table = str.maketrans(old.characters, new.characters)
    backend = state_of(tokenizer)
    special = {token["content"] for token in backend["added_tokens"]}
    model = backend["model"]
    model["vocab"] = {
        token if token in special else token.translate(table): token_id
        for token, token_id in model["vocab"].items()
    }
    model["merges"] = [[part.translate(table) for part in merge] for merge in model["merges"]]
    options = {
        **tokenizer.init_kwargs,
        "unicode_offset": new.unicode_offset,
        "skip_noncharacters": True,
    }
    for file_option in ("tokenizer_file", "tokenizer_object"):
        options.pop(file_option, None)
    return CodecBPETokenizer(tokenizer_object=Tokenizer.from_str(json.dumps(backend)), **options)


def as_entry(alphabet: CodebookAlphabet) -> dict[str, Any]:
    """What `tokenizer_config.json` keeps of an alphabet; `alphabets_of` reads it."""
    return {
        "codebook_sizes": list(alphabet.codebook_sizes),
        "unicode_offset": alphabet.unicode_offset,
        "skip_noncharacters": alphabet.skip_noncharacters,
    }


def owned(tokens: Sequence[str], alphabet: CodebookAlphabet) -> list[str]:
    """Those of the tokens, as text, that hold a character of the alphabet."""
    # One search over all of the text is cheap where nothing is found, which is nearly always.
    characters = set(alphabet.characters)
    if characters.isdisjoint("".join(tokens)):
        return []
    return [token for token in tokens if not characters.isdisjoint(token)]


def check_added(tokenizer: CodecBPETokenizer) -> None:
    """Raises if a codec's tokenizer finds some runs of codes before it merges."""
    characters = set(tokenizer.alphabet.characters)
    added = [token for token in tokenizer.get_added_vocab() if characters.issuperset(token)]
    if added:
        raise TokenizerError(
            f"The codec tokenizer has {len(added)} added tokens of code characters, {added[0]!r} "
            "first, which it finds before it merges, and only merges can be moved or added to a "
            "language model's vocabulary: take it as train_tokenizer made it."
        )


def check_free(alphabet: CodebookAlphabet, tokens: Sequence[str]) -> None:
    """Raises unless no token of a base, as text, holds a character of the alphabet."""
    clashes = owned(tokens, alphabet)
    if clashes:
        raise TokenizerError(
            f"The base owns {len(clashes)} tokens with characters that stand for codes in "
            f"{alphabet!r}, {clashes[0]!r} first: its text would turn into audio. Move the codec "
            "first: move_alphabet(codec_tokenizer, unicode_offset=...), such as 0x40000."
        )


def _in_region(alphabet: CodebookAlphabet) -> bool:
    first, last = alphabet.ranges[0][0], alphabet.ranges[-1][1]
    return any(start <= first and last < end for start, end in _REGIONS)


def _overlap(one: CodebookAlphabet, other: CodebookAlphabet) -> bool:
    return any(
        first <= there[1] and there[0] <= last
        for first, last in one.ranges
        for there in other.ranges
    )
