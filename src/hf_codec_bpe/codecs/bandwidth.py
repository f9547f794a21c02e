"""What is common to families whose models take a bandwidth, not a number of codebooks."""

from __future__ import annotations

from .base import AudioCodec

__all__ = ["BandwidthCodec"]


class BandwidthCodec(AudioCodec):
    """EnCodec, X-Codec and Higgs: the codebooks of the largest bandwidth, or the first of them.

    Fewer residual codebooks are a prefix of more, so that any number of them is possible.
    """

    def _all_codebook_sizes(self) -> list[int]:
        quantizer = self.model.quantizer
        layers = quantizer.layers if hasattr(quantizer, "layers") else quantizer.quantizers
        largest = quantizer.get_num_quantizers_for_bandwidth(max(self.config.target_bandwidths))
        return [self.config.codebook_size] * min(largest, len(layers))
