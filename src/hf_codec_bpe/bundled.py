"""What comes with the package, so that everything can be tried with no network."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["demo_clip", "demo_repo", "place_of"]

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


def place_of(name: str | os.PathLike[str], part: str = "") -> str:
    """What a name stands for: `"demo"`, in any case, for the bundled repository.

    A folder of that name comes first, if a codec, tokenizer or processor was saved there.

    Args:
        name: Hub ids, folders and so on stand for themselves.
        part: The folder in the bundled repository that is meant.
    """
    place = os.fspath(name)
    is_bundled = place.lower() == "demo" and not any(Path(place).glob("*config.json"))
    return str(demo_repo() / part) if is_bundled else place
