"""The figures of a tokenizer on a held-out set, and their form as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..data.statistics import Spread
from ..errors import ReportError

__all__ = ["CompressionReport"]

_DERIVED = (
    "tokens_per_second",
    "codes_per_second",
    "compression",
    "coverage",
    "flat_bits_per_second",
    "token_bits_per_second",
)


@dataclass(frozen=True)
class CompressionReport:
    """What `compression_report` found on a held-out set.

    The codes of every clip came back from its ids exactly: otherwise there would be no report.
    """

    name: str
    """What the held-out set is."""
    codebook_sizes: tuple[int, ...]
    vocabulary_size: int
    """Tokens that stand for codes: no special tokens, and nothing of a language model's."""
    num_clips: int
    seconds: float
    num_codes: int
    num_tokens: int
    num_tokens_used: int
    """How many tokens of the vocabulary occurred at least once."""
    token_lengths: Mapping[int, int]
    """How many of the tokens that occurred hold each number of codes."""
    vocabulary_lengths: Mapping[int, int]
    """How many of the vocabulary's tokens hold each number of codes."""
    frequencies: Sequence[tuple[int, int]]
    """`(rank, occurrences)` of tokens by frequency, at ranks that are evenly spaced in log."""
    tokens_per_second_of_clips: Spread
    """Over clips that have tokens; `tokens_per_second` is that of all audio at once."""
    compression_of_clips: Spread
    """Likewise."""

    @property
    def tokens_per_second(self) -> float:
        """What a language model has to read for a second of audio."""
        return self.num_tokens / self.seconds

    @property
    def codes_per_second(self) -> float:
        """What it would have to read without BPE: the flat codes."""
        return self.num_codes / self.seconds

    @property
    def compression(self) -> float:
        """Codes per token."""
        return self.num_codes / self.num_tokens

    @property
    def coverage(self) -> float:
        """The share of the vocabulary that occurred, 0 to 1; small sets cannot use all of it."""
        return self.num_tokens_used / self.vocabulary_size

    @property
    def flat_bits_per_second(self) -> float:
        """Bits of the flat codes, each of log2(size of its codebook)."""
        frames_per_second = self.codes_per_second / len(self.codebook_sizes)
        return frames_per_second * sum(math.log2(size) for size in self.codebook_sizes)

    @property
    def token_bits_per_second(self) -> float:
        """Bits of the tokens, each of log2(`vocabulary_size`)."""
        return self.tokens_per_second * math.log2(self.vocabulary_size)

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON values, the derived ones too."""
        return asdict(self) | {
            "codebook_sizes": list(self.codebook_sizes),
            "token_lengths": {str(k): v for k, v in self.token_lengths.items()},
            "vocabulary_lengths": {str(k): v for k, v in self.vocabulary_lengths.items()},
            "frequencies": [list(point) for point in self.frequencies],
            **{name: getattr(self, name) for name in _DERIVED},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CompressionReport:
        """Reads what `to_dict` wrote; derived figures are computed anew.

        Raises:
            ReportError: The values are not those of such a report.
        """
        try:
            own = {each.name: values[each.name] for each in fields(cls)}
            return cls(
                **{
                    **own,
                    "codebook_sizes": tuple(own["codebook_sizes"]),
                    "token_lengths": _with_int_keys(own["token_lengths"]),
                    "vocabulary_lengths": _with_int_keys(own["vocabulary_lengths"]),
                    "frequencies": [(rank, count) for rank, count in own["frequencies"]],
                    "tokens_per_second_of_clips": Spread(**own["tokens_per_second_of_clips"]),
                    "compression_of_clips": Spread(**own["compression_of_clips"]),
                }
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ReportError(
                f"This is not a report of this version ({type(error).__name__}: {error}): make it "
                "anew with hf-codec-bpe report."
            ) from error


def _with_int_keys(histogram: Mapping[str, int]) -> dict[int, int]:
    return {int(length): count for length, count in histogram.items()}
