"""Mimi, the codec of Moshi, as Transformers ships it.

Défossez et al. 2024, https://arxiv.org/abs/2410.00037
"""

from __future__ import annotations

import math
from threading import Lock
from typing import Any

import torch
from transformers import EncodecFeatureExtractor

from ..audio import Waveform
from ..errors import CodecError
from .base import AudioCodec
from .encoding import Codes, no_codes
from .streaming import CodecStream

__all__ = ["MimiCodec", "MimiStream"]


class MimiCodec(AudioCodec):
    """Mimi models.

    Every clip, even alone, is padded with silence to whole frames (1920 samples at 24 kHz): as the
    original does when it streams, and so that a batch never changes the last frame. Clips of about
    the same length share a batch on a GPU.
    """

    family = "mimi"
    pads_to_frames = True

    @property
    def hop_length(self) -> int:
        return math.ceil(self.sampling_rate / self.config.frame_rate)

    @property
    def is_causal(self) -> bool:
        return bool(self.config.use_causal_conv)

    def stream(
        self, *, chunk_seconds: float | None = None, context_seconds: float = 0.0
    ) -> CodecStream:
        """Without `chunk_seconds`, streams with the model's own caches; see `MimiStream`."""
        if chunk_seconds is None and not context_seconds and self.is_causal:
            return MimiStream(self)
        return super().stream(chunk_seconds=chunk_seconds, context_seconds=context_seconds)

    def _all_codebook_sizes(self) -> list[int]:
        return [self.config.codebook_size] * self.config.num_quantizers

    def _make_feature_extractor(self) -> EncodecFeatureExtractor:
        return EncodecFeatureExtractor(feature_size=1, sampling_rate=self.sampling_rate)

    def _as_input(self, samples: torch.Tensor) -> torch.Tensor:
        self._remember_codebooks()
        return super()._as_input(samples)

    @torch.no_grad()
    def _remember_codebooks(self) -> None:
        """Codebooks remember their vectors, which neither move nor change when the model does."""
        # Outside of inference mode, or nobody could train with what they remember.
        with _REMEMBERING, torch.inference_mode(False):
            for module in self.model.quantizer.modules():
                if hasattr(module, "_embed"):
                    _remember_vectors(module)

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        return self.model.encode(input_values, num_quantizers=self.num_codebooks).audio_codes

    def _decode_batch(self, audio_codes: torch.Tensor) -> torch.Tensor:
        self._remember_codebooks()
        return self.model.decode(audio_codes).audio_values[:, 0]


_REMEMBERING = Lock()
"""One thread at a time: another might find a codebook that has just forgotten its vectors."""


def _remember_vectors(codebook: Any) -> None:
    """Makes a codebook compute its vectors, unless it did so from the weights that it has now."""
    weights = [weight.detach() for weight in (codebook.embed_sum, codebook.cluster_usage)]
    origin = [(each.dtype, each.device, each.data_ptr(), each._version) for each in weights]
    if codebook._embed is None or getattr(codebook, "_embed_origin", None) != origin:
        codebook._embed = None
        codebook._embed_origin = origin
        _ = codebook.embed  # computes and remembers them


_CACHES = ("encoder_cache", "encoder_past_key_values", "padding_cache")
"""State that the encoder returns and takes back. Before Transformers 5.24, the first had the
name of the second."""


class MimiStream(CodecStream):
    """Mimi's own streaming: convolution and attention caches, no audio is encoded twice.

    Gives the codes that `encode` gives for the whole clip. Every push must be whole frames: the
    model would take others silently and get the next ones wrong.
    """

    def __init__(self, codec: MimiCodec) -> None:
        super().__init__(codec)
        self._caches: dict[str, Any] = {}

    def _push(self, samples: Waveform) -> Codes:
        if len(samples) % self.codec.hop_length:
            raise CodecError(
                f"{len(samples)} samples are not whole frames: push multiples of "
                f"{self.codec.hop_length} samples, and pad the last push with silence, or choose "
                "chunks of any length with codec.stream(chunk_seconds=...)."
            )
        own = samples.copy()  # the caches keep a view of it, and the caller may fill it anew
        with self.codec._inference():
            output = self.codec.model.encode(
                self.codec._as_input(torch.from_numpy(own)[None, None]),
                num_quantizers=self.codec.num_codebooks,
                use_streaming=True,
                **self._caches,
            )
        self._caches = {name: output[name] for name in _CACHES if name in output}
        return output.audio_codes[0].cpu().numpy()

    def _flush(self) -> Codes:
        return no_codes(self.codec)
