"""The processor over a language model's tokenizer that knows a codec: text and audio together."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets.fingerprint import Hasher
from tokenizers import Tokenizer
from transformers import AutoProcessor, AutoTokenizer, PreTrainedTokenizerFast

from hf_codec_bpe import (
    AudioCodec,
    CodecBPEProcessor,
    CodecBPETokenizer,
    CodecVocabulary,
    extend_tokenizer,
    train_tokenizer,
)
from hf_codec_bpe.codecs import MimiCodec
from hf_codec_bpe.errors import (
    AlphabetError,
    CodecMismatchError,
    ProcessorError,
    TokenizerError,
)

from . import bases, tiny

Base = Callable[[], PreTrainedTokenizerFast]
RATE = 24_000
BASES = [bases.tekken, bases.llama3_like, bases.qwen_like, bases.mistral_metaspace]
PARTS_TEMPLATE = (
    "{% for message in messages %}[{{ message['role'] }}]{% for part in message['content'] %}"
    "{{ '<|audio|>' if part['type'] == 'audio' else part['text'] }}"
    "{% endfor %}{% endfor %}"
)
TEXT_TEMPLATE = "{% for message in messages %}[{{ message.role }}]{{ message.content }}{% endfor %}"
MARKED_TEMPLATE = (
    "{% for message in messages %}[{{ message.role }}]{% if message.role == 'assistant' %}"
    "{% generation %}{{ message.content }}{% endgeneration %}{% else %}{{ message.content }}"
    "{% endif %}{% endfor %}"
)


@pytest.fixture(scope="module")
def codec_tokenizer(processor: CodecBPEProcessor) -> CodecBPETokenizer:
    return processor.tokenizer


@pytest.fixture(scope="module")
def make(codec: AudioCodec, codec_tokenizer: CodecBPETokenizer) -> Callable[..., CodecBPEProcessor]:
    """Processors over extended bases, each extended once."""

    @cache
    def extended(base: Base) -> PreTrainedTokenizerFast:
        tokenizer = extend_tokenizer(base(), codec_tokenizer)
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        return tokenizer

    def made(base: Base = bases.llama3_like, **options: Any) -> CodecBPEProcessor:
        return CodecBPEProcessor.from_codec(codec, extended(base), **options)

    return made


@pytest.fixture
def llama(make: Callable[..., CodecBPEProcessor]) -> CodecBPEProcessor:
    return make()


def text_route(processor: CodecBPEProcessor, text: str, *clips: np.ndarray) -> list[int]:
    """Ids of a text with the characters of clips in it, by the tokenizer alone."""
    alphabet = processor.vocabulary.alphabet
    for codes in processor.codec.encode(clips):
        filler = f"<|audio_start|>{alphabet.to_text(codes)}<|audio_end|>"
        text = text.replace("<|audio|>", filler, 1)
    return processor.tokenizer(text)["input_ids"]


# In.


@pytest.mark.parametrize("base", BASES)
def test_audio_gets_the_codec_tokenizers_segmentation_within_text(
    make: Callable[..., CodecBPEProcessor],
    codec_tokenizer: CodecBPETokenizer,
    clips: list[np.ndarray],
    base: Base,
) -> None:
    processor = make(base)
    text = "Repeat: <|audio|>\n\nand then<|audio|>, mañana 你好"
    (ids,) = processor(text=text, audio=clips[:2], sampling_rate=RATE)["input_ids"]
    assert ids == text_route(processor, text, *clips[:2])
    vocabulary = processor.vocabulary
    audio = [i for i, is_audio in zip(ids, vocabulary.is_audio(ids), strict=True) if is_audio]
    expected = [
        codec_tokenizer.convert_ids_to_tokens(i)
        for codes in processor.codec.encode(clips[:2])
        for i in codec_tokenizer.codes_to_ids(codes)
    ]
    table = str.maketrans(vocabulary.alphabet.characters, codec_tokenizer.alphabet.characters)
    assert [vocabulary.texts[i].translate(table) for i in audio] == expected


@pytest.mark.parametrize("base", BASES)
def test_ids_from_codes_equal_the_text_route(
    make: Callable[..., CodecBPEProcessor], clips: list[np.ndarray], base: Base
) -> None:
    processor = make(base)
    vocabulary = processor.vocabulary
    for codes in processor.codec.encode(clips):
        ids = vocabulary.codes_to_ids(codes)
        text = vocabulary.alphabet.to_text(codes)
        assert ids == processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert np.array_equal(vocabulary.ids_to_codes(ids), codes)


def test_start_and_end_tokens_are_the_tokenizers(
    llama: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    (ids,) = llama(audio=clips[0], sampling_rate=RATE, add_special_tokens=False)["input_ids"]
    assert ids[0] == llama.tokenizer.audio_start_token_id
    assert ids[-1] == llama.tokenizer.audio_end_token_id
    assert llama.vocabulary.is_audio(ids[1:-1]).all()


@pytest.mark.parametrize("side", ["left", "right"])
def test_padded_batches_and_labels(
    llama: CodecBPEProcessor, clips: list[np.ndarray], side: str
) -> None:
    texts = ["<|audio|>", "What is said? <|audio|> Nothing, and nothing more."]
    call = {"sampling_rate": RATE, "output_labels": True, "padding_side": side}
    batch = llama(text=texts, audio=clips[:2], padding=True, return_tensors="pt", **call)
    lists = llama(text=texts, audio=clips[:2], **call)
    assert batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape
    for row, ids in enumerate(lists["input_ids"]):
        mask = batch["attention_mask"][row].bool()
        assert bool(mask[0]) == (side == "right" or len(ids) == len(mask))
        assert batch["input_ids"][row][mask].tolist() == ids == lists["labels"][row]
        assert batch["labels"][row][mask].tolist() == ids
        assert (batch["labels"][row][~mask] == -100).all()


def test_labels_of_audio_alone(llama: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    batch = llama(
        text="Say it: <|audio|> Done.", audio=clips[1], sampling_rate=RATE, output_labels="audio"
    )
    (ids,), (labels,) = batch["input_ids"], batch["labels"]
    kept = [label for label in labels if label != -100]
    assert (
        kept == llama(audio=clips[1], sampling_rate=RATE, add_special_tokens=False)["input_ids"][0]
    )
    assert all(label in (-100, i) for label, i in zip(labels, ids, strict=True))
    with pytest.raises(ProcessorError, match="output_labels='sound'"):
        llama(audio=clips[1], sampling_rate=RATE, output_labels="sound")
    with pytest.raises(ProcessorError, match="apply_chat_template"):
        llama(audio=clips[1], sampling_rate=RATE, output_labels="assistant")


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_truncation_leaves_whole_frames(
    make: Callable[..., CodecBPEProcessor], clips: list[np.ndarray], base: Base, side: str
) -> None:
    processor = make(base)
    processor.tokenizer.truncation_side = side
    vocabulary, longest = processor.vocabulary, 0
    call = {"text": "Say <|audio|> now", "audio": clips[1], "sampling_rate": RATE}
    (full,) = processor(**call, add_special_tokens=False)["input_ids"]
    cut_inside = 0
    for limit in range(1, len(full) + 2):
        how = {"truncation": True, "max_length": limit, "add_special_tokens": False}
        (ids,) = processor(**call, **how)["input_ids"]
        assert ids == (full[len(full) - len(ids) :] if side == "left" else full[: len(ids)])
        assert vocabulary.num_codes[ids].sum() % vocabulary.alphabet.num_codebooks == 0
        assert longest <= len(ids) <= limit
        longest = len(ids)
        (cut,) = processor(**call, **how, whole_frames=False)["input_ids"]
        assert len(cut) == min(limit, len(full))
        cut_inside += len(cut) > len(ids)
    processor.tokenizer.truncation_side = "right"
    assert ids == full
    assert cut_inside > 0


def test_truncation_keeps_the_tokens_around(
    llama: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    batch = llama(
        audio=clips, sampling_rate=RATE, truncation=True, max_length=20, padding="max_length"
    )
    for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
        assert len(ids) == len(mask) == 20
        assert ids[mask.index(1)] == llama.tokenizer.bos_token_id
    with pytest.raises(ProcessorError, match="return_overflowing_tokens"):
        llama(audio=clips, sampling_rate=RATE, truncation=True, return_overflowing_tokens=True)


def test_truncation_to_less_than_a_frame(codec: AudioCodec, clips: list[np.ndarray]) -> None:
    sizes = codec.codebook_sizes
    flat = train_tokenizer([], codebook_sizes=sizes, vocab_size=65, max_token_codebook_ngrams=0)
    processor = CodecBPEProcessor.from_codec(codec, flat)
    call = {"audio": clips[1], "sampling_rate": RATE, "truncation": True}
    with pytest.raises(ProcessorError, match="no whole frame"):
        processor(**call, max_length=len(sizes) - 1)
    (ids,) = processor(**call, max_length=len(sizes))["input_ids"]
    assert len(ids) == len(sizes)


def test_one_text_for_each_sequence(llama: CodecBPEProcessor) -> None:
    for option in ({"text_pair": ["b"]}, {"is_split_into_words": True}):
        with pytest.raises(ProcessorError, match="not an option"):
            llama(text=["a"], **option)


def test_clips_for_each_text(llama: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    text = ["<|audio|> and <|audio|>", "<|audio|>"]
    nested = llama(text=text, audio=[clips[:2], clips[2:]], sampling_rate=RATE)
    assert nested["input_ids"] == llama(text=text, audio=clips, sampling_rate=RATE)["input_ids"]


def test_texts_without_audio_keep_their_ids(llama: CodecBPEProcessor) -> None:
    texts = ["Hello there", "", "  spaces\n", "你好"]
    base = bases.llama3_like()
    assert llama(text=texts)["input_ids"] == base(texts)["input_ids"]


# Out.


@pytest.mark.parametrize("base", BASES)
def test_text_and_audio_come_back_in_order(
    make: Callable[..., CodecBPEProcessor], clips: list[np.ndarray], base: Base
) -> None:
    processor = make(base)
    text = "First: <|audio|> and then <|audio|><|audio|> the end."
    batch = processor(text=text, audio=clips, sampling_rate=RATE)
    (parts,) = processor.decode_parts(batch["input_ids"])
    kinds = ["text", "audio", "text", "audio", "audio", "text"]
    assert [part["type"] for part in parts] == kinds
    assert [part["text"] for part in parts if part["type"] == "text"] == [
        "First: ",
        " and then ",
        " the end.",
    ]
    sounds = [part for part in parts if part["type"] == "audio"]
    expected = processor.codec.decode(processor.codec.encode(clips))
    for part, samples in zip(sounds, expected, strict=True):
        assert np.array_equal(part["audio"], samples)
        assert part["sampling_rate"] == processor.codec.output_sampling_rate
    (mixed,) = processor.decode_audio(torch.tensor(batch["input_ids"]))
    assert [part["type"] for part in mixed] == kinds
    (again,) = processor.post_process_multimodal_output(batch["input_ids"], generation_mode="audio")
    assert [part["type"] for part in again] == kinds


def test_lone_clips_come_back_as_samples(llama: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    ids = llama(audio=clips, sampling_rate=RATE)["input_ids"]
    waveforms = llama.decode_audio(ids)
    expected = llama.codec.decode(llama.codec.encode(clips))
    assert all(np.array_equal(a, b) for a, b in zip(waveforms, expected, strict=True))
    (nothing,) = llama.decode_audio([llama.tokenizer.bos_token_id])
    assert nothing.shape == (0,)


def test_parts_are_a_messages_content(llama: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    ids = llama(text="It says <|audio|>.", audio=clips[0], sampling_rate=RATE)["input_ids"]
    (parts,) = llama.decode_parts(ids)
    chat = [{"role": "assistant", "content": parts}]
    rendered = llama.apply_chat_template(chat, PARTS_TEMPLATE)
    assert rendered == "[assistant]It says <|audio|>."
    (audio,) = (part["audio"] for part in parts if part["type"] == "audio")
    found = llama.apply_chat_template(chat, PARTS_TEMPLATE, tokenize=True)
    expected = llama(text=rendered, audio=audio, sampling_rate=RATE, add_special_tokens=False)
    assert found == expected["input_ids"]


@pytest.mark.parametrize("base", BASES)
def test_broken_frames_are_an_error_or_dropped(
    make: Callable[..., CodecBPEProcessor], clips: list[np.ndarray], base: Base
) -> None:
    processor = make(base)
    codes = processor.codec.encode(clips[:1])[0][:, :9]
    ids = [
        i
        for frame in codes.T
        for i in (processor.vocabulary.codes_to_ids(codes[:, :1])[:0] or _single(processor, frame))
    ]
    broken = [processor.tokenizer.audio_start_token_id, *ids[:-1]]
    with pytest.raises(AlphabetError, match="inside a frame"):
        processor.decode_audio(broken)
    (samples,) = processor.decode_audio(broken, errors="drop")
    (expected,) = processor.codec.decode([codes[:, :-1]])
    assert np.array_equal(samples, expected)


def _single(processor: CodecBPEProcessor, frame: np.ndarray) -> list[int]:
    """The ids of a frame, each of one code."""
    text = processor.vocabulary.alphabet.to_text(frame[:, None])
    id_of = {text: i for i, text in processor.vocabulary.texts.items()}
    return [id_of[char] for char in text]


def test_pieces_of_code_characters(llama: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    (ids,) = llama(audio=clips[0], sampling_rate=RATE)["input_ids"]
    piece = min(llama.vocabulary.pieces)
    with pytest.raises(TokenizerError, match=f"Token {piece} is a piece"):
        llama.decode_audio([*ids, piece])
    (samples,) = llama.decode_audio([*ids, piece], errors="drop")
    assert np.array_equal(samples, llama.decode_audio(ids)[0])
    with pytest.raises(TokenizerError, match="outside the vocabulary"):
        llama.decode_audio([*ids, len(llama.tokenizer)])


# Conversations.


def conversation(clips: list[np.ndarray]) -> list[dict[str, Any]]:
    sound = {"type": "audio", "sampling_rate": RATE}
    return [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Repeat: "}, {**sound, "audio": clips[0]}],
        },
        {"role": "assistant", "content": [{**sound, "audio": clips[1]}]},
        {"role": "user", "content": [{"type": "text", "text": "Thanks."}]},
        {"role": "assistant", "content": "You are welcome."},
    ]


def test_a_text_models_own_template_shows_audio(
    make: Callable[..., CodecBPEProcessor], clips: list[np.ndarray]
) -> None:
    processor = make(bases.llama3_like)
    chat = conversation(clips)
    rendered = processor.apply_chat_template(chat)
    assert rendered == (
        "<|system|>Be brief.\n<|user|>Repeat: <|audio|>\n<|assistant|><|audio|>\n<|user|>Thanks.\n"
        "<|assistant|>You are welcome.\n"
    )
    found = processor.apply_chat_template(chat, tokenize=True, return_dict=True)
    expected = processor(
        text=rendered, audio=clips[:2], sampling_rate=RATE, add_special_tokens=False
    )
    assert dict(found) == dict(expected)
    assert processor.apply_chat_template([chat, chat], tokenize=True) == [
        *expected["input_ids"],
        *expected["input_ids"],
    ]


def test_templates_for_parts_and_for_text_agree(
    llama: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    chat = [message for message in conversation(clips) if not isinstance(message["content"], str)]
    assert llama.apply_chat_template(chat, PARTS_TEMPLATE) == llama.apply_chat_template(
        chat, TEXT_TEMPLATE
    )


QWEN_AUDIO = (
    "{% for m in messages %}{% for c in m['content'] %}"
    "{% if 'audio' in c %}Audio {{ loop.index }}: <|audio|>\n"
    "{% elif 'text' in c %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}"
)
SYSTEM_FIRST = (
    "{% if messages[0].role != 'system' %}{{ raise_exception('system first') }}{% endif %}"
    + PARTS_TEMPLATE
)


def test_templates_show_parts_in_their_own_words(
    llama: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    def part(text: str) -> dict[str, str]:
        return {"type": "text", "text": text}

    sound = {"type": "audio", "audio": clips[0], "sampling_rate": RATE}
    asked = [{"role": "user", "content": [sound, part("What?")]}]
    assert llama.apply_chat_template(asked, QWEN_AUDIO) == "Audio 1: <|audio|>\nWhat?"
    chat = [{"role": "system", "content": [part("Be brief.")]}, *asked]
    expected = "[system]Be brief.[user]<|audio|>What?"
    assert llama.apply_chat_template(chat, SYSTEM_FIRST) == expected
    silent = [chat[0], {"role": "user", "content": [part("Hi")]}]
    assert llama.apply_chat_template(silent, SYSTEM_FIRST) == "[system]Be brief.[user]Hi"
    assert llama.apply_chat_template(silent, TEXT_TEMPLATE) == "[system]Be brief.[user]Hi"


def test_the_tokenizers_named_templates(
    codec: AudioCodec, codec_tokenizer: CodecBPETokenizer
) -> None:
    tokenizer = extend_tokenizer(bases.gpt2_like(), codec_tokenizer)
    tokenizer.chat_template = {"default": TEXT_TEMPLATE, "tool_use": TEXT_TEMPLATE + "!"}
    processor = CodecBPEProcessor.from_codec(codec, tokenizer)
    chat = [{"role": "user", "content": "Hi"}]
    assert processor.apply_chat_template(chat) == "[user]Hi"
    assert processor.apply_chat_template(chat, "tool_use") == "[user]Hi!"
    tool = {"type": "function", "function": {"name": "f"}}
    assert processor.apply_chat_template(chat, tools=[tool]) == "[user]Hi!"


def test_the_final_message_goes_on(llama: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    sound = {"type": "audio", "audio": clips[0], "sampling_rate": RATE}
    chat = [{"role": "assistant", "content": [{"type": "text", "text": "Sure "}, sound]}]
    rendered = llama.apply_chat_template(chat, TEXT_TEMPLATE, continue_final_message=True)
    assert rendered == "[assistant]Sure <|audio|>"
    with pytest.raises(ProcessorError, match="ends with audio"):
        llama.apply_chat_template(chat, PARTS_TEMPLATE, continue_final_message=True)
    chat.append({"role": "assistant", "content": []})
    with pytest.raises(ProcessorError, match="ends with nothing"):
        llama.apply_chat_template(chat, PARTS_TEMPLATE, continue_final_message=True)


def test_the_assistants_tokens(llama: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    chat = conversation(clips)
    how = {"chat_template": MARKED_TEMPLATE, "tokenize": True, "return_dict": True}
    batch = llama.apply_chat_template(
        [chat, chat[:3]], **how, return_assistant_tokens_mask=True, output_labels="assistant"
    )
    audio = llama(audio=clips[1], sampling_rate=RATE, add_special_tokens=False)["input_ids"][0]
    text = llama.tokenizer("You are welcome.", add_special_tokens=False)["input_ids"]
    for row, expected in enumerate([[*audio, *text], audio]):
        ids, masks = batch["input_ids"][row], batch["assistant_masks"][row]
        assert [i for i, said in zip(ids, masks, strict=True) if said] == expected
        assert [label for label in batch["labels"][row] if label != -100] == expected
    padded = llama.apply_chat_template(
        [chat, chat[:3]],
        **how,
        return_assistant_tokens_mask=True,
        processor_kwargs={"padding": True, "return_tensors": "pt"},
    )
    assert padded["assistant_masks"].shape == padded["input_ids"].shape
    for row, ids in enumerate(batch["assistant_masks"]):
        kept = padded["assistant_masks"][row][padded["attention_mask"][row].bool()]
        assert kept.tolist() == ids
    with pytest.raises(ProcessorError, match="generation"):
        llama.apply_chat_template(
            chat, **{**how, "chat_template": TEXT_TEMPLATE}, output_labels="assistant"
        )


def test_control_tokens_are_never_left_in_by_an_option_that_takes_them_out(
    llama: CodecBPEProcessor,
) -> None:
    option = "sanitize_control_tokens"
    chat = [{"role": "user", "content": "x<|audio_start|>"}]
    for tokenize in (True, False):
        with pytest.raises(ProcessorError, match="tokenizer's own apply_chat_template"):
            llama.apply_chat_template(chat, TEXT_TEMPLATE, tokenize=tokenize, **{option: True})
    for grouped in ({option: True}, {"text_kwargs": {option: True}}):
        with pytest.raises(ProcessorError, match="take control tokens out of the text"):
            llama(text="x<|audio_start|>", **grouped)
    without = llama.apply_chat_template(chat, TEXT_TEMPLATE, tokenize=True)
    assert (
        llama.apply_chat_template(chat, TEXT_TEMPLATE, tokenize=True, **{option: False}) == without
    )


def test_automatic_tensors_are_lists(llama: CodecBPEProcessor) -> None:
    chat = [{"role": "user", "content": "Hi"}]
    without = llama.apply_chat_template(chat, TEXT_TEMPLATE, tokenize=True)
    automatic = llama.apply_chat_template(chat, TEXT_TEMPLATE, tokenize=True, return_tensors="auto")
    assert automatic == without


class Message:
    """A message as an OpenAI client returns it: a Pydantic model."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def model_dump(self) -> dict[str, Any]:
        return {**self.fields, "refusal": None}


def test_messages_may_be_pydantic_models(llama: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    chat = conversation(clips)
    expected = llama.apply_chat_template(chat, TEXT_TEMPLATE, tokenize=True)
    models = [Message(**message) for message in chat]
    assert llama.apply_chat_template(models, TEXT_TEMPLATE, tokenize=True) == expected


def test_a_message_of_no_parts_says_nothing(llama: CodecBPEProcessor) -> None:
    chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": []}]
    empty = [chat[0], {"role": "assistant", "content": ""}]
    found = llama.apply_chat_template(chat, TEXT_TEMPLATE)
    assert found == llama.apply_chat_template(empty, TEXT_TEMPLATE)


def test_bad_conversations(
    make: Callable[..., CodecBPEProcessor], llama: CodecBPEProcessor
) -> None:
    def chat(part: Any) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [part]}]

    with pytest.raises(ProcessorError, match="exactly one of"):
        llama.apply_chat_template(chat({"type": "audio"}), tokenize=True)
    with pytest.raises(ProcessorError, match="A part of a message"):
        llama.apply_chat_template(chat({"type": "image", "url": "cat.png"}))
    with pytest.raises(ProcessorError, match="placeholder"):
        llama.apply_chat_template(chat({"type": "text", "text": "<|audio|>"}), tokenize=True)
    for nothing in ([], "Hi", [{"role": "user", "content": {"type": "audio"}}]):
        with pytest.raises(ProcessorError, match="message"):
            llama.apply_chat_template(nothing)
    silent = make(bases.gpt2_like)
    with pytest.raises(ProcessorError, match="chat template"):
        silent.apply_chat_template(chat({"type": "text", "text": "Hi"}))


# The repository.


@pytest.mark.parametrize("base", BASES)
def test_saved_and_loaded(
    make: Callable[..., CodecBPEProcessor], clips: list[np.ndarray], tmp_path: Path, base: Base
) -> None:
    processor = make(base, chat_template=PARTS_TEMPLATE)
    text = "Repeat: <|audio|> 你好"
    expected = processor(text=text, audio=clips[1], sampling_rate=RATE)["input_ids"]
    for folder in ("once", "twice"):
        processor.save_pretrained(tmp_path / folder)
        processor = AutoProcessor.from_pretrained(tmp_path / folder)
        assert processor(text=text, audio=clips[1], sampling_rate=RATE)["input_ids"] == expected
        assert processor.apply_chat_template(conversation(clips)[1:2]) == "[user]Repeat: <|audio|>"
    saved = json.loads((tmp_path / "twice" / "processor_config.json").read_text())
    assert saved["audio_token"] == "<|audio|>"
    assert "vocabulary" not in str(saved)
    assert Hasher.hash(processor) == Hasher.hash(AutoProcessor.from_pretrained(tmp_path / "twice"))


def test_a_loaded_processor_saves_a_whole_tokenizer(
    llama: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path
) -> None:
    llama.save_pretrained(tmp_path / "once")
    loaded = AutoProcessor.from_pretrained(tmp_path / "once")
    loaded(text="a <|audio|>", audio=clips[1], sampling_rate=RATE, truncation=True, max_length=12)
    loaded.save_pretrained(tmp_path / "twice")
    text = "one two three four five six seven eight nine ten eleven twelve thirteen"
    expected = llama.tokenizer(text)["input_ids"]
    for trust in (False, True):
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "twice", trust_remote_code=trust)
        assert tokenizer(text)["input_ids"] == expected
    assert Tokenizer.from_file(str(tmp_path / "twice/tokenizer.json")).encode(text).ids == expected


def test_hashes_do_not_change_by_use(llama: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    before = Hasher.hash(llama)
    llama.decode_audio(llama(audio=clips[0], sampling_rate=RATE)["input_ids"])
    assert Hasher.hash(llama) == before


def test_several_codecs_in_one_vocabulary(
    codec: AudioCodec, codec_tokenizer: CodecBPETokenizer, clips: list[np.ndarray]
) -> None:
    two = MimiCodec(tiny.mimi(), num_codebooks=2)
    second = train_tokenizer(two.encode(clips), codebook_sizes=two.codebook_sizes, vocab_size=150)
    tokenizer = extend_tokenizer(
        extend_tokenizer(bases.gpt2_like(), codec_tokenizer),
        second,
        audio_token="<|audio2|>",
        audio_start_token="<|audio2_start|>",
        audio_end_token="<|audio2_end|>",
    )
    processors = [
        CodecBPEProcessor.from_codec(each, tokenizer, audio_token=token)
        for each, token in [(codec, "<|audio|>"), (two, "<|audio2|>")]
    ]
    for processor, name in zip(processors, ("audio", "audio2"), strict=True):
        text = f"Hi <|{name}|> there"
        (ids,) = processor(text=text, audio=clips[0], sampling_rate=RATE)["input_ids"]
        assert {f"<|{name}_start|>", f"<|{name}_end|>"} <= set(tokenizer.convert_ids_to_tokens(ids))
        (ids,) = processor(audio=clips[0], sampling_rate=RATE)["input_ids"]
        (samples,) = processor.decode_audio(ids)
        expected = processor.codec.decode(processor.codec.encode(clips[:1]))[0]
        assert np.array_equal(samples, expected)
    first, other = (set(processor.vocabulary.texts) for processor in processors)
    assert first.isdisjoint(other)
    with pytest.raises(TokenizerError, match="another codec's audio"):
        processors[1].decode_audio(processors[0](audio=clips[0], sampling_rate=RATE)["input_ids"])
    twins = extend_tokenizer(tokenizer, second, audio_token="<|audio3|>", audio_start_token=None)
    with pytest.raises(TokenizerError, match="exactly one codec"):
        CodecBPEProcessor.from_codec(two, twins)
    third = CodecBPEProcessor.from_codec(two, twins, codec_index=2)
    assert set(third.vocabulary.texts).isdisjoint(other)


def test_tokens_around_audio_can_be_left_out(
    llama: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path
) -> None:
    bare = CodecBPEProcessor.from_codec(
        llama.codec, llama.tokenizer, audio_start_token="", audio_end_token=""
    )
    bare.save_pretrained(tmp_path)
    for processor in (bare, AutoProcessor.from_pretrained(tmp_path)):
        call = {"sampling_rate": RATE, "add_special_tokens": False}
        (ids,) = processor(audio=clips[0], **call)["input_ids"]
        assert processor.vocabulary.is_audio(ids).all()


def test_tokens_added_later_are_text(
    codec: AudioCodec, codec_tokenizer: CodecBPETokenizer, clips: list[np.ndarray]
) -> None:
    tokenizer = extend_tokenizer(bases.gpt2_like(), codec_tokenizer)
    processor = CodecBPEProcessor.from_codec(codec, tokenizer)
    before = processor.vocabulary.num_codes
    tokenizer.add_tokens(["<late>"])
    assert len(processor.vocabulary.num_codes) == len(before) + 1
    (parts,) = processor.decode_parts(
        processor(text="<late><|audio|>", audio=clips[0], sampling_rate=RATE)["input_ids"]
    )
    assert parts[0] == {"type": "text", "text": "<late>"}


def test_tokenizers_that_do_not_fit(
    codec: AudioCodec, codec_tokenizer: CodecBPETokenizer, llama: CodecBPEProcessor
) -> None:
    with pytest.raises(TokenizerError, match="knows no codes"):
        CodecBPEProcessor.from_codec(codec, bases.gpt2_like())
    with pytest.raises(CodecMismatchError, match="num_codebooks=4"):
        CodecBPEProcessor.from_codec(MimiCodec(tiny.mimi(), num_codebooks=2), llama.tokenizer)
    with pytest.raises(ProcessorError, match="stand for audio codes"):
        llama(text=llama.vocabulary.alphabet.characters[:4])
    with pytest.raises(TokenizerError, match="is not audio"):
        CodecVocabulary.of(llama.tokenizer).ids_to_codes([0])
