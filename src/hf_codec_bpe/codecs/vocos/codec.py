"""WavTokenizer and SimVQ behind the contract of every codec."""

from __future__ import annotations

from typing import ClassVar

import torch
from transformers import EncodecFeatureExtractor

from ...errors import CodecError
from ..base import AudioCodec
from .modeling_vocos import VocosCodecModel

__all__ = ["VocosCodec"]


class VocosCodec(AudioCodec):
    """A `VocosCodecModel`: one codebook, clips as they are, T frames to T hops of samples."""

    model_class: ClassVar[type[VocosCodecModel]]

    def _check_config(self) -> None:
        if not isinstance(self.model, self.model_class):
            raise CodecError(
                f"This is a {type(self.model).__module__}.{type(self.model).__name__}, whose codes "
                f"nobody has compared with the original's yet. Load a {self.model_class.__name__} "
                "of hf_codec_bpe: a preset, or what hf-codec-bpe convert makes of the original."
            )

    def num_samples(self, num_frames: int) -> int:
        odd = (self.config.n_fft - self.hop_length) % 2
        return num_frames * self.hop_length + odd if num_frames else 0

    def _all_codebook_sizes(self) -> list[int]:
        return [self.config.codebook_size]

    def _make_feature_extractor(self) -> EncodecFeatureExtractor:
        return EncodecFeatureExtractor(feature_size=1, sampling_rate=self.sampling_rate)

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        return self.model.encode(input_values).audio_codes

    def _decode_batch(self, audio_codes: torch.Tensor) -> torch.Tensor:
        return self.model.decode(audio_codes).audio_values[:, 0]
