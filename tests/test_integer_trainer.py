"""Training on integers, against `tokenizers`' own trainer."""

from __future__ import annotations

import builtins
import logging
import sys
import time
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_codec_bpe import CodebookAlphabet, jit, train_tokenizer
from hf_codec_bpe.training import backends, integer_trainer
from hf_codec_bpe.training.corpus import as_symbols
from hf_codec_bpe.training.integer_trainer import learn_merges

Words = Sequence[np.ndarray]


@st.composite
def words(draw: st.DrawFn) -> tuple[int, list[np.ndarray]]:
    """The size of a tiny alphabet, and words in which runs repeat and overlap."""
    size = draw(st.integers(1, 5))
    code = st.integers(0, size - 1)
    run = st.builds(lambda code, times: [code] * times, code, st.integers(1, 9))
    phrase = st.lists(code, min_size=1, max_size=4)
    repeated = st.builds(lambda phrase, times: phrase * times, phrase, st.integers(1, 7))
    word = st.lists(st.one_of(run, repeated, st.lists(code, max_size=12)), max_size=8)
    drawn = draw(st.lists(word, max_size=6))
    return size, [np.array([*chain(*parts)], dtype=np.int64) for parts in drawn]


def recipe(size: int, **options: Any) -> backends.Recipe:
    defaults = {
        "alphabet": CodebookAlphabet([size]),
        "special_tokens": ["<pad>"],
        "vocab_size": size + 100,
        "min_frequency": 2,
        "longest_token": None,
        "unk_token": None,
        "show_progress": False,
    }
    return backends.Recipe(**{**defaults, **options})


def merges_of(words: Words, size: int, **options: Any) -> list[list[int]]:
    return learn_merges(as_symbols(words), size, size + 100, **options).tolist()


@settings(deadline=None, max_examples=800)
@given(words(), st.integers(1, 120), st.integers(0, 6), st.none() | st.integers(2, 20))
def test_everything_is_as_tokenizers_learns_it(
    case: tuple[int, list[np.ndarray]], room: int, min_frequency: int, longest: int | None
) -> None:
    size, corpus = case
    asked = recipe(
        size,
        vocab_size=size + room,
        min_frequency=min_frequency,
        longest_token=longest,
        unk_token="<unk>",
        special_tokens=["<unk>", "<pad>", "<unk>"][: min(room, 3)],
    )
    ours = backends._trained_on_integers(asked, corpus)
    theirs = backends._trained_on_text(asked, corpus)
    assert ours.to_str() == theirs.to_str()


def speech_like(num_codes: int, size: int, num_codebooks: int) -> np.ndarray:
    """Codes `[K, T]` that come back: a walk among 200 phrases, a tenth of the codes at random."""
    rng = np.random.default_rng(0)
    phrases = rng.integers(0, size, (200, num_codebooks, 6))
    frequencies = 1 / np.arange(1, 201)
    num_phrases = num_codes // (num_codebooks * 6)
    chosen = rng.choice(200, num_phrases, p=frequencies / frequencies.sum())
    codes = np.concatenate(phrases[chosen], axis=1)
    noise = rng.random(codes.shape) < 0.1
    codes[noise] = rng.integers(0, size, int(noise.sum()))
    return codes


@pytest.mark.parametrize("longest", [8, None])
def test_millions_of_codes(longest: int | None) -> None:
    codes = speech_like(3_000_000, 256, 4)
    alphabet = CodebookAlphabet([256] * 4)
    corpus = [alphabet.to_positions(codes[:, at : at + 500]) for at in range(0, 125_000, 500)]
    asked = recipe(1, alphabet=alphabet, vocab_size=3_000, longest_token=longest)
    ours = backends._trained_on_integers(asked, corpus)
    assert ours.get_vocab_size() == 3_000
    assert ours.to_str() == backends._trained_on_text(asked, corpus).to_str()


def test_one_long_run() -> None:
    corpus = [np.zeros(30_001, dtype=np.int64)]
    asked = recipe(1, vocab_size=30)
    ours = backends._trained_on_integers(asked, corpus)
    assert ours.to_str() == backends._trained_on_text(asked, corpus).to_str()


@settings(deadline=None)
@given(words(), st.sampled_from([0, 1, 7]))
def test_64_bits_and_slices_of_any_size_learn_the_same(
    case: tuple[int, list[np.ndarray]], budget: int
) -> None:
    size, corpus = case
    expected = merges_of(corpus, size)
    assert merges_of(corpus, size, index=np.int64) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(integer_trainer, "_SLICE", max(1, budget))
        assert merges_of(corpus, size) == expected


def test_positions_get_64_bits_when_32_do_not_hold_them() -> None:
    assert integer_trainer._index_type(2**31 // 3) is np.int32
    assert integer_trainer._index_type(2**31 // 3 + 1) is np.int64


def test_the_keyboard_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled loops return between merges, where Python raises what Ctrl-C asked for."""
    updates = []

    class Bar(integer_trainer.tqdm):  # type: ignore[misc]
        def update(self, n: float | None = 1) -> None:
            updates.append(n)
            if len(updates) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(integer_trainer, "tqdm", Bar)
    monkeypatch.setattr(integer_trainer, "_SLICE", 1000)
    rng = np.random.default_rng(0)
    with pytest.raises(KeyboardInterrupt):
        merges_of([rng.integers(0, 50, 20_000)], 50)
    assert 0 < sum(updates) < 100


def test_progress_is_shown_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    codes = np.tile(np.arange(4), 50)[None]
    train_tokenizer([codes], codebook_sizes=[4], vocab_size=7, show_progress=True)
    assert "Merging: 100%" in capsys.readouterr().err
    train_tokenizer([codes], codebook_sizes=[4], vocab_size=7)
    assert not capsys.readouterr().err


def test_without_numba_the_same_is_learnt_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clips = [speech_like(3_000, 16, 3) for _ in range(3)]
    options: dict[str, Any] = {"codebook_sizes": [16] * 3, "vocab_size": 200, "chunk_frames": 100}
    expected = train_tokenizer(clips, **options)
    assert not caplog.records
    monkeypatch.setattr(backends, "has_numba", lambda: False)
    found = train_tokenizer(clips, **options)
    assert found.backend_tokenizer.to_str() == expected.backend_tokenizer.to_str()
    (record,) = caplog.records
    assert "pip install 'hf-codec-bpe[train]'" in record.message
    assert "\n" not in record.message


def test_a_numba_that_cannot_be_used_is_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "numba":
            raise ImportError("Numba needs NumPy 2.2 or less. Got NumPy 2.3.")
        return real(name, *args, **kwargs)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refused)
    assert not jit.has_numba.__wrapped__()
    assert "Numba needs NumPy 2.2 or less" in caplog.text
    caplog.clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(builtins, "__import__", real)
    assert not jit.has_numba.__wrapped__()
    assert not caplog.records


def test_a_machine_that_keeps_nothing_compiles_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    assert jit.compiled(_one_more)(1) == 2


def _one_more(number: int) -> int:
    return number + 1


def test_long_compiling_is_announced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with jit.patience("nothing"):
        pass
    monkeypatch.setattr(jit, "_PATIENCE", 0.01)
    assert not caplog.records
    with jit.patience("something"):
        time.sleep(0.3)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Compiling something" in record.message
