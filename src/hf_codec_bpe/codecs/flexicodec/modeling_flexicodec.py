"""FlexiCodec (Li et al. 2025, https://github.com/amphionspace/FlexiCodec) as a model.

Axis letters: B = batch, D = size of semantic features, G = groups, K = streams of codes (semantic,
acoustic ones, the groups' lengths), N = semantic features, S = samples, T = frames.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.rnn import pad_sequence
from transformers import DacConfig, PreTrainedModel
from transformers import initialization as init
from transformers.models.dac.modeling_dac import (
    DacDecoder,
    DacEncoder,
    DacResidualVectorQuantizer,
    Snake1d,
)

from ...errors import CodecError
from ..model_inputs import finite_floats
from .aggregator import FlexiCodecAggregator
from .checks import (
    check_merging,
    check_padding,
    checked_clips,
    checked_codes,
    checked_features,
    checked_quantizers,
)
from .configuration_flexicodec import FEATURE_SIZE, FlexiCodecConfig
from .convnext import SemanticDecoder, SemanticEncoder
from .features import SenseVoiceFrontEnd, fewest_samples, num_features
from .fsq import FiniteScalarQuantizer
from .merging import downsample, group_lengths
from .outputs import (
    NO_CODE,
    FlexiCodecDecoderOutput,
    FlexiCodecEncoderOutput,
    FlexiCodecOutput,
)
from .sensevoice import SenseVoiceEncoder
from .transformer import FlexiCodecTransformer, LayerScale

__all__ = ["MERGING_THRESHOLD", "FlexiCodecModel"]

MERGING_THRESHOLD, NUM_QUANTIZERS = 0.91, 8
"""The original's defaults."""


class FlexiCodecModel(PreTrainedModel):
    """A codec of one semantic and several acoustic codebooks, with groups of 1 to 8 frames.

    Clips are encoded and decoded one by one: each is what it would be alone. (The original's
    batches change codes: its attention and its convolutions see the padding.)
    """

    config_class = FlexiCodecConfig
    base_model_prefix = "codec"
    main_input_name = "input_values"
    input_modalities = ("audio",)

    def __init__(self, config: FlexiCodecConfig) -> None:
        super().__init__(config)
        dac = _dac_config(config)
        self.front_end = SenseVoiceFrontEnd() if config.has_cmvn else None
        self.semantic_model = SenseVoiceEncoder(config) if config.sensevoice_num_layers else None
        self.encoder = DacEncoder(dac)
        self.semantic_aggregator = FlexiCodecAggregator(
            config, config.semantic_hidden_size, config.aggregator_hidden_size
        )
        self.acoustic_aggregator = FlexiCodecAggregator(
            config, config.hidden_size, config.hidden_size
        )
        self.semantic_encoder = SemanticEncoder(config)
        self.semantic_quantizer = FiniteScalarQuantizer(
            config.convnext_hidden_size, config.fsq_levels
        )
        self.semantic_decoder = SemanticDecoder(config)
        self.quantizer = DacResidualVectorQuantizer(dac)
        self.bottleneck = _bottleneck(config)
        self.decoder = DacDecoder(dac)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)):
            init.kaiming_normal_(module.weight)
        elif isinstance(module, Snake1d):
            init.ones_(module.alpha)
        elif isinstance(module, LayerScale):
            init.constant_(module.scale, 0.01)
        elif isinstance(module, FlexiCodecAggregator):
            init.normal_(module.query_embedding)
        elif isinstance(module, SenseVoiceEncoder):
            init.normal_(module.prompt)
        elif isinstance(module, SenseVoiceFrontEnd):
            init.zeros_(module.shift)
            init.ones_(module.scale)

    @property
    def fewest_samples(self) -> int:
        """The shortest clip that has a frame: 1,360 samples."""
        return fewest_samples(math.ceil(self.config.semantic_downsample_factor))

    def num_frames(self, num_samples: int) -> int:
        """T: how many frames `num_samples` samples have before they are merged."""
        semantic = int(num_features(num_samples) / self.config.semantic_downsample_factor)
        return min(semantic, -(-num_samples // self.config.hop_length))

    def num_samples(self, num_frames: int) -> int:
        """S: how many samples `decode` makes of groups that last so many frames in all.

        Each odd stride of the decoder loses one sample at its stage.
        """
        length = num_frames
        for ratio in self.config.upsampling_ratios:
            length = max(0, length * ratio - ratio % 2)
        return length

    def encode(
        self,
        input_values: torch.Tensor,
        audio_features: torch.Tensor | None = None,
        merging_threshold: float = MERGING_THRESHOLD,
        num_quantizers: int | None = NUM_QUANTIZERS,
        *,
        padding_mask: torch.Tensor | None = None,
        feature_lengths: torch.Tensor | None = None,
        dither: float = 0.0,
    ) -> FlexiCodecEncoderOutput:
        """Encodes clips, each to the codes that it would have alone.

        Equal clips have equal codes. In the original they have not: its front end adds noise
        (`dither=1.0`) anew each time, which changes little in speech and much in digital silence.

        Args:
            input_values: Float samples `[B, S]` or `[B, 1, S]` at 16 kHz.
            audio_features: SenseVoice's features of them, float `[B, N, D]`; by default the model
                computes them.
            merging_threshold: Frames are merged with their neighbours where the cosine similarity
                of their semantic features is above; from 0 to 1, where none are merged.
            num_quantizers: How many codebooks to use, the semantic one among them: 1 is semantic
                only. All, with a warning, where the model has fewer; `None` is all.
            padding_mask: `[B, S]`, 1 where a sample belongs to the clip, 0 after its end, as the
                feature extractor makes it. Without it, padding counts as audio.
            feature_lengths: How many of the `audio_features` belong to each clip, `[B]`; needed
                where clips are padded, and then together with `padding_mask`.
            dither: Strength of the noise that the front end adds, in steps of 16-bit samples. It
                is the same noise for every clip.

        Returns:
            `audio_codes`, int64 `[B, K, G]` with K = `num_quantizers` + 1: semantic codes, acoustic
            ones, and last the groups' lengths, 0 for one frame; and `group_counts`.

        Raises:
            AudioError: No floats, NaN or infinite ones, another shape, a mask with gaps, or clips
                of less than 1,360 samples, which have no features.
            CodecError: A threshold or a number of codebooks out of range, features of another
                shape, lengths of features or of samples alone, or no features where the model
                cannot compute them.
        """
        check_merging(merging_threshold, dither)
        num_quantizers = checked_quantizers(num_quantizers, 1 + self.config.n_codebooks)
        fewest = self.fewest_samples if audio_features is None else 1
        finite_floats(input_values, "input_values", self.dtype)
        clips = checked_clips(input_values.float(), padding_mask, fewest)
        if audio_features is None:
            features = [self._features(clip, dither) for clip in clips]
        else:
            given = finite_floats(audio_features, "audio_features", self.dtype)
            features = checked_features(given, feature_lengths, len(clips), self.config)
            check_padding(padding_mask, given, feature_lengths)
        codes = [
            self._encode_clip(clip.to(self.dtype), semantic, merging_threshold, num_quantizers)
            for clip, semantic in zip(clips, features, strict=True)
        ]
        counts = torch.tensor([len(groups) for groups in codes], device=input_values.device)
        padded = pad_sequence(codes, batch_first=True, padding_value=NO_CODE)
        return FlexiCodecEncoderOutput(audio_codes=padded.mT.contiguous(), group_counts=counts)

    def decode(self, audio_codes: torch.Tensor) -> FlexiCodecDecoderOutput:
        """Decodes clips, each to the waveform that it would have alone.

        Needs no semantic encoder.

        Args:
            audio_codes: Integers `[B, K, G]` as `encode` gives them: semantic codes, any number of
                acoustic ones from the first on, and the groups' lengths. Groups after a clip's
                last one, whose length is -1, are left out.

        Returns:
            `audio_values`, `[B, 1, S]`; see `num_samples`.

        Raises:
            CodesError: No integers, another shape, no groups, or a code outside its codebook.
        """
        clips = checked_codes(audio_codes, self.config.codebook_sizes, NO_CODE)
        waveforms = [self._decode_clip(codes) for codes in clips]
        return FlexiCodecDecoderOutput(pad_sequence(waveforms, batch_first=True)[:, None])

    def forward(self, input_values: torch.Tensor, **options: Any) -> FlexiCodecOutput:
        """Encodes, with the options that `encode` takes, and decodes."""
        encoded = self.encode(input_values, **options)
        decoded = self.decode(encoded.audio_codes)
        return FlexiCodecOutput(**encoded, **decoded)

    def _encode_clip(
        self, samples: torch.Tensor, features: torch.Tensor, threshold: float, num_quantizers: int
    ) -> torch.Tensor:
        """Samples `[S]` and features `[N, D]` to codes `[G, K]`."""
        semantic = downsample(features.T[None], self.config.semantic_downsample_factor)
        missing = -len(samples) % self.config.hop_length
        acoustic = self.encoder(F.pad(samples, (0, missing))[None, None])
        frames = min(semantic.shape[-1], acoustic.shape[-1])
        semantic, acoustic = semantic[..., :frames], acoustic[..., :frames]
        lengths = group_lengths(semantic, threshold, self.config.max_group_length)
        merged = self.semantic_encoder(self.semantic_aggregator(semantic, lengths))
        codes = self.semantic_quantizer.encode(merged)
        streams = [codes]
        if num_quantizers > 1:
            residual = self.acoustic_aggregator(acoustic, lengths) - self._semantic_latents(codes)
            streams.extend(self.quantizer(residual, num_quantizers - 1)[1].unbind(dim=1))
        return torch.cat([*streams, lengths[None] - 1]).T

    def _decode_clip(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes `[K, G]` to samples `[S]`."""
        latents = self._semantic_latents(codes[None, 0])
        if len(codes) > 2:
            latents = latents + self.quantizer.from_codes(codes[None, 1:-1])[0]
        frames = latents.repeat_interleave(codes[-1] + 1, dim=-1)
        return self.decoder(self.bottleneck(frames))[0, 0]

    def _semantic_latents(self, codes: torch.Tensor) -> torch.Tensor:
        """Semantic codes `[1, G]` to their part of the groups' latents."""
        return self.semantic_decoder(self.semantic_quantizer.decode(codes))

    def _features(self, samples: torch.Tensor, dither: float) -> torch.Tensor:
        """Samples `[S]` to semantic features `[N, D]`."""
        if self.semantic_model is None:
            raise CodecError(
                "This model has no semantic encoder: it decodes, and encodes with audio_features=. "
                "To encode audio alone, convert it with the weights of FunAudioLLM/SenseVoiceSmall "
                "(sensevoice_state_dict= of its model.pt), or load the preset flexicodec, which "
                "does so."
            )
        if self.front_end is None:
            raise CodecError(
                "This model has a semantic encoder, but not the numbers that normalise its inputs, "
                f"{self.config.sensevoice_input_size} at a time: only those of SenseVoiceSmall are "
                f"known, which takes {FEATURE_SIZE}. Convert it with SenseVoiceSmall's weights, or "
                "encode with audio_features=."
            )
        features = self.semantic_model(self.front_end(samples, dither)[None])
        return checked_features(features, None, 1, self.config)[0]


def _bottleneck(config: FlexiCodecConfig) -> nn.Module:
    if config.bottleneck_num_layers == 0:
        return nn.Identity()
    return FlexiCodecTransformer(
        config.hidden_size,
        config.bottleneck_hidden_size,
        config.bottleneck_intermediate_size,
        config.bottleneck_num_layers,
        config.bottleneck_num_heads,
    )


def _dac_config(config: FlexiCodecConfig) -> DacConfig:
    dac = DacConfig(
        encoder_hidden_size=config.encoder_hidden_size,
        downsampling_ratios=config.downsampling_ratios,
        decoder_hidden_size=config.decoder_hidden_size,
        n_codebooks=config.n_codebooks,
        codebook_size=config.codebook_size,
        codebook_dim=config.codebook_dim,
    )
    # DAC computes these, but FlexiCodec's are others.
    dac.hidden_size = config.hidden_size
    dac.upsampling_ratios = config.upsampling_ratios
    return dac
