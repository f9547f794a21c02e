"""Base tokenizers: real vocabularies (GPT-2, Mistral), and trained ones of every kind."""

from __future__ import annotations

import gzip
import json
import struct
from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import mistral_common
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import GPT2Tokenizer, LlamaTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode, generate_merges
from transformers.integrations.mistral.tokenizer import MistralConverter

from . import corpus

GOLDEN = Path(__file__).parent / "golden"
DATA = Path(mistral_common.__file__).parent / "data"
CHAT_TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN = LLAMA_3.replace("{1,3}", "")
LETTERS_ONLY = (
    r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Like DeepSeek's: it matches no private-use character, save as the start of a word."""


@cache
def _tekken() -> Tokenizer:
    return MistralConverter(str(DATA / "tekken_240911.json")).converted()


def tekken() -> PreTrainedTokenizerFast:
    """Real: byte-level, 131,072 tokens, special ones first, ignore_merges."""
    return PreTrainedTokenizerFast(
        tokenizer_object=_tekken(),  # of which it takes a copy
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=1024,
    )


@cache
def _gpt2() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of GPT-2, from the ranks of its tokens."""
    lines = gzip.decompress((GOLDEN / "gpt2.tiktoken.gz").read_bytes()).splitlines()
    ranks = {b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
    letters = bytes_to_unicode()

    def spelled(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    def last_merge(token: bytes) -> tuple[str, ...]:
        parts = [bytes([byte]) for byte in token]
        while len(parts) > 2:
            pairs = [ranks.get(a + b, len(ranks)) for a, b in pairwise(parts)]
            at = pairs.index(min(pairs))
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return tuple(map(spelled, parts))

    merges = [last_merge(token) for token in sorted(ranks, key=ranks.get) if len(token) > 1]
    return {spelled(token): rank for token, rank in ranks.items()}, merges


def gpt2() -> PreTrainedTokenizerFast:
    """Real: byte-level, 50,257 tokens, of GPT-2's own class."""
    vocab, merges = _gpt2()
    return GPT2Tokenizer(vocab=dict(vocab), merges=list(merges))


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: `(number, value)`."""

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    at = 0
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        length = {1: 8, 5: 4}.get(key & 7) or varint()
        yield key >> 3, data[at : at + length]
        at += length


@cache
def _mistral_v1() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of Mistral's first tokenizer: SentencePiece with byte fallback."""
    vocab: dict[str, int] = {}
    scores: dict[str, float] = {}
    for number, value in _fields((DATA / "tokenizer.model.v1").read_bytes()):
        if number == 1:
            piece = dict(_fields(value))
            scores[piece[1].decode()] = struct.unpack("<f", piece[2])[0]
            vocab[piece[1].decode()] = len(vocab)
    return vocab, generate_merges(vocab, scores)


def _sentencepiece(**parts: Any) -> Tokenizer:
    vocab, merges = _mistral_v1()
    backend = Tokenizer(
        models.BPE(vocab=vocab, merges=merges, fuse_unk=True, byte_fallback=True, unk_token="<unk>")
    )
    for name, part in parts.items():
        setattr(backend, name, part)
    backend.add_special_tokens([AddedToken(t, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return backend


def _decoder(*last: Any) -> Any:
    return decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *last]
    )


def mistral_prepend() -> PreTrainedTokenizerFast:
    """Real, as older conversions have it: a normalizer makes the dummy space."""
    backend = _sentencepiece(
        normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        decoder=_decoder(decoders.Strip(" ", 1, 0)),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def mistral_metaspace() -> PreTrainedTokenizerFast:
    """Real, as Transformers 5 converts it: a Metaspace pre-tokenizer makes the dummy space."""
    vocab, merges = _mistral_v1()
    return LlamaTokenizer(vocab=dict(vocab), merges=list(merges), add_bos_token=True)


def mistral_gemma() -> PreTrainedTokenizerFast:
    """Real, wired as Gemma's: no dummy space, words split behind a space."""
    backend = _sentencepiece(
        normalizer=normalizers.Replace(" ", "▁"),
        pre_tokenizer=pre_tokenizers.Split(" ", "merged_with_previous"),
        decoder=_decoder(),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<unk>"
    )


def mistral_split_words() -> PreTrainedTokenizerFast:
    """Real, with a Metaspace that cuts words apart."""
    backend = _sentencepiece(
        pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first", split=True),
        decoder=_decoder(decoders.Strip(" ", 1, 0)),
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


@cache
def _trained(pattern: str | None, nfc: bool) -> str:
    """The JSON of a byte-level backend trained on the corpus."""
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC() if nfc else None
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    backend.pre_tokenizer = byte_level
    if pattern is not None:
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        backend.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(corpus.TEXTS * 2, trainer)
    return backend.to_str()


def _byte_level(pattern: str | None, nfc: bool, **model: Any) -> Tokenizer:
    state = json.loads(_trained(pattern, nfc))
    state["model"].update(model)
    return Tokenizer.from_str(json.dumps(state))


def gpt2_like() -> PreTrainedTokenizerFast:
    """Trained, wired as GPT-2's."""
    backend = _byte_level(None, nfc=False)
    backend.add_special_tokens(["<|endoftext|>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )


def llama3_like() -> PreTrainedTokenizerFast:
    """Trained, wired as Llama 3's: ignore_merges, a begin token, many reserved ones."""
    backend = _byte_level(LLAMA_3, nfc=False, ignore_merges=True)
    names = ["<|begin_of_text|>", "<|end_of_text|>", *(f"<|reserved_{i}|>" for i in range(9))]
    backend.add_special_tokens(names)
    begin = backend.token_to_id(names[0])
    backend.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{names[0]} $A",
                pair=f"{names[0]} $A {names[0]} $B",
                special_tokens=[(names[0], begin)],
            ),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=names[0],
        eos_token=names[1],
        model_max_length=4096,
        chat_template=CHAT_TEMPLATE,
    )


def qwen_like() -> PreTrainedTokenizerFast:
    """Trained, of Qwen 2's own class: NFC, added tokens that are not special, a padding side."""
    state = json.loads(_trained(QWEN, True))["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=state["vocab"],
        merges=[tuple(merge) for merge in state["merges"]],
        chat_template=CHAT_TEMPLATE,
        model_max_length=2048,
        padding_side="left",
    )
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False), "</tool_call>"])
    return tokenizer


def letters_only() -> PreTrainedTokenizerFast:
    """Trained, with a pattern that would tear audio from its last code."""
    return PreTrainedTokenizerFast(tokenizer_object=_byte_level(LETTERS_ONLY, nfc=False))


BYTE_LEVEL: list[Callable[[], PreTrainedTokenizerFast]] = [
    tekken,
    gpt2,
    gpt2_like,
    llama3_like,
    qwen_like,
    letters_only,
]
SENTENCEPIECE: list[Callable[[], PreTrainedTokenizerFast]] = [
    mistral_prepend,
    mistral_metaspace,
    mistral_gemma,
    mistral_split_words,
]
ALL = [*BYTE_LEVEL, *SENTENCEPIECE]
