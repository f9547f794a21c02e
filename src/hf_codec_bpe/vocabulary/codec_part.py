"""What a codec tokenizer brings along: its tokens and its merges."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from ..alphabet import CodebookAlphabet
from ..errors import TokenizerError
from ..tokenization_codec_bpe import CodecBPETokenizer
from .alphabets import check_added, move_alphabet
from .state import state_of

__all__ = ["CodecPart"]


class CodecPart(NamedTuple):
    """The part of a codec tokenizer that goes into a base."""

    alphabet: CodebookAlphabet
    tokens: list[str]
    """Strings of code characters in the order of their ids: first single codes, then merges."""
    merges: list[tuple[str, str]]
    """Pairs of tokens in the order in which they are merged."""

    @classmethod
    def of(cls, tokenizer: CodecBPETokenizer, alphabet: CodebookAlphabet) -> CodecPart:
        """Takes a tokenizer apart.

        Tokens that no run of codes ever makes are left out: they change nothing in the codec
        tokenizer, but a base that looks whole words up before it merges would find them.

        Args:
            tokenizer: A codec's tokenizer.
            alphabet: The alphabet to bring along: the tokenizer's own, or where it is moved.

        Raises:
            TokenizerError: A tokenizer that does more than merge codes, or lacks some codes.
        """
        check_added(tokenizer)
        if alphabet != tokenizer.alphabet:
            tokenizer = move_alphabet(tokenizer, alphabet.unicode_offset)
        backend = state_of(tokenizer)
        _check(backend)
        characters = set(alphabet.characters)
        vocabulary = backend["model"]["vocab"]
        candidates = [
            token
            for token in sorted(vocabulary, key=vocabulary.get)
            if characters.issuperset(token)
        ]
        encodings = Tokenizer.from_str(json.dumps(backend)).encode_batch(
            candidates, add_special_tokens=False
        )
        tokens = [
            token
            for token, encoding in zip(candidates, encodings, strict=True)
            if token and encoding.tokens == [token]
        ]
        kept = set(tokens)
        if not characters <= kept:
            raise TokenizerError(
                f"{len(characters - kept)} of the {len(characters)} codes are not tokens of their "
                "own in the codec tokenizer: make one with train_tokenizer."
            )
        merges = [
            (left, right)
            for left, right in backend["model"]["merges"]
            if {left, right, left + right} <= kept
        ]
        return cls(alphabet, tokens, merges)


def _check(backend: dict[str, Any]) -> None:
    options = ("continuing_subword_prefix", "end_of_word_suffix", "dropout", "ignore_merges")
    extras = [option for option in options if backend["model"].get(option)]
    extras += ["normalizer"] if backend["normalizer"] is not None else []
    # codec-bpe's tokenizers have a Metaspace, which no run of codes has a space for.
    pre_tokenizer = backend["pre_tokenizer"] or {"type": None}
    extras += [pre_tokenizer["type"]] if pre_tokenizer["type"] not in (None, "Metaspace") else []
    if backend["model"]["type"] != "BPE" or extras:
        raise TokenizerError(
            f"The codec tokenizer is {backend['model']['type']} with {extras}, and only plain BPE "
            "over code characters can be added to a language model's vocabulary: make one with "
            "train_tokenizer."
        )
