"""What a visitor of the page can choose: codecs, and tokenizers for their codes."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...bundled import place_of
from ...codec_vocabulary import CodecVocabulary
from ...errors import CodecMismatchError

if TYPE_CHECKING:
    from ...codecs import AudioCodec

__all__ = ["NO_TOKENIZER", "Choices", "CodecChoice", "check_fit"]

NO_TOKENIZER = "none: every code is a token"


@dataclass(frozen=True)
class CodecChoice:
    """A codec, loaded when it is first needed, and how clips are cut for it."""

    load: Callable[[], AudioCodec]
    chunk_seconds: float | None = None
    context_seconds: float = 0.0


@dataclass
class Choices:
    """Codecs and tokenizers by the names that the page shows. The first ones are shown first."""

    codecs: dict[str, CodecChoice] = field(default_factory=dict)
    tokenizers: dict[str, CodecVocabulary] = field(default_factory=dict)

    @classmethod
    def of(cls, repositories: Sequence[str | os.PathLike[str]], device: str = "cpu") -> Choices:
        """The codec and the tokenizer of every processor.

        Args:
            repositories: Processors: Hub ids, folders, or `"demo"` for the bundled one.
            device: Where codecs run.

        Raises:
            ProcessorError: A processor cannot be loaded.
        """
        from ...processing_codec_bpe import CodecBPEProcessor

        choices = cls()
        for repository in repositories:
            place = os.fspath(repository)
            name = _name(place, choices.codecs)
            processor = CodecBPEProcessor.from_pretrained(place_of(place)).to(device)
            choices.codecs[name] = CodecChoice(
                partial(getattr, processor, "codec"),
                processor.chunk_seconds,
                processor.context_seconds,
            )
            choices.tokenizers[name] = processor.vocabulary
        return choices

    def tokenizer_for(self, codec: str) -> str:
        """The name of the tokenizer that came with a codec, or else of none."""
        return codec if codec in self.tokenizers else NO_TOKENIZER

    def vocabulary(self, codec: str, tokenizer: str) -> CodecVocabulary | None:
        """The tokens that the tokenizer has for the codec; `None` where every code is one.

        Raises:
            CodecMismatchError: The tokenizer was made for other codebooks.
        """
        vocabulary = self.tokenizers.get(tokenizer)
        if vocabulary is not None:
            check_fit(self.codecs[codec].load(), vocabulary, codec, tokenizer)
        return vocabulary


def _name(place: str, taken: Container[str]) -> str:
    """A folder's own name, if no other has it: visitors need not know where it lies."""
    short = Path(place).resolve().name if Path(place).is_dir() else place
    return place if short in taken else short


def check_fit(codec: AudioCodec, vocabulary: CodecVocabulary, name: str, tokenizer: str) -> None:
    """Refuses a tokenizer whose codebooks are not the first ones of the codec.

    Raises:
        CodecMismatchError: The tokenizer was made for other codebooks.
    """
    known = vocabulary.alphabet.codebook_sizes
    rest = codec.codebook_sizes
    if codec.dynamic_frame_rate:  # the lengths of frames come last, however many others are used
        known, rest = (known[-1], *known[:-1]), (rest[-1], *rest[:-1])
    if known != rest[: len(known)]:
        raise CodecMismatchError(
            f"The tokenizer {tokenizer} reads codebooks of {_sizes(vocabulary)} codes, but the "
            f"codec {name} has {_sizes(codec)}: choose the tokenizer that was made for it, or none."
        )


def _sizes(thing: AudioCodec | CodecVocabulary) -> str:
    """Like "8 x 256"."""
    owner = thing.alphabet if isinstance(thing, CodecVocabulary) else thing
    sizes = owner.codebook_sizes
    if len(set(sizes)) == 1:
        return f"{len(sizes)} x {sizes[0]}"
    return ", ".join(map(str, sizes))
