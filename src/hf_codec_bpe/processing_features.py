"""Texts that hold audio, tokenized: cut at whole frames, padded, labelled.

Axis letters: L = tokens.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from threading import Lock
from typing import Any, Literal, TypeAlias

import numpy as np
from transformers import BatchFeature
from transformers.data.data_collator import pad_without_fast_tokenizer_warning

from .codec_vocabulary import CodecVocabulary
from .errors import ProcessorError

__all__ = ["IGNORED", "Labels", "tokenized"]

Labels: TypeAlias = bool | Literal["audio", "assistant"]
Sequences: TypeAlias = dict[str, list[list[Any]]]

IGNORED = -100
"""The label of a token that a loss leaves out, as everywhere in Transformers."""

_PADDING = ("padding", "pad_to_multiple_of", "padding_side")
_ASSISTANT = "assistant_masks"
_TOKENIZING = Lock()
"""Truncation is a state of a tokenizer's backend, so that threads would cut each other's texts."""
if hasattr(os, "register_at_fork"):  # no child inherits a lock that nobody is left to release
    os.register_at_fork(
        before=_TOKENIZING.acquire,
        after_in_parent=_TOKENIZING.release,
        after_in_child=_TOKENIZING.release,
    )


def tokenized(
    vocabulary: CodecVocabulary,
    texts: Sequence[str],
    options: Mapping[str, Any],
    *,
    whole_frames: bool = True,
    labels: Labels = False,
    label_ids: Collection[int] = (),
    assistant_spans: Sequence[Sequence[tuple[int, int]]] | None = None,
) -> BatchFeature:
    """Tokenizes texts in which code characters stand for audio.

    Args:
        vocabulary: The codec's, with the tokenizer.
        texts: The texts.
        options: What the tokenizer is called with.
        whole_frames: Truncate at the end of a frame only.
        labels: Which tokens become `labels`: see `CodecBPEProcessor`.
        label_ids: Tokens that count as audio for `labels="audio"`: those around it.
        assistant_spans: What the assistant said in each text, as stretches of characters; gives
            `assistant_masks`.

    Raises:
        ProcessorError: Overflowing tokens, or labels of an assistant whom nobody marked.
    """
    _check(options, labels, assistant_spans)
    with _TOKENIZING:
        features = _sequences(vocabulary, texts, options, whole_frames, assistant_spans is not None)
    if assistant_spans is not None:
        offsets = features.pop("offset_mapping")
        features[_ASSISTANT] = [
            _said(each, spans) for each, spans in zip(offsets, assistant_spans, strict=True)
        ]
    features = _padded(vocabulary.tokenizer, features, options)
    if labels:
        features["labels"] = _labels(vocabulary, features, labels, label_ids)
    if options.get("return_attention_mask") is False:
        del features["attention_mask"]
    return BatchFeature(features, tensor_type=options.get("return_tensors"))


def _sequences(
    vocabulary: CodecVocabulary,
    texts: Sequence[str],
    options: Mapping[str, Any],
    whole_frames: bool,
    offsets: bool,
) -> Sequences:
    """Tokenizes without padding; truncates where a frame ends."""
    plain = {key: value for key, value in options.items() if key not in _PADDING}
    plain |= {"return_tensors": None, "return_attention_mask": True}
    plain |= {"return_offsets_mapping": True} if offsets else {}
    if not options.get("truncation"):
        plain.pop("max_length", None)  # means the length to pad to
    features = dict(vocabulary.tokenizer(list(texts), **plain))
    if options.get("truncation") and whole_frames:
        side = vocabulary.tokenizer.truncation_side
        for row, ids in enumerate(features["input_ids"]):
            hanging = _hanging(vocabulary, ids, side)
            if hanging == len(ids):
                raise ProcessorError(
                    f"Truncation to {len(ids)} tokens leaves no whole frame of a clip: allow more, "
                    "or pass whole_frames=False."
                )
            if hanging:
                shorter = {**plain, "max_length": len(ids) - hanging}
                again = vocabulary.tokenizer([texts[row]], **shorter)
                for key in features:
                    features[key][row] = again[key][0]
    return features


def _hanging(vocabulary: CodecVocabulary, ids: Sequence[int], side: str) -> int:
    """How many tokens of a clip hang over where a sequence was cut: since its last whole frame."""
    inward = np.array(ids[::-1] if side == "right" else ids)
    audio = vocabulary.is_audio(inward)
    if not audio.any():
        return 0
    first = int(audio.argmax())  # after special tokens that were added after the cut
    end = first + int((~np.append(audio[first:], False)).argmax())
    run = vocabulary.num_codes[inward[first:end]]
    whole = (run.sum() - np.cumsum(run)) % vocabulary.alphabet.num_codebooks == 0
    return 0 if run.sum() % vocabulary.alphabet.num_codebooks == 0 else int(whole.argmax()) + 1


def _padded(tokenizer: Any, features: Sequences, options: Mapping[str, Any]) -> Sequences:
    if not options.get("padding"):
        return features
    own = (_ASSISTANT, "offset_mapping")
    rest = {key: value for key, value in features.items() if key not in own}
    how = {key: options[key] for key in _PADDING if key in options}
    if options["padding"] == "max_length":
        how["max_length"] = options.get("max_length")
    padded = dict(pad_without_fast_tokenizer_warning(tokenizer, rest, **how))
    left = (options.get("padding_side") or tokenizer.padding_side) == "left"
    for key, empty in zip(own, (0, (0, 0)), strict=True):
        if key in features:
            length = len(padded["input_ids"][0]) if padded["input_ids"] else 0
            padded[key] = [_filled_up(each, length, empty, left) for each in features[key]]
    return padded


def _filled_up(values: list[Any], length: int, empty: Any, left: bool) -> list[Any]:
    fill = [empty] * (length - len(values))
    return [*fill, *values] if left else [*values, *fill]


def _said(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[int]:
    """Which tokens are inside the spans; those that stand for no text are not."""
    firsts, ends = np.array(offsets, dtype=np.int64).reshape(-1, 2).T
    mask = np.zeros(len(firsts), dtype=np.int64)
    for first, end in spans:
        mask |= (firsts < end) & (ends > first)
    result: list[int] = mask.tolist()
    return result


def _labels(
    vocabulary: CodecVocabulary, features: Sequences, labels: Labels, label_ids: Collection[int]
) -> list[list[int]]:
    result = []
    for row, ids in enumerate(features["input_ids"]):
        wanted = np.array(features["attention_mask"][row], dtype=bool)
        if labels == "audio":
            wanted &= vocabulary.is_audio(ids) | np.isin(ids, list(label_ids))
        if labels == "assistant":
            wanted &= np.array(features[_ASSISTANT][row], dtype=bool)
        result.append(np.where(wanted, ids, IGNORED).tolist())
    return result


def _check(options: Mapping[str, Any], labels: Any, assistant_spans: Any) -> None:
    if options.get("return_overflowing_tokens"):
        raise ProcessorError(
            "return_overflowing_tokens would cut clips inside frames: cut long audio before, or "
            "cut its codes into windows with pack_codes."
        )
    if labels not in (False, True, "audio", "assistant"):
        raise ProcessorError(
            f"output_labels={labels!r} is not known: pass True for all tokens, 'audio', or "
            "'assistant' in apply_chat_template."
        )
    if labels == "assistant" and assistant_spans is None:
        raise ProcessorError(
            "output_labels='assistant' needs a conversation: pass it to apply_chat_template, with "
            "a template that marks the assistant's turns with {% generation %}."
        )
