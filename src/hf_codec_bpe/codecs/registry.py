"""Which class speaks for which `model_type`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..errors import CodecError

if TYPE_CHECKING:
    from .base import AudioCodec

__all__ = ["codec_class", "families", "register_codec"]

_CLASSES: dict[str, type[AudioCodec]] = {}

CodecClass = TypeVar("CodecClass", bound="type[AudioCodec]")


def register_codec(codec: CodecClass) -> CodecClass:
    """Adds a family, under the `model_type` that its `family` names; usable as a decorator.

    A package of yours may call this for a codec of yours: `load_codec` then loads it.
    """
    _CLASSES[codec.family] = codec
    return codec


def codec_class(model_type: str) -> type[AudioCodec]:
    """The class for a configuration's `model_type`.

    Raises:
        CodecError: No family of that name; lists those there are.
    """
    if model_type not in _CLASSES:
        raise CodecError(
            f"model_type={model_type!r} is no codec family that is known here: "
            f"{', '.join(families())}. register_codec adds one."
        )
    return _CLASSES[model_type]


def families() -> list[str]:
    """All `model_type`s that `load_codec` understands."""
    return sorted(_CLASSES)
