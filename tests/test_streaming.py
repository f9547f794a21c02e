"""Codes as audio arrives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import sleep
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.mimi.modeling_mimi import MimiEuclideanCodebook

from hf_codec_bpe import AudioCodec
from hf_codec_bpe.codecs import EncodecCodec, MimiCodec
from hf_codec_bpe.errors import AudioError, CodecError

from . import tiny

MIMI = MimiCodec(tiny.mimi(), num_codebooks=4)
ENCODEC = EncodecCodec(tiny.encodec(), num_codebooks=4)


def streamed(codec: AudioCodec, clip: np.ndarray, cuts: list[int], **options: float) -> np.ndarray:
    with codec.stream(**options) as stream:
        borders = [0, *sorted(cuts), len(clip)]
        codes = [stream.push(clip[a:b]) for a, b in pairwise(borders) if b > a]
        codes.append(stream.flush())
    return np.concatenate(codes, axis=1)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 20_000), max_size=6), st.sampled_from([(0.08, 0.0), (0.16, 0.4)]))
def test_windows_give_what_encode_gives(cuts: list[int], window: tuple[float, float]) -> None:
    clip = tiny.speech_like(20_000, 1)
    options = {"chunk_seconds": window[0], "context_seconds": window[1]}
    for codec in (MIMI, ENCODEC):
        expected = codec.encode([clip], **options)[0]
        assert np.array_equal(streamed(codec, clip, cuts, **options), expected)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 29), max_size=8))
def test_mimi_streams_with_its_own_caches_what_it_encodes_at_once(frames: list[int]) -> None:
    clip = tiny.speech_like(30 * 1920, 2)
    cuts = [1920 * frame for frame in frames]
    assert np.array_equal(streamed(MIMI, clip, cuts), MIMI.encode([clip])[0])


def test_mimi_streams_past_its_attention_window() -> None:
    window = tiny.mimi(sliding_window=8)
    codec = MimiCodec(window, num_codebooks=2)
    clip = tiny.speech_like(40 * 1920, 3)
    cuts = [1920 * frame for frame in range(40)]
    assert np.array_equal(streamed(codec, clip, cuts), codec.encode([clip])[0])


@pytest.mark.parametrize("options", [{}, {"chunk_seconds": 0.16, "context_seconds": 0.4}])
def test_one_buffer_can_be_filled_anew_for_every_push(options: dict[str, float]) -> None:
    # As sound cards do; and views of any strides are fine.
    clip = tiny.speech_like(12 * 1920, 4)
    buffer = np.empty(2 * 1920, dtype=np.float32)
    codes = []
    with MIMI.stream(**options) as stream:
        for start in range(0, len(clip), len(buffer)):
            buffer[::-1] = clip[start : start + len(buffer)]
            codes.append(stream.push(buffer[::-1]))
        buffer[:] = 0
        codes.append(stream.flush())
    assert np.array_equal(np.concatenate(codes, axis=1), MIMI.encode([clip], **options)[0])


def test_mimi_moves_with_what_it_remembers_of_its_codebooks() -> None:
    codec = MimiCodec(tiny.mimi(), num_codebooks=4)
    clip = tiny.speech_like(9_600)
    codes = codec.encode([clip])[0]
    waveform = codec.decode([codes])[0]
    codec.model.to(torch.float64)  # stands for another device
    assert np.array_equal(codec.encode([clip])[0], codes)
    assert np.allclose(codec.decode([codes])[0], waveform, atol=1e-5)
    with codec.stream() as stream:
        assert np.array_equal(stream.push(clip), codes)
    codec.model.to(torch.float32)
    assert np.array_equal(codec.decode([codes])[0], waveform)


def test_mimi_can_be_trained_after_it_encoded() -> None:
    codec = MimiCodec(tiny.mimi())
    clip = tiny.speech_like(9_600)
    codec.decode(codec.encode([clip]))
    codec.model(torch.from_numpy(clip)[None, None]).audio_values.sum().backward()
    assert next(codec.model.decoder.parameters()).grad is not None


def test_threads_that_use_a_new_mimi_compute_its_codebooks_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Twice would leave a moment in which one thread has forgotten what another is about to use.
    clip = tiny.speech_like(9_600)
    expected = MimiCodec(tiny.mimi()).encode([clip])[0]
    codec = MimiCodec(tiny.mimi())
    compute: Any = MimiEuclideanCodebook.embed
    computed = []

    def slowly(codebook: Any) -> torch.Tensor:
        if codebook._embed is None:
            computed.append(codebook)
            sleep(0.01)
        return compute.fget(codebook)

    monkeypatch.setattr(MimiEuclideanCodebook, "embed", property(slowly))
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda _: codec.encode([clip])[0], range(6)))
    assert all(np.array_equal(codes, expected) for codes in found)
    assert len(computed) == len(set(computed)) == 6


def test_a_mimi_that_is_not_causal_says_that_it_needs_chunks() -> None:
    codec = MimiCodec(tiny.mimi(use_causal_conv=False))
    with pytest.raises(CodecError, match="pass chunk_seconds"):
        codec.stream()


def test_codes_come_as_soon_as_a_chunk_is_complete() -> None:
    with ENCODEC.stream(chunk_seconds=0.08) as stream:
        assert stream.push(tiny.speech_like(1_919)).shape == (4, 0)
        assert stream.push(tiny.speech_like(1)).shape == (4, 6)
        assert stream.push(tiny.speech_like(4_000)).shape == (4, 12)
        assert stream.flush().shape == (4, 1)
    with MIMI.stream() as stream:
        assert stream.push(tiny.speech_like(3_840)).shape == (4, 2)
        assert stream.flush().shape == (4, 0)


@pytest.mark.parametrize("num_samples", [1, 1_919, 1_921, 24_000])
def test_mimi_refuses_what_its_model_would_silently_get_wrong(num_samples: int) -> None:
    with MIMI.stream() as stream, pytest.raises(CodecError, match="multiples of 1920"):
        stream.push(tiny.speech_like(num_samples))


def test_refusals() -> None:
    with pytest.raises(CodecError, match="pass chunk_seconds"):
        ENCODEC.stream()
    with pytest.raises(CodecError, match="needs chunk_seconds"):
        ENCODEC.stream(context_seconds=1.0)
    with pytest.warns(UserWarning, match="the length of the whole window"):
        ENCODEC.stream(chunk_seconds=1.0, context_seconds=0.5)
    with ENCODEC.stream(chunk_seconds=0.1) as stream:
        with pytest.raises(AudioError, match="NaN"):
            stream.push(np.array([np.nan]))
        stream.flush()
        with pytest.raises(CodecError, match="is over"):
            stream.push(tiny.speech_like(10))
    with ENCODEC.stream(chunk_seconds=0.1) as stream:
        pass
    with pytest.raises(CodecError, match="is over"):
        stream.flush()
