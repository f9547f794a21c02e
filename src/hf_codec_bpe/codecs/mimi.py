"""Mimi (Défossez et al. 2024), as Transformers ships it."""

from __future__ import annotations

import math

import torch
from transformers import EncodecFeatureExtractor

from .base import AudioCodec

__all__ = ["MimiCodec"]


class MimiCodec(AudioCodec):
    """Mimi models.

    Every clip is padded with silence to whole frames (1920 samples at 24 kHz), alone too: as the
    original does when it streams, and so that a batch never changes the last frame.
    """

    family = "mimi"
    pads_to_frames = True

    @property
    def hop_length(self) -> int:
        return math.ceil(self.sampling_rate / self.config.frame_rate)

    def _all_codebook_sizes(self) -> list[int]:
        return [self.config.codebook_size] * self.config.num_quantizers

    def _make_feature_extractor(self) -> EncodecFeatureExtractor:
        return EncodecFeatureExtractor(feature_size=1, sampling_rate=self.sampling_rate)

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        return self.model.encode(input_values, num_quantizers=self.num_codebooks).audio_codes

    def _decode_batch(self, audio_codes: torch.Tensor) -> torch.Tensor:
        return self.model.decode(audio_codes).audio_values[:, 0]
