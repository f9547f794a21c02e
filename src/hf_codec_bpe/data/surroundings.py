"""The tokens around a window of audio."""

from __future__ import annotations

from itertools import takewhile
from typing import Any, NamedTuple

from ..codec_vocabulary import CodecVocabulary
from ..errors import PackingError

__all__ = ["Surroundings", "own_tokens"]


class Surroundings(NamedTuple):
    """The ids that come before and after every window."""

    before: list[int]
    after: list[int]

    @classmethod
    def of(
        cls,
        vocabulary: CodecVocabulary,
        audio_start_token: str | None,
        audio_end_token: str | None,
        add_bos_token: bool | None,
        add_eos_token: bool | None,
    ) -> Surroundings:
        """Looks tokens up; for the arguments see `pack_codes`.

        Raises:
            PackingError: The tokenizer lacks one of them.
        """
        tokenizer = vocabulary.tokenizer
        own_bos, own_eos = own_tokens(vocabulary)
        bos = own_bos if add_bos_token is None else _special(tokenizer, "bos_token", add_bos_token)
        eos = own_eos if add_eos_token is None else _special(tokenizer, "eos_token", add_eos_token)
        start = _audio(vocabulary, "audio_start_token", audio_start_token)
        end = _audio(vocabulary, "audio_end_token", audio_end_token)
        return cls([*bos, *start], [*end, *eos])

    @property
    def num_tokens(self) -> int:
        """How many there are in all."""
        return len(self.before) + len(self.after)

    def put_around(self, ids: list[int]) -> list[int]:
        """A window with them."""
        return [*self.before, *ids, *self.after]


def own_tokens(vocabulary: CodecVocabulary) -> tuple[list[int], list[int]]:
    """What a tokenizer itself begins and ends every text with: a BOS and an EOS token, or none.

    Returns:
        `([bos], [eos])`, either of them empty where the tokenizer leaves it out.
    """
    tokenizer = vocabulary.tokenizer
    # Around a code, which tells the two apart where one token is both, as GPT-2's is.
    encoded = tokenizer(vocabulary.alphabet.characters[0], return_special_tokens_mask=True)
    ids, is_own = encoded["input_ids"], encoded["special_tokens_mask"]
    num_before = len(list(takewhile(bool, is_own)))
    bos, eos = ids[:num_before][:1], ids[num_before + is_own.count(0) :]
    return (
        bos if bos == [tokenizer.bos_token_id] else [],
        eos if eos == [tokenizer.eos_token_id] else [],
    )


def _special(tokenizer: Any, name: str, wanted: bool) -> list[int]:
    if not wanted:
        return []
    token_id = getattr(tokenizer, f"{name}_id")
    if token_id is None:
        option = name.removesuffix("_token")
        raise PackingError(
            f"add_{name}=True (--{option}), but the tokenizer has no {name}: give it one, or leave "
            f"it out (add_{name}=False, or --no-{option})."
        )
    return [token_id]


def _audio(vocabulary: CodecVocabulary, name: str, token: str | None) -> list[int]:
    if token is None:
        token = getattr(vocabulary, name)
    if not token:
        return []
    ids = vocabulary.tokenizer.get_vocab()
    if token not in ids:
        raise PackingError(
            f"{name}={token!r} is not in the tokenizer's vocabulary: train_tokenizer puts it there "
            "with additional_special_tokens, and extend_tokenizer by that name."
        )
    return [ids[token]]
