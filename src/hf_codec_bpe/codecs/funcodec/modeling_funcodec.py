"""FunCodec of the EnCodec kind (Du et al. 2023, https://github.com/modelscope/FunCodec) as a model.

It is Transformers' EnCodec with other numbers. What is its own: how many codebooks are chosen,
codes without an axis for chunks, and a decoder that may do without the loudness.

Axis letters: B = batch, D = hidden size, K = codebooks, S = samples, T = frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import torch
from transformers import EncodecModel
from transformers.models.encodec.modeling_encodec import EncodecResidualVectorQuantizer
from transformers.utils import ModelOutput

from ...errors import AudioError, CodecError, CodesError
from ..model_inputs import finite_floats, whole_codes
from ..selection import select_codebooks
from .configuration_funcodec import FunCodecConfig

__all__ = ["FunCodecModel"]

LONGEST = 2**24
"""Samples, 17 minutes at 16 kHz. EnCodec's padding counts in float32, which is exact so far (unless
the model is a codec's: `integer_padding.py`)."""


@dataclass
class FunCodecEncoderOutput(ModelOutput):
    """What `encode` gives.

    `audio_codes` is int64 `[B, K, T]`. `audio_scales`, float `[B, 1]`, is the loudness that each
    clip had, which no code tells; `None` if the configuration does not normalize.
    """

    audio_codes: torch.Tensor
    audio_scales: torch.Tensor | None = None


@dataclass
class FunCodecDecoderOutput(ModelOutput):
    """What `decode` gives: `audio_values` `[B, 1, S]`."""

    audio_values: torch.Tensor


@dataclass
class FunCodecOutput(ModelOutput):
    """What a forward pass gives: both."""

    audio_codes: torch.Tensor
    audio_scales: torch.Tensor | None = None
    audio_values: torch.Tensor | None = None


class FunCodecQuantizer(EncodecResidualVectorQuantizer):
    """EnCodec's residual codebooks, told how many to use where EnCodec's are told kilobits."""

    def encode(self, embeddings: torch.Tensor, num_codebooks: int | None = None) -> torch.Tensor:
        """Embeddings `[B, D, T]` to codes `[K, B, T]`."""
        codes = []
        for layer in self.layers[:num_codebooks]:
            codes.append(layer.encode(embeddings))
            embeddings = embeddings - layer.decode(codes[-1])
        return torch.stack(codes)


class FunCodecModel(EncodecModel):
    """FunCodec's speech codecs: 32 residual codebooks, 25 or 50 frames a second at 16 kHz.

    A clip's loudness is divided out before it is encoded, and its norms span the whole clip. So
    codes tell no loudness, and silence after a clip changes all of them.
    """

    config_class = FunCodecConfig

    def __init__(self, config: FunCodecConfig) -> None:
        super().__init__(config)
        self.quantizer = FunCodecQuantizer(config)
        self.post_init()

    def encode(
        self,
        input_values: torch.Tensor,
        num_codebooks: int | None = None,
        bit_width: int | None = None,
        padding_mask: torch.Tensor | None = None,
    ) -> FunCodecEncoderOutput:
        """Encodes clips of equal lengths.

        Args:
            input_values: Float samples `[B, S]` or `[B, 1, S]` at `config.sampling_rate`.
            num_codebooks: K, how many codebooks to use, from the first one on.
            bit_width: Or FunCodec's own option: the bits per second that K must not exceed, save
                that it is at least 1 and at most all. 0 and less mean all, as does giving neither.
            padding_mask: `[B, S]`, as the feature extractor makes it; all 1.

        Returns:
            `audio_codes`, int64 `[B, K, T]` with T = ceil(S / hop_length), and `audio_scales`.

        Raises:
            AudioError: No floats, NaN or infinite ones, another shape, no samples, too many of
                them, or a mask with zeros: the model would give other codes than for the clip
                alone. Encode clips of different lengths one by one, as `FunCodecCodec` does.
            CodecError: No such number of codebooks, a bandwidth that is not whole, or both.
        """
        input_values = self._checked_samples(input_values, padding_mask)
        count = self._num_codebooks(num_codebooks, bit_width)
        clips = len(input_values)
        if input_values.numel() == 1:  # alone, it is refused by the norms of narrow models
            input_values = input_values.expand(2, 1, 1)
        codes, scales = self._encode_frame(input_values, count)
        return FunCodecEncoderOutput(
            audio_codes=codes[:clips].contiguous(),
            audio_scales=None if scales is None else scales[:clips],
        )

    def decode(
        self, audio_codes: torch.Tensor, audio_scales: torch.Tensor | None = None
    ) -> FunCodecDecoderOutput:
        """Decodes clips of equal lengths.

        Args:
            audio_codes: Integers `[B, K, T]`, of any number of codebooks from the first one on.
            audio_scales: `[B, 1]`, as `encode` gives it. Without it, the sound is as loud as the
                model takes all sound to be: of root mean square 1, and with peaks far beyond
                -1..1. Turn it down before you play or save it; `FunCodecCodec.decode` does.

        Returns:
            `audio_values`, `[B, 1, S]` with S = T * hop_length.

        Raises:
            CodesError: No integers, another shape, no frames, too many of them, or a code outside
                its codebook.
            AudioError: Scales that are not floats, NaN or infinite.
        """
        audio_codes = self._checked_codes(audio_codes)
        if audio_scales is not None:
            audio_scales = finite_floats(audio_scales, "audio_scales", self.dtype)
            if audio_scales.shape != (len(audio_codes), 1):
                raise CodesError(
                    f"audio_scales has shape {list(audio_scales.shape)}, but there are "
                    f"{len(audio_codes)} clips: pass the [clips, 1] that encode gave, or None."
                )
        return FunCodecDecoderOutput(self._decode_frame(audio_codes, audio_scales))

    def forward(
        self,
        input_values: torch.Tensor,
        num_codebooks: int | None = None,
        bit_width: int | None = None,
        padding_mask: torch.Tensor | None = None,
    ) -> FunCodecOutput:
        """Encodes and decodes, loudness included; see both.

        `audio_values` is cut to the S samples given.
        """
        encoded = self.encode(input_values, num_codebooks, bit_width, padding_mask)
        decoded = self.decode(encoded.audio_codes, encoded.audio_scales)
        return FunCodecOutput(
            audio_codes=encoded.audio_codes,
            audio_scales=encoded.audio_scales,
            audio_values=decoded.audio_values[..., : input_values.shape[-1]],
        )

    def _num_codebooks(self, num_codebooks: int | None, bit_width: int | None) -> int:
        config = self.config
        if bit_width is None:
            sizes = [config.codebook_size] * config.num_quantizers
            return len(select_codebooks(sizes, config.frame_rate, num_codebooks=num_codebooks))
        if num_codebooks is not None:
            raise CodecError("Pass num_codebooks or bit_width, not both.")
        if not isinstance(bit_width, Integral):
            raise CodecError(
                f"bit_width={bit_width!r} is not a whole number of bits per second: pass 2000 for "
                "2 kbps."
            )
        if bit_width <= 0:
            return config.num_quantizers
        bits_per_hop = self.bits_per_codebook * config.sampling_rate
        fitting = int(bit_width) * config.hop_length // bits_per_hop
        return min(max(1, fitting), config.num_quantizers)

    def _checked_samples(
        self, input_values: torch.Tensor, padding_mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Samples `[B, 1, S]` of clips that may share a batch."""
        samples = finite_floats(input_values, "input_values", self.dtype)
        samples = samples[:, None] if samples.ndim == 2 else samples
        _check_samples(samples, padding_mask)
        return samples

    def _checked_codes(self, audio_codes: torch.Tensor) -> torch.Tensor:
        config, audio_codes = self.config, whole_codes(audio_codes)
        if audio_codes.ndim != 3 or not audio_codes.numel():
            raise CodesError(
                f"audio_codes has shape {list(audio_codes.shape)}: decode takes codes [batch, "
                "codebooks, frames], at least one."
            )
        if audio_codes.shape[1] > config.num_quantizers:
            raise CodesError(
                f"audio_codes has {audio_codes.shape[1]} codebooks, but this model has "
                f"{config.num_quantizers}: pass codes [batch, codebooks, frames]."
            )
        if audio_codes.shape[2] * config.hop_length > LONGEST:
            raise CodesError(
                f"audio_codes has {audio_codes.shape[2]} frames: decode takes up to "
                f"{LONGEST // config.hop_length} at once. Decode the clip in pieces."
            )
        smallest, largest = audio_codes.min().item(), audio_codes.max().item()
        if smallest < 0 or largest >= config.codebook_size:
            raise CodesError(
                f"The codes range from {smallest} to {largest}, but each codebook has 0 to "
                f"{config.codebook_size - 1}."
            )
        return audio_codes


def _check_samples(input_values: torch.Tensor, padding_mask: torch.Tensor | None) -> None:
    if input_values.ndim != 3 or input_values.shape[1] != 1 or not input_values.numel():
        raise AudioError(
            f"input_values has shape {list(input_values.shape)}: encode takes samples [batch, "
            "samples] or [batch, 1, samples], at least one."
        )
    if input_values.shape[-1] > LONGEST:
        raise AudioError(
            f"A clip of {input_values.shape[-1]} samples is too long: encode takes up to {LONGEST} "
            "at once. Encode it in pieces; chunk_seconds of AudioCodec.encode does."
        )
    if padding_mask is not None and not torch.as_tensor(padding_mask).bool().all():
        raise AudioError(
            "padding_mask has zeros, and padding changes all codes of a clip: encode clips of "
            "different lengths one by one. AudioCodec.encode does."
        )
