"""What is common to families whose models are this package's own."""

from __future__ import annotations

from typing import ClassVar

from transformers import EncodecFeatureExtractor, PreTrainedModel

from ..errors import CodecError
from .base import AudioCodec

__all__ = ["OwnCodec"]


class OwnCodec(AudioCodec):
    """WavTokenizer, SimVQ, FunCodec and FlexiCodec: models converted from their originals."""

    model_class: ClassVar[type[PreTrainedModel]]
    """The only one: Transformers may come to have a model of the same name."""

    def _check_config(self) -> None:
        if not isinstance(self.model, self.model_class):
            raise CodecError(
                f"This is a {type(self.model).__module__}.{type(self.model).__name__}, whose codes "
                f"nobody has compared with the original's yet. Load a {self.model_class.__name__} "
                "of hf_codec_bpe: a preset, or what hf-codec-bpe convert makes of the original."
            )

    def _make_feature_extractor(self) -> EncodecFeatureExtractor:
        return EncodecFeatureExtractor(feature_size=1, sampling_rate=self.sampling_rate)
