"""Adding a codec to the JSON of a base's backend, whichever kind of BPE it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..errors import TokenizerError
from .alphabets import check_free
from .byte_level import building_merges, spelled, unspelled
from .codec_part import CodecPart
from .sentencepiece import without_dummy_space

__all__ = ["add_codec", "add_special_tokens", "check_base", "own_added_tokens"]

_REASONS = {
    "Unigram": "It picks the likeliest segmentation, and no scores make it apply merges.",
    "WordPiece": "It takes the longest match, and merges mostly end up with other tokens.",
    "WordLevel": "It knows whole words alone.",
}


def check_base(backend: dict[str, Any]) -> None:
    """Raises unless merges can be added to a base without changing what it does to text.

    Raises:
        TokenizerError: Not BPE, or BPE that marks the beginnings or ends of words or has dropout.
    """
    model = backend["model"]
    if model["type"] != "BPE":
        raise TokenizerError(
            f"The base tokenizer is {model['type']}, and a codec's merges can be added to BPE "
            f"alone. {_REASONS.get(model['type'], '')} Choose a base with BPE (GPT-2, Llama, "
            "Mistral, Qwen, Gemma...), or keep the codec tokenizer apart and give its ids an "
            "offset of the base's vocabulary size in your model."
        )
    marks = [k for k in ("continuing_subword_prefix", "end_of_word_suffix") if model.get(k)]
    if marks:
        raise TokenizerError(
            f"The base tokenizer marks words with {marks[0]}={model[marks[0]]!r}, which it would "
            "put into audio too: choose a byte-level base, or one of the SentencePiece style."
        )
    if model.get("dropout"):
        raise TokenizerError(
            f"The base tokenizer skips merges at random (dropout={model['dropout']}), so neither "
            "text nor audio would have ids of its own: set its "
            "backend_tokenizer.model.dropout = None first."
        )


def _is_byte_level(backend: dict[str, Any]) -> bool:
    """Whether a base spells bytes as characters."""
    pre_tokenizer = backend["pre_tokenizer"] or {"type": None}
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    return any(step["type"] == "ByteLevel" for step in steps)


def own_added_tokens(backend: dict[str, Any]) -> None:
    """Writes a base's added tokens into the model's vocabulary, in place, at the ids they have.

    Ids of added tokens count from the end of the vocabulary when files are loaded, so they would
    move when it grows. Holes are filled, because the next token that is added gets the number of
    tokens as its id, which might be taken.
    """
    vocabulary = backend["model"]["vocab"]
    for token in backend["added_tokens"]:
        vocabulary.setdefault(token["content"], token["id"])
    used = set(vocabulary.values())
    for token_id in set(range(max(used, default=-1) + 1)) - used:
        vocabulary[f"<|unused_{token_id}|>"] = token_id


def add_special_tokens(backend: dict[str, Any], tokens: Sequence[str]) -> None:
    """Adds special tokens, in place, unless the base has them already.

    Raises:
        TokenizerError: One that is an ordinary piece of text in the base.
    """
    vocabulary = backend["model"]["vocab"]
    there = {token["content"] for token in backend["added_tokens"]}
    for token in tokens:
        if token in there:
            continue
        if token in vocabulary:
            raise TokenizerError(
                f"{token!r} is an ordinary piece of text in the base (id {vocabulary[token]}), "
                "and text would change if it became a special token: choose another name."
            )
        _add(vocabulary, [token])
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        entry = {"id": vocabulary[token], "content": token, **flags, "special": True}
        backend["added_tokens"].append(entry)


def add_codec(backend: dict[str, Any], part: CodecPart) -> dict[str, int]:
    """Adds a codec's tokens and merges, in place.

    Returns:
        The id of each of the codec's tokens.

    Raises:
        TokenizerError: A base that owns characters of the codec.
    """
    byte_level = _is_byte_level(backend)
    model = backend["model"]
    spell: Callable[[str], str] = spelled if byte_level else str
    check_free(part.alphabet, [unspelled(t) if byte_level else t for t in model["vocab"]])
    building = building_merges(part.alphabet) if byte_level else []
    first = set(building)
    model["merges"] = [
        *building,
        *(merge for merge in model["merges"] if tuple(merge) not in first),
        *((spell(left), spell(right)) for left, right in part.merges),
    ]
    _add(model["vocab"], (left + right for left, right in building))
    _add(model["vocab"], map(spell, part.tokens))
    if backend["pre_tokenizer"] is not None:
        _isolate(backend, part.alphabet.character_class)
    if not byte_level:
        without_dummy_space(backend, part.alphabet.character_class)
    return {token: model["vocab"][spell(token)] for token in part.tokens}


def _add(vocabulary: dict[str, int], tokens: Iterable[str]) -> None:
    """Gives the next ids to those tokens that have none."""
    next_id = len(vocabulary)  # there are no holes
    for token in tokens:
        if token not in vocabulary:
            vocabulary[token] = next_id
            next_id += 1


def _isolate(backend: dict[str, Any], character_class: str) -> None:
    """Makes a run of audio a word of its own, in place, before the base cuts text into words."""
    pre_tokenizer = backend["pre_tokenizer"]
    sequence = pre_tokenizer["type"] == "Sequence"
    split = {
        "type": "Split",
        "pattern": {"Regex": f"[{character_class}]+"},
        "behavior": "Isolated",
        "invert": False,
    }
    steps = pre_tokenizer["pretokenizers"] if sequence else [pre_tokenizer]
    backend["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, *steps]}
