"""Whether speech is still understood: word errors of a speech recogniser."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ..audio import Waveform
from ..errors import ReportError, first_line
from .metrics import SPEECH_RATE

__all__ = ["Recogniser", "name_of", "open_recogniser", "transcript", "word_errors", "words"]

Recogniser: TypeAlias = Callable[[Any], Mapping[str, Any]]
"""What `pipeline("automatic-speech-recognition")` makes, or anything that is called likewise: with
`{"raw": samples, "sampling_rate": rate}`, to give `{"text": ...}`."""

_LONGEST_SECONDS = 30
"""Longer clips are recognised in overlapping parts."""


def open_recogniser(model: str, device: str = "cpu") -> Recogniser:
    """A Transformers pipeline that recognises speech.

    Raises:
        ReportError: The model cannot be loaded, or is not a speech recogniser.
    """
    from transformers import pipeline

    try:
        asr: Recogniser = pipeline(
            "automatic-speech-recognition",
            model=model,
            device=device,
            chunk_length_s=_LONGEST_SECONDS,
            ignore_warning=True,  # Whisper's clips are cut only where they are longer than that
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ReportError(
            f"{model} cannot be loaded as a speech recogniser: pass a Hub id or a folder of a CTC "
            f"or Whisper model. ({first_line(error)})"
        ) from error
    return asr


def name_of(asr: Recogniser) -> str:
    """A pipeline's model: its repository, or its folder without the path to it."""
    name = str(getattr(getattr(asr, "model", None), "name_or_path", None) or type(asr).__name__)
    return Path(name).name if Path(name).is_dir() else name


def transcript(asr: Recogniser, waveform: Waveform) -> str:
    """What is said in samples `[S]` at `SPEECH_RATE`."""
    return str(asr({"raw": waveform, "sampling_rate": SPEECH_RATE})["text"])


def words(text: str) -> list[str]:
    """The words of a text: small letters, no punctuation.

    Example:
        >>> words("Don't stop - it's well-known!")
        ['dont', 'stop', 'its', 'well', 'known']
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    for apostrophe in "'\u2019":
        text = text.replace(apostrophe, "")
    kept = (" " if unicodedata.category(each)[0] in "PS" else each for each in text)
    return "".join(kept).split()


def word_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """How many words are missing, wrong or too many: Levenshtein's distance.

    Example:
        >>> word_errors(["so", "far", "so", "good"], ["far", "so", "very", "good"])
        2
    """
    row = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, start=1):
        diagonal, row[0] = row[0], i
        for j, found in enumerate(hypothesis, start=1):
            substituted = diagonal + (expected != found)
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, substituted)
    return row[-1]
