"""Training a backend: on integers where numba is installed, or by `tokenizers`, alike.

Axis letters: N = codes of a word.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, trainers

from ..alphabet import CodebookAlphabet
from ..jit import has_numba

__all__ = ["Recipe", "trained"]

logger = logging.getLogger(__name__)

Words = Iterable[npt.NDArray[np.int64]]
"""Positions `[N]` in the alphabet; no token spans two words."""


class Recipe(NamedTuple):
    """What to learn."""

    alphabet: CodebookAlphabet
    special_tokens: Sequence[str]
    vocab_size: int
    min_frequency: int
    longest_token: int | None
    """The most codes in a token; `None` for no limit."""
    unk_token: str | None
    show_progress: bool


def trained(recipe: Recipe, words: Words) -> Tokenizer:
    """A backend with the merges of the words."""
    if recipe.longest_token == 1:
        return _with_merges(recipe, [])
    if has_numba():
        return _trained_on_integers(recipe, words)
    logger.warning(
        "Training with tokenizers, because numba is not installed: pip install "
        "'hf-codec-bpe[train]' learns the same merges in a fraction of the time and memory."
    )
    return _trained_on_text(recipe, words)


def _trained_on_integers(recipe: Recipe, words: Words) -> Tokenizer:
    from .corpus import as_symbols
    from .integer_trainer import compile_trainer, learn_merges

    compile_trainer()
    merges = learn_merges(
        as_symbols(words),
        num_codes=recipe.alphabet.size,
        num_tokens=recipe.vocab_size - len(set(recipe.special_tokens)),
        min_frequency=recipe.min_frequency,
        longest_token=recipe.longest_token,
        show_progress=recipe.show_progress,
    )
    return _with_merges(recipe, merges.tolist())


def _with_merges(recipe: Recipe, merges: Sequence[Sequence[int]]) -> Tokenizer:
    """A backend of the special tokens, the codes, and then what each merge makes."""
    tokens = list(recipe.alphabet.characters)
    pairs = []
    for left, right in merges:
        pairs.append((tokens[left], tokens[right]))
        tokens.append(tokens[left] + tokens[right])
    ids = {token: i for i, token in enumerate(dict.fromkeys([*recipe.special_tokens, *tokens]))}
    backend = Tokenizer(models.BPE(vocab=ids, merges=pairs, unk_token=recipe.unk_token))
    backend.decoder = decoders.Fuse()
    backend.add_special_tokens(list(recipe.special_tokens))
    return backend


def _trained_on_text(recipe: Recipe, words: Words) -> Tokenizer:
    longest, alphabet = recipe.longest_token, recipe.alphabet
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocab_size,
        min_frequency=recipe.min_frequency,
        special_tokens=list(recipe.special_tokens),
        initial_alphabet=list(alphabet.characters),
        limit_alphabet=alphabet.size,
        max_token_length=None if longest is None else longest + 1,  # their limit is exclusive
        show_progress=recipe.show_progress,
    )
    backend = Tokenizer(models.BPE(unk_token=recipe.unk_token))
    backend.decoder = decoders.Fuse()
    backend.train_from_iterator(map(alphabet.text_of, words), trainer)
    return backend
