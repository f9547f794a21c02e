"""What an original's configuration file says that its weights do not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ...errors import CodecError, CodecNotFoundError

__all__ = ["read_settings"]

NAMES = {
    "audio_normalize": "audio_normalize",
    "causal": "use_causal_conv",
    "sample_rate": "sampling_rate",
}
"""The originals' names, and ours."""


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the YAML that lies beside an original's checkpoint, or a JSON of our own fields.

    Of Lightning's YAML, only the model's part counts, without its losses, and in it what no weight
    shows: all other numbers are in the weights' shapes.

    Raises:
        CodecNotFoundError: There is no such file.
        CodecError: It is no YAML of plain values, or contradicts itself.
    """
    if not Path(path).is_file():
        raise CodecNotFoundError(f"There is no configuration {os.fspath(path)}: check the path.")
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CodecError(f"{os.fspath(path)} is no YAML of plain values: {error}") from error
    if not isinstance(values, Mapping):
        raise CodecError(f"{os.fspath(path)} holds no settings by name: pass a configuration.")
    return _of_lightning(values["model"]) if "model" in values else dict(values)


def _of_lightning(model: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, value in _leaves(model):
        if name in NAMES and settings.setdefault(NAMES[name], value) != value:
            raise CodecError(
                f"The configuration contradicts itself: {name} is {settings[NAMES[name]]!r} and "
                f"{value!r}. Leave it out if the checkpoint is a published one."
            )
    return settings


def _leaves(node: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(node, Mapping):
        return
    for name, value in node.items():
        if isinstance(value, Mapping):
            if "loss" not in str(name):
                yield from _leaves(value)
        else:
            yield str(name), value
