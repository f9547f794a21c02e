"""Windows encoded side by side on the cores of a CPU, each of them by one thread.

Axis letters: K = codebooks, T = frames, S = samples.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch

from ..errors import CodecBPEError
from .window_batches import Codes, WaitingWindow

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["WindowThreads"]


class WindowThreads:
    """Encodes as many windows at once as torch may use threads.

    Two windows on two cores take less time than one after the other on both, because much of a
    codec, its LSTM before all, cannot use two cores. And since one thread computes a window from
    its beginning to its end, codes do not depend on how many threads there are.

    Args:
        codec: The codec, on a CPU.
        context: How many samples at the start of a window are context, without codes of its own.
    """

    def __init__(self, codec: AudioCodec, context: int) -> None:
        self.codec = codec
        self._context_frames = -(-context // codec.hop_length)
        self._num_threads = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(
            self._num_threads, "encoding", initializer=torch.set_num_threads, initargs=(1,)
        )
        self._running: deque[tuple[WaitingWindow, Future[Codes]]] = deque()

    def add(self, window: WaitingWindow) -> None:
        """Takes a window; waits for an earlier one while all threads have work."""
        while len(self._running) > self._num_threads:
            self._finish()
        self._running.append((window, self._pool.submit(self._encode, window)))

    def flush(self) -> None:
        """Waits for all that were taken."""
        while self._running:
            self._finish()

    def close(self) -> None:
        """Ends the threads; what none of them has begun is left."""
        self._pool.shutdown(cancel_futures=True)
        # Each thread's number is also what torch gives to threads that begin later.
        torch.set_num_threads(self._num_threads)

    def _encode(self, window: WaitingWindow) -> Codes:
        (codes,) = self.codec.encode([window.samples], batch_size=1)
        return codes[:, self._context_frames :]

    def _finish(self) -> None:
        window, encoding = self._running.popleft()
        try:
            codes = encoding.result()
        except (CodecBPEError, MemoryError) as error:
            # A copy: the error itself holds on to the memory of what failed.
            window.tell(type(error)(str(error)))
        else:
            window.tell(codes)
