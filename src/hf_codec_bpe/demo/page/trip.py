"""One clip there and back, with as many codebooks and at the merging threshold that were chosen.

Axis letters: K = codebooks, T = frames, L = tokens, S = samples.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...audio import Waveform
from ...audio_blocks import audio_blocks
from ...errors import AudioError
from ...evaluation.clip_tokens import ClipTokens
from ...evaluation.compression import exact_ids

if TYPE_CHECKING:
    from ...codec_vocabulary import CodecVocabulary
    from .choices import CodecChoice

__all__ = ["LONGEST_SECONDS", "Trip", "round_trip"]

LONGEST_SECONDS = 60
"""What a visitor may send: longer clips would keep others waiting."""


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
        """L: what a language model has to read."""
        return len(self.clip.lengths)

    @property
    def num_codes(self) -> int:
        """K x T."""
        return int(self.clip.lengths.sum())

    @property
    def compression(self) -> float:
        """Codes per token."""
        return self.num_codes / self.num_tokens

    @property
    def code_bits_per_second(self) -> float:
        """Bits that codes take when each is written with as many as its codebook needs."""
        num_frames = self.num_codes / len(self.codebook_sizes)
        return num_frames * sum(map(math.log2, self.codebook_sizes)) / self.seconds

    @property
    def token_bits_per_second(self) -> float | None:
        """Bits that tokens take likewise; `None` without a tokenizer."""
        if self.vocabulary_size is None:
            return None
        return self.num_tokens * math.log2(self.vocabulary_size) / self.seconds


def round_trip(
    audio: str | os.PathLike[str],
    choice: CodecChoice,
    vocabulary: CodecVocabulary | None = None,
    *,
    num_codebooks: int | None = None,
    merging_threshold: float | None = None,
) -> Trip:
    """Encodes a file, tokenizes its codes, and decodes them.

    A tokenizer reads the codes of all its codebooks in turn. With another number of them it cannot
    be used, and every code is a token.

    Args:
        audio: The file.
        choice: The codec.
        vocabulary: The tokenizer's tokens; `None` for none.
        num_codebooks: How many to use, from the first one on; by default as many as the tokenizer
            reads, or else all.
        merging_threshold: For codecs that merge frames: how alike merged ones are. By default the
            codec's own.

    Raises:
        AudioError: A file that cannot be read or used, or is too long.
        CodecError: A number of codebooks or a threshold that the codec cannot have.
    """
    codec = choice.load()
    if num_codebooks is None and vocabulary is not None:
        num_codebooks = vocabulary.alphabet.num_codebooks
    settings: dict[str, Any] = {}
    if merging_threshold is not None and "merging_threshold" in codec.settings:
        settings["merging_threshold"] = merging_threshold
    chosen = codec.with_choices(num_codebooks, **settings)
    waveform = _short_clip(Path(audio), codec.sampling_rate)
    (codes,) = chosen.encode(
        [waveform], chunk_seconds=choice.chunk_seconds, context_seconds=choice.context_seconds
    )
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


def _short_clip(file: Path, sampling_rate: int) -> Waveform:
    """A file's samples `[S]`; errors call it by its name, not by the server's path."""
    blocks, num_samples = [], 0
    for block in audio_blocks({"bytes": file.read_bytes(), "path": file.name}, sampling_rate):
        blocks.append(block[0])
        num_samples += len(block[0])
        if num_samples > LONGEST_SECONDS * sampling_rate:
            raise AudioError(
                f"{file.name} is longer than {LONGEST_SECONDS} seconds, the most that this page "
                "takes: cut it, or use hf-codec-bpe encode, which takes any length."
            )
    return np.concatenate(blocks)


def _tokens(
    codes: npt.NDArray[Any], vocabulary: CodecVocabulary | None
) -> tuple[list[int] | None, npt.NDArray[np.int64]]:
    """Ids `[L]`, and how many codes each stands for."""
    if vocabulary is None:
        return None, np.ones(codes.size, dtype=np.int64)
    ids = exact_ids(vocabulary, codes, 0)
    return ids, vocabulary.num_codes[ids]
