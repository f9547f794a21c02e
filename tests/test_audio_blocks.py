"""Clips in blocks, against clips at once: the same samples, whatever the format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_codec_bpe import audio_sources
from hf_codec_bpe.audio import load_audio, load_channels
from hf_codec_bpe.audio_blocks import audio_blocks as blocks_of
from hf_codec_bpe.codecs.windows import clip_windows
from hf_codec_bpe.errors import AudioError, AudioFileError, AudioNotFoundError

from . import tiny

RATE = 24_000


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_sources, "BLOCK_SAMPLES", 4096)


def a_file(folder: Path, ending: str, rate: int, num_samples: int) -> Path:
    clip = np.stack([tiny.speech_like(num_samples, 1), tiny.speech_like(num_samples, 2)], axis=1)
    path = folder / f"clip.{ending}"
    options = {"format": "OGG", "subtype": "OPUS"} if ending == "opus" else {}
    soundfile.write(path, clip, rate, **options)
    return path


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "opus"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("num_samples", [1, 4096, 50_001])
def test_blocks_are_the_clip(tmp_path: Path, ending: str, rate: int, num_samples: int) -> None:
    if ending == "opus" and rate == 44_100:
        rate = 12_000  # Opus has no 44,100 Hz
    path = a_file(tmp_path, ending, rate, num_samples)
    apart = list(blocks_of(path, RATE, per_channel=True))
    assert np.array_equal(np.concatenate(apart, axis=1), load_channels(path, RATE))
    mixed = list(blocks_of({"bytes": path.read_bytes(), "path": None}, RATE))
    assert np.array_equal(np.concatenate(mixed, axis=1), load_audio(path, RATE)[None])
    longest = max(block.shape[1] for block in apart)
    assert longest <= 4096 * max(1, RATE / rate) + RATE  # and what the resampler held back


def test_what_is_decoded_already_is_one_block() -> None:
    clip = tiny.speech_like(50_000)
    (block,) = blocks_of(clip, RATE, source_rate=16_000)
    assert np.array_equal(block[0], load_audio(clip, RATE, source_rate=16_000, resample=True))


def test_errors_are_those_of_loading(tmp_path: Path) -> None:
    whole = a_file(tmp_path, "flac", RATE, 50_000)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes()[:60_000])
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    spoilt = tiny.speech_like(50_000)
    spoilt[49_999] = np.nan
    soundfile.write(tmp_path / "nan.wav", spoilt, RATE, subtype="FLOAT")
    for name, error in {
        "cut.flac": AudioFileError,
        "empty.wav": AudioError,
        "nan.wav": AudioError,
        "missing.wav": AudioNotFoundError,
    }.items():
        with pytest.raises(error) as at_once:
            load_audio(tmp_path / name, RATE)
        with pytest.raises(error) as in_blocks:
            list(blocks_of(tmp_path / name, RATE))
        if error is not AudioFileError:  # how much of a cut file can be read may differ
            assert str(in_blocks.value) == str(at_once.value)


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(0, 30), max_size=6),
    chunk=st.one_of(st.none(), st.integers(1, 20)),
    context=st.integers(0, 9),
)
def test_windows_are_cut_as_a_whole_clip_would_be(
    lengths: list[int], chunk: int | None, context: int
) -> None:
    clip = np.arange(1.0, 2 * sum(lengths) + 1, dtype=np.float32).reshape(2, -1)
    blocks = np.split(clip, np.cumsum(lengths)[:-1], axis=1) if lengths else []
    context = context if chunk else 0
    windows = list(clip_windows(blocks, chunk, context))
    padded = np.pad(clip, ((0, 0), (context, 0)))
    step = chunk or max(1, sum(lengths))
    expected = [padded[:, i : i + context + step] for i in range(0, sum(lengths), step)]
    assert [window.tolist() for window in windows] == [window.tolist() for window in expected]
