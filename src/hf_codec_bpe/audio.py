"""Anything that holds sound -> float32 samples at the rate that a codec wants.

Files are decoded by soundfile and resampled by soxr's HQ filter: the steps of `librosa.load` and
of Transformers' own soundfile backend, and the same samples. They are spelt out here because
Transformers' helper mixes channels down unasked, takes the name of a missing file for base64,
and picks torchcodec when that is installed: codes must not depend on what else is installed.

Axis letters: S = samples, C = channels.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import AudioError, AudioFileError, AudioNotFoundError, SamplingRateError

__all__ = ["RESAMPLER", "Waveform", "load_audio", "load_channels", "save_audio"]

logger = logging.getLogger(__name__)

RESAMPLER = "soxr_hq"
"""The one resampler, recorded with every processor: another one gives other codes."""

Waveform: TypeAlias = npt.NDArray[np.float32]


class _Sound(NamedTuple):
    samples: Waveform
    """`[C, S]`."""
    sampling_rate: int | None
    """`None` for a bare array, which does not know its own."""


class _KnownSound(NamedTuple):
    samples: Waveform
    sampling_rate: int


def load_audio(
    audio: Any,
    sampling_rate: int,
    *,
    source_rate: int | None = None,
    resample: bool | None = None,
) -> Waveform:
    """Loads one clip, mixed down to one channel.

    Args:
        audio: A path, a URL, the bytes of an audio file, an array or tensor of samples `[S]` or
            `[C, S]` (floats in -1..1, or int16 / int32 at full scale), or a value of a `datasets`
            Audio column, decoded or not.
        sampling_rate: The rate to return, in Hz.
        source_rate: The rate of a bare array, in Hz; without it, the array is taken to be at
            `sampling_rate`, with a warning. Files and `datasets` values know their own rate:
            naming another one for them is an error.
        resample: Whether audio at another rate is resampled: `True`, `False` (an error instead),
            or `None`: what knows its own rate is, a bare array is not.

    Returns:
        Samples `[S]`, finite, at `sampling_rate`.

    Raises:
        AudioNotFoundError: Nothing at that path or URL.
        AudioFileError: No decoder can read it, or it ends too early.
        SamplingRateError: Audio at another rate without permission to resample, or a rate that
            contradicts the file's.
        AudioError: No samples, samples that are not finite, or a shape that is not audio.
    """
    sound = _at_rate(_read(audio, source_rate), sampling_rate, source_rate, resample)
    return _resampled(sound.samples.mean(axis=0), sound.sampling_rate, sampling_rate)


def load_channels(
    audio: Any,
    sampling_rate: int,
    *,
    source_rate: int | None = None,
    resample: bool | None = None,
) -> list[Waveform]:
    """Loads one clip as one stream `[S]` per channel; see `load_audio` for all else."""
    sound = _at_rate(_read(audio, source_rate), sampling_rate, source_rate, resample)
    return [_resampled(channel, sound.sampling_rate, sampling_rate) for channel in sound.samples]


def save_audio(audio: Any, path: str | os.PathLike[str], sampling_rate: int) -> Path:
    """Writes samples `[S]` or `[C, S]` to a file; the name's ending chooses the format.

    Raises:
        AudioError: No such format, or samples that are not audio.
    """
    import soundfile

    path = Path(path)
    samples = _as_samples(audio)
    if path.suffix[1:].upper() not in soundfile.available_formats():
        raise AudioError(f"{path} names no audio format: end it in .wav, .flac or .ogg.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    soundfile.write(partial, samples.T, sampling_rate, format=path.suffix[1:].upper())
    partial.replace(path)
    return path


def _read(audio: Any, source_rate: int | None) -> _Sound:
    """Decodes and checks; the rate stays `None` for a bare array."""
    sound = _decoded(audio)
    if sound.sampling_rate is not None and source_rate not in (None, sound.sampling_rate):
        raise SamplingRateError(
            f"{_name(audio)} is at {sound.sampling_rate} Hz, but sampling_rate={source_rate} was "
            "given. Leave sampling_rate out: the audio knows its own."
        )
    if sound.samples.shape[-1] == 0:
        raise AudioError(f"{_name(audio)} has no samples: leave empty clips out.")
    if not np.isfinite(sound.samples).all():
        raise AudioError(
            f"{_name(audio)} holds NaN or infinite samples: repair it, or leave it out."
        )
    return sound


def _at_rate(
    sound: _Sound, wanted: int, source_rate: int | None, resample: bool | None
) -> _KnownSound:
    """Settles the rate of the audio, and whether it may be resampled."""
    is_bare = sound.sampling_rate is None
    if is_bare and source_rate is None:
        logger.warning(
            "An array came without its sampling rate and is taken to be at %d Hz: pass "
            "sampling_rate= to be safe.",
            wanted,
        )
    rate = sound.sampling_rate or source_rate or wanted
    allowed = not is_bare if resample is None else resample
    if rate != wanted and not allowed:
        raise SamplingRateError(
            f"The audio is at {rate} Hz, but the codec works at {wanted} Hz: pass resample=True to "
            f"have it resampled, or resample it to {wanted} Hz yourself."
        )
    return _KnownSound(sound.samples, rate)


def _decoded(audio: Any) -> _Sound:
    if isinstance(audio, (str, os.PathLike)):
        return _decoded_path(os.fspath(audio))
    if isinstance(audio, (bytes, bytearray, memoryview)):
        return _decoded_file(io.BytesIO(audio), "The audio bytes")
    if isinstance(audio, Mapping):
        return _decoded_mapping(audio)
    if hasattr(audio, "get_all_samples"):  # a torchcodec AudioDecoder, as datasets gives
        samples = audio.get_all_samples()
        return _Sound(_as_samples(samples.data), int(samples.sample_rate))
    return _Sound(_as_samples(audio), None)


def _decoded_path(path: str) -> _Sound:
    if "://" in path:
        return _decoded_file(io.BytesIO(_fetch(path)), path)
    if not os.path.exists(path):
        raise AudioNotFoundError(f"There is no audio file at {path}: check the path.")
    return _decoded_file(path, path)


def _decoded_mapping(audio: Mapping[str, Any]) -> _Sound:
    """A `datasets` value: `{"array", "sampling_rate"}`, or undecoded `{"bytes", "path"}`."""
    if audio.get("array") is not None:
        rate = audio.get("sampling_rate")
        return _Sound(_as_samples(audio["array"]), None if rate is None else int(rate))
    if audio.get("bytes") is not None:
        return _decoded_file(io.BytesIO(audio["bytes"]), audio.get("path") or "The audio bytes")
    if audio.get("path"):
        return _decoded_path(audio["path"])
    raise AudioError(
        f"A mapping with keys {sorted(audio)} is not audio: it needs 'array' and 'sampling_rate', "
        "'bytes', or 'path'."
    )


def _decoded_file(file: Any, name: str) -> _Sound:
    import soundfile

    try:
        with soundfile.SoundFile(file) as sound:
            samples = sound.read(dtype="float32", always_2d=True)
            promised, rate = sound.frames, sound.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioFileError(
            f"{name} cannot be decoded ({str(error).strip()}): it must be a whole audio file that "
            "libsndfile reads, such as wav, flac, ogg, opus or mp3."
        ) from error
    if len(samples) < promised:
        raise AudioFileError(
            f"{name} ends after {len(samples)} of {promised} samples: it is cut off. Get the whole "
            "file."
        )
    return _Sound(np.ascontiguousarray(samples.T), rate)


def _fetch(url: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(url, "rb") as file:
            return file.read()
    except (OSError, ValueError, ImportError) as error:
        raise AudioNotFoundError(f"{url} cannot be fetched: {error}") from error


def _as_samples(audio: Any) -> Waveform:
    """Arrays, tensors and lists as `[C, S]`."""
    if hasattr(audio, "detach"):  # a torch tensor, without importing torch
        audio = audio.detach().cpu()
        audio = (audio.float() if audio.dtype.is_floating_point else audio).numpy()
    try:
        array = np.asarray(audio)
    except ValueError as error:
        raise AudioError(f"Samples must be a rectangle: {error}") from error
    if array.ndim not in (1, 2) or array.dtype.kind not in "fi":
        raise AudioError(
            f"{type(audio).__name__} of shape {list(array.shape)} and dtype {array.dtype} is not "
            "audio: pass samples [S] or [channels, S] as floats, int16 or int32, a path, or bytes."
        )
    array = np.atleast_2d(array)
    if array.shape[0] > array.shape[1] > 0:
        raise AudioError(
            f"Audio of shape {list(array.shape)} has more channels than samples: pass "
            "[channels, samples], transposed."
        )
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # an overflow is infinite, and refused as such
            return array.astype(np.float32)
    if array.dtype not in (np.int16, np.int32):
        raise AudioError(
            f"Samples of dtype {array.dtype} have no known scale: pass floats in -1..1, int16 or "
            "int32."
        )
    return (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)


def _resampled(samples: Waveform, old_rate: int, new_rate: int) -> Waveform:
    """Samples `[S]` at another rate: exactly ceil(S * new / old) of them."""
    if old_rate == new_rate:
        return np.ascontiguousarray(samples)
    import soxr

    length = -(-len(samples) * new_rate // old_rate)
    resampled = soxr.resample(samples, old_rate, new_rate, quality="HQ")
    return np.pad(resampled, (0, max(0, length - len(resampled))))[:length]


def _name(audio: Any) -> str:
    if isinstance(audio, (str, os.PathLike)):
        return os.fspath(audio)
    if isinstance(audio, Mapping) and audio.get("path"):
        return str(audio["path"])
    return f"The audio ({type(audio).__name__})"
