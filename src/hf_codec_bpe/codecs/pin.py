"""What a processor writes down about its codec, so that the same codes come out next year."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from ..audio import RESAMPLER
from ..errors import CodecMismatchError, ProcessorError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from .base import AudioCodec

__all__ = ["CODEC_FOLDER", "CodecPin", "weights_fingerprint"]

CODEC_FOLDER = "codec"
"""The folder, beside a processor's files, that holds a codec which is in no other repository."""


@dataclass(frozen=True)
class CodecPin:
    """A codec's place and everything about it that changes codes.

    `name_or_path` is a Hub id and `revision` a commit hash there; both are `None` for a codec that
    lies in the folder `codec/` of the processor's own repository, which `fingerprint` pins.
    """

    family: str
    name_or_path: str | None
    revision: str | None
    num_codebooks: int
    codebook_sizes: tuple[int, ...]
    sampling_rate: int
    output_sampling_rate: int
    frame_rate: float
    fingerprint: str | None
    """A hash of the weights, for a codec that no commit hash pins."""
    dtype: str = "float32"
    resampler: str = RESAMPLER

    @property
    def is_beside(self) -> bool:
        """Whether the codec lies in the processor's own repository."""
        return self.name_or_path is None

    def to_dict(self) -> dict[str, Any]:
        """The pin as JSON values."""
        return {**asdict(self), "codebook_sizes": list(self.codebook_sizes)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CodecPin:
        """Reads what `to_dict` wrote.

        Raises:
            ProcessorError: A field is missing or unknown, or another resampler was used.
        """
        known = {field.name for field in fields(cls)}
        required = known - {"dtype", "resampler"}
        if not required <= set(values) <= known:
            wrong = sorted((required - set(values)) | (set(values) - known))
            raise ProcessorError(
                f"The codec entry of processor_config.json is malformed: {', '.join(wrong)} "
                "missing or unknown. Save the processor again with this version of hf_codec_bpe."
            )
        pin = cls(**{**values, "codebook_sizes": tuple(values["codebook_sizes"])})
        if pin.resampler != RESAMPLER:
            raise ProcessorError(
                f"This processor was made with the resampler {pin.resampler!r}, but this version "
                f"has only {RESAMPLER!r}, which gives other codes."
            )
        return pin

    def check(self, codec: AudioCodec) -> None:
        """Refuses a codec that would give other codes than the one pinned.

        Raises:
            CodecMismatchError: Names every difference.
        """
        found = replace(codec.pin, fingerprint=self.fingerprint and codec.fingerprint)
        compared = [f.name for f in fields(self) if f.name not in ("name_or_path", "revision")]
        differences = [
            f"{name} is {getattr(found, name)!r}, not {getattr(self, name)!r}"
            for name in compared
            if getattr(found, name) != getattr(self, name)
        ]
        if differences:
            raise CodecMismatchError(
                "The codec differs from the one that this processor was made for: "
                f"{'; '.join(differences)}. Load that codec, or make a new processor with "
                "CodecBPEProcessor.from_codec(codec, tokenizer)."
            )


def weights_fingerprint(model: PreTrainedModel) -> str:
    """A hash of a model's weights: of their names, types, shapes and values."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
