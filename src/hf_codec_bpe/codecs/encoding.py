"""The one loop that encodes for every codec: windows in, each to the codes it would have alone.

Axis letters: B = batch, K = codebooks, T = frames, S = samples.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from ..audio import Waveform
from ..errors import AudioError, CodecError
from .memory import memory_errors
from .windows import batches, plan, stacked

if TYPE_CHECKING:
    from .base import AudioCodec

__all__ = [
    "Codes",
    "check_window",
    "checked_clips",
    "checked_waveform",
    "encode_clips",
    "encode_window",
    "no_codes",
    "plain_number",
    "window_samples",
]

Codes = npt.NDArray[np.int64]


def encode_clips(
    codec: AudioCodec, clips: Sequence[Waveform], batch_size: int, chunk: int | None, context: int
) -> list[Codes]:
    """Clips `[S]` to codes `[K, T]`; `chunk` and `context` in samples."""
    windows = plan([len(clip) for clip in clips], chunk, context)
    parts = [no_codes(codec)] * len(windows)
    for length, members in batches(windows, codec.padded_length, codec.max_batch_size(batch_size)):
        if codec.num_frames(length) == 0:
            continue
        inputs = stacked(clips, [windows[i] for i in members], length)
        for index, codes in zip(members, _run(codec, inputs), strict=True):
            parts[index] = _kept(codec, codes, windows[index].length, context)
    joined: list[list[Codes]] = [[] for _ in clips]
    for window, codes in zip(windows, parts, strict=True):
        joined[window.clip].append(codes)
    return [np.concatenate(pieces, axis=1) for pieces in joined]


def encode_window(codec: AudioCodec, samples: Waveform, context: int) -> Codes:
    """Codes `[K, T]` of samples `[S]`, without those of the first `context` samples."""
    if codec.num_frames(len(samples)) == 0:
        return no_codes(codec)
    padded = np.pad(samples, (0, codec.padded_length(len(samples)) - len(samples)))
    return _kept(codec, _run(codec, padded[None])[0], len(samples), context)


def window_samples(
    codec: AudioCodec, chunk_seconds: float | None, context_seconds: float
) -> tuple[int | None, int]:
    """Chunk and context in samples, as codec-bpe counts them.

    Raises:
        CodecError: Context without chunks, a chunk of no samples, or context for a codec whose
            groups of frames may begin in it and end after it.
    """
    if codec.dynamic_frame_rate and context_seconds:
        raise CodecError(
            f"context_seconds={context_seconds} is not possible with {codec.family} codecs: they "
            "merge frames, so that the codes of the context cannot be told from the chunk's. Leave "
            "it out; longer chunks have fewer cuts."
        )
    check_window(chunk_seconds, context_seconds)
    if chunk_seconds is None:
        return None, 0
    chunk = _whole_samples(chunk_seconds, codec.sampling_rate)
    if chunk < codec.hop_length:
        raise CodecError(
            f"chunk_seconds={chunk_seconds} is shorter than one frame: pass at least "
            f"{1 / codec.frame_rate:g} s."
        )
    previous = max(0.0, context_seconds - chunk_seconds)
    return chunk, _whole_samples(previous, codec.sampling_rate)


def check_window(chunk_seconds: float | None, context_seconds: float) -> None:
    """Refuses lengths that no codec can use.

    Raises:
        CodecError: Not a positive number of seconds, or context without chunks.
    """
    for name, value in (("chunk_seconds", chunk_seconds), ("context_seconds", context_seconds)):
        is_length = isinstance(value, Real) and math.isfinite(value) and value >= 0
        if not (value is None and name == "chunk_seconds") and not is_length:
            raise CodecError(f"{name}={value!r} is not a length: pass seconds.")
    if context_seconds and not chunk_seconds:
        raise CodecError(
            f"context_seconds={context_seconds} needs chunk_seconds: context is what a chunk sees "
            "of the audio in front of it."
        )
    if chunk_seconds and 0 < context_seconds < chunk_seconds:
        warnings.warn(
            f"context_seconds={context_seconds} is within chunk_seconds={chunk_seconds}, so that "
            "chunks see nothing in front of them: it is the length of the whole window, of which "
            "the chunk is the end.",
            stacklevel=2,
        )


def plain_number(value: Any) -> Any:
    """A number of NumPy's as one of Python's, which JSON can hold; all else as it is.

    Example:
        >>> plain_number(np.float32(0.5)), plain_number(None)
        (0.5, None)
    """
    return value.item() if isinstance(value, np.generic) else value


def checked_clips(waveforms: Sequence[Any]) -> list[Waveform]:
    """Clips as float32 samples `[S]`; see `checked_waveform`."""
    if isinstance(waveforms, (np.ndarray, torch.Tensor)) and waveforms.ndim == 1:
        raise AudioError("encode takes a list of clips, but got one clip: pass [waveform].")
    return [checked_waveform(clip, f"Clip {index}") for index, clip in enumerate(waveforms)]


def checked_waveform(clip: Any, name: str = "The waveform") -> Waveform:
    """A clip as float32 samples `[S]`.

    Raises:
        AudioError: Not `[S]`, not floats, empty, or not finite.
    """
    if isinstance(clip, torch.Tensor):
        clip = clip.detach().float().cpu().numpy()
    array = np.asarray(clip)
    if array.ndim != 1 or array.dtype.kind != "f":
        raise AudioError(
            f"{name} has shape {list(array.shape)} and dtype {array.dtype}: encode takes float "
            "samples [S]. load_audio makes them from anything that holds sound."
        )
    if len(array) == 0:
        raise AudioError(f"{name} has no samples: leave empty clips out.")
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused as such
        array = array.astype(np.float32, copy=False)
    # NaN and infinities reach the extremes; a mask of a long clip would cost memory.
    if not np.isfinite([array.min(), array.max()]).all():
        raise AudioError(f"{name} holds NaN or infinite samples: repair it or leave it out.")
    return array


def _run(codec: AudioCodec, inputs: npt.NDArray[np.float32]) -> Codes:
    """Windows `[B, S]` to codes `[B, K, T]`.

    Raises:
        CodecMemoryError: The windows do not fit in memory.
    """
    seconds = inputs.shape[1] / codec.sampling_rate
    what = f"{len(inputs)} window(s) of {seconds:g} s on {codec.device}"
    with memory_errors(what, "pass a smaller chunk_seconds or batch_size"):
        audio_codes = codec._encode_batch(codec._as_input(torch.from_numpy(inputs)[:, None]))
        return audio_codes.to("cpu", torch.int64).numpy()


def _kept(codec: AudioCodec, codes: Codes, num_samples: int, context: int) -> Codes:
    """A window's codes without those of its context and of its padding."""
    return codes[:, -(-context // codec.hop_length) : codec.num_frames(num_samples)]


def no_codes(codec: AudioCodec) -> Codes:
    """Codes `[K, 0]`."""
    return np.zeros((codec.num_codebooks, 0), dtype=np.int64)


def _whole_samples(seconds: float, sampling_rate: int) -> int:
    """Rounded down; but 0.12 - 0.04 seconds at 16 kHz are 1280 samples, not 1279."""
    return int(seconds * sampling_rate + 1e-6)
