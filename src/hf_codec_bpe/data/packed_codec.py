"""A codec on its way to processes on other machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..codecs.lazy import LazyCodec
from ..codecs.pin import CODEC_FOLDER, CodecPin
from ..codecs.registry import register_codec

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["PackedCodec"]


@dataclass(frozen=True)
class PackedCodec:
    """What another process needs to have the same codec."""

    pin: CodecPin
    codec_class: type[AudioCodec]
    """Perhaps of the caller's own, which no other process has registered."""
    files: Mapping[str, bytes]
    """What `save_pretrained` writes, by name, of a codec that is in no repository on the Hub."""

    @classmethod
    def of(cls, codec: AudioCodec) -> PackedCodec:
        """Packs a codec, which itself stays here."""
        files: dict[str, bytes] = {}
        pin = codec.pin
        if pin.is_beside:
            with TemporaryDirectory() as folder:
                codec.save_pretrained(folder)
                files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
        return cls(pin, type(codec), files)

    def load(self, device: str) -> AudioCodec:
        """The codec, on a device of this machine.

        Raises:
            CodecNotFoundError: The codec is on the Hub, which cannot be reached from here.
            CodecError: There is no such device here.
        """
        register_codec(self.codec_class)
        codec = LazyCodec(self.pin)
        codec.to(device)
        with TemporaryDirectory() as repository:
            folder = Path(repository, CODEC_FOLDER)
            folder.mkdir()
            for name, data in self.files.items():
                (folder / name).write_bytes(data)
            codec.source = {"name_or_path": repository}
            return codec.load()
