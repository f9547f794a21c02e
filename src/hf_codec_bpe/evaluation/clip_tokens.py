"""Where the tokens of a clip lie in time.

Axis letters: K = codebooks, T = frames, L = tokens, S = samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..audio import Waveform, load_audio
from .compression import encoded_clip, exact_ids

if TYPE_CHECKING:
    from ..codecs import AudioCodec
    from ..processing_codec_bpe import CodecBPEProcessor

__all__ = ["ClipTokens", "clip_tokens"]


@dataclass(frozen=True)
class ClipTokens:
    """A clip and its tokens."""

    waveform: Waveform
    """Samples `[S]`."""
    sampling_rate: int
    num_codebooks: int
    frame_borders: npt.NDArray[np.float64]
    """Where frames begin and end, in seconds: `[T + 1]`."""
    lengths: npt.NDArray[np.int64]
    """Codes in each token `[L]`, T * K of them in all, frame by frame."""

    @classmethod
    def of(
        cls, codec: AudioCodec, waveform: Waveform, codes: npt.NDArray[Any], lengths: Any
    ) -> ClipTokens:
        """From samples `[S]`, the codes `[K, T]` that the codec made of them, and `lengths`."""
        # The last codebook of such a codec says how many frames each group lasts, from 0 for one.
        durations = codes[-1] + 1 if codec.dynamic_frame_rate else np.ones(codes.shape[1])
        return cls(
            waveform=waveform,
            sampling_rate=codec.sampling_rate,
            num_codebooks=codec.num_codebooks,
            frame_borders=np.concatenate([[0.0], np.cumsum(durations)]) / codec.frame_rate,
            lengths=lengths,
        )

    @property
    def token_of_code(self) -> npt.NDArray[np.int64]:
        """Which token holds each code: `[K, T]`."""
        owners = np.repeat(np.arange(len(self.lengths)), self.lengths)
        return owners.reshape(-1, self.num_codebooks).T

    @property
    def length_of_code(self) -> npt.NDArray[np.int64]:
        """How many codes the token of each code holds: `[K, T]`."""
        lengths: npt.NDArray[np.int64] = self.lengths[self.token_of_code]
        return lengths


def clip_tokens(processor: CodecBPEProcessor, audio: Any) -> ClipTokens:
    """Tokenizes one clip; `audio` is anything that knows its sampling rate."""
    waveform = load_audio(audio, processor.codec.sampling_rate)
    codes = encoded_clip(processor, waveform)
    ids = exact_ids(processor.vocabulary, codes, 0)
    return ClipTokens.of(processor.codec, waveform, codes, processor.vocabulary.num_codes[ids])
