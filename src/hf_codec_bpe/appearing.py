"""Files and folders that appear when they are whole: nobody ever meets half of one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from glob import escape
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeAlias
from uuid import uuid4

__all__ = ["appearing_file", "appearing_folder", "is_left_behind", "write_json"]

Guard: TypeAlias = Callable[[Path], AbstractContextManager[Any]]

_LONGEST = 200
"""Bytes of a file's name that leave room for more, of the 255 that there are."""
_PATIENCE = 24 * 3600.0
"""Seconds without a change after which a file of a process that cannot be asked counts as left."""


@contextmanager
def appearing_file(
    path: Path, *, is_durable: bool = False, is_shared: bool = False, guard: Guard = nullcontext
) -> Iterator[Path]:
    """Where to write a file that takes its place when all went well.

    Args:
        path: Its place; the folder is made.
        is_durable: Whether it must be on the disk by then, because a later run counts on it.
        is_shared: Whether other processes may write the same file: each then has its own until it
            appears. What a killed one leaves has a name that is never used again.
        guard: Around what is done to the file system here, to turn errors into others.
    """
    with guard(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    mark = _mark() if is_shared else ""
    partial = path.with_name(f".{_short(path.name)}{mark}.partial")
    try:
        yield partial
        with guard(path):
            if is_durable:
                _sync(partial)
            partial.replace(path)
            if is_durable:
                _sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def is_left_behind(partial: Path) -> bool:
    """Whether nobody writes a shared file, or a folder, any more that is not whole yet.

    Its name tells who did. A process of this machine can be asked for; of others' files, only those
    that have not changed for a day count.
    """
    writer = re.search(r"\.(\w+)-(\d+)-\w+\.partial$", partial.name)
    if os.name == "posix" and writer and writer[1] == _machine():
        return not _runs(int(writer[2]))
    try:
        return time.time() - partial.stat().st_mtime > _PATIENCE
    except FileNotFoundError:  # it has appeared
        return False


@contextmanager
def appearing_folder(path: Path) -> Iterator[Path]:
    """Where to make a folder that takes its place, all at once, when all went well.

    If there is one already, its files stay, but for those that have a new one; they come one by
    one, after all are written. What killed processes left of it before is removed.
    """
    path = path.resolve()  # through links, and what `..` means
    place = path if path.exists() else path.parent
    place.mkdir(parents=True, exist_ok=True)
    name = f".{_short(path.name)}"
    for left in place.glob(f"{escape(name)}.*.partial"):
        if left.is_dir() and is_left_behind(left):
            rmtree(left, ignore_errors=True)
    part = place / f"{name}{_mark()}.partial"
    try:
        yield part
        if path.exists():  # by now
            _merge(part, path)
        else:
            part.rename(path)
    finally:
        rmtree(part, ignore_errors=True)


def write_json(path: Path, values: Any) -> None:
    """Writes a file of JSON."""
    with appearing_file(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _merge(source: Path, target: Path) -> None:
    for item in sorted(source.rglob("*")):  # folders before what is in them
        place = target / item.relative_to(source)
        if item.is_dir():
            place.mkdir(exist_ok=True)
        else:
            item.replace(place)


def _short(name: str) -> str:
    """The name, or a hash of one that leaves no room for more."""
    data = os.fsencode(name)
    return name if len(data) <= _LONGEST else hashlib.blake2b(data, digest_size=16).hexdigest()


def _mark() -> str:
    """Who writes something, for its name, which nobody else uses."""
    return f".{_machine()}-{os.getpid()}-{uuid4().hex[:12]}"


def _sync(path: Path) -> None:
    """Waits until a file or a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _machine() -> str:
    """A short name for this machine, the same in all its processes."""
    return hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True
