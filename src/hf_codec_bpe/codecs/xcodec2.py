"""X-Codec2 and NeuCodec, as Transformers ships them.

X-Codec2: Ye et al. 2025, https://arxiv.org/abs/2502.04128
NeuCodec: Neuphonic 2025, https://arxiv.org/abs/2509.09550
"""

from __future__ import annotations

import math
from typing import Any

import torch

from .base import AudioCodec
from .dependencies import require_torchaudio

__all__ = ["NeuCodecCodec", "Xcodec2Codec"]


class Xcodec2Codec(AudioCodec):
    """X-Codec2 models: one codebook of 65,536 codes, 16 kHz.

    The feature extractor computes a Kaldi spectrogram, clip by clip, for the model's semantic half
    (with torchaudio), and adds one silent sample before it pads to whole frames: a clip of whole
    frames becomes one frame longer. So does every chunk of whole frames, as in codec-bpe: 20 ms for
    each, which longer chunks make fewer.
    """

    family = "xcodec2"

    def num_frames(self, num_samples: int) -> int:
        return num_samples // self.hop_length + 1

    def _check_config(self) -> None:
        require_torchaudio(self.family)

    def _all_codebook_sizes(self) -> list[int]:
        return [math.prod(self.config.quantization_levels)]

    def _make_feature_extractor(self) -> Any:
        from transformers import Xcodec2FeatureExtractor

        return Xcodec2FeatureExtractor(sampling_rate=self.sampling_rate, hop_length=self.hop_length)

    def _as_input(self, samples: torch.Tensor) -> torch.Tensor:
        return samples  # the feature extractor works on the CPU, in float32

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        features = self.feature_extractor(
            list(input_values[:, 0].numpy()),
            sampling_rate=self.sampling_rate,
            return_tensors="pt",
        )
        return self.model.encode(**features.to(self.device, self.dtype)).audio_codes

    def _decode_batch(self, audio_codes: torch.Tensor) -> torch.Tensor:
        return self.model.decode(audio_codes).audio_values[:, 0]


class NeuCodecCodec(Xcodec2Codec):
    """NeuCodec models: X-Codec2 at 16 kHz in and 24 kHz out.

    A clip shorter than one frame (320 samples) has no frames at all.
    """

    family = "neucodec"

    @property
    def hop_length(self) -> int:
        return int(self.config.encoder_hop_length)  # hop_length counts output samples

    @property
    def sampling_rate(self) -> int:
        return int(self.config.input_sampling_rate)

    @property
    def output_sampling_rate(self) -> int:
        return int(self.config.output_sampling_rate)

    def num_frames(self, num_samples: int) -> int:
        return num_samples // self.hop_length

    def num_samples(self, num_frames: int) -> int:
        return num_frames * int(self.config.hop_length)

    def _make_feature_extractor(self) -> Any:
        from transformers import NeuCodecFeatureExtractor

        return NeuCodecFeatureExtractor(
            sampling_rate=self.sampling_rate, hop_length=self.hop_length
        )
