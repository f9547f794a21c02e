"""Which token may follow which where audio is written: a state machine as tensors.

With K codebooks there are K + 2 states. In states 0 to K - 1 a clip goes on, and that codebook is
due; `started` is after the token that starts clips, where the first frame has yet to come; and
`outside` is in text.

Axis letters: K = codebooks, V = all tokens of the tokenizer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ..codec_vocabulary import CodecVocabulary, alphabets_of
from ..errors import TokenizerError
from ..tokenization_codec_bpe import CodecBPETokenizer

__all__ = ["GrammarTables", "grammar_tables", "never_generated"]


class GrammarTables(NamedTuple):
    """The grammar of a vocabulary."""

    allowed: torch.Tensor
    """Which tokens each state allows: booleans `[K + 2, V]`."""
    following: torch.Tensor
    """The state after each token `[V]`, where audio belongs to a clip."""
    cost: torch.Tensor
    """How many tokens the clip needs after each one `[V]` to end properly, code by code."""

    def fitting(self, scores: torch.Tensor) -> GrammarTables:
        """The tables as wide as a model's scores, and where those are.

        Raises:
            TokenizerError: The model has fewer scores than the tokenizer has tokens.
        """
        beyond = scores.shape[-1] - len(self.cost)
        if beyond < 0:
            raise TokenizerError(
                f"The model scores {scores.shape[-1]} tokens, but the tokenizer has "
                f"{len(self.cost)}: give the model rows for all of them with "
                "extend_model(model, tokenizer)."
            )
        outside = len(self.allowed) - 1
        padded = (
            torch.nn.functional.pad(table, (0, beyond), value=value)
            for table, value in zip(self, (False, outside, 0), strict=True)
        )
        return GrammarTables(*(table.to(scores.device) for table in padded))


def grammar_tables(
    vocabulary: CodecVocabulary,
    start_id: int | None,
    end_id: int | None,
    never: frozenset[int],
) -> GrammarTables:
    """The grammar of a vocabulary.

    Args:
        vocabulary: The codec's.
        start_id: The token that every clip starts with; `None` if audio starts by itself.
        end_id: The token that every clip ends with; `None` if any token that is not audio ends it.
        never: What no state allows; see `never_generated`.
    """
    num_codebooks = vocabulary.alphabet.num_codebooks
    num_tokens = len(vocabulary.num_codes)
    started, outside = num_codebooks, num_codebooks + 1
    is_audio, turns = vocabulary.num_codes > 0, vocabulary.turns
    due = (turns + vocabulary.num_codes) % num_codebooks
    text = ~is_audio
    text[list(never)] = False

    allowed = np.zeros((num_codebooks + 2, num_tokens), dtype=np.bool_)
    in_turn = np.flatnonzero(turns >= 0)
    allowed[turns[in_turn], in_turn] = True
    allowed[started] = allowed[0]
    if start_id is None:
        allowed[outside] = allowed[0]
    if end_id is None:
        allowed[0] |= text
    else:
        allowed[0, end_id] = True
        text[end_id] = False
    allowed[outside] |= text

    following = np.where(is_audio, due, outside)
    end_cost = int(end_id is not None)
    cost = np.where(is_audio, -due % num_codebooks + end_cost, 0)
    if start_id is not None:
        following[start_id] = started
        cost[start_id] = num_codebooks + end_cost
    return GrammarTables(*map(torch.from_numpy, (allowed, following, cost)))


def never_generated(vocabulary: CodecVocabulary) -> frozenset[int]:
    """Tokens that no state allows, because they stand for nothing that a model could mean.

    These are pieces of code characters, and the tokens that processors put clips in place of, of
    every codec that the tokenizer knows; and, in a codec's own tokenizer, whatever is neither audio
    nor dropped silently when it is decoded.
    """
    tokenizer = vocabulary.tokenizer
    codecs = _codecs_beside(vocabulary)
    never = {token_id for codec in codecs for token_id in codec.pieces}
    placeholders = [codec.audio_token for codec in codecs if codec.audio_token]
    never.update(tokenizer.convert_tokens_to_ids(placeholders))
    if isinstance(tokenizer, CodecBPETokenizer):
        silent = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
        never |= set(tokenizer.get_added_vocab().values()) - silent
    return frozenset(token_id for token_id in never if token_id is not None)


def _codecs_beside(vocabulary: CodecVocabulary) -> list[CodecVocabulary]:
    """All codecs of a vocabulary's tokenizer, its own among them."""
    tokenizer = vocabulary.tokenizer
    return [
        vocabulary
        if alphabet == vocabulary.alphabet  # it may know its tokens already
        else CodecVocabulary.of(tokenizer, index=index)
        for index, alphabet in enumerate(alphabets_of(tokenizer))
    ]
