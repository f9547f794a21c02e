"""How much audio sequences of ids hold, and how many tokens it takes.

Axis letters: K = codebooks, N = sequences.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codec_vocabulary import CodecVocabulary
from ..errors import PackingError
from ..tokenization_codec_bpe import as_array, checked_ids

__all__ = ["SequenceStatistics", "Spread", "sequence_statistics"]


@dataclass(frozen=True)
class Spread:
    """A figure of every sequence."""

    mean: float
    std: float
    min: float
    median: float
    max: float

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> Spread:
        """Of the values `[N]`, at least one."""
        figures = (np.mean, np.std, np.min, np.median, np.max)
        return cls(*(float(figure(values)) for figure in figures))


@dataclass(frozen=True)
class SequenceStatistics:
    """What `sequence_statistics` found. Audio that windows repeat counts every time."""

    num_sequences: int
    num_clips: int
    """Runs of audio tokens."""
    num_tokens: int
    """All of them, without padding."""
    num_audio_tokens: int
    num_codes: int
    seconds: float
    """Of audio, as for all that follows."""
    seconds_per_sequence: Spread
    tokens_per_sequence: Spread
    audio_tokens_per_second: Spread
    """Over the sequences that hold audio; see `tokens_per_second` for all audio at once."""

    @property
    def tokens_per_second(self) -> float:
        """Audio tokens for a second of audio, over all of it."""
        return self.num_audio_tokens / self.seconds

    @property
    def compression(self) -> float:
        """Codes per audio token: how much shorter than codes one by one."""
        return self.num_codes / self.num_audio_tokens

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON values."""
        derived = ("tokens_per_second", "compression")
        return asdict(self) | {name: getattr(self, name) for name in derived}


def sequence_statistics(
    sequences: Iterable[Mapping[str, Any]], tokenizer: Any, frame_rate: float
) -> SequenceStatistics:
    """Counts audio and tokens.

    Args:
        sequences: What `pack_codes` makes or `read_sequences` reads, or any dataset with
            `input_ids` and perhaps an `attention_mask`. They may hold text too.
        tokenizer: As for `pack_codes`.
        frame_rate: Frames per second of the codec, all of one length.

    Raises:
        TokenizerError: A tokenizer that knows no codec or several, or ids it does not own.
        PackingError: A frame rate that is not positive, sequences without `input_ids`, or no audio
            at all.
    """
    if not 0 < frame_rate < math.inf:
        raise PackingError(
            f"frame_rate={frame_rate} is not a rate: pass the codec's, such as 12.5."
        )
    vocabulary = CodecVocabulary.of(tokenizer)
    rows = (_counts(sequence, vocabulary) for sequence in sequences)
    counts: npt.NDArray[np.int64] = np.fromiter(rows, dtype=np.dtype((np.int64, 4)))
    num_clips, num_tokens, num_audio_tokens, num_codes = counts.sum(axis=0).tolist()
    if not num_audio_tokens:
        raise PackingError(
            f"The {len(counts)} sequences hold no audio of this tokenizer: check that they were "
            "made with it."
        )
    seconds = counts[:, 3] / (vocabulary.alphabet.num_codebooks * frame_rate)
    with_audio = seconds > 0
    return SequenceStatistics(
        num_sequences=len(counts),
        num_clips=num_clips,
        num_tokens=num_tokens,
        num_audio_tokens=num_audio_tokens,
        num_codes=num_codes,
        seconds=float(seconds.sum()),
        seconds_per_sequence=Spread.of(seconds),
        tokens_per_sequence=Spread.of(counts[:, 1]),
        audio_tokens_per_second=Spread.of(counts[with_audio, 2] / seconds[with_audio]),
    )


def _counts(sequence: Mapping[str, Any], vocabulary: CodecVocabulary) -> tuple[int, int, int, int]:
    """The clips, tokens, audio tokens and codes of a sequence."""
    if "input_ids" not in sequence:
        raise PackingError(
            f"A sequence has no input_ids, but {', '.join(map(str, sequence)) or 'nothing'}: pass "
            "what pack_codes makes, or a dataset of it."
        )
    ids = as_array(sequence["input_ids"])
    mask = sequence.get("attention_mask")
    if mask is not None:  # as datasets have it where some sequences have none
        ids = ids[_as_mask(mask, len(ids))]
    codes = vocabulary.num_codes[checked_ids(ids, len(vocabulary.num_codes))]
    is_audio = codes > 0
    begins = is_audio & ~np.concatenate([[False], is_audio[:-1]])
    return int(begins.sum()), len(ids), int(is_audio.sum()), int(codes.sum())


def _as_mask(mask: Any, num_ids: int) -> npt.NDArray[np.bool_]:
    """A sequence's attention mask `[L]`."""
    array = np.asarray(mask, dtype=bool)
    if array.shape != (num_ids,):
        raise PackingError(
            f"A sequence has {num_ids} input_ids, but an attention_mask of shape "
            f"{list(array.shape)}: give every id one value of the mask."
        )
    return array
