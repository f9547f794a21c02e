"""A clip in blocks: the samples of `load_audio` and `load_channels`, never all of them at once.

Axis letters: S = samples, C = channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .audio import Waveform, check_peak, load_audio, load_channels
from .audio_sources import blocks_of, encoded_file, opened
from .errors import AudioError

__all__ = ["audio_blocks"]


def audio_blocks(
    audio: Any, sampling_rate: int, *, source_rate: int | None = None, per_channel: bool = False
) -> Iterator[Waveform]:
    """Reads one clip block by block: joined, they are bit for bit what is loaded at once.

    Only files come in blocks; what is decoded already, such as an array, is one.

    Args:
        audio: See `load_audio`.
        sampling_rate: The rate to return, in Hz; audio at another one is resampled.
        source_rate: The rate of bare arrays, in Hz. Files know their own.
        per_channel: Leave channels apart; by default they are mixed down to one.

    Yields:
        Samples `[C, S]`.

    Raises:
        AudioError: See `load_audio`. Some only show at the end of the file.
    """
    file = encoded_file(audio)
    if file is None:
        load = load_channels if per_channel else _load_mixed
        yield np.stack(load(audio, sampling_rate, source_rate=source_rate, resample=True))
        return
    with opened(*file) as sound:
        columns = (np.ascontiguousarray(block.T) for block in blocks_of(sound))
        blocks = _checked(columns, file[1])
        if not per_channel:
            blocks = (block.mean(axis=0, keepdims=True) for block in blocks)
        yield from _resampled(blocks, sound.samplerate, sampling_rate)


def _load_mixed(audio: Any, sampling_rate: int, **options: Any) -> list[Waveform]:
    return [load_audio(audio, sampling_rate, **options)]


def _checked(blocks: Iterable[Waveform], name: str) -> Iterator[Waveform]:
    """Refuses a clip that is empty or not finite."""
    peaks = [0.0]
    for block in blocks:
        peaks.append(float(np.abs(block).max()))
        if not np.isfinite(peaks[-1]):
            break
        yield block
    if len(peaks) == 1:
        raise AudioError(f"{name} has no samples: leave empty clips out.")
    check_peak(peaks[-1] if np.isnan(peaks[-1]) else max(peaks), name)


def _resampled(blocks: Iterable[Waveform], old_rate: int, new_rate: int) -> Iterator[Waveform]:
    """Blocks `[C, S]` at another rate: exactly ceil(S * new / old) samples in all."""
    if old_rate == new_rate:
        yield from blocks
        return
    import soxr

    stream = None
    num_read = num_given = 0
    for block in blocks:
        if stream is None:
            stream = soxr.ResampleStream(
                old_rate, new_rate, len(block), dtype="float32", quality="HQ"
            )
        resampled = stream.resample_chunk(block.T)
        num_read += block.shape[1]
        num_given += len(resampled)
        if len(resampled):
            yield np.ascontiguousarray(resampled.T)
    if stream is not None:
        missing = -(-num_read * new_rate // old_rate) - num_given
        rest = stream.resample_chunk(np.zeros((0, len(block)), dtype=np.float32), last=True)
        yield np.pad(rest.T, ((0, 0), (0, max(0, missing - len(rest)))))[:, :missing]
