"""What an original's configuration file says that its weights do not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import CodecError
from ..converting import read_yaml

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
        CodecError: The file is not YAML of plain values, or contradicts itself.
    """
    values = read_yaml(path)
    return _of_lightning(values["model"]) if "model" in values else values


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
