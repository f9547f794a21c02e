"""Byte-level BPE: GPT-2, Llama 3, Qwen and Mistral's tekken.

Their vocabularies spell every byte as a printable character. A code character is 4 bytes, so it
is built by 3 merges of its own, which share their beginnings: 4,096 codes need 65 tokens more. They
must come before the base's merges, which would join some of those bytes otherwise. Since no other
text has bytes that begin like those of a code, the base's merges go on as if nothing was there.
"""

from __future__ import annotations

from functools import cache

from transformers.convert_slow_tokenizer import bytes_to_unicode

from ..alphabet import CodebookAlphabet

__all__ = ["building_merges", "spelled", "unspelled"]


@cache
def _letters() -> dict[int, str]:
    """The character that spells each of the 256 bytes, as GPT-2 has it."""
    return dict(bytes_to_unicode())


@cache
def _bytes() -> dict[str, int]:
    return {letter: byte for byte, letter in _letters().items()}


def spelled(text: str) -> str:
    r"""Text as a byte-level vocabulary spells it.

    Example:
        >>> spelled("é \U000F0000")
        'Ã©Ġó°ĢĢ'
    """
    return text.encode().decode("latin-1").translate(_letters())


def unspelled(token: str) -> str:
    """The text of a vocabulary entry, without bytes that are no whole character.

    Example:
        >>> unspelled("Ã©Ġó")
        'é '
    """
    known = _bytes()
    if not all(letter in known for letter in token):  # an added token, which is not spelled
        return token
    return bytes(known[letter] for letter in token).decode(errors="ignore")


def building_merges(alphabet: CodebookAlphabet) -> list[tuple[str, str]]:
    """The merges that build every character of an alphabet from its bytes.

    Example:
        >>> building_merges(CodebookAlphabet([2]))
        [('ó', '°'), ('ó°', 'Ģ'), ('ó°Ģ', 'Ģ'), ('ó°Ģ', 'ģ')]
    """
    merges: dict[tuple[str, str], None] = {}
    for letters in map(spelled, alphabet.characters):
        for at in range(1, len(letters)):
            merges[letters[:at], letters[at]] = None
    return list(merges)
