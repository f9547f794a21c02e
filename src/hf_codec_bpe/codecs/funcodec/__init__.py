"""FunCodec of the EnCodec kind (Du et al. 2023): configuration, model and converter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names

if TYPE_CHECKING:
    from .configuration_funcodec import FunCodecConfig
    from .conversion import convert_funcodec_checkpoint
    from .modeling_funcodec import FunCodecModel

__all__ = ["FunCodecConfig", "FunCodecModel", "convert_funcodec_checkpoint"]

# Transformers' AutoConfig imports the configuration while it is itself half imported.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "FunCodecConfig": "configuration_funcodec",
        "FunCodecModel": "modeling_funcodec",
        "convert_funcodec_checkpoint": "conversion",
    },
)
