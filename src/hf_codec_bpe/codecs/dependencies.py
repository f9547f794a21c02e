"""Optional dependencies that some families need."""

from __future__ import annotations

from transformers.utils import is_torchaudio_available

from ..errors import MissingDependencyError

__all__ = ["require_torchaudio"]


def require_torchaudio(family: str) -> None:
    """Refuses a family whose model or features need torchaudio, if it is not installed.

    Raises:
        MissingDependencyError: torchaudio is not installed.
    """
    if not is_torchaudio_available():
        raise MissingDependencyError(
            f"{family} models need torchaudio: pip install 'hf-codec-bpe[torchaudio]'."
        )
