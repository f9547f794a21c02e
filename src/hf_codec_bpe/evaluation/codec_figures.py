"""The figures of a codec on a set of clips, and their form as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ..errors import ReportError
from .compression_figures import CompressionReport

__all__ = ["ClipScores", "CodebookScores", "CodecReport", "compression_of"]


@dataclass(frozen=True)
class ClipScores:
    """How well one clip came back."""

    name: str
    seconds: float
    scores: Mapping[str, float | None]
    """By metric: `pesq`, `stoi`, `si_sdr` and `mel_distance`, see `metrics.py`, and `wer`, word
    errors per word, if there was a speech recogniser. `None` where it was not measured."""
    not_measured: Mapping[str, str]
    """Why, for each metric that is `None`."""
    num_words: int = 0
    """Words of the reference that `wer` counts errors of."""


@dataclass(frozen=True)
class CodebookScores:
    """What the first codebooks alone give: means over all clips that could be measured."""

    num_codebooks: int
    bits_per_second: float
    pesq: float | None
    stoi: float | None


@dataclass(frozen=True)
class CodecReport:
    """What `codec_report` found."""

    name: str
    """What the clips are."""
    codec: str
    """What readers call the codec."""
    device: str
    """Where the codec ran: what real-time factors depend on."""
    sampling_rate: int
    output_sampling_rate: int
    """Of what was decoded; `si_sdr` and `mel_distance` are measured at this rate."""
    frame_rate: float
    """Frames per second, before any merging."""
    codebook_sizes: tuple[int, ...]
    codes_per_second: float
    """What a language model has to read for a second of audio without BPE."""
    bits_per_second: float
    """Of these codes, each of log2(size of its codebook)."""
    encode_rtf: float
    """Real-time factor: seconds of encoding for a second of audio."""
    decode_rtf: float
    codebook_usage: Sequence[float]
    """The share of each codebook's codes that occurred, 0 to 1; a few clips cannot use all."""
    clips: Sequence[ClipScores]
    by_codebooks: Sequence[CodebookScores]
    """For ascending numbers of codebooks, all of them last."""
    bpe: CompressionReport | None = None
    """What BPE makes of these codes, if there is a tokenizer."""
    asr: str | None = None
    """The speech recogniser."""
    has_transcripts: bool = False
    """Whether word errors count against transcripts that came with the clips. If not, then against
    what the recogniser itself makes of the originals."""

    @property
    def seconds(self) -> float:
        """Of all clips."""
        return sum(clip.seconds for clip in self.clips)

    def mean(self, metric: str) -> float | None:
        """The mean over all clips with a figure, `None` if there is none; `wer` per word."""
        measured = [
            (value, clip.num_words if metric == "wer" else 1)
            for clip in self.clips
            if (value := clip.scores.get(metric)) is not None
        ]
        if not measured:
            return None
        values, weights = np.array(measured).T
        return float(np.average(values, weights=weights))

    def not_measured(self, metric: str) -> dict[str, int]:
        """Why clips have no figure, and how many each time."""
        reasons = (clip.not_measured.get(metric) for clip in self.clips)
        return dict(Counter(reason for reason in reasons if reason is not None))

    @property
    def metrics(self) -> list[str]:
        """The names of all metrics of clips."""
        return list(dict.fromkeys(name for clip in self.clips for name in clip.scores))

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON values, the derived ones too."""
        return asdict(self) | {
            "codebook_sizes": list(self.codebook_sizes),
            "bpe": self.bpe.to_dict() if self.bpe else None,
            "seconds": self.seconds,
            "means": {name: self.mean(name) for name in self.metrics},
            "not_measured": {name: self.not_measured(name) for name in self.metrics},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CodecReport:
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
                    "clips": [ClipScores(**clip) for clip in own["clips"]],
                    "by_codebooks": [CodebookScores(**each) for each in own["by_codebooks"]],
                    "bpe": own["bpe"] and CompressionReport.from_dict(own["bpe"]),
                }
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ReportError(
                f"This is not a report of this version ({type(error).__name__}: {error}): make it "
                "anew with hf-codec-bpe evaluate."
            ) from error


def compression_of(report: CompressionReport | CodecReport | None) -> CompressionReport | None:
    """What is known of a tokenizer: a report's own figures, or those inside a codec's."""
    return report.bpe if isinstance(report, CodecReport) else report
