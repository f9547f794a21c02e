"""Codes to ids and back on integers, against tokenizers themselves."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from datasets.fingerprint import Hasher
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from hf_codec_bpe import (
    CodebookAlphabet,
    CodecBPETokenizer,
    CodecVocabulary,
    extend_tokenizer,
    integer_bpe,
    token_codes,
    tokenization_codec_bpe,
    train_tokenizer,
)
from hf_codec_bpe.errors import CodecBPEError

from . import bases

SIZES = [4, 3]


def tokenizer_of(sizes: list[int], merges: list[tuple[str, str]], **options: Any) -> Any:
    """A codec tokenizer with some special tokens and whatever merges."""
    alphabet = CodebookAlphabet(sizes)
    tokens = ["<pad>", "<unk>", *alphabet.characters, *(left + right for left, right in merges)]
    vocab = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    return CodecBPETokenizer(
        tokenizer_object=Tokenizer(models.BPE(vocab=vocab, merges=merges, **options)),
        codebook_sizes=sizes,
        unicode_offset=alphabet.unicode_offset,
        pad_token="<pad>",
    )


@st.composite
def tokenizers(draw: st.DrawFn) -> Any:
    """Merges in any order, also such that were never learnt: tokens made in two ways, or never."""
    sizes = draw(st.sampled_from([[1], [2], [3], [2, 2]]))
    tokens = list(CodebookAlphabet(sizes).characters)
    merges = []
    for _ in range(draw(st.integers(0, 14))):
        left, right = (draw(st.sampled_from(tokens)) for _ in range(2))
        if (left, right) not in merges and len(left + right) < 12:
            merges.append((left, right))
            tokens.append(left + right)
    order = draw(st.permutations(merges)) if draw(st.booleans()) else merges
    return tokenizer_of(sizes, order)


def run_of(sizes: list[int], data: st.DataObject) -> np.ndarray:
    """Codes `[K, T]` in which runs repeat."""
    frame = st.tuples(*(st.integers(0, size - 1) for size in sizes))
    phrases = st.lists(st.tuples(st.lists(frame, max_size=4), st.integers(1, 9)), max_size=9)
    frames = [frame for phrase, times in data.draw(phrases) for frame in phrase * times]
    return np.array(frames, dtype=np.int64).reshape(-1, len(sizes)).T


def by_backend(tokenizer: CodecBPETokenizer, codes: np.ndarray) -> list[int]:
    text = tokenizer.alphabet.to_text(codes)
    return tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids


def is_fast(tokenizer: CodecBPETokenizer) -> bool:
    return tokenization_codec_bpe._merges(tokenizer) is not None


@settings(deadline=None, max_examples=300)
@given(tokenizers(), st.data())
def test_ids_are_the_tokenizers_own_whatever_the_merges(
    tokenizer: CodecBPETokenizer, data: st.DataObject
) -> None:
    assert is_fast(tokenizer)
    for _ in range(3):
        codes = run_of(list(tokenizer.alphabet.codebook_sizes), data)
        ids = tokenizer.codes_to_ids(codes)
        assert ids == by_backend(tokenizer, codes)
        assert np.array_equal(tokenizer.ids_to_codes(ids), codes)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 3), st.sampled_from([None, 2, 5]))
def test_ids_are_the_tokenizers_own_after_training(
    seed: int, num_codebooks: int, ngrams: int | None
) -> None:
    rng = np.random.default_rng(seed)
    clips = [rng.geometric(0.5, (num_codebooks, 60)).clip(1, 4) - 1 for _ in range(6)]
    tokenizer = train_tokenizer(
        clips[:4],
        codebook_sizes=[4] * num_codebooks,
        vocab_size=60,
        max_token_codebook_ngrams=ngrams,
    )
    for codes in clips:
        assert tokenizer.codes_to_ids(codes) == by_backend(tokenizer, codes)


@pytest.mark.parametrize("kind", ["one code", "two codes", "noise"])
def test_a_long_sequence_takes_no_longer_for_each_code(kind: str) -> None:
    """Half a million codes that all may be merged: quadratic time would be hours."""
    rng = np.random.default_rng(0)
    num_frames = 500_000
    codes = {
        "one code": np.zeros(num_frames, dtype=int),
        "two codes": np.arange(num_frames) % 2,
        "noise": rng.integers(0, 3, num_frames),
    }[kind][None]
    tokenizer = train_tokenizer([codes[:, :20_000]], codebook_sizes=[3], vocab_size=300)
    ids = tokenizer.codes_to_ids(codes)
    assert ids == by_backend(tokenizer, codes)
    assert np.array_equal(tokenizer.ids_to_codes(ids), codes)


@pytest.mark.parametrize(
    "base", [bases.tekken, bases.llama3_like, bases.qwen_like, *bases.SENTENCEPIECE]
)
def test_extended_tokenizers_too(base: Callable[[], Any]) -> None:
    rng = np.random.default_rng(0)
    clips = [rng.geometric(0.4, (2, 200)).clip(1, 9) - 1 for _ in range(8)]
    first, second = (
        train_tokenizer(clips, codebook_sizes=[9, 9], vocab_size=size) for size in (90, 60)
    )
    extended = extend_tokenizer(extend_tokenizer(base(), first), second)
    for index in range(2):
        vocabulary = CodecVocabulary.of(extended, index=index)
        assert vocabulary._merges is not None
        for codes in (*clips, clips[0][:, :0], clips[0][:, :1]):
            text = vocabulary.alphabet.to_text(codes)
            ids = extended(text, add_special_tokens=False)["input_ids"]
            assert vocabulary.codes_to_ids(codes) == ids
            assert np.array_equal(vocabulary.ids_to_codes(ids), codes)


# What is no plain BPE is left to the backend.

MERGES = [("\U000f0000", "\U000f0004"), ("\U000f0000\U000f0004", "\U000f0001")]
CODES = np.array([[0, 1, 0, 0], [0, 2, 0, 0]])


def _prepend(tokenizer: CodecBPETokenizer) -> None:
    tokenizer.backend_tokenizer.normalizer = normalizers.Prepend("\U000f0001")


def _replace(tokenizer: CodecBPETokenizer) -> None:
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("\U000f0000", "\U000f0001")


def _split(tokenizer: CodecBPETokenizer) -> None:
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split("\U000f0004", "isolated")


def _add(tokenizer: CodecBPETokenizer) -> None:
    tokenizer.add_tokens([AddedToken("\U000f0004\U000f0001", normalized=False)])


def _drop_out(tokenizer: CodecBPETokenizer) -> None:
    tokenizer.backend_tokenizer.model.dropout = 1.0


@pytest.mark.parametrize("change", [_prepend, _replace, _split, _add])
def test_backends_that_do_more_are_asked_themselves(
    change: Callable[[CodecBPETokenizer], None],
) -> None:
    plain, changed = tokenizer_of(SIZES, MERGES), tokenizer_of(SIZES, MERGES)
    change(changed)
    assert is_fast(plain)
    assert not is_fast(changed)
    assert changed.codes_to_ids(CODES) == by_backend(changed, CODES)
    assert changed.codes_to_ids(CODES) != plain.codes_to_ids(CODES)


def test_words_taken_whole_are_asked_for_too() -> None:
    assert is_fast(tokenizer_of(SIZES, MERGES, ignore_merges=True))  # merges get there too
    alphabet = CodebookAlphabet(SIZES)
    whole = alphabet.to_text(CODES)
    tokens = ["<pad>", "<unk>", *alphabet.characters, whole]
    backend = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, [], ignore_merges=True))
    tokenizer = CodecBPETokenizer(
        tokenizer_object=backend,
        codebook_sizes=SIZES,
        unicode_offset=alphabet.unicode_offset,
        pad_token="<pad>",
    )
    assert not is_fast(tokenizer)
    assert tokenizer.codes_to_ids(CODES) == [len(tokens) - 1]


@pytest.mark.parametrize("change", [_drop_out, _add])
def test_changes_after_use_are_seen(change: Callable[[CodecBPETokenizer], None]) -> None:
    tokenizer = tokenizer_of(SIZES, MERGES)
    before = tokenizer.codes_to_ids(CODES)
    change(tokenizer)
    assert tokenizer.codes_to_ids(CODES) == by_backend(tokenizer, CODES) != before


def test_without_numba_the_backend_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = np.tile(CODES, 2_000)
    expected = tokenizer_of(SIZES, MERGES).codes_to_ids(codes)
    for module in (integer_bpe, token_codes):
        monkeypatch.setattr(module, "has_numba", lambda: False)
    tokenizer = tokenizer_of(SIZES, MERGES)
    assert not is_fast(tokenizer)
    assert tokenizer.codes_to_ids(codes) == expected
    assert np.array_equal(tokenizer.ids_to_codes(expected), codes)


# Back.

ANY_IDS = tokenizer_of(SIZES, MERGES, unk_token="<unk>")
ANY_IDS.unk_token = "<unk>"


def outcome(decode: Callable[[], np.ndarray]) -> Any:
    try:
        return decode().tolist()
    except CodecBPEError as error:
        return type(error), str(error)


@pytest.mark.parametrize("compiled", [False, True])
@settings(deadline=None, max_examples=200)
@given(
    ids=st.lists(st.integers(0, len(ANY_IDS) - 1), max_size=20) | st.lists(st.integers(-2, 30)),
    errors=st.sampled_from(["strict", "drop", "drop_frames", "sometimes"]),
    kind=st.sampled_from([list, np.array, lambda ids: np.array(ids, dtype=np.int16)]),
)
def test_any_ids_give_the_codes_or_the_error_of_their_text(
    compiled: bool, ids: list[int], errors: Any, kind: Callable[[list[int]], Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_codes, "_is_worth_numba", lambda ids: compiled)
        found = outcome(lambda: ANY_IDS.ids_to_codes(kind(ids), errors))
    assert found == outcome(lambda: ANY_IDS.alphabet.to_codes(ANY_IDS.ids_to_text(ids), errors))


@pytest.mark.parametrize("num_codebooks", [1, 3])
@pytest.mark.parametrize("compiled", [False, True])
def test_long_sequences_are_read_back(
    num_codebooks: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    codes = rng.geometric(0.3, (num_codebooks, 50_000)).clip(1, 20) - 1
    tokenizer = train_tokenizer([codes], codebook_sizes=[20] * num_codebooks, vocab_size=400)
    monkeypatch.setattr(token_codes, "_is_worth_numba", lambda ids: compiled)
    ids = tokenizer.codes_to_ids(codes)
    padded = [0] * 3 + ids + [0] * 5
    for sequence in (ids, padded, np.array(ids), np.array(ids, dtype=np.uint16)):
        found = tokenizer.ids_to_codes(sequence)
        assert np.array_equal(found, codes)
        assert found.flags.c_contiguous
        assert found.dtype == np.int64


def test_use_changes_no_hash() -> None:
    tokenizer = tokenizer_of(SIZES, MERGES)
    vocabulary = CodecVocabulary.of(tokenizer)
    before = [(Hasher.hash(thing), pickle.dumps(thing)) for thing in (tokenizer, vocabulary)]
    vocabulary.ids_to_codes(vocabulary.codes_to_ids(CODES))
    tokenizer.ids_to_codes(tokenizer.codes_to_ids(CODES))
    after = [(Hasher.hash(thing), pickle.dumps(thing)) for thing in (tokenizer, vocabulary)]
    assert after == before


@pytest.mark.parametrize("numba", [True, False])
def test_one_frame_is_not_too_long_for_a_model(
    numba: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integer_bpe, "has_numba", lambda: numba)
    own = tokenizer_of(SIZES, MERGES)
    for tokenizer in (own, extend_tokenizer(bases.gpt2_like(), own)):
        tokenizer.model_max_length = 5
        assert len(CodecVocabulary.of(tokenizer).codes_to_ids(CODES[:, :1])) <= 5
        assert not tokenizer.deprecation_warnings  # it says so but once


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_do_it_too(method: str) -> None:
    tokenizer = tokenizer_of(SIZES, MERGES)
    expected = tokenizer.codes_to_ids(CODES)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(tokenizer.codes_to_ids, (CODES,)) == expected
