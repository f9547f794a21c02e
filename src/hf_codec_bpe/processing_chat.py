"""Conversations with audio in them: what their templates are given, and what they hold."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from .errors import ProcessorError

__all__ = ["Span", "as_templates_read", "assistant_spans", "audio_clips", "moved_spans"]

Span = tuple[int, int]
"""The first character of a stretch of text, and the one behind it."""


def as_templates_read(conversation: Any, chat_template: str, audio_token: str) -> Any:
    """A conversation as a template expects it: with parts, or with `audio_token` in plain text.

    The templates of language models write a message's content as it is, so they need text; those
    made for audio write `audio_token` for a part `{"type": "audio"}`.
    """
    if _reads_parts(chat_template, audio_token):
        return conversation
    return _flattened(conversation, audio_token)


@lru_cache(maxsize=32)
def _reads_parts(chat_template: str, audio_token: str) -> bool:
    probe = [{"role": "user", "content": [{"type": "audio"}]}]
    try:
        (rendered,), _ = render_jinja_template([probe], chat_template=chat_template)
    except (TemplateError, TypeError):
        return False
    return audio_token in rendered


def _flattened(conversation: Any, audio_token: str) -> Any:
    if isinstance(conversation, Mapping):
        content = conversation.get("content")
        if isinstance(content, (list, tuple)):
            text = "".join(_as_text(part, audio_token) for part in content)
            return {**conversation, "content": text}
        return conversation
    return [_flattened(part, audio_token) for part in conversation]


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
    if "sampling_rate" in part:
        return {"array": found[0], "sampling_rate": part["sampling_rate"]}
    return found[0]


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
