"""The numbers that describe a codec of this kind."""

from __future__ import annotations

import math

from transformers import PreTrainedConfig

from ..._registration import register_models
from ...errors import CodecError

__all__ = ["VocosCodecConfig"]


class VocosCodecConfig(PreTrainedConfig):
    """The shared configuration of WavTokenizer and SimVQ; their own give the defaults.

    Args:
        sampling_rate: Samples per second, in and out.
        num_filters: Channels of the encoder's first convolution; doubled at every ratio.
        upsampling_ratios: In the decoder's order: the encoder's strides are these, reversed. Their
            product is `hop_length`, the samples per frame.
        num_lstm_layers: Layers of the encoder's LSTM.
        hidden_size: Size of the encoder's output, and of a code's vector.
        use_causal_conv: Whether the encoder pads on the left only. No weight shows it.
        codebook_size: Codes of the one codebook.
        backbone_dim: Channels of the decoder.
        backbone_intermediate_dim: Channels inside its ConvNeXt blocks.
        backbone_num_layers: How many of these there are.
        adanorm_num_embeddings: How many conditions the decoder's norms know; `None` for ordinary
            norms.
        default_bandwidth_id: The condition that `decode` takes by default.
        n_fft: Length of the decoder's Fourier transform, in samples.
        group_norm_num_groups: Groups of the decoder's group norms.
        norm_eps: The epsilon of all norms.

    Raises:
        CodecError: Numbers that contradict each other.
    """

    sampling_rate: int = 24_000
    num_filters: int = 32
    upsampling_ratios: list[int] | tuple[int, ...] = (8, 5, 4, 2)
    num_lstm_layers: int = 2
    hidden_size: int = 512
    use_causal_conv: bool = False
    codebook_size: int = 4096
    backbone_dim: int = 768
    backbone_intermediate_dim: int = 2304
    backbone_num_layers: int = 12
    adanorm_num_embeddings: int | None = None
    default_bandwidth_id: int = 0
    n_fft: int = 1280
    group_norm_num_groups: int = 32
    norm_eps: float = 1e-6

    def __post_init__(self, **kwargs: object) -> None:
        register_models()
        super().__post_init__(**kwargs)
        if self.backbone_dim % self.group_norm_num_groups:
            raise CodecError(
                f"backbone_dim={self.backbone_dim} is not a multiple of group_norm_num_groups="
                f"{self.group_norm_num_groups}: the decoder's group norms need one."
            )
        if self.n_fft < self.hop_length + 2:
            raise CodecError(
                f"n_fft={self.n_fft} is too short for a hop length of {self.hop_length} samples: "
                "frames must overlap."
            )
        conditions = self.adanorm_num_embeddings or 1
        if not 0 <= self.default_bandwidth_id < conditions:
            raise CodecError(
                f"default_bandwidth_id={self.default_bandwidth_id} is none of this model's "
                f"{conditions} conditions: choose 0 to {conditions - 1}."
            )

    @property
    def hop_length(self) -> int:
        """Samples per frame."""
        return math.prod(self.upsampling_ratios)

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sampling_rate / self.hop_length
