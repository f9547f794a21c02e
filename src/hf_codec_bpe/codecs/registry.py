"""Which class speaks for which family."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from ..errors import CodecError

if TYPE_CHECKING:
    from .base import AudioCodec

__all__ = [
    "OWN_FAMILIES",
    "OWN_PREFIX",
    "codec_class",
    "families",
    "merges_frames",
    "register_codec",
]

OWN_PREFIX = "codec_bpe_"
"""In front of the `model_type` of this package's own models, which is then no name that
Transformers could ever give to a model of its own."""

OWN_FAMILIES = {
    "flexicodec": "FlexiCodec",
    "funcodec": "FunCodec",
    "simvq": "SimVQ",
    "wavtokenizer": "WavTokenizer",
}
"""The families whose models are this package's own: their folder and how their classes' names
begin."""

_BUILT_IN = {
    **{family: f"{family}.codec:{name}Codec" for family, name in OWN_FAMILIES.items()},
    "dac": "dac:DacCodec",
    "encodec": "encodec:EncodecCodec",
    "higgs_audio_v2_tokenizer": "xcodec:HiggsAudioV2TokenizerCodec",
    "mimi": "mimi:MimiCodec",
    "neucodec": "xcodec2:NeuCodecCodec",
    "xcodec": "xcodec:XcodecCodec",
    "xcodec2": "xcodec2:Xcodec2Codec",
}
_CLASSES: dict[str, type[AudioCodec]] = {}

CodecClass = TypeVar("CodecClass", bound="type[AudioCodec]")


def register_codec(codec: CodecClass) -> CodecClass:
    """Adds a family, under the `model_type` that its `family` names; usable as a decorator.

    A package of yours may call this for a codec of yours: `load_codec` then loads it.

    Args:
        codec: The class, a subclass of `AudioCodec` with a `family`. It takes the place of an
            earlier one of that family.

    Returns:
        The class itself.
    """
    _CLASSES[codec.family] = codec
    return codec


def codec_class(model_type: str) -> type[AudioCodec]:
    """The class for a configuration's `model_type`.

    Raises:
        CodecError: No family of that name; lists those there are.
    """
    family = model_type.removeprefix(OWN_PREFIX)
    if family in _CLASSES:
        return _CLASSES[family]
    if family not in _BUILT_IN:
        raise CodecError(
            f"model_type={model_type!r} is not a codec family that is known here: "
            f"{', '.join(families())}. register_codec adds one."
        )
    module, name = _BUILT_IN[family].split(":")
    built_in: type[AudioCodec] = getattr(import_module(f".{module}", __package__), name)
    return built_in


def merges_frames(family: str) -> bool:
    """Whether frames of a family last for different times; those of unknown families do not."""
    return family in families() and codec_class(family).dynamic_frame_rate


def families() -> list[str]:
    """All families that `load_codec` understands."""
    return sorted({*_BUILT_IN, *_CLASSES})
