"""From sources to codes: threads read and resample ahead while the codec encodes.

Axis letters: K = codebooks, T = frames, S = samples, C = channels.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from ..audio import Waveform
from ..audio_blocks import audio_blocks
from ..audio_sources import printable
from ..codecs.encoding import plain_number, window_samples
from ..codecs.windows import clip_windows
from ..errors import AudioError, CodecBPEError, CodecError, first_line
from .prefetching import prefetched
from .sources import Source
from .window_batches import Codes, WaitingWindow, WindowBatches

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["GPU_WORKERS", "EncodedSource", "EncodingOptions", "code_dtype", "encode_groups"]

SECONDS_AHEAD = 120.0
"""How much audio the threads read ahead."""
CLIPS_AHEAD = 16
"""And of how many clips at least."""
GPU_WORKERS = 8
"""How many threads read for a GPU by default, if there are as many cores."""


@dataclass(frozen=True)
class EncodingOptions:
    """How clips are encoded; see `encode_dataset`."""

    per_channel: bool = False
    batch_size: int = 8
    chunk_seconds: float | None = None
    context_seconds: float = 0.0
    sampling_rate: int | None = None
    """Of bare arrays."""
    num_workers: int | None = None

    def check(self, codec: AudioCodec) -> None:
        """Refuses impossible options.

        Raises:
            CodecError: A batch size or number of threads below 1, or chunks that this codec cannot
                have.
        """
        for name in ("batch_size", "num_workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise CodecError(f"{name}={value} is not possible: pass 1 or more.")
        window_samples(codec, self.chunk_seconds, self.context_seconds)

    def num_threads(self, device: str) -> int:
        """How many threads read for a codec on a type of device: one is ahead of any CPU."""
        if self.num_workers is not None:
            return self.num_workers
        return 1 if device == "cpu" else min(GPU_WORKERS, _num_cores())

    @property
    def settings(self) -> dict[str, Any]:
        """Those that change codes."""
        return {
            "chunk_seconds": plain_number(self.chunk_seconds),
            "context_seconds": plain_number(self.context_seconds),
            "per_channel": self.per_channel,
        }


class EncodedSource(NamedTuple):
    """What became of one source."""

    source: Source
    windows: list[list[Codes]]
    """For each channel codes `[K, T]` of each window; none if it failed."""
    seconds: float
    """Of audio; 0 if it failed."""
    error: CodecBPEError | None = None

    @property
    def channels(self) -> list[Codes]:
        """Codes `[K, T]` of each channel."""
        return [np.concatenate(windows, axis=1) for windows in self.windows]

    def as_error(self) -> dict[str, Any]:
        """What went wrong with which clip."""
        noted = {"id": self.source.id, "path": self.source.path, "reason": str(self.error)}
        return {key: text and printable(text) for key, text in noted.items()}


def _num_cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def encode_groups(
    codec: AudioCodec,
    groups: Iterable[tuple[int, Iterable[Source]]],
    options: EncodingOptions,
) -> Generator[tuple[int, Iterator[EncodedSource]], None, None]:
    """Encodes groups of sources, one group after another; threads read ahead across them.

    A source that fails is reported and touches no other.

    Args:
        codec: The codec.
        groups: A number, and sources.
        options: How.

    Yields:
        The number, and what became of each source in order; to be read to its end before the next.
    """
    chunk, context = window_samples(codec, options.chunk_seconds, options.context_seconds)
    limit = SECONDS_AHEAD * codec.sampling_rate
    read = partial(_read, codec=codec, options=options, chunk=chunk, context=context)
    waiting = max(limit, 2 * options.batch_size * ((chunk or 0) + context))
    batches = WindowBatches(codec, options.batch_size, context, waiting)
    events = prefetched(
        _events(groups, read),
        num_threads=options.num_threads(codec.device.type),
        ahead=max(CLIPS_AHEAD, 2 * options.batch_size),
        weight=_weight,
        limit=limit,
    )
    with closing(events):
        for event in events:
            if isinstance(event, int):
                yield event, _results(events, batches, code_dtype(codec))


def code_dtype(codec: AudioCodec) -> np.dtype[Any]:
    """The smallest of uint16 and uint32 that holds all codes."""
    return np.dtype(np.uint16 if max(codec.codebook_sizes) <= 1 << 16 else np.uint32)


class _End(NamedTuple):
    """The end of a source, which no longer holds its audio."""

    source: Source
    seconds: float = 0.0
    error: CodecBPEError | None = None


_Event: TypeAlias = "int | Waveform | _End | None"
"""A group begins, a window `[C, S]` of the current source, its end, the end of the group."""
_Events: TypeAlias = "Generator[_Event, None, None]"


def _events(
    groups: Iterable[tuple[int, Iterable[Source]]], read: Callable[[Source], _Events]
) -> Generator[_Event | _Events, None, None]:
    for number, sources in groups:
        yield number
        for source in sources:
            yield read(source)
        yield None


def _read(
    source: Source, codec: AudioCodec, options: EncodingOptions, chunk: int | None, context: int
) -> _Events:
    """The windows of a source and its end."""
    num_samples = 0
    done = source._replace(audio=None)
    try:
        _check_name(source.id)
        blocks = audio_blocks(
            source.audio,
            codec.sampling_rate,
            source_rate=options.sampling_rate,
            per_channel=options.per_channel,
        )
        for window in clip_windows(blocks, chunk, context):
            num_samples += window.shape[1] - context
            yield window
    except CodecBPEError as error:
        yield _End(done, error=error)
    except Exception as error:  # whatever a stranger's file makes a decoder do
        reason = f"{type(error).__name__}: {first_line(error)}"
        yield _End(done, error=AudioError(f"{source.id} cannot be read ({reason})."))
    else:
        yield _End(done, num_samples / codec.sampling_rate)


def _check_name(id_: str) -> None:
    if printable(id_) != id_:
        raise AudioError(f"The name {printable(id_)!r} is not UTF-8: rename the file.")


def _weight(event: _Event) -> float:
    return event.size if isinstance(event, np.ndarray) else 0


@dataclass
class _Clip:
    """A source of which some windows are encoded and others wait."""

    windows: list[list[Codes | None]] = field(default_factory=list)
    num_waiting: int = 0
    end: _End | None = None
    error: CodecBPEError | None = None

    def place(self, channel: int, dtype: np.dtype[Any]) -> Callable[[Codes | CodecBPEError], None]:
        """Makes room for a window; what is returned is to be told what becomes of it."""
        while len(self.windows) <= channel:
            self.windows.append([])
        windows, index = self.windows[channel], len(self.windows[channel])
        windows.append(None)
        self.num_waiting += 1

        def tell(result: Codes | CodecBPEError) -> None:
            self.num_waiting -= 1
            if isinstance(result, CodecBPEError):
                self.error = self.error or result
            else:
                windows[index] = result.astype(dtype)

        return tell

    def results(self) -> Iterator[EncodedSource]:
        """What became of it, as soon as that is known."""
        if self.end is None or self.num_waiting:
            return
        error = self.end.error or self.error
        if error is not None:
            yield EncodedSource(self.end.source, [], 0.0, error)
            return
        windows = [[codes for codes in channel if codes is not None] for channel in self.windows]
        yield EncodedSource(self.end.source, windows, self.end.seconds)


def _results(
    events: Iterator[_Event], batches: WindowBatches, dtype: np.dtype[Any]
) -> Iterator[EncodedSource]:
    """What becomes of the sources of one group, in order."""
    clips = deque([_Clip()])  # the last one is being read
    for event in events:
        if event is None:
            break
        if isinstance(event, np.ndarray):
            for channel, samples in enumerate(event):
                batches.add(WaitingWindow(samples, clips[-1].place(channel, dtype)))
        elif isinstance(event, _End):
            clips[-1].end = event
            clips.append(_Clip())
        while result := next(clips[0].results(), None):
            clips.popleft()
            yield result
    batches.flush()
    for clip in clips:
        yield from clip.results()
