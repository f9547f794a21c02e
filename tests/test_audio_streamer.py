"""Samples of generated audio while it comes: what `decode` gives, chunk by chunk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import groupby, pairwise
from queue import Empty
from threading import Thread
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaForCausalLM

from hf_codec_bpe import (
    AudioCodec,
    AudioGrammarLogitsProcessor,
    AudioStreamer,
    CodecBPEProcessor,
    CodecVocabulary,
    extend_tokenizer,
    train_tokenizer,
)
from hf_codec_bpe.codecs import MimiCodec, WavTokenizerCodec
from hf_codec_bpe.codecs.registry import codec_class
from hf_codec_bpe.errors import AlphabetError, CodecError, CodecMismatchError, TokenizerError

from . import bases, tiny

FAMILIES = sorted(name for name in tiny.MODELS if not codec_class(name).dynamic_frame_rate)
CONVOLUTIONAL = ["dac", "higgs_audio_v2_tokenizer", "xcodec"]
AROUND = {"context_seconds": 60.0, "lookahead_seconds": 60.0}
"""More than there is."""


@cache
def codec_of(family: str) -> AudioCodec:
    return codec_class(family)(tiny.MODELS[family]())


@cache
def vocabulary_of(family: str) -> CodecVocabulary:
    """In a language model's tokenizer."""
    codes = [codes_of(family, 50, seed) for seed in range(3)]
    tokenizer = train_tokenizer(codes, codebook_sizes=codec_of(family).codebook_sizes)
    return CodecVocabulary.of(extend_tokenizer(bases.gpt2_like(), tokenizer))


def codes_of(family: str, num_frames: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sizes = codec_of(family).codebook_sizes
    return np.stack([rng.integers(size, size=num_frames) for size in sizes])


def clip(family: str, codes: np.ndarray) -> list[int]:
    tokenizer, ids = vocabulary_of(family).tokenizer, vocabulary_of(family).codes_to_ids(codes)
    return [tokenizer.audio_start_token_id, *ids, tokenizer.audio_end_token_id]


def clips_in(family: str, ids: list[int], errors: Any = "strict") -> list[np.ndarray]:
    """The codes of every run of audio."""
    vocabulary = vocabulary_of(family)
    runs = [(audio, list(run)) for audio, run in groupby(ids, vocabulary.texts.__contains__)]
    return [vocabulary.ids_to_codes(run, errors) for audio, run in runs if audio]


def made(family: str, **options: Any) -> AudioStreamer:
    options = {"timeout": 0.01, **options}
    return AudioStreamer(codec_of(family), vocabulary_of(family), **options)


def streamed(streamer: AudioStreamer, ids: list[int], cuts: Sequence[int] = ()) -> list[np.ndarray]:
    """The chunks of ids that are put as generation puts them, after a prompt of one token."""
    borders = [1, *sorted(cuts), len(ids)] if cuts else range(1, len(ids) + 1)
    streamer.put(torch.tensor([ids[:1]]))
    for begin, end in pairwise(borders):
        streamer.put(torch.tensor(ids[begin:end]))
    streamer.end()
    return list(streamer)


def joined(chunks: list[np.ndarray]) -> np.ndarray:
    assert all(chunk.dtype == np.float32 and chunk.ndim == 1 and len(chunk) for chunk in chunks)
    return np.concatenate([np.zeros(0, dtype=np.float32), *chunks])


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float = 1e-5) -> None:
    assert actual.shape == expected.shape
    assert np.allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max(initial=0))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("around", [0.0, 0.1])
def test_as_many_samples_as_decode_gives(family: str, around: float) -> None:
    codec = codec_of(family)
    options = {"context_seconds": around, "lookahead_seconds": around}
    for num_frames in (0, 1, 2, 5, 31):
        for chunk_frames in (1, 3, 40):
            streamer = made(family, chunk_seconds=chunk_frames / codec.frame_rate, **options)
            chunks = streamed(streamer, clip(family, codes_of(family, num_frames)))
            assert len(joined(chunks)) == (codec.num_samples(num_frames) if num_frames else 0)
            assert len(chunks) == -(-num_frames // chunk_frames)


@pytest.mark.parametrize("family", FAMILIES)
def test_with_all_around_a_chunk_it_is_what_decode_gives(family: str) -> None:
    codes = codes_of(family, 40, 1)
    streamer = made(family, chunk_seconds=7 / codec_of(family).frame_rate, **AROUND)
    chunks = streamed(streamer, clip(family, codes))
    assert len(chunks) == 6
    assert_close(joined(chunks), codec_of(family).decode([codes])[0])


@pytest.mark.parametrize(
    ("family", "context", "lookahead", "tolerance"),
    [
        *((family, 9, 9, 1e-5) for family in CONVOLUTIONAL),
        ("encodec", 16, 0, 1e-4),  # its LSTM remembers longer, faintly
        ("mimi", 24, 0, 1e-2),  # its attention sees all in front, faintly
    ],
)
def test_with_what_a_decoder_sees_chunks_are_what_decode_gives(
    family: str, context: int, lookahead: int, tolerance: float
) -> None:
    frame = 1 / codec_of(family).frame_rate
    codes = codes_of(family, 90, 2)
    (expected,) = codec_of(family).decode([codes])
    window = {"context_seconds": context * frame, "lookahead_seconds": lookahead * frame}
    chunks = streamed(made(family, chunk_seconds=10 * frame, **window), clip(family, codes))
    assert len(chunks) == 9
    assert_close(joined(chunks), expected, tolerance)
    without = {"context_seconds": 0.0, "lookahead_seconds": 0.0}
    chunks = streamed(made(family, chunk_seconds=10 * frame, **without), clip(family, codes))
    with pytest.raises(AssertionError):
        assert_close(joined(chunks), expected, tolerance)


@pytest.mark.parametrize("lookahead", [0.0, 0.1])
def test_a_decoder_that_gives_a_sample_more_at_the_end(lookahead: float) -> None:
    codec = WavTokenizerCodec(tiny.wavtokenizer(upsampling_ratios=[7, 5, 3, 3], n_fft=1260))
    assert codec.num_samples(9) == 9 * 315 + 1
    window = {
        "chunk_seconds": 4 * 315 / 24_000,
        "context_seconds": 60.0,
        "lookahead_seconds": lookahead,
    }
    streamer = AudioStreamer(codec, vocabulary_of("wavtokenizer"), **window)
    chunks = streamed(streamer, clip("wavtokenizer", codes_of("wavtokenizer", 9)))
    assert [len(chunk) for chunk in chunks] == [4 * 315, 4 * 315, 316]


def test_mimi_with_a_short_attention_is_equal() -> None:
    codec = MimiCodec(tiny.mimi(sliding_window=4))
    codes = codes_of("mimi", 60)
    window = {"chunk_seconds": 0.4, "context_seconds": 1.0, "lookahead_seconds": 0.0}
    chunks = streamed(AudioStreamer(codec, vocabulary_of("mimi"), **window), clip("mimi", codes))
    assert len(chunks) == 12
    assert_close(joined(chunks), codec.decode([codes])[0])


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(2, 60), min_size=1, max_size=8, unique=True))
def test_chunks_do_not_depend_on_how_tokens_come(cuts: list[int]) -> None:
    window = {"chunk_seconds": 0.08, "context_seconds": 0.1, "lookahead_seconds": 0.04}
    ids = clip("dac", codes_of("dac", 21))
    one_by_one = streamed(made("dac", **window), ids)
    at_once = streamed(made("dac", **window), ids, cuts)
    assert len(one_by_one) == 6
    for chunk, same in zip(one_by_one, at_once, strict=True):
        assert np.array_equal(chunk, same)


def test_clips_and_text() -> None:
    text = vocabulary_of("dac").tokenizer("Well: ")["input_ids"]
    clips = [codes_of("dac", num_frames, num_frames) for num_frames in (12, 3, 25)]
    first, second, third = (clip("dac", codes) for codes in clips)
    ids = [*text, *first, *text, *second, *third[:-1]]  # no end token behind the last
    chunks = streamed(made("dac", chunk_seconds=0.2, **AROUND), ids)
    assert len(chunks) == 2 + 1 + 3
    assert_close(joined(chunks), np.concatenate(codec_of("dac").decode(clips)))
    assert streamed(made("dac"), text) == []


def test_samples_come_as_soon_as_they_are_final() -> None:
    streamer = made("dac", chunk_seconds=0.1, lookahead_seconds=0.04)  # 5 frames, and 2 behind
    vocabulary = vocabulary_of("dac")
    ids = [
        token_id
        for frame in codes_of("dac", 12).T
        for token_id in vocabulary.codes_to_ids(frame[:, None])
    ]
    frames = np.cumsum(vocabulary.num_codes[ids]) / 4
    for token_id, num_frames in zip(ids, frames, strict=True):
        streamer.put(torch.tensor([token_id]))
        if num_frames in (7, 12):
            assert len(next(streamer)) == 5 * 320
        with pytest.raises(Empty):
            next(streamer)
    streamer.end()
    assert len(next(streamer)) == 2 * 320 - 8


@pytest.mark.parametrize("num_left", [12, 13, 14, 15, 16, 17])
def test_the_prompt_can_be_skipped_and_its_open_clip_goes_on(num_left: int) -> None:
    codes = codes_of("dac", 20)
    text = vocabulary_of("dac").alphabet.to_text(codes)
    id_of = {text: token_id for token_id, text in vocabulary_of("dac").texts.items()}
    ids = [id_of[char] for char in text]
    prompt = [*clip("dac", codes_of("dac", 9)), *clip("dac", codes)[:1], *ids[:-num_left]]
    streamer = made("dac", skip_prompt=True, chunk_seconds=0.04, **AROUND)
    streamer.put(torch.tensor([prompt]))
    for token_id in ids[-num_left:]:
        streamer.put(torch.tensor([token_id]))
    streamer.end()
    whole_frames = 20 - -(-num_left // 4)
    assert_close(joined(list(streamer)), codec_of("dac").decode([codes])[0][whole_frames * 320 :])


def test_clips_that_are_not_whole() -> None:
    vocabulary = vocabulary_of("dac")
    id_of = {text: token_id for token_id, text in vocabulary.texts.items()}
    text = vocabulary.alphabet.to_text(codes_of("dac", 30))
    broken = [id_of[char] for char in text[2:50] + text[53:-3]]
    for ids, message in ((broken, "codebook 0 is due"), (broken[2:9], "ends inside a frame")):
        streamer = made("dac", chunk_seconds=0.1)
        with pytest.raises(AlphabetError, match=message):
            streamed(streamer, ids)
        with pytest.raises(AlphabetError, match=message):
            list(streamer)
    mended = vocabulary.ids_to_codes(broken, "drop")
    assert 20 < mended.shape[1] < 30
    chunks = streamed(made("dac", errors="drop", chunk_seconds=0.1, **AROUND), broken)
    assert_close(joined(chunks), codec_of("dac").decode([mended])[0])


# What is a clip, beside text and what no model should write: as the processor decodes it.


@cache
def processor_of(kind: str) -> CodecBPEProcessor:
    """For one codec: the only one of a language model, the first of two, or by itself."""
    codec = codec_of("dac")
    if kind != "alone":
        tokenizer = vocabulary_of("dac").tokenizer
        if kind == "first of two":
            tokenizer = extend_tokenizer(tokenizer, train_tokenizer([], codebook_sizes=[6, 6]))
        return CodecBPEProcessor.from_codec(codec, tokenizer)
    codes = [codes_of("dac", 50, seed) for seed in range(3)]
    options = {"codebook_sizes": codec.codebook_sizes, "unk_token": "<unk>", "eos_token": "</s>"}
    return CodecBPEProcessor.from_codec(codec, train_tokenizer(codes, **options))


def symbols_of(kind: str) -> dict[str, list[int]]:
    """Single tokens of each sort, beside audio."""
    tokenizer, vocabulary = processor_of(kind).tokenizer, processor_of(kind).vocabulary
    symbols = {"code": list(vocabulary.texts), "special": [tokenizer.eos_token_id]}
    if kind == "alone":
        return {**symbols, "unknown": [tokenizer.unk_token_id]}
    symbols |= {"text": [40, 41], "piece": sorted(vocabulary.pieces)}
    if kind == "first of two":
        other = CodecVocabulary.of(tokenizer, index=1)
        symbols |= {"other piece": sorted(other.pieces), "other audio": list(other.texts)}
    return symbols


def as_decoded(kind: str, ids: list[int], errors: Any) -> np.ndarray:
    (parts,) = processor_of(kind).decode_parts(ids, errors)
    return joined([part["audio"] for part in parts if part["type"] == "audio"])


KINDS = pytest.mark.parametrize("kind", ["extended", "first of two", "alone"])


@KINDS
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_whatever_a_model_writes_is_mended_as_elsewhere(kind: str, data: st.DataObject) -> None:
    symbols, processor = symbols_of(kind), processor_of(kind)
    ids = [processor.tokenizer.eos_token_id]
    for sort in data.draw(st.lists(st.sampled_from(["audio", *symbols]), max_size=20)):
        if sort == "audio":
            codes = codes_of("dac", 3, data.draw(st.integers(0, 99)))
            ids += processor.vocabulary.codes_to_ids(codes)
        else:
            ids.append(data.draw(st.sampled_from(symbols[sort])))
    options = {"chunk_seconds": 0.1, "timeout": 0.01, **AROUND}
    chunks = streamed(AudioStreamer.of(processor, errors="drop", **options), ids)
    assert_close(joined(chunks), as_decoded(kind, ids, "drop"))


@KINDS
def test_what_is_inside_a_clip_and_what_is_between_two(kind: str) -> None:
    processor, codes = processor_of(kind), codes_of("dac", 12, 1)
    audio = processor.vocabulary.codes_to_ids(codes)
    codec = processor.codec
    one_clip, two_clips = codec.decode([np.hstack([codes, codes])])[0], codec.decode([codes] * 2)
    foreign = {"piece", "other piece", "other audio", "unknown"}
    for sort, (token_id, *_) in symbols_of(kind).items():
        if sort == "code":
            continue
        ids = [processor.tokenizer.eos_token_id, *audio, token_id, *audio]
        if sort in foreign:
            error = AlphabetError if kind == "alone" else TokenizerError
            with pytest.raises(error):
                processor.decode_parts(ids)
            with pytest.raises(error):
                streamed(AudioStreamer.of(processor), ids)
        is_one = kind == "alone" or sort in foreign
        chunks = streamed(AudioStreamer.of(processor, errors="drop", **AROUND), ids)
        assert_close(joined(chunks), one_clip if is_one else np.concatenate(two_clips))


@KINDS
def test_ids_outside_the_vocabulary_are_refused_as_elsewhere(kind: str) -> None:
    processor = processor_of(kind)
    ids = [processor.tokenizer.eos_token_id, len(processor.tokenizer)]
    with pytest.raises(TokenizerError, match="outside the vocabulary"):
        processor.decode_parts(ids, "drop")
    with pytest.raises(TokenizerError, match="outside the vocabulary"):
        streamed(AudioStreamer.of(processor, errors="drop"), ids)


# In another thread, behind a model.


def model_and_options(family: str, **options: Any) -> tuple[LlamaForCausalLM, dict[str, Any]]:
    """A tiny random model, and options with which it speaks."""
    tokenizer = vocabulary_of(family).tokenizer
    model = tiny.llama(len(tokenizer), eos_token_id=None, pad_token_id=tokenizer.eos_token_id)
    grammar = AudioGrammarLogitsProcessor(vocabulary_of(family), max_length=150)
    start, end = tokenizer.audio_start_token_id, tokenizer.audio_end_token_id
    bias = [[[start], 20.0], [[end], 1.0]]
    prompt = torch.tensor([clip(family, codes_of(family, 12))[:-3]])
    return model, {
        "inputs": prompt,
        "attention_mask": torch.ones_like(prompt),
        "max_length": 150,
        "do_sample": True,
        "sequence_bias": bias,
        "logits_processor": [grammar],
        **options,
    }


def test_a_model_speaks_while_it_generates() -> None:
    streamer = made("dac", chunk_seconds=0.06, timeout=60, **AROUND)
    model, options = model_and_options("dac", streamer=streamer)
    ids: list[int] = []
    thread = Thread(target=lambda: ids.extend(model.generate(**options)[0].tolist()))
    thread.start()
    chunks = list(streamer)
    thread.join()
    clips = clips_in("dac", ids)
    assert len(clips) > 1
    assert len(chunks) > len(clips)
    assert_close(joined(chunks), np.concatenate(codec_of("dac").decode(clips)))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_while_decoding_reaches_both_threads() -> None:
    streamer = made("dac", chunk_seconds=0.06, lookahead_seconds=0.2, timeout=60)
    model, options = model_and_options("dac", streamer=streamer)
    codec = type(codec_of("dac"))
    failing = [np.zeros((1, 9_999), dtype=np.float32), RuntimeError("no memory")]
    with patch.object(codec, "decode", side_effect=failing) as decode:
        thread = Thread(target=model.generate, kwargs=options)
        thread.start()
        assert len(next(streamer)) == 3 * 320
        with pytest.raises(RuntimeError, match="no memory"):
            next(streamer)
        thread.join()
    assert decode.call_count == 2  # generation ended there
    with pytest.raises(StopIteration):
        next(streamer)
    ids = clip("dac", codes_of("dac", 9))  # nothing is left of the failure
    assert_close(joined(streamed(streamer, ids)), codec_of("dac").decode([codes_of("dac", 9)])[0])


def test_waiting_ends_after_the_timeout() -> None:
    with pytest.raises(Empty):
        next(made("dac"))


def test_one_streamer_for_several_generations() -> None:
    streamer = made("dac", skip_prompt=True)
    for seed in range(3):
        codes = codes_of("dac", 9, seed)
        streamer.put(torch.tensor([clip("dac", codes_of("dac", 5))]))
        streamer.put(torch.tensor(clip("dac", codes)[:-1]))  # no end token
        streamer.end()
        assert_close(joined(list(streamer)), codec_of("dac").decode([codes])[0])
        for _ in range(2):
            with pytest.raises(StopIteration):
                next(streamer)


def test_chunks_can_be_called_for_in_the_generating_thread() -> None:
    class Player(AudioStreamer):
        def on_finalized_audio(self, waveform: np.ndarray) -> None:
            played.append(waveform)

    played: list[np.ndarray] = []
    player = Player(codec_of("dac"), vocabulary_of("dac"), **AROUND)
    model, options = model_and_options("dac", streamer=player)
    ids = model.generate(**options)[0].tolist()
    expected = made("dac", **AROUND)
    assert joined(played).tolist() == joined(streamed(expected, ids)).tolist()


def test_one_sequence_alone() -> None:
    streamer = made("dac")
    model, options = model_and_options("dac", streamer=streamer, num_return_sequences=2)
    with pytest.raises(CodecError, match="one sequence alone"):
        model.generate(**options)
    with pytest.raises(CodecError, match="one sequence alone"):
        next(streamer)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"chunk_seconds": 0.019}, CodecError, "shorter than one frame: pass at least 0.02"),
        ({"chunk_seconds": 0}, CodecError, "shorter than one frame"),
        ({"chunk_seconds": float("inf")}, CodecError, "chunk_seconds=inf is not a length"),
        ({"context_seconds": -1}, CodecError, "context_seconds=-1 is not a length"),
        ({"lookahead_seconds": None}, CodecError, "lookahead_seconds=None is not a length"),
        ({"errors": "ignore"}, AlphabetError, "'ignore' is not known"),
    ],
)
def test_options_that_cannot_be(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        made("dac", **options)


def test_codecs_that_cannot_be() -> None:
    with pytest.raises(CodecMismatchError, match="load the codec with num_codebooks=4"):
        AudioStreamer(codec_of("xcodec"), vocabulary_of("dac"))
    with pytest.raises(CodecError, match="frames of different lengths"):
        made("flexicodec")
