"""Anything that holds sound, at the rate that is wanted."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from datasets import Audio, Dataset
from hypothesis import given
from hypothesis import strategies as st
from transformers import audio_utils

from hf_codec_bpe.audio import load_audio, load_channels, save_audio
from hf_codec_bpe.errors import (
    AudioError,
    AudioFileError,
    AudioNotFoundError,
    CodecBPEError,
    SamplingRateError,
)

from .tiny import speech_like

STEREO = np.stack([speech_like(8_000, 1), speech_like(8_000, 2)])


@pytest.fixture
def flac(tmp_path: Path) -> Path:
    """Half a second of stereo at 16 kHz."""
    return save_audio(STEREO, tmp_path / "clip.flac", 16_000)


def test_the_samples_are_those_of_transformers(flac: Path) -> None:
    for rate in (16_000, 24_000, 44_100):
        expected = audio_utils.load_audio(str(flac), sampling_rate=rate, backend="soundfile")
        assert np.array_equal(load_audio(flac, rate), expected)


def test_every_way_to_hand_over_a_file_gives_the_same_samples(flac: Path) -> None:
    expected = load_audio(flac, 24_000)
    samples, rate = soundfile.read(flac, dtype="float32", always_2d=True)
    ways = [
        str(flac),
        flac.as_uri(),
        flac.read_bytes(),
        {"bytes": flac.read_bytes(), "path": None},
        {"bytes": None, "path": str(flac)},
        {"array": samples.T, "sampling_rate": rate, "path": "x"},
    ]
    dataset = Dataset.from_dict({"audio": [str(flac)]}).cast_column("audio", Audio(decode=False))
    ways.append(dataset[0]["audio"])
    for way in ways:
        assert np.array_equal(load_audio(way, 24_000), expected)


def test_arrays_tensors_and_integers_hold_the_same_sound() -> None:
    floats = np.array([0.0, 0.5, -1.0, 0.25], dtype=np.float32)
    ways = [
        floats,
        floats.tolist(),
        floats.astype(np.float64),
        floats.astype(np.float16),
        torch.from_numpy(floats),
        torch.from_numpy(floats).to(torch.bfloat16),
        (floats * 2**15).astype(np.int16) if floats.max() < 1 else floats,
        (floats.astype(np.float64) * 2**31).astype(np.int32),
        torch.from_numpy((floats * 2**15).astype(np.int16)),
    ]
    for way in ways:
        loaded = load_audio(way, 16_000, source_rate=16_000)
        assert loaded.dtype == np.float32
        assert np.array_equal(loaded, floats)


def test_channels_are_mixed_down_or_kept_apart(flac: Path) -> None:
    left, right = load_channels(flac, 16_000)
    assert np.allclose(left, STEREO[0], atol=2**-15)
    assert np.allclose(right, STEREO[1], atol=2**-15)
    assert np.array_equal(load_audio(flac, 16_000), np.stack([left, right]).mean(axis=0))


@given(
    st.integers(1, 5_000), st.sampled_from([(44_100, 24_000), (16_000, 24_000), (24_000, 16_000)])
)
def test_resampled_length_is_exact(num_samples: int, rates: tuple[int, int]) -> None:
    old, new = rates
    clip = np.ones(num_samples, dtype=np.float32)
    resampled = load_audio(clip, new, source_rate=old, resample=True)
    assert len(resampled) == -(-num_samples * new // old)


def test_one_sample() -> None:
    assert load_audio(np.array([0.5]), 16_000, source_rate=16_000).tolist() == [0.5]


def test_a_bare_array_is_resampled_only_with_permission(flac: Path) -> None:
    with pytest.raises(SamplingRateError, match="at 8000 Hz, but the codec works at 16000 Hz"):
        load_audio(STEREO, 16_000, source_rate=8_000)
    assert len(load_audio(STEREO, 16_000, source_rate=8_000, resample=True)) == 16_000
    with pytest.raises(SamplingRateError):
        load_audio(flac, 24_000, resample=False)
    with pytest.raises(SamplingRateError, match="is at 16000 Hz, but sampling_rate=8000"):
        load_audio(flac, 24_000, source_rate=8_000)


def test_a_bare_array_without_its_rate_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(load_audio(STEREO[0], 16_000), STEREO[0])
    assert "taken to be at 16000 Hz" in caplog.text


def _text_renamed(tmp_path: Path) -> Path:
    path = tmp_path / "text.wav"
    path.write_text("no audio at all")
    return path


def _empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.wav"
    path.touch()
    return path


def _truncated(tmp_path: Path) -> Path:
    path = save_audio(speech_like(48_000), tmp_path / "whole.flac", 16_000)
    path.write_bytes(path.read_bytes()[:30_000])
    return path


@pytest.mark.parametrize("make", [_text_renamed, _empty, _truncated])
def test_files_that_are_not_whole_audio(make: object, tmp_path: Path) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    for way in (path, path.read_bytes()):
        with pytest.raises(AudioFileError, match=r"cannot be decoded|is cut off") as caught:
            load_audio(way, 16_000)
        assert isinstance(caught.value, (OSError, ValueError))
        assert isinstance(caught.value, CodecBPEError)


@pytest.mark.parametrize("missing", ["nowhere.wav", "file:///nowhere.wav"])
def test_missing_files(missing: str) -> None:
    with pytest.raises(AudioNotFoundError) as caught:
        load_audio(missing, 16_000)
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize(
    "audio",
    [
        np.zeros(0, dtype=np.float32),
        np.array([0.0, np.nan]),
        np.array([0.0, np.inf]),
        np.array([1e300]),
        np.array([1, 2, 3]),
        np.zeros((2, 3, 4)),
        np.zeros((100, 2)),
        np.array(["a"]),
        object(),
        {"neither": 1},
        [[0.0], [0.0, 1.0]],
        5,
    ],
)
def test_what_is_not_audio(audio: object) -> None:
    with pytest.raises(AudioError):
        load_audio(audio, 16_000, source_rate=16_000)


def test_a_file_without_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    with pytest.raises(AudioError, match=r"none\.wav has no samples"):
        load_audio(tmp_path / "none.wav", 16_000)


def test_save_audio(tmp_path: Path) -> None:
    path = save_audio(STEREO[0], tmp_path / "new" / "clip.wav", 24_000)
    samples, rate = soundfile.read(path)
    assert rate == 24_000
    assert np.allclose(samples, STEREO[0], atol=2**-15)
    with pytest.raises(AudioError, match="no audio format"):
        save_audio(STEREO[0], tmp_path / "clip.txt", 24_000)
