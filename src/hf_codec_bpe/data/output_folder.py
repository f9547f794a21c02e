"""A folder that is being filled: it says how, and files appear in it whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from ..appearing import appearing_file, is_left_behind
from ..errors import CodesError, CodesFileError, first_line
from ..shard_files import SETTINGS_FILE, changed_settings, read_made_by

__all__ = ["appearing", "begin_folder", "sweep", "write_json", "writing"]


def begin_folder(folder: Path, settings: Mapping[str, Any]) -> None:
    """Makes a folder, or checks that what is in it was made with the same settings.

    Raises:
        CodesError: The folder was filled with other settings, or does not say with which, or what
            it says is damaged.
        CodesFileError: The folder cannot be written.
    """
    path = folder / SETTINGS_FILE
    if path.exists():
        _check(folder, read_made_by(path), settings)
    elif next(folder.rglob("*.npy"), None) or next(folder.rglob("*.parquet"), None):
        raise CodesError(
            f"{folder} holds codes, but no {SETTINGS_FILE} that says how they were made: encode to "
            "another folder."
        )
    else:
        write_json(path, settings)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a file of JSON."""
    with appearing(path) as partial, writing(path):
        partial.write_text(json.dumps(values, indent=4) + "\n", encoding="utf-8")


def appearing(path: Path) -> AbstractContextManager[Path]:
    """Where to write a file of the folder, which other jobs may write too.

    Raises:
        CodesFileError: The file cannot be written.
    """
    return appearing_file(path, is_durable=True, is_shared=True, guard=writing)


def sweep(folder: Path, names: Container[str]) -> None:
    """Removes what runs that were killed left of files with these names."""
    for left in folder.glob(".*.partial"):
        if left.name[1:].rsplit(".", 2)[0] in names and is_left_behind(left):
            left.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns errors of the file system into ours; reading must stay outside.

    Raises:
        CodesFileError: Something could not be written.
    """
    try:
        yield
    except OSError as error:
        raise CodesFileError(
            f"{path} cannot be written ({first_line(error)}). What is finished stays: make room or "
            "choose another folder, and run the same again."
        ) from error


def _check(folder: Path, found: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    changed = changed_settings(found, settings)
    if changed:
        differences = ", ".join(
            "the clips are others, or named by other paths"
            if key == "sources"
            else f"{key} was {found.get(key)!r}, is {settings.get(key)!r}"
            for key in sorted(changed)
        )
        advice = "encode to another folder, or delete this one"
        if changed == ["revision"] and found.get("revision"):
            advice += (
                f". To go on here, load the codec with revision={found['revision']!r} (--revision)"
            )
        raise CodesError(
            f"{folder} holds codes that were made with other settings ({differences}): {advice}."
        )
