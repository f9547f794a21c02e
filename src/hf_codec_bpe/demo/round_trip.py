"""One clip there and back, and what a person wants to know about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..audio import load_audio

if TYPE_CHECKING:
    from ..processing_codec_bpe import CodecBPEProcessor

__all__ = ["RoundTrip", "round_trip"]


@dataclass(frozen=True)
class RoundTrip:
    """The figures of a clip that was tokenized and decoded again."""

    audio: str
    output: str
    seconds: float
    num_codebooks: int
    num_frames: int
    num_codes: int
    num_tokens: int
    first_ids: list[int]
    first_codes: list[int]
    """How many codes each of the first tokens holds."""

    @property
    def tokens_per_second(self) -> float:
        """What a language model has to read for a second of audio."""
        return self.num_tokens / self.seconds

    @property
    def compression(self) -> float:
        """Codes per token."""
        return self.num_codes / self.num_tokens

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON values."""
        return {
            **self.__dict__,
            "tokens_per_second": round(self.tokens_per_second, 2),
            "compression": round(self.compression, 3),
        }


def round_trip(
    processor: CodecBPEProcessor,
    audio: str | os.PathLike[str],
    output: str | os.PathLike[str],
    num_first: int = 12,
) -> RoundTrip:
    """Tokenizes a clip, decodes the tokens, and writes what came back."""
    codec = processor.codec
    waveform = load_audio(audio, codec.sampling_rate)
    ids = processor(audio=waveform, sampling_rate=codec.sampling_rate)["input_ids"][0]
    codes = processor.tokenizer.ids_to_codes(ids)
    processor.save_audio(processor.decode_audio(ids)[0], output)
    return RoundTrip(
        audio=os.fspath(audio),
        output=os.fspath(Path(output)),
        seconds=len(waveform) / codec.sampling_rate,
        num_codebooks=codes.shape[0],
        num_frames=codes.shape[1],
        num_codes=codes.size,
        num_tokens=len(ids),
        first_ids=ids[:num_first],
        first_codes=[len(processor.tokenizer.ids_to_text([i])) for i in ids[:num_first]],
    )
