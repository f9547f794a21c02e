"""What comes with the package, so that everything can be tried with no network."""

from __future__ import annotations

from pathlib import Path

__all__ = ["demo_clip", "demo_repo"]

_FOLDER = Path(__file__).parent / "demo"


def demo_repo() -> Path:
    """The folder of a small, whole repository: processor, tokenizer and codec.

    Its codec is for trying things out and for tests; for real work use Mimi or the like.

    ```python
    processor = AutoProcessor.from_pretrained(demo_repo())
    ```
    """
    return _FOLDER / "repo"


def demo_clip() -> Path:
    """A few seconds of synthesised speech."""
    return _FOLDER / "clip.flac"
