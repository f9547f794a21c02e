"""The configuration of WavTokenizer models."""

from __future__ import annotations

from ..vocos.configuration_vocos import VocosCodecConfig

__all__ = ["WavTokenizerConfig"]


class WavTokenizerConfig(VocosCodecConfig):
    """WavTokenizer (Ji et al. 2024), 75 frames a second by default; see `VocosCodecConfig`.

    The 40 frames a second have `upsampling_ratios=[6, 5, 5, 4]` and `n_fft=2400`.

    `model_type` is not "wavtokenizer": Transformers is about to have a model of that name with
    other parameters, which would then claim the folders that ours wrote and fill what it misses
    with random numbers.
    """

    model_type = "codec_bpe_wavtokenizer"

    use_causal_conv: bool = False
    adanorm_num_embeddings: int | None = 4
