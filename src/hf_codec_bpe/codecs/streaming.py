"""Codes as audio arrives.

Axis letters: K = codebooks, T = frames, S = samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..audio import Waveform
from ..errors import CodecError
from .encoding import Codes, checked_waveform, encode_window, no_codes
from .windows import WindowCutter

if TYPE_CHECKING:
    from .base import AudioCodec

__all__ = ["CodecStream", "WindowStream"]


class CodecStream(ABC):
    """One clip, encoded while it is being recorded; `AudioCodec.stream` makes one.

    ```python
    with codec.stream(chunk_seconds=0.32, context_seconds=1.28) as stream:
        for samples in microphone:
            send(stream.push(samples))
        send(stream.flush())
    ```

    Args:
        codec: The codec.
    """

    def __init__(self, codec: AudioCodec) -> None:
        self.codec = codec
        self._is_over = False

    def __enter__(self) -> CodecStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over = True

    def push(self, samples: Any) -> Codes:
        """Takes the next samples `[S]` at the codec's rate; gives the codes `[K, T]` they complete.

        Raises:
            AudioError: Not finite float samples.
            CodecError: The stream is over, or a length that it would encode wrongly.
        """
        self._check_open()
        return self._push(checked_waveform(samples))

    def flush(self) -> Codes:
        """Ends the clip; gives the codes `[K, T]` of what is left of it."""
        self._check_open()
        self._is_over = True
        return self._flush()

    @abstractmethod
    def _push(self, samples: Waveform) -> Codes: ...

    @abstractmethod
    def _flush(self) -> Codes: ...

    def _check_open(self) -> None:
        if self._is_over:
            raise CodecError("This stream is over: make a new one for the next clip.")


class WindowStream(CodecStream):
    """Works for every codec: chunks with context, the codes that `encode` gives for both.

    Args:
        codec: The codec.
        chunk: Samples in a chunk.
        context: Samples of previous audio that a chunk sees.
    """

    def __init__(self, codec: AudioCodec, chunk: int, context: int) -> None:
        super().__init__(codec)
        self.context = context
        self._cutter = WindowCutter(chunk, context)

    def _push(self, samples: Waveform) -> Codes:
        return self._encode(self._cutter.push(samples))

    def _flush(self) -> Codes:
        return self._encode(self._cutter.flush())

    def _encode(self, windows: Iterable[Waveform]) -> Codes:
        with self.codec._inference():
            parts = [encode_window(self.codec, window, self.context) for window in windows]
        return np.concatenate([no_codes(self.codec), *parts], axis=1)
