"""Conversations with audio in them: what their templates are given, and what they hold."""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from .errors import ProcessorError

__all__ = [
    "Span",
    "as_batch",
    "as_templates_read",
    "assistant_spans",
    "audio_clips",
    "moved_spans",
]

Span = tuple[int, int]
"""The first character of a stretch of text, and the one after it."""


def as_batch(conversation: Any) -> tuple[list[list[dict[str, Any]]], bool]:
    """Conversations as lists of messages, and whether there was more than one to begin with.

    Keys whose value is `None` are left out: many templates would print them.

    Raises:
        ProcessorError: There is no message, or something else among them.
    """
    if not (isinstance(conversation, (list, tuple)) and conversation):
        raise ProcessorError(
            f"{conversation!r} is not a conversation: pass a list of messages such as {{'role': "
            "'user', 'content': ...}."
        )
    is_batched = isinstance(conversation[0], (list, tuple))
    batch = conversation if is_batched else [conversation]
    return [[_checked(message) for message in chat] for chat in batch], is_batched


def _checked(message: Any) -> dict[str, Any]:
    if callable(getattr(message, "model_dump", None)):  # Pydantic's, such as an OpenAI client's
        message = message.model_dump()
    if not isinstance(message, Mapping):
        raise ProcessorError(f"{message!r} is not a message: pass {{'role': ..., 'content': ...}}.")
    content = message.get("content")
    if not (content is None or isinstance(content, (str, list, tuple))):
        raise ProcessorError(
            f"A message's content is a {type(content).__name__}: pass text, or a list of parts."
        )
    return {key: value for key, value in message.items() if value is not None}


def as_templates_read(
    conversations: Sequence[Any],
    chat_template: str,
    audio_token: str,
    variables: Mapping[str, Any],
) -> list[Any]:
    """Conversations as a template shows them: with parts, or with `audio_token` in plain text.

    The templates of language models write a message's content as it is, so they need text; those
    made for audio write `audio_token` for a part `{"type": "audio"}`. Which kind it is shows when
    these very conversations are rendered, with marks in place of their texts and clips.

    Raises:
        ProcessorError: A part that is neither text nor audio, or a final message to continue that
            ends with audio.
    """
    if _shows_parts(conversations, chat_template, audio_token, variables):
        if variables.get("continue_final_message"):
            _check_ends_with_text(conversations)
        return list(conversations)
    return [
        [_flattened(message, audio_token) for message in conversation]
        for conversation in conversations
    ]


def _shows_parts(
    conversations: Sequence[Any],
    chat_template: str,
    audio_token: str,
    variables: Mapping[str, Any],
) -> bool:
    marks: list[str] = []
    marked = [[_marked(message, marks) for message in chat] for chat in conversations]
    variables = {**variables, "continue_final_message": False}
    try:
        rendered, _ = render_jinja_template(marked, chat_template=chat_template, **variables)
    except (TemplateError, TypeError, KeyError):
        return False
    if not marks:  # no part, only lists of none, which a template of text would print
        return False
    text = "".join(rendered)
    return text.count(audio_token) == marks.count(_CLIP) and all(
        mark in text for mark in marks if mark != _CLIP
    )


_CLIP = "clip"


def _marked(message: Mapping[str, Any], marks: list[str]) -> Mapping[str, Any]:
    """A message whose parts hold marks; a printed list would spell their line break out."""
    content = message.get("content")
    if not isinstance(content, (list, tuple)):
        return message
    parts: list[dict[str, Any]] = []
    for part in content:
        if isinstance(part, Mapping) and part.get("type") == "audio":
            marks.append(_CLIP)
            parts.append({"type": "audio", "audio": ""})
        else:
            marks.append(f"part {len(marks)}\nend")
            parts.append({"type": "text", "text": marks[-1]})
    return {**message, "content": parts}


def _check_ends_with_text(conversations: Sequence[Any]) -> None:
    for conversation in conversations:
        content = conversation[-1].get("content")
        if isinstance(content, (list, tuple)) and not (content and "text" in content[-1]):
            raise ProcessorError(
                "continue_final_message goes on with text, but the final message ends with "
                f"{'audio' if content else 'nothing'}: leave it out, and cut the prompt where the "
                "answer is to go on."
            )


def _flattened(message: Mapping[str, Any], audio_token: str) -> Mapping[str, Any]:
    content = message.get("content")
    if not isinstance(content, (list, tuple)):
        return message
    return {**message, "content": "".join(_as_text(part, audio_token) for part in content)}


def _as_text(part: Any, audio_token: str) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and part.get("type") == "audio":
        return audio_token
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return str(part["text"])
    raise ProcessorError(
        f"A part of a message is {part!r}: pass {{'type': 'text', 'text': ...}} or "
        "{'type': 'audio', 'audio': ...}."
    )


def audio_clips(conversation: Any) -> list[Any]:
    """The clips of a conversation, or of a batch of them, in order.

    Raises:
        ProcessorError: An audio part without audio.
    """
    return [_clip(part) for part in _audio_parts(conversation)]


def _audio_parts(conversation: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(conversation, Mapping):
        if conversation.get("type") == "audio":
            yield conversation
        content = conversation.get("content")
        if isinstance(content, (list, tuple)):
            yield from _audio_parts(content)
    elif isinstance(conversation, (list, tuple)):
        for part in conversation:
            yield from _audio_parts(part)


def _clip(part: Mapping[str, Any]) -> Any:
    found = [part[key] for key in ("audio", "path", "url") if part.get(key) is not None]
    if len(found) != 1:
        raise ProcessorError(
            f"An audio part has the keys {sorted(part)}: it needs exactly one of 'audio', 'path' "
            "and 'url'."
        )
    (clip,) = found
    is_array = not isinstance(clip, (str, bytes, os.PathLike, Mapping))  # files say their own rate
    if is_array and part.get("sampling_rate") is not None:
        return {"array": clip, "sampling_rate": part["sampling_rate"]}
    return clip


def assistant_spans(
    conversations: Any, chat_template: str, variables: Mapping[str, Any]
) -> list[list[Span]]:
    """Which characters of each rendered conversation the assistant says.

    Raises:
        ProcessorError: The template does not mark them.
    """
    if not re.search(r"\{%-?\s*generation\s*-?%\}", chat_template):
        raise ProcessorError(
            "The chat template does not mark what the assistant says: put it between "
            "{% generation %} and {% endgeneration %}."
        )
    _, spans = render_jinja_template(
        conversations, chat_template=chat_template, return_assistant_tokens_mask=True, **variables
    )
    return spans


def moved_spans(
    spans: Sequence[Span], text: str, placeholder: str, fillers: Sequence[str]
) -> list[Span]:
    """Where stretches of a text are once its placeholders are filled.

    Example:
        >>> moved_spans([(0, 1), (3, 4), (1, 4)], "a<>b", "<>", ["123"])
        [(0, 1), (4, 5), (1, 5)]
    """
    parts = text.split(placeholder)
    ends = list(accumulate(len(part) + len(placeholder) for part in parts[:-1]))
    gains = [0, *accumulate(len(filler) - len(placeholder) for filler in fillers)]
    moved = [[at + gains[bisect.bisect_right(ends, at)] for at in span] for span in spans]
    return [(first, end) for first, end in moved]
