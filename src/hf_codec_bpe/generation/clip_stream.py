"""Codes to sound as they arrive: one clip, decoded in chunks.

Axis letters: K = codebooks, T = frames, S = samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from numbers import Real
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..alphabet import CodebookAlphabet
from ..audio import Waveform
from ..codecs import AudioCodec
from ..errors import CodecError

__all__ = ["ClipStream", "FrameWindow"]

Codes = npt.NDArray[np.int64]


class FrameWindow(NamedTuple):
    """What a chunk is decoded with, in frames."""

    chunk: int
    context: int
    """Frames before it."""
    lookahead: int
    """Frames after it."""

    @classmethod
    def of(
        cls,
        codec: AudioCodec,
        chunk_seconds: float,
        context_seconds: float,
        lookahead_seconds: float,
    ) -> FrameWindow:
        """Seconds as frames: chunks rounded down, what is around them up.

        Raises:
            CodecError: A length that is negative or too short, or a codec whose frames differ in
                length.
        """
        if codec.dynamic_frame_rate:
            raise CodecError(
                f"{codec!r} has frames of different lengths, so that their sound cannot be told "
                "apart in a window: decode whole clips with codec.decode."
            )
        rate = codec.frame_rate
        chunk = math.floor(_checked("chunk_seconds", chunk_seconds) * rate + 1e-6)
        if chunk < 1:
            raise CodecError(
                f"chunk_seconds={chunk_seconds} is shorter than one frame: pass at least "
                f"{1 / rate:g} s."
            )
        context = math.ceil(_checked("context_seconds", context_seconds) * rate - 1e-6)
        lookahead = math.ceil(_checked("lookahead_seconds", lookahead_seconds) * rate - 1e-6)
        # DAC gives a little less than a frame for the last one, Vocos a little more.
        whole = codec.num_samples(1) == _hop(codec)
        return cls(chunk, context, lookahead if whole else max(1, lookahead))


class ClipStream:
    """One clip, decoded while its codes arrive as text.

    Chunks depend on the codes alone, never on how many arrive at once.

    Args:
        codec: The codec.
        alphabet: Its characters.
        window: The chunks, and what they are decoded with.
        errors: See `CodebookAlphabet.to_codes`.
    """

    def __init__(
        self,
        codec: AudioCodec,
        alphabet: CodebookAlphabet,
        window: FrameWindow,
        errors: Literal["strict", "drop"],
    ) -> None:
        self._codec = codec
        self._alphabet = alphabet
        self._window = window
        self._errors = errors
        self._texts: list[str] = []
        self._num_chars = 0
        self._awaited = 0  # how many characters may complete a chunk
        self._done = 0  # frames whose samples were given

    def push(self, text: str) -> Iterator[Waveform]:
        """Takes code characters; gives the chunks `[S]` that they complete.

        Raises:
            AlphabetError: Under `"strict"`, a character out of turn.
        """
        self._add(text)
        if self._num_chars < self._awaited:
            return
        codes = self._whole_frames()
        chunk, _, lookahead = self._window
        while (missing := self._done + chunk + lookahead - codes.shape[1]) <= 0:
            yield self._decoded(codes, self._done + chunk)
        self._awaited = self._num_chars + (missing - 1) * self._alphabet.num_codebooks + 1

    def skip(self, text: str) -> None:
        """Takes code characters whose samples are known: they are context for those that follow.

        Raises:
            AlphabetError: Under `"strict"`, a character out of turn.
        """
        self._add(text)
        self._done = self._whole_frames().shape[1]

    def flush(self) -> Iterator[Waveform]:
        """Ends the clip; gives the chunks `[S]` of what is left of it.

        Raises:
            AlphabetError: Under `"strict"`, anything but whole frames.
        """
        codes = self._alphabet.to_codes("".join(self._texts), self._errors)
        while self._done < codes.shape[1]:
            yield self._decoded(codes, min(self._done + self._window.chunk, codes.shape[1]), True)

    def _add(self, text: str) -> None:
        self._texts.append(text)
        self._num_chars += len(text)

    def _whole_frames(self) -> Codes:
        """The codes `[K, T]` of the frames that are complete."""
        text = "".join(self._texts)
        if self._errors == "drop":
            return self._alphabet.mend(text).codes
        return self._alphabet.to_codes(text[: len(text) - len(text) % self._alphabet.num_codebooks])

    def _decoded(self, codes: Codes, stop: int, is_whole: bool = False) -> Waveform:
        """The samples of the frames that are not done up to `stop`."""
        first = max(0, self._done - self._window.context)
        (samples,) = self._codec.decode([codes[:, first : stop + self._window.lookahead]])
        hop = _hop(self._codec)
        end = None if is_whole and stop == codes.shape[1] else (stop - first) * hop
        begin = (self._done - first) * hop
        self._done = stop
        return samples[begin:end]


def _hop(codec: AudioCodec) -> int:
    """Output samples from one frame to the next."""
    return codec.num_samples(2) - codec.num_samples(1)


def _checked(name: str, seconds: float) -> float:
    if not (isinstance(seconds, Real) and math.isfinite(seconds) and seconds >= 0):
        raise CodecError(f"{name}={seconds!r} is not a length: pass seconds.")
    return seconds
