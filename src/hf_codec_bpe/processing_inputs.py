"""What a processor may be called with: options, texts, clips, examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Number
from typing import Any

import numpy as np
from transformers.processing_utils import TextKwargs

from .errors import ProcessorError
from .processing_features import Labels

__all__ = [
    "CallOptions",
    "as_clips",
    "as_list",
    "check_none_is_empty",
    "check_placeholders",
    "checked_texts",
    "clips_of_texts",
    "fill_placeholders",
    "is_batch",
    "is_option",
    "read_example",
    "split_by_text",
]

_NOT_ONE_TEXT = {"text_pair", "text_target", "text_pair_target", "is_split_into_words"}
_SANITIZE = "sanitize_control_tokens"  # Transformers 5.17 does not know it
_TEXT_OPTIONS = {*TextKwargs.__annotations__, "split_special_tokens", _SANITIZE} - _NOT_ONE_TEXT
"""What a tokenizer may be called with: one text for each sequence."""


@dataclass
class CallOptions:
    """How audio is read and texts are tokenized; `CodecBPEProcessor.__call__` documents it."""

    text: dict[str, Any]
    """What the tokenizer is called with."""
    sampling_rate: int | None = None
    resample: bool | None = None
    per_channel: bool = False
    batch_size: int = 8
    output_labels: Labels = False
    whole_frames: bool = True

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> CallOptions:
        """Sorts options out, flat ones and grouped as `text_kwargs` and `audio_kwargs`.

        Raises:
            ProcessorError: An unknown option: a misspelt one would silently change tokens. Or one
                that would not do what it says.
        """
        flat = {key: value for key, value in given.items() if key not in _GROUPS}
        for group in _GROUPS:
            flat |= given.get(group) or {}
        unknown = flat.keys() - _TEXT_OPTIONS - cls.names()
        if unknown:
            raise ProcessorError(
                f"{', '.join(sorted(unknown))} is not an option of this processor: it has "
                f"{', '.join(sorted(cls.names()))}, and those of a tokenizer."
            )
        if flat.pop(_SANITIZE, False):
            raise ProcessorError(
                f"{_SANITIZE}=True is not supported by this processor: the user's text could still "
                "write control tokens. Pass it to the tokenizer's own apply_chat_template where "
                "there is no audio, or else take control tokens out of the text yourself."
            )
        if flat.get("return_tensors") == "auto":  # ProcessorMixin.apply_chat_template's default
            del flat["return_tensors"]
        own = {key: flat.pop(key) for key in cls.names() & flat.keys()}
        return cls(flat, **own)

    @classmethod
    def names(cls) -> set[str]:
        """The options that are not the tokenizer's."""
        return {field.name for field in fields(cls)} - {"text"}


_GROUPS = ("text_kwargs", "audio_kwargs")


def is_option(name: str) -> bool:
    """Whether a processor's call has such an option."""
    return name in _TEXT_OPTIONS or name in CallOptions.names() or name in _GROUPS


def checked_texts(text: Any) -> list[str]:
    """One text or several as a list.

    Raises:
        ProcessorError: Something that is not text.
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
        # Arrays of different lengths, or paths of a dataset in NumPy's format.
        return value.dtype == object or getattr(value.dtype, "kind", "") == "U"
    return isinstance(value, Sequence) and not (value and _is_number(value[0]))


def _is_number(value: Any) -> bool:
    """Whether this is a sample or an id; NumPy has texts, too."""
    return isinstance(value, (Number, np.generic)) and not isinstance(value, str)


def as_clips(audio: Any, per_channel: bool = False) -> list[Any]:
    """One clip, several, or several for each text, as one list in order.

    Raises:
        ProcessorError: An array that may be a batch of clips or the channels of one.
    """
    if not is_batch(audio):
        if getattr(audio, "ndim", 1) == 2 and len(audio) > 2 and not per_channel:
            raise ProcessorError(
                f"An array of shape {list(audio.shape)} may be a batch of clips or the channels of "
                "one, which would be mixed down: pass a list of clips, list(audio), or one clip of "
                "many channels in a list, [audio]."
            )
        return [audio]
    return [clip for each in audio for clip in (each if _is_for_one_text(each) else [each])]


def _is_for_one_text(value: Any) -> bool:
    """Whether these are several clips: rows of numbers are the channels of one."""
    return is_batch(value) and not (value and isinstance(value[0], (list, tuple)))


def clips_of_texts(audio: Any) -> list[int] | None:
    """How many clips each text has; `None` where clips are not listed by texts.

    Example:
        >>> clips_of_texts([["a.wav", "b.wav"], ["c.wav"]]), clips_of_texts(["a.wav", "b.wav"])
        ([2, 1], None)
    """
    if not is_batch(audio) or not any(_is_for_one_text(each) for each in audio):
        return None
    return [len(each) if _is_for_one_text(each) else 1 for each in audio]


def check_none_is_empty(audio: Any) -> None:
    """Refuses an empty list among clips that no text tells apart: its sequence would be missing.

    Raises:
        ProcessorError: There is one.
    """
    numbers = clips_of_texts(audio) or []
    if 0 in numbers:
        raise ProcessorError(
            f"Clip {numbers.index(0)} of {len(numbers)} is an empty list, which would become no "
            "sequence: leave empty clips out, or pass text= with one text for each list of clips."
        )


def check_placeholders(
    texts: Sequence[str], audio_token: str, num_clips: int, of_texts: Sequence[int] | None = None
) -> None:
    """Refuses texts that do not have one placeholder for each clip.

    Args:
        texts: The texts.
        audio_token: The placeholder.
        num_clips: How many clips there are.
        of_texts: How many of them each text has, if that is known.

    Raises:
        ProcessorError: Too many or too few.
    """
    placeholders = [text.count(audio_token) for text in texts]
    wanted = sum(placeholders)
    if of_texts is not None and placeholders != list(of_texts):
        raise ProcessorError(
            f"The texts have {placeholders} {audio_token} placeholders, but {list(of_texts)} clips "
            "were given for them: there must be one for each."
        )
    if wanted != num_clips:
        raise ProcessorError(
            f"The text has {wanted} {audio_token} placeholder(s), but {num_clips} clip(s) were "
            "given: there must be one for each."
        )


def split_by_text(
    fillers: Sequence[str], texts: Sequence[str], audio_token: str
) -> list[list[str]]:
    """Which fillers go into which text, in order.

    Example:
        >>> split_by_text(["1", "2", "3"], ["a<>b", "<><>"], "<>")
        [['1'], ['2', '3']]
    """
    filler = iter(fillers)
    return [[next(filler) for _ in range(text.count(audio_token))] for text in texts]


def fill_placeholders(text: str, audio_token: str, fillers: Sequence[str]) -> str:
    """Puts each clip's characters where `audio_token` stands for it, in order.

    Example:
        >>> fill_placeholders("a<>b<>", "<>", ["1", "2"])
        'a1b2'
    """
    first, *rest = text.split(audio_token)
    return first + "".join(filler + part for filler, part in zip(fillers, rest, strict=True))


def read_example(example: Mapping[str, Any], audio_token: str) -> tuple[list[Any], list[str], bool]:
    """An example's clips, their texts, and whether it is a batch.

    A text without a placeholder, such as a transcript, is not meant for the sequence.

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
    if getattr(audio, "ndim", 1) == 2 or (kind == "dict" and _may_be_channels(example)):
        raise ProcessorError(
            f"An array of shape {list(np.shape(audio))} may be a batch of clips or the channels of "
            "one: map dataset.with_format(None), cast the column to datasets.Audio, or pass audio=."
        )
    clips = list(audio) if batched else [audio]
    texts = [audio_token] * len(clips) if text is None else as_list(text)
    return clips, [each if audio_token in str(each) else audio_token for each in texts], batched


def _may_be_channels(example: Mapping[str, Any]) -> bool:
    """Whether `audio` is rows of numbers of one length, and no other column tells what they are.

    A streamed dataset hands out plain dictionaries, batches and single examples alike.
    """
    audio = example["audio"]
    if not is_batch(audio) or not all(isinstance(row, list) and not is_batch(row) for row in audio):
        return False
    others = [value for name, value in example.items() if name != "audio"]
    are_rows = any(isinstance(value, list) and len(value) == len(audio) for value in others)
    return len(audio) > 1 and len({len(row) for row in audio}) == 1 and not are_rows


def as_list(text: str | Sequence[str]) -> list[str]:
    """One string or several as a list."""
    return [text] if isinstance(text, str) else list(text)
