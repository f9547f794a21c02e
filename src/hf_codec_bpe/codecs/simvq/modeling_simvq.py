"""SimVQ for audio (Zhu et al. 2024, https://github.com/youngsheen/SimVQ) as a model."""

from __future__ import annotations

from ..vocos.modeling_vocos import VocosCodecModel
from .configuration_simvq import SimVQConfig

__all__ = ["SimVQModel"]


class SimVQModel(VocosCodecModel):
    """A codec of one codebook of 4,096 to 262,144 codes, 75 frames a second at 24 kHz.

    The original has a frozen random codebook and a learnt linear layer after it. Here the
    codebook holds what the two give together, which is all that either direction needs.
    """

    config_class = SimVQConfig
