"""Every error that the package raises: one small hierarchy.

Each class also inherits the builtin that callers already catch, and each message says what was
received, the rule it breaks, and what to do next.
"""

from __future__ import annotations

__all__ = [
    "AlphabetError",
    "AudioError",
    "AudioFileError",
    "AudioNotFoundError",
    "BuildError",
    "CodecBPEError",
    "CodecError",
    "CodecMemoryError",
    "CodecMismatchError",
    "CodecNotFoundError",
    "CodesError",
    "CodesFileError",
    "MissingDependencyError",
    "PackingError",
    "PageError",
    "PresetError",
    "ProcessorError",
    "ProcessorNotFoundError",
    "PushError",
    "ReportError",
    "RepositoryError",
    "SamplingRateError",
    "TokenizerError",
    "TrainingError",
    "first_line",
]


class CodecBPEError(Exception):
    """The root of all errors of this package."""


class AlphabetError(CodecBPEError, ValueError):
    """An alphabet that cannot be built, or codes and characters that do not belong to it."""


class CodesError(CodecBPEError, ValueError):
    """Codes of the wrong shape, type or number of codebooks, or a folder without codes."""


class CodesFileError(CodesError, OSError):
    """A folder of codes that cannot be written."""


class AudioError(CodecBPEError, ValueError):
    """Audio that cannot be used: wrong shape, not finite, empty or unreadable."""


class AudioFileError(AudioError, OSError):
    """An audio file or byte string that no decoder can read."""


class AudioNotFoundError(AudioError, FileNotFoundError):
    """An audio path or URL where there is nothing."""


class SamplingRateError(AudioError):
    """Audio at another sampling rate than the codec's, or at an unknown one."""


class CodecError(CodecBPEError, ValueError):
    """A codec that cannot do what was asked of it."""


class CodecMemoryError(CodecError, MemoryError):
    """Audio that does not fit in memory together with what its codec makes of it."""


class CodecNotFoundError(CodecError, FileNotFoundError):
    """A codec that is neither a preset, nor a folder, nor a repository that can be reached."""


class CodecMismatchError(CodecError):
    """A codec that differs from the one that a processor or a tokenizer was made for."""


class PresetError(CodecError, KeyError):
    """A preset that does not exist or whose file is malformed."""

    # KeyError would print the message as a quoted repr.
    __str__ = Exception.__str__


class TokenizerError(CodecBPEError, ValueError):
    """A tokenizer without an alphabet, or ids that it does not own."""


class TrainingError(CodecBPEError, ValueError):
    """Training options that contradict each other, or nothing to train on."""


class PackingError(CodecBPEError, ValueError):
    """Sequences for a language model that cannot be made, read or written as asked."""


class ProcessorError(CodecBPEError, ValueError):
    """A processor that is called, built or saved in a way that cannot work."""


class ProcessorNotFoundError(ProcessorError, FileNotFoundError):
    """A processor that is neither a folder nor a reachable repository, or that is incomplete."""


class RepositoryError(CodecBPEError, ValueError):
    """A repository whose files are not as this package writes them."""


class BuildError(CodecBPEError, ValueError):
    """A build that cannot begin or go on."""


class PushError(CodecBPEError, OSError):
    """A repository that could not be pushed."""


class PageError(CodecBPEError, OSError):
    """A demo page that cannot be opened."""


class ReportError(CodecBPEError, ValueError):
    """A report or a model card that cannot be made, read or updated."""


class MissingDependencyError(CodecBPEError, ImportError):
    """A feature whose optional dependency is not installed."""


def first_line(error: Exception) -> str:
    """What another library's error says, short enough to quote in one of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
