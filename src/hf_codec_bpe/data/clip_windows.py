"""A clip that arrives in blocks, cut into the windows that a codec encodes.

Axis letters: S = samples, C = channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ..audio import Waveform

__all__ = ["clip_windows"]


def clip_windows(blocks: Iterable[Waveform], chunk: int | None, context: int) -> Iterator[Waveform]:
    """The windows that `AudioCodec.encode` would encode, as soon as they are complete.

    Args:
        blocks: Samples `[C, S]`.
        chunk: New samples in a window; `None` makes all one window.
        context: Samples in front of them: previous audio, silence at the beginning.

    Yields:
        Samples `[C, context + chunk]`; the last window may be shorter.

    Example:
        >>> windows = clip_windows([np.array([[1.0, 2.0]]), np.array([[3.0]])], chunk=2, context=1)
        >>> [window.tolist() for window in windows]
        [[[0.0, 1.0, 2.0]], [[2.0, 3.0]]]
    """
    past: Waveform | None = None
    waiting: list[Waveform] = []
    missing = chunk
    for block in blocks:
        if past is None:
            past = np.zeros((len(block), context), dtype=block.dtype)
        while missing is not None and block.shape[1] >= missing:
            window = np.concatenate([past, *waiting, block[:, :missing]], axis=1)
            yield window
            past = window[:, window.shape[1] - context :]
            waiting, block, missing = [], block[:, missing:], chunk
        if block.shape[1]:
            waiting.append(block)
            missing = None if missing is None else missing - block.shape[1]
    if past is not None and waiting:
        yield np.concatenate([past, *waiting], axis=1)
