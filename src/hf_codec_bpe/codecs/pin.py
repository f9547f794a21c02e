"""What a processor writes down about its codec, so that the same codes come out next year."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from ..audio import RESAMPLER
from ..errors import CodecMismatchError, ProcessorError
from ..untrusted import is_repository_name

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
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What else changes the codes of its family, such as FlexiCodec's `merging_threshold`."""

    @property
    def is_beside(self) -> bool:
        """Whether the codec lies in the processor's own repository."""
        return self.name_or_path is None

    def to_dict(self) -> dict[str, Any]:
        """The pin as JSON values; `settings` only where the family has some."""
        values = {**asdict(self), "codebook_sizes": list(self.codebook_sizes)}
        return values if self.settings else {k: v for k, v in values.items() if k != "settings"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CodecPin:
        """Reads what `to_dict` wrote.

        Raises:
            ProcessorError: A field is missing, unknown or impossible, or another resampler was
                used.
        """
        known = {each.name for each in fields(cls)}
        required = known - {"dtype", "resampler", "settings"}
        if not required <= set(values) <= known:
            wrong = sorted((required - set(values)) | (set(values) - known))
            raise ProcessorError(
                f"The codec entry of processor_config.json is malformed: {', '.join(wrong)} "
                "missing or unknown. Save the processor again with this version of hf_codec_bpe."
            )
        wrong = [name for name, value in values.items() if not _FITS[name](value)]
        if wrong:
            raise ProcessorError(
                f"The codec entry of processor_config.json says {wrong[0]}={values[wrong[0]]!r}, "
                "which cannot be: it was not written by hf_codec_bpe."
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
        wanted = self._what_changes_codes()
        pin = codec.pin
        found = replace(
            pin, fingerprint=self.fingerprint and (pin.fingerprint or codec.fingerprint)
        )
        actual = found._what_changes_codes()
        differences = [
            f"{name} is {actual.get(name)!r}, not {wanted.get(name)!r}"
            for name in {**wanted, **actual}
            if actual.get(name) != wanted.get(name)
        ]
        if differences:
            raise CodecMismatchError(
                "The codec differs from the one that this processor was made for: "
                f"{'; '.join(differences)}. Load that codec, or make a new processor with "
                "CodecBPEProcessor.from_codec(codec, tokenizer)."
            )

    def _what_changes_codes(self) -> dict[str, Any]:
        """All but the place, the settings by their own names."""
        places = ("name_or_path", "revision", "settings")
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return {k: v for k, v in own.items() if k not in places} | dict(self.settings)


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 256


def _is_place(value: Any) -> bool:
    return value is None or (_is_text(value) and is_repository_name(value))


_FITS: dict[str, Callable[[Any], bool]] = {
    "family": _is_text,
    "name_or_path": _is_place,
    "revision": lambda value: value is None or _is_text(value),
    "num_codebooks": _is_count,
    "codebook_sizes": lambda value: isinstance(value, list) and all(map(_is_count, value)),
    "sampling_rate": _is_count,
    "output_sampling_rate": _is_count,
    "frame_rate": lambda value: isinstance(value, (int, float)) and 0 < value < math.inf,
    "fingerprint": lambda value: value is None or _is_text(value),
    "dtype": lambda value: value in ("float64", "float32", "float16", "bfloat16"),
    "resampler": _is_text,
    "settings": lambda value: isinstance(value, Mapping),
}
"""What each field may be in a file that a stranger wrote."""


def weights_fingerprint(model: PreTrainedModel) -> str:
    """A hash of a model's weights: of their names, types, shapes and values."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
