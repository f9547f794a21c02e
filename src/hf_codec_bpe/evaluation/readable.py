"""Which clips can be read: looked at before hours of measuring, which one bad clip would end."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..audio import load_audio
from ..data.sources import Source
from ..errors import AudioError, ReportError

__all__ = ["readable"]


def readable(
    clips: Iterable[Source], sampling_rate: int, tell: Callable[[str], object]
) -> list[Source]:
    """The clips that can be read.

    Args:
        clips: The clips; the audio of one is in memory at a time.
        sampling_rate: The rate to read them at, in Hz.
        tell: Gets a line for each of the others.

    Raises:
        ReportError: None of them can be read.
    """
    found = []
    for clip in clips:
        try:
            load_audio(clip.audio, sampling_rate)
        except AudioError as error:
            tell(f"Not measured: {error}")
        else:
            found.append(clip)
    if not found:
        raise ReportError("None of the clips to measure with can be read: pass others.")
    return found
