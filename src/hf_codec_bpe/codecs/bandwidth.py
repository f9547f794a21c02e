"""What is common to families whose models take a bandwidth, not a number of codebooks."""

from __future__ import annotations

from .base import AudioCodec

__all__ = ["BandwidthCodec"]


class BandwidthCodec(AudioCodec):
    """EnCodec, X-Codec and Higgs.

    Fewer residual codebooks are a prefix of more, so that any number of them is possible: the model
    computes those of the next larger bandwidth it knows, and the rest are left out.
    """

    def _all_codebook_sizes(self) -> list[int]:
        quantizer = self.model.quantizer
        layers = quantizer.layers if hasattr(quantizer, "layers") else quantizer.quantizers
        largest = quantizer.get_num_quantizers_for_bandwidth(max(self.config.target_bandwidths))
        return [self.config.codebook_size] * min(largest, len(layers))

    def _bandwidth(self) -> float:
        """The smallest of the model's bandwidths, in kbps, that has the codebooks in use."""
        num_quantizers = self.model.quantizer.get_num_quantizers_for_bandwidth
        return min(
            bandwidth
            for bandwidth in self.config.target_bandwidths
            if num_quantizers(bandwidth) >= self.num_codebooks
        )
