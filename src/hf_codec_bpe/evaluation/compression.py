"""Counts how far a tokenizer shortens codes, and checks that it gives every one of them back.

Axis letters: K = codebooks, T = frames, L = tokens, N = clips, V = all tokens of the tokenizer.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..audio import load_audio
from ..code_shards import clips_in, open_codes
from ..codec_vocabulary import CodecVocabulary
from ..data.recordings import whole_clips
from ..data.statistics import Spread
from ..errors import AlphabetError, ReportError, TokenizerError
from .compression_figures import CompressionReport

if TYPE_CHECKING:
    from ..processing_codec_bpe import CodecBPEProcessor

__all__ = ["audio_report", "compression_report", "encoded_clip", "exact_ids", "vocabulary_of"]

Codes = npt.NDArray[np.integer[Any]]

_MOST_RANKS = 100
"""Ranks that a curve of frequencies is drawn through."""


def compression_report(
    tokenizer: Any,
    codes: str | os.PathLike[str] | Iterable[Any],
    *,
    name: str,
    frame_rate: float | None = None,
    seconds: Iterable[float] | None = None,
) -> CompressionReport:
    """Tokenizes codes that the tokenizer was not trained on, and counts.

    Args:
        tokenizer: A `CodecBPETokenizer`, what `extend_tokenizer` made, a `CodecVocabulary`, or a
            processor.
        codes: Clips of integers `[K, T]`, any iterable of them, or a folder of codes, as for
            `train_tokenizer`. One clip is in memory at a time.
        name: What the clips are: the held-out set, for readers.
        frame_rate: Frames per second, which tell how long a clip is.
        seconds: Or how long each clip is: needed where frames differ in length.

    Returns:
        The figures. There are none unless every clip came back from its ids exactly.

    Raises:
        ReportError: No codes, no or two ways to tell seconds, or a clip that did not come back.
        TokenizerError: A tokenizer that knows no codec, or several.
        CodesError, AlphabetError: Codes that do not fit the tokenizer.
    """
    vocabulary = vocabulary_of(tokenizer)
    if isinstance(codes, (str, os.PathLike)):
        codes = whole_clips(open_codes(codes, num_codebooks=vocabulary.alphabet.num_codebooks))
    else:
        codes = clips_in(codes)
    return _report(vocabulary, _timed(codes, vocabulary, frame_rate, seconds), name)


def audio_report(
    processor: CodecBPEProcessor, audio: Iterable[Any], *, name: str
) -> CompressionReport:
    """Encodes audio as the processor does, tokenizes it and counts; see `compression_report`.

    Args:
        processor: The processor; its codec is loaded.
        audio: Clips: paths, values of a `datasets` Audio column, or anything else that knows its
            sampling rate. One is in memory at a time.
        name: What the clips are: the held-out set, for readers.

    Raises:
        AudioError: A clip that cannot be read or used.
        ReportError: See `compression_report`.
    """

    def timed() -> Iterator[tuple[Codes, float]]:
        for clip in audio:
            waveform = load_audio(clip, processor.codec.sampling_rate)
            yield encoded_clip(processor, waveform), len(waveform) / processor.codec.sampling_rate

    return _report(processor.vocabulary, timed(), name)


def vocabulary_of(tokenizer: Any) -> CodecVocabulary:
    """The audio tokens of a processor, or of anything that `CodecVocabulary.of` takes."""
    return CodecVocabulary.of(getattr(tokenizer, "vocabulary", tokenizer))


def encoded_clip(processor: CodecBPEProcessor, waveform: npt.NDArray[np.float32]) -> Codes:
    """The codes `[K, T]` of samples `[S]`, with the processor's chunks and context."""
    (codes,) = processor.codec.encode(
        [waveform],
        chunk_seconds=processor.chunk_seconds,
        context_seconds=processor.context_seconds,
    )
    return codes


def exact_ids(vocabulary: CodecVocabulary, codes: Any, clip: int) -> list[int]:
    """The ids `[L]` of codes `[K, T]`, which give the same codes back.

    Raises:
        ReportError: The ids give other codes back; names the clip by its index.
    """
    ids = vocabulary.codes_to_ids(codes)
    try:
        restored = vocabulary.ids_to_codes(ids)
    except (TokenizerError, AlphabetError) as error:
        raise ReportError(_not_exact(clip, str(error))) from error
    if not np.array_equal(restored, vocabulary.alphabet.checked(codes)):
        raise ReportError(_not_exact(clip, "Its ids stand for other codes."))
    return ids


def _not_exact(clip: int, reason: str) -> str:
    return (
        f"Clip {clip} did not come back from its ids: {reason} The tokenizer loses audio, so no "
        "figure of it would mean anything: train or extend it anew."
    )


def _timed(
    codes: Iterable[Any],
    vocabulary: CodecVocabulary,
    frame_rate: float | None,
    seconds: Iterable[float] | None,
) -> Iterator[tuple[Codes, float]]:
    """Every clip and its seconds."""
    checked = map(vocabulary.alphabet.checked, codes)
    if (frame_rate is None) == (seconds is None):
        raise ReportError("Pass either frame_rate, or the seconds of every clip: one of the two.")
    if seconds is not None:
        return _with_seconds(checked, seconds)
    rate = frame_rate or 0
    if not 0 < rate < math.inf:
        raise ReportError(f"frame_rate={frame_rate} is not a rate: pass the codec's, such as 12.5.")
    return ((clip, clip.shape[1] / rate) for clip in checked)


def _with_seconds(
    clips: Iterable[Codes], seconds: Iterable[float]
) -> Iterator[tuple[Codes, float]]:
    for index, (clip, duration) in enumerate(zip_longest(clips, seconds)):
        if clip is None or duration is None or not duration > 0:
            found = "codes, but no seconds" if clip is not None else "seconds, but no codes"
            raise ReportError(f"Clip {index} has {found}: give every clip its length in seconds.")
        yield clip, duration


def _report(
    vocabulary: CodecVocabulary, clips: Iterable[tuple[Codes, float]], name: str
) -> CompressionReport:
    occurrences = np.zeros(len(vocabulary.num_codes), dtype=np.int64)
    rows: list[tuple[float, int, int]] = []
    for index, (codes, seconds) in enumerate(clips):
        ids = exact_ids(vocabulary, codes, index)
        np.add.at(occurrences, ids, 1)
        rows.append((seconds, codes.size, len(ids)))
    if not occurrences.any():
        raise ReportError(f"The {len(rows)} clips of {name} hold no codes: there is no figure.")
    seconds, num_codes, num_tokens = np.array([row for row in rows if row[2]]).T
    return CompressionReport(
        name=name,
        codebook_sizes=vocabulary.alphabet.codebook_sizes,
        vocabulary_size=len(vocabulary.texts),
        num_clips=len(rows),
        seconds=float(sum(row[0] for row in rows)),
        num_codes=int(num_codes.sum()),
        num_tokens=int(num_tokens.sum()),
        num_tokens_used=int(np.count_nonzero(occurrences)),
        token_lengths=_histogram(vocabulary.num_codes, occurrences),
        vocabulary_lengths=_histogram(vocabulary.num_codes, np.ones_like(occurrences)),
        frequencies=_by_rank(occurrences),
        tokens_per_second_of_clips=Spread.of(num_tokens / seconds),
        compression_of_clips=Spread.of(num_codes / num_tokens),
    )


def _histogram(lengths: npt.NDArray[np.int64], weights: npt.NDArray[np.int64]) -> dict[int, int]:
    """How often each length occurs among tokens `[V]`; those of length 0 are not audio."""
    totals = np.bincount(lengths, weights=weights).astype(np.int64)
    return {length: int(totals[length]) for length in range(1, len(totals)) if totals[length]}


def _by_rank(occurrences: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """How often the r-th most frequent token occurs, for ranks r that are evenly spaced in log."""
    counts = np.sort(occurrences[occurrences > 0])[::-1]
    ranks = np.unique(np.geomspace(1, len(counts), _MOST_RANKS).round().astype(np.int64))
    return list(zip(ranks.tolist(), counts[ranks - 1].tolist(), strict=True))
