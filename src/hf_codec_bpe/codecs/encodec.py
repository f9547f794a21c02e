"""EnCodec, as Transformers ships it.

Défossez et al. 2022, https://arxiv.org/abs/2210.13438
"""

from __future__ import annotations

import torch
from transformers import EncodecFeatureExtractor

from ..errors import CodecError
from .bandwidth import BandwidthCodec
from .residual_codes import residual_codes
from .tiling import run_encoder

__all__ = ["EncodecCodec"]


class EncodecCodec(BandwidthCodec):
    """EnCodec models that make one stream of codes: the 24 kHz kind.

    All codebooks are used unless `num_codebooks` or `bandwidth` says otherwise; Transformers' own
    `EncodecModel.encode` uses those of its lowest bandwidth.

    The 48 kHz model is refused: it cuts audio into chunks of its own that overlap, and decoding
    needs a loudness scale for each of them, which is not a code and could not become a token.
    """

    family = "encodec"

    def _check_config(self) -> None:
        obstacles = [
            reason
            for reason, found in {
                "chunks of its own (chunk_length_s)": self.config.chunk_length_s is not None,
                "a loudness scale beside its codes (normalize)": self.config.normalize,
                "more than one audio channel": self.config.audio_channels != 1,
            }.items()
            if found
        ]
        if obstacles:
            raise CodecError(
                f"This EnCodec model has {' and '.join(obstacles)}, so that its codes alone do not "
                "tell the audio. Use a model of the 24 kHz kind, such as facebook/encodec_24khz."
            )

    def _make_feature_extractor(self) -> EncodecFeatureExtractor:
        return EncodecFeatureExtractor(feature_size=1, sampling_rate=self.sampling_rate)

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        embeddings = run_encoder(self.model.encoder, input_values)
        return residual_codes(self.model.quantizer.layers[: self.num_codebooks], embeddings)

    def _decode_batch(self, audio_codes: torch.Tensor) -> torch.Tensor:
        return self.model.decode(audio_codes[None], [None]).audio_values[:, 0]
