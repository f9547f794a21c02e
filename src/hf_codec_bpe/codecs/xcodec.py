"""X-Codec and the tokenizer of Higgs Audio, as Transformers ships them.

X-Codec: Ye et al. 2024, https://arxiv.org/abs/2408.17175
"""

from __future__ import annotations

import torch
from transformers import DacFeatureExtractor

from .bandwidth import BandwidthCodec
from .dependencies import require_torchaudio

__all__ = ["HiggsAudioV2TokenizerCodec", "XcodecCodec"]


class XcodecCodec(BandwidthCodec):
    """X-Codec models: a HuBERT and a DAC encoder side by side.

    Every clip is padded with silence to whole frames, as the model's feature extractor does.
    """

    family = "xcodec"
    pads_to_frames = True

    @property
    def sampling_rate(self) -> int:
        return int(self.config.sample_rate)

    def _make_feature_extractor(self) -> DacFeatureExtractor:
        return DacFeatureExtractor(
            feature_size=1, sampling_rate=self.sampling_rate, hop_length=self.hop_length
        )

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        audio_codes = self.model.encode(input_values, bandwidth=self._bandwidth()).audio_codes
        return audio_codes[:, : self.num_codebooks]

    def _decode_batch(self, audio_codes: torch.Tensor) -> torch.Tensor:
        return self.model.decode(audio_codes).audio_values[:, 0]

    def _bandwidth(self) -> float:
        """The smallest of the model's bandwidths, in kbps, that has the codebooks in use.

        The model computes all of that bandwidth's; the rest are left out.
        """
        num_quantizers = self.model.quantizer.get_num_quantizers_for_bandwidth
        return min(
            bandwidth
            for bandwidth in self.config.target_bandwidths
            if num_quantizers(bandwidth) >= self.num_codebooks
        )


class HiggsAudioV2TokenizerCodec(XcodecCodec):
    """The tokenizer of Higgs Audio v2 (Boson AI 2025): X-Codec at 24 kHz and 25 frames a second.

    Its model resamples its input for HuBERT with torchaudio.
    """

    family = "higgs_audio_v2_tokenizer"

    def _check_config(self) -> None:
        require_torchaudio(self.family)
