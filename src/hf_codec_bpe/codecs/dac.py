"""DAC, the Descript Audio Codec, as Transformers ships it.

Kumar et al. 2023, https://arxiv.org/abs/2306.06546
"""

from __future__ import annotations

import torch
from transformers import DacFeatureExtractor

from .base import AudioCodec
from .tiling import run_encoder

__all__ = ["DacCodec"]


class DacCodec(AudioCodec):
    """DAC models of any sampling rate.

    Every clip is padded with silence to whole frames, as the model's feature extractor does. Each
    odd upsampling ratio of the decoder (the 5 of the 24 kHz model) costs the waveform one sample
    at its stage, so that decoding gives slightly fewer samples than frames times hop length.
    """

    family = "dac"
    pads_to_frames = True

    def num_samples(self, num_frames: int) -> int:
        length = num_frames
        for ratio in self.config.upsampling_ratios:
            length = max(0, length * ratio - ratio % 2)
        return length

    def _all_codebook_sizes(self) -> list[int]:
        return [self.config.codebook_size] * self.config.n_codebooks

    def _make_feature_extractor(self) -> DacFeatureExtractor:
        return DacFeatureExtractor(
            feature_size=1, sampling_rate=self.sampling_rate, hop_length=self.hop_length
        )

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        embeddings = run_encoder(self.model.encoder, input_values)
        _, audio_codes, *_ = self.model.quantizer(embeddings, self.num_codebooks)
        return audio_codes

    def _decode_batch(self, audio_codes: torch.Tensor) -> torch.Tensor:
        return self.model.decode(audio_codes=audio_codes).audio_values
