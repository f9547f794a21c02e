"""Anything that holds sound -> samples, and the rate that it knows of itself.

Files are decoded by soundfile (libsndfile).

Axis letters: S = samples, C = channels.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from numbers import Real
from typing import Any, NamedTuple, TypeAlias
from urllib.request import urlopen

import numpy as np
import numpy.typing as npt

from .errors import AudioError, AudioFileError, AudioNotFoundError, SamplingRateError, first_line

__all__ = [
    "Sound",
    "Waveform",
    "as_samples",
    "blocks_of",
    "checked_rate",
    "decoded",
    "encoded_file",
    "opened",
    "printable",
]

Waveform: TypeAlias = npt.NDArray[np.float32]

BLOCK_SAMPLES = 1 << 18
"""Samples of each channel of a file to read at a time: some seconds."""
MOST_CHANNELS = 16
TIMEOUT = 30
"""Seconds to wait for a server."""
_UNKNOWN = 2**63 - 1
"""The length that libsndfile gives a FLAC file that does not state its own."""


class Sound(NamedTuple):
    """What was decoded."""

    samples: Waveform
    """`[C, S]`."""
    sampling_rate: int | None
    """`None` for a bare array, which does not know its own."""


def decoded(audio: Any) -> Sound:
    """Decodes a path, URL, bytes, open file, `datasets` value, torchcodec decoder or array.

    Raises:
        AudioNotFoundError: Nothing at that path or URL.
        AudioFileError: No decoder can read it, or it is cut off.
        AudioError: Something that holds no sound.
    """
    file = encoded_file(audio)
    if file is not None:
        with opened(*file) as sound:
            samples = _all_of(sound)
            rate = sound.samplerate
        return Sound(np.ascontiguousarray(samples.T), rate)
    if isinstance(audio, Mapping):  # a `datasets` value: {"array", "sampling_rate"}
        rate = audio.get("sampling_rate")
        return Sound(as_samples(audio["array"]), None if rate is None else checked_rate(rate))
    if hasattr(audio, "get_all_samples"):
        return _decoded_decoder(audio)
    return Sound(as_samples(audio), None)


def encoded_file(audio: Any) -> tuple[Any, str] | None:
    """What `opened` opens, and its name; `None` for sound that is decoded already.

    Raises:
        AudioNotFoundError: Nothing at that path or URL.
        AudioError: A mapping that holds no sound.
    """
    if isinstance(audio, (str, os.PathLike)):
        return _file_at(os.fspath(audio))
    if isinstance(audio, (bytes, bytearray, memoryview)):
        return io.BytesIO(audio), "The audio bytes"
    if isinstance(audio, Mapping) and audio.get("array") is None:
        return _file_of(audio)
    if hasattr(audio, "read") and not hasattr(audio, "get_all_samples"):  # no torchcodec decoder
        return audio, "The audio file"
    return None


@contextmanager
def opened(file: Any, name: str) -> Iterator[Any]:
    """A `soundfile.SoundFile`, which the caller reads to its end.

    Raises:
        AudioFileError: No decoder can read it, or it is cut off.
    """
    import soundfile

    try:
        with soundfile.SoundFile(file) as sound:
            yield sound
            num_read = sound.tell()
            cut_off = num_read < sound.frames < _UNKNOWN or _is_cut_off(sound, file)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        reason = getattr(error, "error_string", first_line(error)).rstrip(".")
        raise AudioFileError(
            f"{name} cannot be decoded ({reason}): it must be a whole audio file that "
            "libsndfile reads, such as wav, flac, ogg, opus or mp3."
        ) from error
    if cut_off:
        raise AudioFileError(f"{name} is cut off after {num_read} samples: get the whole file.")


def _all_of(sound: Any) -> npt.NDArray[np.float32]:
    """The samples `[S, C]` of a file, which may not say how many there are."""
    if sound.frames < _UNKNOWN:
        whole: npt.NDArray[np.float32] = sound.read(dtype="float32", always_2d=True)
        return whole
    return np.concatenate([np.zeros((0, sound.channels), dtype=np.float32), *blocks_of(sound)])


def blocks_of(sound: Any) -> Iterator[npt.NDArray[np.float32]]:
    """The samples `[S, C]` of a file, some at a time."""
    # Else soundfile seeks after every read: an MP3 decoder that seeks gives other samples, and a
    # FLAC decoder that does not know the length cannot.
    sound.seekable = lambda: False
    while len(block := sound.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):
        yield block


def _decoded_decoder(decoder: Any) -> Sound:
    """What a torchcodec AudioDecoder, as datasets gives, decodes."""
    try:
        samples = decoder.get_all_samples()
    except RuntimeError as error:
        raise AudioFileError(f"The audio cannot be decoded: {first_line(error)}") from error
    return Sound(as_samples(samples.data), int(samples.sample_rate))


def _file_at(path: str) -> tuple[Any, str]:
    if "://" in path:
        return io.BytesIO(_fetch(path)), path
    if not os.path.exists(path):
        raise AudioNotFoundError(f"There is no audio file at {path}: check the path.")
    if os.path.isdir(path):
        raise AudioFileError(f"{path} is a folder: name one audio file.")
    if printable(path) != path:  # libsndfile's Python binding cannot open it
        raise AudioFileError(f"The name {printable(path)!r} is not UTF-8: rename the file.")
    return path, path


def printable(text: str) -> str:
    """A text with the bytes of a file name that are not UTF-8 as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _file_of(audio: Mapping[str, Any]) -> tuple[Any, str]:
    """The file of an undecoded `datasets` value: `{"bytes", "path"}`."""
    if isinstance(audio.get("bytes"), (bytes, bytearray, memoryview)):
        return io.BytesIO(audio["bytes"]), audio.get("path") or "The audio bytes"
    if audio.get("path"):
        return _file_at(audio["path"])
    raise AudioError(
        f"A mapping with keys {sorted(audio)} is not audio: it needs 'array' and 'sampling_rate', "
        "'bytes', or 'path'."
    )


def _is_cut_off(sound: Any, file: Any) -> bool:
    """Whether there is less sound than the file promises.

    libsndfile reads what is there, and notes in its log "data : 96000 (should be 63985)". Sizes of
    -1 are those of streams, which do not know their length. Ogg promises a last page.
    """
    if sound.format == "OGG":
        return not _has_last_page(file)
    # Not the size of all that a RIFF holds, which some programs count otherwise.
    log = re.sub(r"^RIFF.*", "", sound.extra_info, flags=re.MULTILINE)
    sizes = re.findall(r"(\d+) \(should be (\d+)\)", log)
    return any(int(real) < int(promised) < 0x7FFFFFFF for promised, real in sizes)


def _has_last_page(file: Any) -> bool:
    """Whether an Ogg file ends in a whole page that is marked as the last one (RFC 3533)."""
    if isinstance(file, str):
        with open(file, "rb") as opened:
            return _has_last_page(opened)
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - 65_307))  # the largest page
    tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    header = 27 + page[26] if len(page) > 26 else len(page) + 1
    return len(page) >= header + sum(page[27:header]) and bool(page[5] & 4)


def _fetch(url: str) -> bytes:
    import fsspec

    try:
        if url.startswith(("http://", "https://")):
            with urlopen(url, timeout=TIMEOUT) as response:
                return response.read()
        with fsspec.open(url, "rb") as file:
            return file.read()
    except (OSError, ValueError, ImportError, HTTPException) as error:
        raise AudioNotFoundError(f"{url} cannot be fetched: {first_line(error)}") from error


def as_samples(audio: Any) -> Waveform:
    """Arrays, tensors and lists as `[C, S]`."""
    if hasattr(audio, "cpu"):  # a torch tensor, without importing torch
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
    if array.shape[0] > MOST_CHANNELS:
        raise AudioError(
            f"Audio of shape {list(array.shape)} has {array.shape[0]} channels: pass "
            "[channels, samples], and several clips as a list."
        )
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # an overflow is infinite, and refused as such
            return array.astype(np.float32)
    if array.dtype.itemsize not in (2, 4):
        raise AudioError(
            f"Samples of dtype {array.dtype} have no known scale: pass floats in -1..1, int16 or "
            "int32."
        )
    return (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)


def checked_rate(rate: Any) -> int:
    """A sampling rate as a positive integer.

    Raises:
        SamplingRateError: It is not a positive whole number.
    """
    if getattr(rate, "ndim", None) == 0:  # as datasets in the format of NumPy or torch have it
        rate = rate.item()
    is_number = isinstance(rate, Real) and not isinstance(rate, bool)
    if not (is_number and rate >= 1 and float(rate).is_integer()):
        raise SamplingRateError(f"sampling_rate={rate!r} is not a rate: pass a whole number of Hz.")
    return int(float(rate))
