"""The configuration of SimVQ models."""

from __future__ import annotations

from ..vocos.configuration_vocos import VocosCodecConfig

__all__ = ["SimVQConfig"]


class SimVQConfig(VocosCodecConfig):
    """SimVQ for audio (Zhu et al. 2024), 75 frames a second; see `VocosCodecConfig`.

    `model_type` is not "simvq", so that Transformers can never have another model of that name.

    Args:
        ema: Whether the weights are the moving averages that training kept beside the raw ones.
            They give other codes. It is a note: the model computes alike with both.
    """

    model_type = "codec_bpe_simvq"

    use_causal_conv: bool = True
    ema: bool = False
