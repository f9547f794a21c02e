"""How many whole frames fit into a number of tokens.

Axis letters: K = codebooks, T = frames.
"""

from __future__ import annotations

from ..codec_vocabulary import CodecVocabulary
from ..errors import TokenizerError

__all__ = ["ids_that_fit"]


def ids_that_fit(vocabulary: CodecVocabulary, text: str, start: int, room: int) -> list[int]:
    """The ids of as many whole frames as fit; one frame more would not.

    The frames are tokenized by themselves, since near a cut BPE segments otherwise than in the
    whole.

    Args:
        vocabulary: The codec's tokens.
        text: Code characters `[T * K]` of a clip.
        start: Where the first frame begins in the text.
        room: The most ids; none fit where it is negative.

    Returns:
        At most `room` ids; none where no frame fits.

    Raises:
        TokenizerError: The tokenizer makes something else of code characters.
    """
    if room <= 0:
        return []
    num_codebooks = vocabulary.alphabet.num_codebooks

    def tokenized(length: int) -> list[int]:
        return _tokenized(vocabulary, text[start : start + length])

    length = _estimate(vocabulary, text, start, room)
    ids = tokenized(length)
    while len(ids) > room:
        length -= num_codebooks
        ids = tokenized(length)
    while start + length < len(text):
        longer = tokenized(length + num_codebooks)
        if len(longer) > room:
            break
        length, ids = length + num_codebooks, longer
    return ids


def _estimate(vocabulary: CodecVocabulary, text: str, start: int, room: int) -> int:
    """How many characters, of whole frames, the first ids of a longer piece stand for."""
    length = 2 * room
    ids = _tokenized(vocabulary, text[start : start + length])
    while len(ids) < room and start + length < len(text):
        length *= 2
        ids = _tokenized(vocabulary, text[start : start + length])
    num_characters = int(vocabulary.num_codes[ids[:room]].sum())
    return num_characters - num_characters % vocabulary.alphabet.num_codebooks


def _tokenized(vocabulary: CodecVocabulary, text: str) -> list[int]:
    # Not verbose: what is looked at here may be longer than the model's context.
    options = {"add_special_tokens": False, "verbose": False}
    ids: list[int] = vocabulary.tokenizer(text, **options)["input_ids"]
    if vocabulary.num_codes[ids].sum() != len(text):
        raise TokenizerError(
            "The tokenizer makes no audio tokens of code characters, so it has lost parts of what "
            "extend_tokenizer made: load it as it was saved, with PreTrainedTokenizerFast."
        )
    return ids
