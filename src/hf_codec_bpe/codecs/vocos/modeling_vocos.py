"""The codec that encoder, codebook, backbone and head make.

Axis letters: B = batch, D = hidden size, K = codebooks (1 here), S = samples, T = frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from ...errors import AudioError, CodecError, CodesError
from .backbone import VocosAdaLayerNorm, VocosBackbone, VocosConvNeXtBlock
from .codebook import Codebook
from .configuration_vocos import VocosCodecConfig
from .istft import VocosISTFTHead
from .seanet import SEANetEncoder

__all__ = ["VocosCodecModel"]

NO_CODE = -1
"""Stands after the end of a clip that is shorter than its batch; no decoder takes it."""


@dataclass
class VocosCodecEncoderOutput(ModelOutput):
    """What `encode` gives.

    `audio_codes` is int64 `[B, 1, T]`. `audio_codes_mask`, bool `[B, T]`, is returned if a padding
    mask was given: True where a frame belongs to the clip. The others hold -1.
    """

    audio_codes: torch.Tensor
    audio_codes_mask: torch.Tensor | None = None


@dataclass
class VocosCodecDecoderOutput(ModelOutput):
    """What `decode` gives: `audio_values` `[B, 1, S]`, zeros after the end of shorter clips."""

    audio_values: torch.Tensor


@dataclass
class VocosCodecOutput(ModelOutput):
    """What a forward pass gives: both."""

    audio_codes: torch.Tensor
    audio_values: torch.Tensor | None = None


class VocosQuantizer(nn.Module):
    """The one codebook, under the name that residual quantizers give theirs."""

    def __init__(self, config: VocosCodecConfig) -> None:
        super().__init__()
        self.codebook = Codebook(config.codebook_size, config.hidden_size)


class VocosCodecModel(PreTrainedModel):
    """A codec of one codebook with a Vocos decoder: what WavTokenizer and SimVQ share."""

    config_class = VocosCodecConfig
    base_model_prefix = "codec"
    main_input_name = "input_values"
    input_modalities = ("audio",)

    def __init__(self, config: VocosCodecConfig) -> None:
        super().__init__(config)
        self.encoder = SEANetEncoder(config)
        self.quantizer = VocosQuantizer(config)
        self.backbone = VocosBackbone(config)
        self.head = VocosISTFTHead(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, nn.Conv1d):
            init.kaiming_normal_(module.weight)
        elif isinstance(module, Codebook):
            init.normal_(module.embed)
        elif isinstance(module, VocosAdaLayerNorm):
            init.ones_(module.scale.weight)
            init.zeros_(module.shift.weight)
        elif isinstance(module, VocosConvNeXtBlock):
            init.constant_(module.gamma, 1 / self.config.backbone_num_layers)

    def encode(
        self, input_values: torch.Tensor, padding_mask: torch.Tensor | None = None
    ) -> VocosCodecEncoderOutput:
        """Encodes clips, each to the codes that it would have alone.

        Args:
            input_values: Float samples `[B, 1, S]` at `config.sampling_rate`.
            padding_mask: `[B, S]`, 1 where a sample belongs to the clip, 0 after its end, as the
                feature extractor makes it: each clip is then encoded by itself. `None` if all
                clips have S samples.

        Returns:
            `audio_codes`, int64 `[B, 1, T]` with T = ceil(S / hop_length) for the S samples of the
            longest clip, and `audio_codes_mask`.

        Raises:
            AudioError: Another shape, no samples, or a mask with gaps.
        """
        if input_values.ndim != 3 or input_values.shape[1] != 1 or not input_values.numel():
            raise AudioError(
                f"input_values has shape {list(input_values.shape)}: encode takes samples "
                "[batch, 1, samples], at least one."
            )
        if padding_mask is None:
            return VocosCodecEncoderOutput(audio_codes=self._codes(input_values)[:, None])
        lengths = _lengths(padding_mask, input_values)
        clips = [
            self._codes(clip[None, :, :length])[0]
            for clip, length in zip(input_values, lengths, strict=True)
        ]
        codes = pad_sequence(clips, batch_first=True, padding_value=NO_CODE)
        mask = codes != NO_CODE
        return VocosCodecEncoderOutput(audio_codes=codes[:, None], audio_codes_mask=mask)

    def decode(
        self,
        audio_codes: torch.Tensor,
        audio_codes_mask: torch.Tensor | None = None,
        bandwidth_id: int | None = None,
    ) -> VocosCodecDecoderOutput:
        """Decodes clips, each to the waveform that it would have alone.

        Args:
            audio_codes: Integers `[B, 1, T]`.
            audio_codes_mask: `[B, T]`, as `encode` gives it: each clip is then decoded by itself.
                `None` if all clips have T frames.
            bandwidth_id: The condition of adaptive norms; by default the configuration's.
                Conditions other than 0 mean nothing in the published models.

        Returns:
            `audio_values`, `[B, 1, S]` with S = T * hop_length, or one more; see `VocosISTFTHead`.

        Raises:
            CodesError: Another shape, no frames, or a code outside the codebook.
            CodecError: A condition that the model does not have.
        """
        condition = self._condition(bandwidth_id)
        if audio_codes.ndim != 3 or audio_codes.shape[1] != 1 or not audio_codes.numel():
            raise CodesError(
                f"audio_codes has shape {list(audio_codes.shape)}: decode takes codes [batch, 1, "
                "frames], at least one."
            )
        if audio_codes_mask is None:
            return VocosCodecDecoderOutput(self._waveforms(audio_codes[:, 0], condition)[:, None])
        clips = [
            codes[mask.bool()]
            for codes, mask in zip(audio_codes[:, 0], audio_codes_mask, strict=True)
        ]
        waveforms = [self._waveforms(codes[None], condition)[0] for codes in clips]
        return VocosCodecDecoderOutput(pad_sequence(waveforms, batch_first=True)[:, None])

    def forward(
        self,
        input_values: torch.Tensor,
        padding_mask: torch.Tensor | None = None,
        bandwidth_id: int | None = None,
    ) -> VocosCodecOutput:
        """Encodes and decodes; see both. `audio_values` is cut to the S samples given."""
        encoded = self.encode(input_values, padding_mask)
        decoded = self.decode(encoded.audio_codes, encoded.audio_codes_mask, bandwidth_id)
        return VocosCodecOutput(
            audio_codes=encoded.audio_codes,
            audio_values=decoded.audio_values[..., : input_values.shape[-1]],
        )

    def _codes(self, input_values: torch.Tensor) -> torch.Tensor:
        """Samples `[B, 1, S]` of equal lengths to codes `[B, T]`."""
        return self.quantizer.codebook.encode(self.encoder(input_values))

    def _waveforms(self, codes: torch.Tensor, bandwidth_id: int) -> torch.Tensor:
        """Codes `[B, T]` of equal lengths to samples `[B, S]`."""
        smallest, largest = codes.min().item(), codes.max().item()
        if smallest < 0 or largest >= self.config.codebook_size:
            raise CodesError(
                f"The codes range from {smallest} to {largest}, but the codebook has 0 to "
                f"{self.config.codebook_size - 1}. Pass audio_codes_mask with clips of different "
                "lengths."
            )
        features = self.quantizer.codebook.decode(codes)
        return self.head(self.backbone(features, bandwidth_id))

    def _condition(self, bandwidth_id: int | None) -> int:
        if bandwidth_id is None:
            return self.config.default_bandwidth_id
        conditions = self.config.adanorm_num_embeddings or 1
        if not 0 <= bandwidth_id < conditions:
            raise CodecError(
                f"bandwidth_id={bandwidth_id} is none of this model's {conditions} conditions: "
                f"choose 0 to {conditions - 1}."
            )
        return bandwidth_id


def _lengths(padding_mask: torch.Tensor, input_values: torch.Tensor) -> list[int]:
    """Samples of each of the B clips, from a mask `[B, S]`."""
    mask = padding_mask.bool().to(input_values.device)
    if mask.shape != (len(input_values), input_values.shape[-1]):
        raise AudioError(
            f"padding_mask has shape {list(mask.shape)}, but input_values has "
            f"{list(input_values.shape)}: pass [batch, samples]."
        )
    lengths = mask.sum(dim=1)
    behind = torch.arange(mask.shape[1], device=mask.device) >= lengths[:, None]
    if (lengths == 0).any() or (mask & behind).any():
        raise AudioError(
            "padding_mask has a clip without samples, or padding in front of samples: pad clips "
            "on the right."
        )
    return lengths.tolist()
