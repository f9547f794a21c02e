"""A codec under test: encodes, decodes and measures clips one by one, and counts.

Axis letters: K = codebooks, T = frames, S = samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from ..audio import Waveform, load_audio
from ..errors import AudioError, ReportError
from .codec_figures import ClipScores, CodebookScores
from .metrics import measure, speech_pair
from .recognition import Recogniser, transcript, word_errors, words

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["Bench"]

Codes: TypeAlias = npt.NDArray[np.integer[Any]]
Scores: TypeAlias = Mapping[str, float | None]
Result = TypeVar("Result")

_MOST_COUNTS = 8
"""The most numbers of codebooks that quality is measured with."""
_BY_CODEBOOKS = ("pesq", "stoi")


class Bench:
    """A codec under test, and what was counted so far.

    Args:
        codec: The codec.
        encode: Samples `[S]` to codes `[K, T]`, in chunks or whole.
        asr: A speech recogniser, to count word errors.
    """

    def __init__(
        self, codec: AudioCodec, encode: Callable[[Waveform], Codes], asr: Recogniser | None = None
    ) -> None:
        self.codec = codec
        self.encode = encode
        self.asr = asr
        self.codes: list[Codes] = []
        """Of all clips: `[K, T]`."""
        self.has_text: set[bool] = set()
        """Whether clips came with transcripts."""
        self._seconds = {"encode": 0.0, "decode": 0.0}
        self._parts = {count: codec.with_choices(count) for count in _counts(codec)}
        self._scores: dict[int, list[Scores]] = {count: [] for count in self._parts}

    def measure(self, name: str, audio: Any, text: str | None) -> ClipScores:
        """Encodes, decodes and measures a clip.

        Raises:
            AudioError: The clip cannot be read.
            ReportError: The clip has a transcript and those before it have none, or the other way
                round.
        """
        rate, output_rate = self.codec.sampling_rate, self.codec.output_sampling_rate
        waveform = load_audio(audio, rate)
        codes, decoded = self._round_trip(waveform)
        original = waveform if output_rate == rate else load_audio(audio, output_rate)
        scores, reasons = measure(original, decoded, output_rate)
        self._measure_parts(codes, original, scores)
        num_words = 0
        if self.asr is not None:
            self._check_text(name, text)
            try:
                errors, num_words = self._word_errors(self.asr, original, decoded, text)
                scores["wer"] = errors / num_words
            except AudioError as error:
                scores["wer"], reasons["wer"] = None, str(error)
        return ClipScores(name, len(waveform) / rate, scores, reasons, num_words)

    def figures(self, seconds: float) -> dict[str, Any]:
        """The figures of a report that are over all clips, `seconds` long, together."""
        return {
            **self._rates(self.codec, seconds),
            "encode_rtf": self._seconds["encode"] / seconds,
            "decode_rtf": self._seconds["decode"] / seconds,
            "codebook_usage": [
                len(np.unique(np.concatenate(rows))) / size
                for rows, size in zip(
                    zip(*self.codes, strict=True), self.codec.codebook_sizes, strict=True
                )
            ],
            "by_codebooks": [
                CodebookScores(
                    count,
                    self._rates(part, seconds)["bits_per_second"],
                    **{metric: _mean(self._scores[count], metric) for metric in _BY_CODEBOOKS},
                )
                for count, part in self._parts.items()
            ],
        }

    def _rates(self, codec: AudioCodec, seconds: float) -> dict[str, float]:
        """Per second of audio: as the codec has it, or counted, where it merges frames."""
        groups = sum(codes.shape[1] for codes in self.codes) / seconds
        frame_rate = groups if codec.dynamic_frame_rate else codec.frame_rate
        return {
            "codes_per_second": frame_rate * codec.num_codebooks,
            "bits_per_second": frame_rate * float(np.log2(codec.codebook_sizes).sum()),
        }

    def _round_trip(self, waveform: Waveform) -> tuple[Codes, Waveform]:
        if not self.codes:  # the first call of anything is slow
            self.codec.decode([self.encode(waveform)])
        codes = self._timed("encode", lambda: self.encode(waveform))
        (decoded,) = self._timed("decode", lambda: self.codec.decode([codes]))
        smallest = np.min_scalar_type(max(self.codec.codebook_sizes) - 1)
        self.codes.append(codes.astype(smallest))
        return codes, decoded

    def _timed(self, step: str, run: Callable[[], Result]) -> Result:
        start = perf_counter()
        result = run()  # an array of numpy's: a GPU is done with it
        self._seconds[step] += perf_counter() - start
        return result

    def _measure_parts(self, codes: Codes, original: Waveform, scores: Scores) -> None:
        """Quality with fewer codebooks; with all of them it is known."""
        rate = self.codec.output_sampling_rate
        for count, part in self._parts.items():
            if part is self.codec:
                self._scores[count].append(scores)
            else:
                (decoded,) = part.decode([_first(part, codes)])
                self._scores[count].append(measure(original, decoded, rate, _BY_CODEBOOKS)[0])

    def _check_text(self, name: str, text: str | None) -> None:
        self.has_text.add(text is not None)
        if len(self.has_text) > 1:
            raise ReportError(
                f"{name} has {'no' if text is None else 'a'} transcript, unlike the clips before "
                "it: give all clips one, or none."
            )

    def _word_errors(
        self, asr: Recogniser, original: Waveform, decoded: Waveform, text: str | None
    ) -> tuple[int, int]:
        """How many of the reference's words are wrong in what came back, and how many it has."""
        rate = self.codec.output_sampling_rate
        original, decoded = speech_pair(original, decoded, rate)
        reference = words(transcript(asr, original) if text is None else text)
        if not reference:
            raise AudioError("The reference of word errors has no words.")
        return word_errors(reference, words(transcript(asr, decoded))), len(reference)


def _counts(codec: AudioCodec) -> list[int]:
    """Numbers of codebooks to measure with, evenly spaced in log; all of them last."""
    # How many frames a group lasts is always told, however many other codebooks there are.
    fewest = 2 if codec.dynamic_frame_rate else 1
    counts = np.geomspace(fewest, codec.num_codebooks, _MOST_COUNTS).round().astype(int)
    return sorted(set(counts.tolist()))


def _first(codec: AudioCodec, codes: Codes) -> Codes:
    """Of codes of more codebooks `[K, T]`, those that this codec gives: each refines the others."""
    if codec.dynamic_frame_rate:
        return np.concatenate([codes[: codec.num_codebooks - 1], codes[-1:]])
    return codes[: codec.num_codebooks]


def _mean(scores: Iterable[Scores], metric: str) -> float | None:
    values = [value for each in scores if (value := each[metric]) is not None]
    return float(np.mean(values)) if values else None
