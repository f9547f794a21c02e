"""Anything that holds sound, at the rate that is wanted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

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
        (floats * 2**15).astype(np.int16),
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


@pytest.mark.parametrize("make", [_text_renamed, _empty])
def test_files_that_are_no_audio(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    for way in (path, path.read_bytes(), path.open("rb"), {"bytes": path.read_bytes()}):
        with pytest.raises(AudioFileError, match="cannot be decoded") as caught:
            load_audio(way, 16_000)
        assert isinstance(caught.value, OSError)
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, CodecBPEError)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        ("a.wav", "PCM_16"),
        ("a.wav", "FLOAT"),
        ("a.flac", None),
        ("a.ogg", None),
        ("a.opus", None),
        ("a.mp3", None),
        ("a.aiff", None),
        ("a.au", None),
    ],
)
def test_files_that_are_cut_off(name: str, subtype: str | None, tmp_path: Path) -> None:
    path = tmp_path / name
    kind = {"opus": "OGG"}.get(path.suffix[1:], path.suffix[1:].upper())
    subtype = "OPUS" if path.suffix == ".opus" else subtype
    soundfile.write(path, speech_like(48_000), 16_000, format=kind, subtype=subtype)
    whole = path.read_bytes()
    assert len(load_audio(path, 16_000)) == len(load_audio(whole, 16_000)) == 48_000
    path.write_bytes(whole[: len(whole) * 2 // 3])
    for way in (path, path.read_bytes()):
        with pytest.raises(AudioFileError, match=r"is cut off|cannot be decoded"):
            load_audio(way, 16_000)


def test_a_file_with_something_behind_its_sound_is_whole(tmp_path: Path) -> None:
    path = save_audio(STEREO, tmp_path / "clip.wav", 16_000)
    path.write_bytes(path.read_bytes() + b"junk" * 100)
    assert len(load_audio(path, 16_000)) == 8_000


def test_a_size_that_is_counted_otherwise_cuts_nothing_off(tmp_path: Path) -> None:
    """The file's own length in a WAV header, where it should be 8 bytes less; none in a FLAC's."""
    wav = save_audio(STEREO, tmp_path / "clip.wav", 16_000)
    data = bytearray(wav.read_bytes())
    data[4:8] = len(data).to_bytes(4, "little")
    flac = bytearray(save_audio(STEREO, tmp_path / "clip.flac", 16_000).read_bytes())
    flac[21] &= 0xF0  # the last 36 bits of 8 + 13 bytes on: how many samples there are
    flac[22:26] = bytes(4)
    for sound in (bytes(data), bytes(flac)):
        assert len(load_audio(sound, 16_000)) == 8_000


@pytest.fixture
def server(flac: Path) -> Iterator[str]:
    """The address of a web server with a whole file, a broken promise and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = flac.read_bytes()
            if self.path == "/500":
                self.send_error(500)
            elif self.path in ("/clip.flac", "/short.flac"):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if self.path == "/clip.flac" else body[:100])
            else:
                self.send_error(404)

        def log_message(self, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_audio_from_the_web(server: str, flac: Path) -> None:
    assert np.array_equal(load_audio(f"{server}/clip.flac", 24_000), load_audio(flac, 24_000))
    for missing in ("404.flac", "500", "short.flac"):
        with pytest.raises(AudioNotFoundError, match="cannot be fetched"):
            load_audio(f"{server}/{missing}", 24_000)
    with pytest.raises(AudioNotFoundError):
        load_audio("http://127.0.0.1:9/closed.flac", 24_000)


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
        {"bytes": "text"},
        np.zeros((17, 100)),
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
    for name in ("clip.txt", "clip", "clip.raw"):
        with pytest.raises(AudioError, match="no audio format"):
            save_audio(STEREO[0], tmp_path / name, 24_000)


def test_saving_changes_no_sample_and_leaves_nothing_half_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loud = np.array([2.0, -2.0, 0.1], dtype=np.float32)
    path = save_audio(loud, tmp_path / "loud.wav", 16_000)
    assert np.array_equal(load_audio(path, 16_000), loud)
    save_audio(loud, tmp_path / "loud.flac", 16_000)
    assert "clipped in loud.flac" in caplog.text
    for samples in (np.array([np.nan]), np.zeros(0)):
        with pytest.raises(AudioError):
            save_audio(samples, tmp_path / "bad.wav", 16_000)
    with pytest.raises(AudioError, match=r"bad\.mp3 cannot be written at 17001 Hz"):
        save_audio(STEREO[0], tmp_path / "bad.mp3", 17_001)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["loud.flac", "loud.wav"]


NO_RATES = [0, -5, 44_100.5, "16000", [16_000], True, np.array(True), float("nan"), float("inf")]


@pytest.mark.parametrize("rate", NO_RATES)
def test_rates_that_are_none(rate: object) -> None:
    with pytest.raises(SamplingRateError, match="is not a rate"):
        load_audio(STEREO, 16_000, source_rate=rate)  # type: ignore[arg-type]
    with pytest.raises(SamplingRateError, match="is not a rate"):
        load_audio({"array": STEREO, "sampling_rate": rate}, 16_000)


def test_floats_at_the_scale_of_integers_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    load_audio(STEREO * 32_767, 16_000, source_rate=16_000)
    assert "divide integers" in caplog.text


def test_byte_order_does_not_matter() -> None:
    little = (STEREO[0] * 32_767).astype("<i2")
    big = little.astype(">i2")
    assert np.array_equal(
        load_audio(little, 16_000, source_rate=16_000), load_audio(big, 16_000, source_rate=16_000)
    )
