"""One clip there and back, with as many codebooks and at the merging threshold that were chosen.

Axis letters: K = codebooks, T = frames, L = tokens, S = samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..audio import Waveform
from ..errors import AudioError
from ..evaluation.clip_tokens import ClipTokens
from ..evaluation.compression import exact_ids

if TYPE_CHECKING:
    from ..codec_vocabulary import CodecVocabulary
    from ..codecs import AudioCodec

__all__ = ["Trip", "round_trip"]


@dataclass(frozen=True)
class Trip:
    """A clip, its tokens, and what came back."""

    clip: ClipTokens
    codebook_sizes: tuple[int, ...]
    most_codes_per_second: float
    """With all codebooks in use and no frames merged."""
    ids: list[int] | None
    """The tokens `[L]`; `None` where no tokenizer merged codes, so that every code is a token."""
    vocabulary_size: int | None
    """How many audio tokens the tokenizer has; `None` likewise."""
    returned: Waveform
    """Samples `[S]` at `returned_rate`."""
    returned_rate: int

    @property
    def seconds(self) -> float:
        """How long the clip is."""
        return len(self.clip.waveform) / self.clip.sampling_rate

    @property
    def num_tokens(self) -> int:
        """L: how many tokens the clip became."""
        return len(self.clip.lengths)

    @property
    def num_codes(self) -> int:
        """K x T."""
        return int(self.clip.lengths.sum())

    @property
    def num_frames(self) -> int:
        """T: merged ones count as one."""
        return self.num_codes // len(self.codebook_sizes)

    @property
    def tokens_per_second(self) -> float:
        """What a language model has to read for a second of audio."""
        return self.num_tokens / self.seconds

    @property
    def compression(self) -> float:
        """Codes per token."""
        return self.num_codes / self.num_tokens

    @property
    def code_bits_per_second(self) -> float:
        """Bits that codes take when each is written with as many as its codebook needs."""
        return self.num_frames * sum(map(math.log2, self.codebook_sizes)) / self.seconds

    @property
    def token_bits_per_second(self) -> float | None:
        """Bits that tokens take likewise; `None` without a tokenizer."""
        if self.vocabulary_size is None:
            return None
        return self.num_tokens * math.log2(self.vocabulary_size) / self.seconds


def round_trip(
    waveform: Waveform,
    codec: AudioCodec,
    vocabulary: CodecVocabulary | None = None,
    *,
    num_codebooks: int | None = None,
    merging_threshold: float | None = None,
    chunk_seconds: float | None = None,
    context_seconds: float = 0.0,
) -> Trip:
    """Encodes a clip, tokenizes its codes, and decodes them.

    A tokenizer reads the codes of all its codebooks in turn. With another number of them it cannot
    be used, and every code is a token.

    Args:
        waveform: Samples `[S]` at the codec's sampling rate.
        codec: The codec.
        vocabulary: The tokenizer's tokens; `None` for none.
        num_codebooks: How many to use, from the first one on; by default as many as the tokenizer
            reads, or else all.
        merging_threshold: For codecs that merge frames: how alike merged ones are. By default the
            codec's own.
        chunk_seconds: See `AudioCodec.encode`.
        context_seconds: Likewise.

    Raises:
        AudioError: A clip that cannot be used, or that is shorter than a frame.
        CodecError: A number of codebooks or a threshold that the codec cannot have.
    """
    if num_codebooks is None and vocabulary is not None:
        num_codebooks = vocabulary.alphabet.num_codebooks
    settings: dict[str, Any] = {}
    if merging_threshold is not None and "merging_threshold" in codec.settings:
        settings["merging_threshold"] = merging_threshold
    chosen = codec.with_choices(num_codebooks, **settings)
    (codes,) = chosen.encode(
        [waveform], chunk_seconds=chunk_seconds, context_seconds=context_seconds
    )
    if not codes.size:
        raise AudioError("The clip is shorter than a frame of the codec: nothing was encoded.")
    if vocabulary is not None and vocabulary.alphabet.codebook_sizes != chosen.codebook_sizes:
        vocabulary = None
    ids, lengths = _tokens(codes, vocabulary)
    (returned,) = chosen.decode([codes])
    return Trip(
        clip=ClipTokens.of(chosen, waveform, codes, lengths),
        codebook_sizes=chosen.codebook_sizes,
        most_codes_per_second=codec.frame_rate * codec.num_codebooks,
        ids=ids,
        vocabulary_size=None if vocabulary is None else len(vocabulary.texts),
        returned=returned,
        returned_rate=chosen.output_sampling_rate,
    )


def _tokens(
    codes: npt.NDArray[Any], vocabulary: CodecVocabulary | None
) -> tuple[list[int] | None, npt.NDArray[np.int64]]:
    """Ids `[L]`, and how many codes each stands for."""
    if vocabulary is None:
        return None, np.ones(codes.size, dtype=np.int64)
    ids = exact_ids(vocabulary, codes, 0)
    return ids, vocabulary.num_codes[ids]
