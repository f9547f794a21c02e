"""Byte-level BPE: GPT-2, Llama 3, Qwen and Mistral's tekken.

Their vocabularies spell every byte as a printable character. A code character is 4 bytes, so it
is built by 3 merges of its own, which share their beginnings: 4,096 codes need 65 tokens more. They
must come before the base's merges, which would join some of those bytes otherwise. Since no other
text has bytes that begin like those of a code, the base's merges go on as if nothing was there.
"""

from __future__ import annotations

from functools import cache

from ..alphabet import CodebookAlphabet

__all__ = ["building_merges", "spelled", "unspelled"]


@cache
def _letters() -> list[str]:
    """The character that spells each of the 256 bytes, as GPT-2 has it."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    spelling = dict(zip(printable, map(chr, printable), strict=True))
    spelling.update({byte: chr(256 + i) for i, byte in enumerate(others)})
    return [spelling[byte] for byte in range(256)]


@cache
def _to_letters() -> dict[int, str]:
    return dict(enumerate(_letters()))


@cache
def _to_bytes() -> dict[str, int]:
    return {letter: byte for byte, letter in enumerate(_letters())}


def spelled(text: str) -> str:
    r"""Text as a byte-level vocabulary spells it.

    Example:
        >>> spelled("é \U000F0000")
        'Ã©Ġó°ĢĢ'
    """
    return text.encode().decode("latin-1").translate(_to_letters())


def unspelled(token: str) -> str:
    """The text of a vocabulary entry, without bytes that are no whole character.

    Example:
        >>> unspelled("Ã©Ġó")
        'é '
    """
    letters = _to_bytes()
    if not all(letter in letters for letter in token):  # an added token, which is not spelled
        return token
    return bytes(letters[letter] for letter in token).decode(errors="ignore")


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
