"""Anything that holds sound -> float32 samples at the rate that a codec wants.

Files are decoded by soundfile and resampled by soxr's HQ filter: the steps of `librosa.load` and
of Transformers' own soundfile backend, and the same samples. They are spelt out here because
Transformers' helper mixes channels down unasked, takes the name of a missing file for base64,
and picks torchcodec when that is installed: codes must not depend on what else is installed.

Axis letters: S = samples, C = channels.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .appearing import appearing_file
from .audio_sources import Sound, Waveform, as_samples, checked_rate, decoded
from .errors import AudioError, SamplingRateError

__all__ = ["RESAMPLER", "Waveform", "load_audio", "load_channels", "save_audio"]

logger = logging.getLogger(__name__)

RESAMPLER = "soxr_hq"
"""The one resampler, recorded with every processor: another one gives other codes."""
LOUDEST = 8.0
"""Floats may go a little beyond -1..1; beyond this, they must be at the scale of integers."""


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
            or `None`: audio that knows its own rate is resampled, a bare array is not.

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

    A .wav holds 32-bit floats, so that nothing is rounded or clipped. No half file is left behind.

    Raises:
        AudioError: No such format, or samples that are not finite audio.
    """
    import soundfile

    path = Path(path)
    samples = _checked(as_samples(audio), "The audio")
    kind = audio_format(path)
    if kind != "WAV" and np.abs(samples).max() > 1:
        logger.warning("Samples beyond -1..1 are clipped in %s: a .wav keeps them.", path.name)
    subtype = "FLOAT" if kind == "WAV" else None
    try:
        with appearing_file(path) as partial:
            soundfile.write(partial, samples.T, sampling_rate, format=kind, subtype=subtype)
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        raise AudioError(f"{path} cannot be written at {sampling_rate} Hz: {error}") from error
    return path


def audio_format(path: Path) -> str:
    """The format of an audio file to write, as soundfile calls it; the name's ending chooses it.

    Raises:
        AudioError: No such format.
    """
    import soundfile

    kind = path.suffix[1:].upper()
    if kind not in soundfile.available_formats() or kind == "RAW":
        raise AudioError(f"{path} names no audio format: end it in .wav, .flac or .ogg.")
    return kind


def _read(audio: Any, source_rate: int | None) -> Sound:
    """Decodes and checks; the rate stays `None` for a bare array."""
    if source_rate is not None:
        source_rate = checked_rate(source_rate)
    sound = decoded(audio)
    if sound.sampling_rate is not None and source_rate not in (None, sound.sampling_rate):
        raise SamplingRateError(
            f"{_name(audio)} is at {sound.sampling_rate} Hz, but sampling_rate={source_rate} was "
            "given. Leave sampling_rate out: the audio knows its own."
        )
    _checked(sound.samples, _name(audio))
    return sound


def _checked(samples: Waveform, name: str) -> Waveform:
    """Refuses no samples, and NaN or infinite ones."""
    if samples.shape[-1] == 0:
        raise AudioError(f"{name} has no samples: leave empty clips out.")
    check_peak(float(np.abs(samples).max()), name)
    return samples


def check_peak(peak: float, name: str) -> None:
    """Refuses sound that is not finite, and warns of integers that were turned into floats.

    Raises:
        AudioError: The peak is NaN or infinite.
    """
    if not np.isfinite(peak):
        raise AudioError(f"{name} holds NaN or infinite samples: repair it, or leave it out.")
    if peak > LOUDEST:
        logger.warning(
            "%s reaches %g, but floats are taken to be in -1..1: divide integers that were "
            "turned into floats by their full scale.",
            name,
            peak,
        )


def _at_rate(
    sound: Sound, wanted: int, source_rate: int | None, resample: bool | None
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
