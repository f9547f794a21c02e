"""The configuration of FunCodec models."""

from __future__ import annotations

import math

from transformers import PreTrainedConfig

from ..._registration import register_models
from ...errors import CodecError

__all__ = ["FunCodecConfig"]


class FunCodecConfig(PreTrainedConfig):
    """FunCodec of the EnCodec kind (Du et al. 2023), 50 frames a second by default.

    The 25 frames a second have `upsampling_ratios=[8, 5, 4, 2, 2]`. The fields are those of
    `EncodecConfig`, and mean the same. (It is not a base class: its import would import this one.)

    `model_type` is not "funcodec", so that Transformers can never have another model of that name.

    Args:
        num_quantizers: How many codebooks there are. `target_bandwidths`, of which EnCodec
            computes that number, is empty: any number of codebooks may be asked for.

    Raises:
        CodecError: What the model would not heed: chunks of its own, several channels, another
            norm, or codebooks whose size is not a power of two.
    """

    model_type = "codec_bpe_funcodec"

    sampling_rate: int = 16_000
    audio_channels: int = 1
    normalize: bool = True
    chunk_length_s: float | None = None
    overlap: float | None = None
    hidden_size: int = 128
    num_filters: int = 32
    num_residual_layers: int = 1
    upsampling_ratios: list[int] | tuple[int, ...] = (8, 5, 4, 2)
    norm_type: str = "time_group_norm"
    kernel_size: int = 7
    last_kernel_size: int = 7
    residual_kernel_size: int = 3
    dilation_growth_rate: int = 2
    use_causal_conv: bool = False
    pad_mode: str = "reflect"
    compress: int = 2
    num_lstm_layers: int = 2
    trim_right_ratio: float = 1.0
    codebook_size: int = 1024
    codebook_dim: int | None = None
    use_conv_shortcut: bool = True
    target_bandwidths: list[float] | tuple[float, ...] = ()
    num_quantizers: int = 32

    def __post_init__(self, **kwargs: object) -> None:
        register_models()
        self.codebook_dim = self.hidden_size if self.codebook_dim is None else self.codebook_dim
        super().__post_init__(**kwargs)
        required = {
            "chunk_length_s": None,
            "overlap": None,
            "audio_channels": 1,
            "norm_type": "time_group_norm",
        }
        for name, value in required.items():
            if getattr(self, name) != value:
                raise CodecError(
                    f"{name}={getattr(self, name)} is not possible: FunCodec takes a clip as a "
                    f"whole, in one channel. Leave {name} at {value}."
                )
        if self.codebook_size < 1 or self.codebook_size & (self.codebook_size - 1):
            raise CodecError(
                f"codebook_size={self.codebook_size} is not a power of two: choose one."
            )

    # What EncodecModel reads besides.

    chunk_length = None
    chunk_stride = None

    @property
    def hop_length(self) -> int:
        """Samples per frame."""
        return math.prod(self.upsampling_ratios)

    @property
    def frame_rate(self) -> int:
        """Frames per second, rounded up."""
        return math.ceil(self.sampling_rate / self.hop_length)

    @property
    def codebook_nbits(self) -> int:
        """Bits per code."""
        return math.ceil(math.log2(self.codebook_size))
