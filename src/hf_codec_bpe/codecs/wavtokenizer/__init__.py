"""WavTokenizer (Ji et al. 2024): configuration, model and converter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names

if TYPE_CHECKING:
    from .configuration_wavtokenizer import WavTokenizerConfig
    from .conversion import convert_wavtokenizer_checkpoint
    from .modeling_wavtokenizer import WavTokenizerModel

__all__ = ["WavTokenizerConfig", "WavTokenizerModel", "convert_wavtokenizer_checkpoint"]

# Transformers' AutoConfig imports the configuration while it is itself half imported.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "WavTokenizerConfig": "configuration_wavtokenizer",
        "WavTokenizerModel": "modeling_wavtokenizer",
        "convert_wavtokenizer_checkpoint": "conversion",
    },
)
