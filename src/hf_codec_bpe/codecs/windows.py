"""How clips are cut into windows and windows are put together in batches: no model here.

Axis letters: B = windows, S = samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..audio import Waveform

__all__ = ["Window", "WindowCutter", "batches", "clip_windows", "plan", "rounded_up", "stacked"]


class Window(NamedTuple):
    """A stretch of one clip, `start` to `stop`, that the codec sees at once.

    `context` samples in front of it are encoded too and their codes left out; where the clip has
    fewer, silence stands in.
    """

    clip: int
    start: int
    stop: int
    context: int

    @property
    def length(self) -> int:
        """Samples that the codec sees."""
        return self.context + self.stop - self.start


def plan(lengths: Sequence[int], chunk: int | None, context: int) -> list[Window]:
    """Cuts clips of the given lengths into windows of `chunk` samples; `None` cuts nothing.

    Example:
        >>> plan([5, 2], chunk=3, context=1)
        [Window(clip=0, start=0, stop=3, context=1), Window(clip=0, start=3, stop=5, context=1), \
Window(clip=1, start=0, stop=2, context=1)]
    """
    return [
        Window(clip, start, min(start + (chunk or length), length), context)
        for clip, length in enumerate(lengths)
        for start in range(0, length, chunk or length)
    ]


def stacked(
    waveforms: Sequence[Waveform], windows: Sequence[Window], padded_length: int
) -> npt.NDArray[np.float32]:
    """The samples `[B, padded_length]` of windows, silence before and after as needed."""
    samples = np.zeros((len(windows), padded_length), dtype=np.float32)
    for row, window in zip(samples, windows, strict=True):
        first = window.start - window.context
        silence = max(0, -first)
        heard = waveforms[window.clip][max(0, first) : window.stop]
        row[silence : silence + len(heard)] = heard
    return samples


class WindowCutter:
    """Cuts one clip, as it arrives, into the windows that `plan` makes of a whole one.

    Args:
        chunk: New samples in a window; `None` makes all one window.
        context: Samples in front of them: previous audio, silence at the beginning.
    """

    def __init__(self, chunk: int | None, context: int) -> None:
        self.chunk = chunk
        self.context = context
        self._pieces: list[Waveform] = []  # the next window's context and what waits behind it
        self._waiting = 0

    def push(self, samples: Waveform) -> Iterator[Waveform]:
        """Takes the next samples `[..., S]`; gives the windows `[..., context + chunk]` they end.

        It has taken them when all windows were asked for.
        """
        if not self._pieces:
            self._pieces = [np.zeros((*samples.shape[:-1], self.context), samples.dtype)]
        while self.chunk and self._waiting + samples.shape[-1] >= self.chunk:
            missing = self.chunk - self._waiting
            window = np.concatenate([*self._pieces, samples[..., :missing]], axis=-1)
            samples = samples[..., missing:]
            self._pieces, self._waiting = [window[..., self.chunk :]], 0
            yield window
        self._pieces.append(samples.copy())  # the caller may use the array again
        self._waiting += samples.shape[-1]

    def flush(self) -> list[Waveform]:
        """The last window, shorter than the others, if anything is left for one."""
        return [np.concatenate(self._pieces, axis=-1)] if self._waiting else []


def clip_windows(blocks: Iterable[Waveform], chunk: int | None, context: int) -> Iterator[Waveform]:
    """The windows of a clip that comes in blocks, each as soon as it is complete.

    Example:
        >>> windows = clip_windows([np.array([1.0, 2.0]), np.array([3.0])], chunk=2, context=1)
        >>> [window.tolist() for window in windows]
        [[0.0, 1.0, 2.0], [2.0, 3.0]]
    """
    cutter = WindowCutter(chunk, context)
    for block in blocks:
        yield from cutter.push(block)
    yield from cutter.flush()


def rounded_up(num_frames: int) -> int:
    """The next of eight lengths between a power of two and the next: at most an eighth more.

    Example:
        >>> [rounded_up(num_frames) for num_frames in (7, 16, 17, 33, 375)]
        [7, 16, 18, 36, 384]
    """
    step = 1 << max(0, num_frames.bit_length() - 4)
    return -(-num_frames // step) * step


def batches(
    windows: Sequence[Window], padded_length: Callable[[int], int], batch_size: int
) -> Iterator[tuple[int, list[int]]]:
    """Groups windows that the model treats exactly alike: those of one padded length.

    Yields:
        The padded length and the indices of at most `batch_size` windows.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for index, window in enumerate(windows):
        groups[padded_length(window.length)].append(index)
    for length, members in groups.items():
        for start in range(0, len(members), batch_size):
            yield length, members[start : start + batch_size]
