"""WavTokenizer behind the contract of every codec."""

from __future__ import annotations

from ..vocos.codec import VocosCodec
from .modeling_wavtokenizer import WavTokenizerModel

__all__ = ["WavTokenizerCodec"]


class WavTokenizerCodec(VocosCodec):
    """WavTokenizer models: one codebook, 40 or 75 frames a second at 24 kHz."""

    family = "wavtokenizer"
    model_class = WavTokenizerModel
