"""What a processor may be called with: options, texts, clips, conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Number
from typing import Any

import numpy as np
from transformers.processing_utils import TextKwargs

from .errors import ProcessorError

__all__ = [
    "TEXT_OPTIONS",
    "as_list",
    "audio_parts",
    "check_placeholders",
    "checked_texts",
    "fill_placeholders",
    "is_batch",
    "read_example",
    "split_options",
]

TEXT_OPTIONS = TextKwargs.__annotations__.keys() | {"split_special_tokens", "text_pair"}
"""What a tokenizer may be called with."""


def split_options(
    given: Mapping[str, Any], **audio_options: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options for the tokenizer and for the audio, from the flat and the grouped ones.

    Raises:
        ProcessorError: One that nobody understands: a slip of the pen would change tokens.
    """
    text_options = {k: v for k, v in given.items() if k not in ("text_kwargs", "audio_kwargs")}
    text_options |= given.get("text_kwargs") or {}
    audio_options |= given.get("audio_kwargs") or {}
    known_audio = {"sampling_rate", "resample", "per_channel", "batch_size"}
    unknown = (text_options.keys() - TEXT_OPTIONS) | (audio_options.keys() - known_audio)
    if unknown:
        raise ProcessorError(
            f"{', '.join(sorted(unknown))} is no option of this processor: audio has "
            f"{', '.join(sorted(known_audio))}; text has those of a tokenizer."
        )
    return text_options, audio_options


def checked_texts(text: Any) -> list[str]:
    """One text or several as a list.

    Raises:
        ProcessorError: Something that is no text.
    """
    texts = as_list(text) if isinstance(text, (str, Sequence)) else [text]
    if not all(isinstance(each, str) for each in texts):
        raise ProcessorError(
            f"The text is {type(text).__name__}, not a string or a list of strings: pass audio as "
            "audio=."
        )
    return texts


def is_batch(value: Any) -> bool:
    """Whether this is several clips or sequences: anything but numbers in a list or rows."""
    if isinstance(value, (str, bytes, Mapping)):
        return False
    if hasattr(value, "ndim"):
        return bool(value.dtype == object)  # arrays of different lengths
    return isinstance(value, Sequence) and not (
        value and isinstance(value[0], (Number, np.generic))
    )


def check_placeholders(texts: Sequence[str], audio_token: str, num_clips: int) -> None:
    """Refuses texts that do not have one placeholder for each clip.

    Raises:
        ProcessorError: Too many or too few.
    """
    wanted = sum(text.count(audio_token) for text in texts)
    if wanted != num_clips:
        raise ProcessorError(
            f"The text has {wanted} {audio_token} placeholder(s), but {num_clips} clip(s) were "
            "given: there must be one for each."
        )


def fill_placeholders(texts: Sequence[str], audio_token: str, fillers: Sequence[str]) -> list[str]:
    """Puts each clip's characters where `audio_token` stands for it, in order.

    Example:
        >>> fill_placeholders(["a<>b", "<><>"], "<>", ["1", "2", "3"])
        ['a1b', '23']
    """
    filler = iter(fillers)
    filled = []
    for text in texts:
        first, *rest = text.split(audio_token)
        filled.append(first + "".join(next(filler) + part for part in rest))
    return filled


def read_example(example: Mapping[str, Any], audio_token: str) -> tuple[list[Any], Any, bool]:
    """An example's clips, its text if that has placeholders, and whether it is a batch.

    Raises:
        ProcessorError: No column `audio`, or an array that may be a batch or the channels of one.
    """
    if "audio" not in example:
        raise ProcessorError(
            f"The example has the columns {sorted(example)}, but none named 'audio': rename one "
            "with dataset.rename_column(name, 'audio')."
        )
    audio, text = example["audio"], example.get("text")
    # datasets says which it is, unless the dataset has a format.
    kind = type(example).__name__
    batched = kind == "LazyBatch" or (kind != "LazyRow" and is_batch(audio))
    if getattr(audio, "ndim", 1) == 2:
        raise ProcessorError(
            f"An array of shape {list(audio.shape)} may be a batch of clips or the channels of "
            "one: map dataset.with_format(None), or pass audio=."
        )
    if not any(audio_token in str(part) for part in as_list(text or [])):
        text = None
    return list(audio) if batched else [audio], text, batched


def audio_parts(conversation: Any) -> Iterator[Mapping[str, Any]]:
    """The audio parts of a conversation, or of a batch of them, in order."""
    if isinstance(conversation, Mapping):
        if conversation.get("type") == "audio":
            yield conversation
        content = conversation.get("content")
        if isinstance(content, (list, tuple)):
            yield from audio_parts(content)
    elif isinstance(conversation, (list, tuple)):
        for part in conversation:
            yield from audio_parts(part)


def as_list(text: str | Sequence[str]) -> list[str]:
    """One string or several as a list."""
    return [text] if isinstance(text, str) else list(text)
