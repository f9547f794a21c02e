"""WavTokenizer (Ji et al. 2024, https://github.com/jishengpeng/WavTokenizer) as a model."""

from __future__ import annotations

from ..vocos.modeling_vocos import VocosCodecModel
from .configuration_wavtokenizer import WavTokenizerConfig

__all__ = ["WavTokenizerModel"]


class WavTokenizerModel(VocosCodecModel):
    """A codec of one codebook of 4,096 codes, 40 or 75 frames a second at 24 kHz.

    Its decoder's norms know four conditions, of which training used only the first.
    """

    config_class = WavTokenizerConfig
