"""Windows of many clips, put together in batches that fit in memory.

Axis letters: K = codebooks, T = frames, S = samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..audio import Waveform
from ..errors import CodecBPEError, CodecMemoryError

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["Codes", "WaitingWindow", "WindowBatches"]

Codes = npt.NDArray[np.integer[Any]]


class WaitingWindow(NamedTuple):
    """Samples `[S]`, and who wants to know what becomes of them: their codes, or an error."""

    samples: Waveform
    tell: Callable[[Codes | CodecBPEError], None]


class WindowBatches:
    """Encodes windows as soon as there is a batch of equal length.

    Where memory is short, batches are halved and stay that small. A batch that fails otherwise is
    encoded one by one, so that only the windows that are to blame fail. Neither changes codes.

    Args:
        codec: The codec.
        batch_size: The most windows in a batch; on a CPU one, see `AudioCodec`.
        context: How many samples at the start of a window are context, without codes of its own.
        limit: The most samples that may wait for others of their length.
    """

    def __init__(self, codec: AudioCodec, batch_size: int, context: int, limit: float) -> None:
        self.codec = codec
        self.batch_size = codec.max_batch_size(batch_size)
        self.limit = limit
        self._context_frames = -(-context // codec.hop_length)
        self._waiting: dict[int, list[WaitingWindow]] = defaultdict(list)
        self._num_samples = 0

    def add(self, window: WaitingWindow) -> None:
        """Takes a window, and encodes what can be encoded now."""
        length = self.codec.padded_length(len(window.samples))
        self._waiting[length].append(window)
        self._num_samples += len(window.samples)
        if len(self._waiting[length]) >= self.batch_size:
            self._release(length)
        while self._num_samples > self.limit:
            self._release(max(self._waiting, key=lambda each: each * len(self._waiting[each])))

    def flush(self) -> None:
        """Encodes all that waits."""
        for length in sorted(self._waiting):
            self._release(length)

    def _release(self, length: int) -> None:
        windows = self._waiting.pop(length)
        self._num_samples -= sum(len(window.samples) for window in windows)
        self._encode(windows)

    def _encode(self, windows: Sequence[WaitingWindow]) -> None:
        done = 0
        while done < len(windows):
            batch = windows[done : done + self.batch_size]
            problem = self._try(batch)
            if problem is not None and len(batch) > 1 and isinstance(problem, MemoryError):
                self.batch_size = (len(batch) + 1) // 2
                continue
            if problem is not None:
                self._encode_alone(batch, problem)
            done += len(batch)

    def _encode_alone(self, batch: Sequence[WaitingWindow], problem: CodecBPEError) -> None:
        """Finds out which windows of a batch fail."""
        if len(batch) == 1:
            batch[0].tell(problem)
            return
        for window in batch:
            self._encode([window])

    def _try(self, windows: Sequence[WaitingWindow]) -> CodecBPEError | None:
        """Encodes a batch and tells the codes, or returns what went wrong."""
        try:
            encoded = self.codec.encode(
                [window.samples for window in windows], batch_size=len(windows)
            )
        except CodecBPEError as error:
            # A copy: the error itself holds on to the memory of what failed.
            return type(error)(str(error))
        except MemoryError as error:
            return CodecMemoryError(f"Windows do not fit in memory: {error}")
        for window, codes in zip(windows, encoded, strict=True):
            window.tell(codes[:, self._context_frames :])
        return None
