"""SimVQ behind the contract of every codec."""

from __future__ import annotations

from ..vocos.codec import VocosCodec
from .modeling_simvq import SimVQModel

__all__ = ["SimVQCodec"]


class SimVQCodec(VocosCodec):
    """SimVQ models: one codebook of 4,096 to 262,144 codes, 75 frames a second at 24 kHz."""

    family = "simvq"
    model_class = SimVQModel
