"""numba, where it is installed (the `train` extra): loops over integers as fast as compiled ones.

What is compiled is kept on disk, so that only the first use on a machine waits for it.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias, TypeVar

from .errors import first_line

__all__ = ["Int", "Records", "compiled", "has_numba", "is_loaded", "patience"]

logger = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])
Int: TypeAlias = Any
"""An integer in compiled code, where it may be of any width."""
Records: TypeAlias = Any
"""An array of records in compiled code, whose fields are attributes there."""

_PATIENCE = 1.0
"""Seconds of compiling after which a log line says what takes so long."""


@cache
def has_numba() -> bool:
    """Whether numba is installed, and works with the numpy that is."""
    try:
        import numba  # noqa: F401
    except ModuleNotFoundError:
        return False
    except ImportError as error:  # it refuses a numpy that is newer than itself
        logger.warning("numba cannot be used: %s", first_line(error))
        return False
    return True


def is_loaded() -> bool:
    """Whether something has imported numba already, which takes a second or so."""
    return "numba" in sys.modules


def compiled(function: Function) -> Function:
    """Compiles a function when it is first called, and keeps the result on disk.

    numba looks for a place to write beside the source, then in the user's cache folder, or in
    `NUMBA_CACHE_DIR` alone. Where nothing can be written, every process compiles anew. It compiles
    again what is in a file that has changed, but not what calls that from another file: whoever
    changes `training/queue.py` deletes `training/__pycache__`.
    """
    import numba

    try:
        made: Function = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no place to write
        made = numba.njit(nogil=True)(function)
    return made


@contextmanager
def patience(what: str) -> Iterator[None]:
    """Says what is being compiled, if that takes long."""
    message = "Compiling %s, which takes some seconds once on each machine."
    timer = threading.Timer(_PATIENCE, logger.warning, (message, what))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
