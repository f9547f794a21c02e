"""WavTokenizer and SimVQ behind the contract of every codec."""

from __future__ import annotations

import torch

from ..own import OwnCodec
from ..tiling import run_encoder

__all__ = ["VocosCodec"]


class VocosCodec(OwnCodec):
    """A `VocosCodecModel`: one codebook, clips as they are, T frames to T hops of samples.

    One sample more where only one of `n_fft` and `hop_length` is odd.
    """

    def num_samples(self, num_frames: int) -> int:
        odd = (self.config.n_fft - self.hop_length) % 2
        return num_frames * self.hop_length + odd if num_frames else 0

    def _all_codebook_sizes(self) -> list[int]:
        return [self.config.codebook_size]

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        embeddings = run_encoder(self.model.encoder, input_values)
        return self.model.quantizer.codebook.encode(embeddings)[:, None]

    def _decode_batch(self, audio_codes: torch.Tensor) -> torch.Tensor:
        return self.model.decode(audio_codes).audio_values[:, 0]
