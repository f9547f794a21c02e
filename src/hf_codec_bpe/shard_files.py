"""The files of a folder of codes, as `encode_dataset` lays them out, and what the notes say.

encoding.json             all that the codes depend on, and what was to be encoded
codec.json                the codec's pin
data/train-00000.parquet  one row per clip and channel
errors/train-00000.jsonl  what could not be encoded, if there is anything

`datasets.load_dataset(folder)` reads it too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .errors import CodesError, first_line

__all__ = [
    "MADE_BY",
    "PIN_FILE",
    "SETTINGS_FILE",
    "changed_settings",
    "encoding_errors",
    "errors_path",
    "read_errors",
    "read_made_by",
    "shard_number",
    "shard_path",
]

PIN_FILE = "codec.json"
SETTINGS_FILE = "encoding.json"
MADE_BY = b"hf_codec_bpe"
"""The key in the metadata of a shard under which it says what `encoding.json` says."""
_ANYTHING: Mapping[str, Any] = MappingProxyType({})


def shard_path(folder: Path, index: int) -> Path:
    """Where a shard is."""
    return folder / "data" / f"train-{index:05d}.parquet"


def shard_number(path: Path) -> int:
    """The number of a shard, or of a file of errors; from 100,000 on they are longer.

    Raises:
        CodesError: Its name has no number, as those of a dataset that was pushed to the Hub.

    Example:
        >>> shard_number(Path("data/train-00012.parquet"))
        12
    """
    number = path.stem.removeprefix("train-")
    if not number.isdecimal():
        raise CodesError(
            f"{path} is not named as encode_dataset names its files, such as train-00012"
            f"{path.suffix}: name a folder that encode_dataset wrote, all of its files, and remove "
            "others from it."
        )
    return int(number)


def errors_path(folder: Path, index: int) -> Path:
    """Where the errors of a shard are."""
    return folder / "errors" / f"train-{index:05d}.jsonl"


def encoding_errors(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """What `encode_dataset` could not encode: `id`, `path` and `reason`, in order."""
    files = sorted(Path(folder).glob("errors/train-*.jsonl"), key=shard_number)
    return [error for file in files for error in read_errors(file)]


def read_errors(file: Path) -> list[dict[str, Any]]:
    """What one file of errors notes; see `encoding_errors`.

    Raises:
        CodesError: It is damaged.
    """
    try:
        # Not `splitlines`, for which there are more ends of lines than JSON escapes.
        return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    except (OSError, ValueError) as error:
        raise CodesError(
            f"{file}, which says what could not be encoded, cannot be read ({first_line(error)}): "
            f"remove it and data/{file.stem}.parquet, if there is one, and run the same again."
        ) from error


def changed_settings(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Which settings differ; one that a version did not know yet counts as `None`.

    Example:
        >>> changed_settings({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": None})
        ['b']
    """
    return [key for key in {**one, **other} if one.get(key) != other.get(key)]


def read_made_by(path: Path, wanted: Mapping[str, Any] = _ANYTHING) -> dict[str, Any]:
    """Reads a file that says how the codes beside it were made.

    Args:
        path: The file.
        wanted: What the caller is going to read from it, and the type of each.

    Raises:
        CodesError: It is damaged or not there, or lacks some of that.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unusable(path, first_line(error)) from error
    if not isinstance(values, dict):
        raise _unusable(path, f"it holds {str(values)[:40]!r}, not an object of names and values")
    wrong = [name for name, kind in wanted.items() if not isinstance(values.get(name), kind)]
    if wrong:
        what = f"its {wrong[0]} is {values[wrong[0]]!r}" if wrong[0] in values else f"no {wrong[0]}"
        raise _unusable(path, what)
    return values


def _unusable(path: Path, reason: str) -> CodesError:
    advice = "encode to another folder"
    if path.name == PIN_FILE:  # which holds nothing that the other one does not
        advice = "remove it and run the same encoding again, which writes it anew"
    return CodesError(
        f"{path}, which says how the codes beside it were made, cannot be read ({reason}): restore "
        f"it, or {advice}."
    )
