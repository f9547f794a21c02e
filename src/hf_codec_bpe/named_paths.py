"""Paths that somebody named: an empty string is a variable without a value, not a folder."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import CodecBPEError, CodesError

__all__ = ["named_path"]


def named_path(
    path: str | os.PathLike[str],
    what: str = "The folder of codes",
    error: type[CodecBPEError] = CodesError,
) -> Path:
    """A path, but not an empty one, which would be the current folder with all below it.

    Args:
        path: As it was given.
        what: What it names.
        error: What to raise.

    Raises:
        CodecBPEError: It is empty.
    """
    if path == "":
        raise error(
            f"{what} is an empty string, as a variable without a value is: name one. '.' is the "
            "current folder."
        )
    return Path(path)
