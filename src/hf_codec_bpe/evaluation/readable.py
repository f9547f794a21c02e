"""Which clips can be read: looked at before hours of measuring, which one bad clip would end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from ..audio import load_audio
from ..errors import AudioError, ReportError

__all__ = ["readable"]

Clip = TypeVar("Clip")


def readable(
    clips: Iterable[Clip],
    sampling_rate: int,
    audio_of: Callable[[Clip], object],
    tell: Callable[[str], object],
) -> list[Clip]:
    """The clips that can be read.

    Args:
        clips: Any clips; the audio of one is in memory at a time.
        sampling_rate: The rate to read them at, in Hz.
        audio_of: What `load_audio` takes of a clip.
        tell: Gets a line for each of the others.

    Raises:
        ReportError: None of them can be read.
    """
    found = []
    for clip in clips:
        try:
            load_audio(audio_of(clip), sampling_rate)
        except AudioError as error:
            tell(f"Not measured: {error}")
        else:
            found.append(clip)
    if not found:
        raise ReportError("None of the clips to measure with can be read: pass others.")
    return found
