"""A processor's codec: known by its pin, loaded when it is first needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

from ..errors import ProcessorError
from .pin import CODEC_FOLDER, CodecPin

if TYPE_CHECKING:
    import torch

    from .base import AudioCodec

__all__ = ["LazyCodec"]

_IMPORTED_IN = os.getpid()


class LazyCodec:
    """A codec that costs nothing until `load` is called.

    Pickling leaves the loaded codec out: another process loads its own, and the hash of a
    processor takes milliseconds whatever its codec's size. Copies share it.

    Args:
        pin: What the codec must be, and where it is; `None` if there is none.
        codec: The codec, if it is loaded already.
    """

    def __init__(self, pin: CodecPin | None, codec: AudioCodec | None = None) -> None:
        self.pin = pin
        self.source: dict[str, Any] = {}
        """How the processor itself was loaded: `name_or_path`, `revision`, `token`..."""
        self.device: str | torch.device | None = None
        self.folder = None if codec is None else codec.folder
        """Where the codec lies on this machine, if it was loaded from there."""
        self._codec = codec

    @classmethod
    def of(cls, codec: Any, num_codebooks: int | None = None) -> LazyCodec:
        """From whatever a processor is given: a codec, a pin, a pin's values, a name, or `None`.

        A name is loaded now, with `num_codebooks` codebooks.
        """
        if codec is None or isinstance(codec, CodecPin):
            return cls(codec)
        if isinstance(codec, Mapping):
            return cls(CodecPin.from_dict(codec))
        if isinstance(codec, (str, os.PathLike)):
            from .loading import load_codec

            codec = load_codec(codec, num_codebooks=num_codebooks)
        return cls(codec.pin, codec)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_codec": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> LazyCodec:
        twin = copy(self)
        twin._codec = self._codec  # in one process, one codec is enough
        return twin

    @property
    def required_pin(self) -> CodecPin:
        """The pin.

        Raises:
            ProcessorError: There is no codec.
        """
        if self.pin is None:
            raise ProcessorError(
                "This processor has no codec: make one with CodecBPEProcessor.from_codec(codec, "
                "tokenizer)."
            )
        return self.pin

    @property
    def merges_frames(self) -> bool:
        """Whether the codec has a dynamic frame rate, known without loading it."""
        from .registry import merges_frames

        return self.pin is not None and merges_frames(self.pin.family)

    def load(self) -> AudioCodec:
        """The codec, loaded by the first call.

        Raises:
            ProcessorError: There is no codec, or it was only in memory and a copy lost it.
            CodecNotFoundError: The codec is not where the pin says.
            CodecMismatchError: The codec there is not the one pinned.
        """
        _leave_threads_of_parent()
        if self._codec is None:
            from .loading import load_codec

            pin = self.required_pin
            _check_settings(pin)
            codec = load_codec(
                **self._place(pin),
                num_codebooks=pin.num_codebooks,
                dtype=pin.dtype,
                device=self.device,
                **pin.settings,
            )
            pin.check(codec)
            self._codec = codec
        return self._codec

    def to(self, device: str | torch.device) -> None:
        """Moves the codec to a device, now or when it is loaded.

        Raises:
            CodecError: There is no such device here, or no room on it.
        """
        from .devices import checked_device

        checked_device(device)
        if self._codec is not None:
            self._codec.to(device)
        self.device = device

    def _place(self, pin: CodecPin) -> dict[str, Any]:
        if not pin.is_beside:
            access = ("token", "cache_dir", "local_files_only")
            options = {key: self.source[key] for key in access if key in self.source}
            return {"name_or_path": pin.name_or_path, "revision": pin.revision, **options}
        if not self.source and self.folder:
            return {"name_or_path": self.folder}
        if not self.source:
            raise ProcessorError(
                "The codec of this processor existed only in memory, where a copy in another "
                "process cannot find it: save the processor and load it from there."
            )
        subfolder = os.path.join(self.source.get("subfolder", ""), CODEC_FOLDER)
        return {**self.source, "subfolder": subfolder}


def _check_settings(pin: CodecPin) -> None:
    """Lets nothing but the family's own settings through: the pin may be a stranger's."""
    from .registry import codec_class

    unknown = pin.settings.keys() - codec_class(pin.family).default_settings.keys()
    if unknown:
        raise ProcessorError(
            f"The codec entry of processor_config.json has settings that {pin.family} codecs do "
            f"not have: {', '.join(sorted(unknown))}. It was not written by hf_codec_bpe."
        )


def _leave_threads_of_parent() -> None:
    """In a forked worker, OpenMP's threads are those of the parent: more than one hangs."""
    if os.getpid() != _IMPORTED_IN:
        import torch

        torch.set_num_threads(1)
