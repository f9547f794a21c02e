"""FunCodec behind the contract of every codec."""

from __future__ import annotations

import torch

from ..own import OwnCodec
from .modeling_funcodec import FunCodecModel

__all__ = ["FunCodecCodec"]

LEVEL = 0.1
"""The root mean square that a decoded clip gets: 20 dB below full scale, as speech often has."""
LOUDEST = 0.99
"""No sample is louder, as with the original's command line."""


class FunCodecCodec(OwnCodec):
    """FunCodec models of the EnCodec kind: 32 codebooks, 25 or 50 frames a second at 16 kHz.

    Only clips or chunks of equal lengths share a batch: the model's norms span all of a clip.

    The codes do not hold the loudness: the model's last norm gives all sound a root mean square of
    about 1, with peaks far beyond -1..1. Whether the clip was loud or quiet, `decode` turns that
    down to a level of about 0.1, and further where a peak would pass 0.99. The factor is nearly
    always the same, so pieces of a clip that are decoded one by one have about the same level. (The
    norms then span a piece each.) For a clip's own loudness, use the model: `codec.model.encode`
    gives `audio_scales`, and `codec.model.decode` takes them. Without them, the model turns nothing
    down.
    """

    family = "funcodec"
    model_class = FunCodecModel

    def _all_codebook_sizes(self) -> list[int]:
        return [self.config.codebook_size] * self.config.num_quantizers

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        return self.model.encode(input_values, num_codebooks=self.num_codebooks).audio_codes

    def _decode_batch(self, audio_codes: torch.Tensor) -> torch.Tensor:
        audio_values = self.model.decode(audio_codes).audio_values[:, 0]
        peaks = audio_values.abs().amax(dim=-1, keepdim=True)
        return audio_values * (LOUDEST / peaks).clamp(max=LEVEL)
