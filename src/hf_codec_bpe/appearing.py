"""Files and folders that appear when they are whole: nobody ever meets half of one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias
from uuid import uuid4

__all__ = ["appearing_file", "appearing_folder", "write_json"]

Guard: TypeAlias = Callable[[Path], AbstractContextManager[Any]]


@contextmanager
def appearing_file(
    path: Path, *, is_shared: bool = False, guard: Guard = nullcontext
) -> Iterator[Path]:
    """Where to write a file that takes its place, on the disk, when all went well.

    Args:
        path: Its place; the folder is made.
        is_shared: Whether other processes may write the same file: each then has its own until it
            appears. What is left of one that was killed has a name that nobody takes again.
        guard: Around what is done to the file system here, to turn errors into others.
    """
    with guard(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    mark = f".{uuid4().hex}" if is_shared else ""
    partial = path.with_name(f".{path.name}{mark}.partial")
    try:
        yield partial
        with guard(path):
            _sync(partial)
            partial.replace(path)
            _sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def appearing_folder(path: Path) -> Iterator[Path]:
    """Where to make a folder that takes its place when all went well.

    If something is there already, its files stay, but for those that have a new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as name:
        part = Path(name, path.name)
        yield part
        if path.exists() and any(path.iterdir()):
            for file in part.iterdir():
                file.replace(path / file.name)
        else:
            if path.exists():
                path.rmdir()
            part.rename(path)


def write_json(path: Path, values: Any) -> None:
    """Writes a file of JSON."""
    with appearing_file(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _sync(path: Path) -> None:
    """Waits until a file or a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
