"""The configuration of FlexiCodec models."""

from __future__ import annotations

import math
from numbers import Integral, Real

from transformers import PreTrainedConfig

from ..._registration import register_models
from ...errors import CodecError

__all__ = ["FEATURE_SIZE", "SAMPLING_RATE", "FlexiCodecConfig"]

SAMPLING_RATE = 16_000
"""The only one that SenseVoice's front end knows."""
FEATURE_SIZE = 560
"""How many numbers it makes at a time."""


class FlexiCodecConfig(PreTrainedConfig):
    """FlexiCodec (Li et al. 2025), 12.5 frames a second before merging.

    The defaults are those of the published model. `model_type` is not "flexicodec", so that
    Transformers can never have another model of that name.

    Args:
        sampling_rate: Samples per second, in and out; only 16,000 is possible.
        encoder_hidden_size: Channels of the encoder's first convolution; doubled at every ratio.
        downsampling_ratios: The encoder's strides. Their product is `hop_length`, the samples per
            frame.
        hidden_size: Size of a frame's latent.
        decoder_hidden_size: Channels of the decoder's first convolution; halved at every ratio.
        upsampling_ratios: The decoder's strides, of the same product.
        n_codebooks: How many acoustic codebooks there are.
        codebook_size: Codes of each of these.
        codebook_dim: Size of their codes' vectors.
        fsq_levels: Levels of the semantic quantizer; their product is its number of codes.
        max_group_length: The most frames that are merged into one group.
        semantic_hidden_size: Size of the semantic features.
        semantic_downsample_factor: Semantic features per frame.
        convnext_hidden_size: Channels of the ConvNeXt blocks around the semantic quantizer.
        convnext_intermediate_size: Channels inside them.
        convnext_num_layers: How many of them are on either side.
        aggregator_hidden_size: Size of the transformer that merges semantic features. (The one
            for acoustic latents has their `hidden_size`.)
        aggregator_intermediate_size: Size inside both.
        aggregator_num_layers: Layers of either.
        aggregator_num_heads: Attention heads of either.
        bottleneck_hidden_size: Size of the transformer in front of the decoder.
        bottleneck_intermediate_size: Size inside it.
        bottleneck_num_layers: Its layers; 0 for none.
        bottleneck_num_heads: Its attention heads.
        sensevoice_num_layers: Layers of the semantic encoder; 0 if there is none, so that the
            model encodes from ready features only.
        sensevoice_input_size: Size of its inputs.
        sensevoice_hidden_size: Size of its outputs.
        sensevoice_intermediate_size: Size inside its layers.
        sensevoice_num_heads: Its attention heads.
        sensevoice_kernel_size: Length of its memory blocks' convolutions.
        has_cmvn: Whether the numbers that normalise its inputs are among the weights.

    Raises:
        CodecError: Numbers that contradict each other.
    """

    model_type = "codec_bpe_flexicodec"

    sampling_rate: int = SAMPLING_RATE
    encoder_hidden_size: int = 32
    downsampling_ratios: list[int] | tuple[int, ...] = (4, 4, 5, 8, 2)
    hidden_size: int = 512
    decoder_hidden_size: int = 1536
    upsampling_ratios: list[int] | tuple[int, ...] = (2, 8, 5, 4, 4)
    n_codebooks: int = 24
    codebook_size: int = 4096
    codebook_dim: int = 8
    fsq_levels: list[int] | tuple[int, ...] = (8, 8, 8, 8, 8)
    max_group_length: int = 8
    semantic_hidden_size: int = 512
    semantic_downsample_factor: float | int = 1.33333
    convnext_hidden_size: int = 768
    convnext_intermediate_size: int = 2048
    convnext_num_layers: int = 4
    aggregator_hidden_size: int = 512
    aggregator_intermediate_size: int = 2048
    aggregator_num_layers: int = 6
    aggregator_num_heads: int = 8
    bottleneck_hidden_size: int = 512
    bottleneck_intermediate_size: int = 2048
    bottleneck_num_layers: int = 32
    bottleneck_num_heads: int = 8
    sensevoice_num_layers: int = 50
    sensevoice_input_size: int = FEATURE_SIZE
    sensevoice_hidden_size: int = 512
    sensevoice_intermediate_size: int = 2048
    sensevoice_num_heads: int = 4
    sensevoice_kernel_size: int = 11
    has_cmvn: bool = True

    def __post_init__(self, **kwargs: object) -> None:
        register_models()
        super().__post_init__(**kwargs)
        self._check_numbers()
        if self.sampling_rate != SAMPLING_RATE:
            raise CodecError(
                f"sampling_rate={self.sampling_rate} is not possible: the semantic encoder takes "
                f"{SAMPLING_RATE} Hz."
            )
        if (
            self.has_cmvn
            and self.sensevoice_num_layers
            and self.sensevoice_input_size != FEATURE_SIZE
        ):
            raise CodecError(
                f"sensevoice_input_size={self.sensevoice_input_size} is not possible with "
                f"has_cmvn: what is normalised are {FEATURE_SIZE} numbers."
            )
        if math.prod(self.upsampling_ratios) != self.hop_length:
            raise CodecError(
                f"upsampling_ratios={list(self.upsampling_ratios)} do not undo downsampling_ratios="
                f"{list(self.downsampling_ratios)}: their products must be equal."
            )
        self._check_heads("aggregator", self.aggregator_hidden_size, self.hidden_size)
        self._check_heads("bottleneck", self.bottleneck_hidden_size)

    def _check_numbers(self) -> None:
        for name in FlexiCodecConfig.__annotations__:
            value, default = getattr(self, name), getattr(FlexiCodecConfig, name)
            numbers = value if isinstance(default, tuple) else [value]
            kind = Real if isinstance(default, float) else Integral
            least = 0 if name == "has_cmvn" or name.endswith("num_layers") else 1
            if not (isinstance(numbers, (list, tuple)) and numbers) or not all(
                isinstance(number, kind) and float(number) >= least for number in numbers
            ):
                what = "a list of numbers" if isinstance(default, tuple) else "a number"
                raise CodecError(
                    f"{name}={value!r} is not possible: it must be {what} from {least} on."
                )

    def _check_heads(self, name: str, *hidden_sizes: int) -> None:
        heads = getattr(self, f"{name}_num_heads")
        for size in hidden_sizes:
            if size % (2 * heads):
                raise CodecError(
                    f"{name}_num_heads={heads} do not share {size} features: every head needs the "
                    "same even number of them."
                )

    @property
    def hop_length(self) -> int:
        """Samples per frame."""
        return math.prod(self.downsampling_ratios)

    @property
    def frame_rate(self) -> float:
        """Frames per second before they are merged."""
        return self.sampling_rate / self.hop_length

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """The sizes of all streams: semantic, acoustic ones, and the groups' lengths."""
        acoustic = (self.codebook_size,) * self.n_codebooks
        return (math.prod(self.fsq_levels), *acoustic, self.max_group_length)
