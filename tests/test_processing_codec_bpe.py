"""The processor: audio in, tokens out, and back, through every door."""

from __future__ import annotations

import copy
import json
import math
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from datasets import Audio, Dataset
from datasets.fingerprint import Hasher
from transformers import (
    AutoFeatureExtractor,
    AutoProcessor,
    AutoTokenizer,
    EncodecFeatureExtractor,
    PreTrainedTokenizerFast,
)

from hf_codec_bpe import (
    AudioCodec,
    CodecBPEProcessor,
    CodecBPETokenizer,
    load_codec,
    train_tokenizer,
)
from hf_codec_bpe.audio import save_audio
from hf_codec_bpe.codecs import DacCodec, MimiCodec
from hf_codec_bpe.errors import (
    AlphabetError,
    AudioError,
    AudioFileError,
    AudioNotFoundError,
    CodecBPEError,
    CodecError,
    CodecMismatchError,
    CodecNotFoundError,
    ProcessorError,
    ProcessorNotFoundError,
    SamplingRateError,
    TokenizerError,
)

from . import tiny
from .hub import LocalHub, isolation

RATE = 24_000


def ids_of(processor: CodecBPEProcessor, clip: np.ndarray) -> list[int]:
    (ids,) = processor(audio=clip, sampling_rate=RATE)["input_ids"]
    return ids


# Audio in, tokens out.


def test_ids_are_the_tokenizers_of_the_codecs_codes(
    processor: CodecBPEProcessor, codec: AudioCodec, clips: list[np.ndarray]
) -> None:
    found = processor(audio=clips, sampling_rate=RATE)["input_ids"]
    assert found == [processor.tokenizer.codes_to_ids(codes) for codes in codec.encode(clips)]


def test_a_batch_equals_clip_by_clip(processor: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    together = processor(audio=clips, sampling_rate=RATE, batch_size=3)
    assert together["input_ids"] == [ids_of(processor, clip) for clip in clips]
    assert together["attention_mask"] == [[1] * len(ids) for ids in together["input_ids"]]


def test_padded_tensors(processor: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    batch = processor(audio=clips, sampling_rate=RATE, padding=True, return_tensors="pt")
    lists = processor(audio=clips, sampling_rate=RATE)["input_ids"]
    assert batch["input_ids"].shape == (3, max(map(len, lists)))
    assert batch["attention_mask"].sum(dim=1).tolist() == [len(ids) for ids in lists]
    for row, ids in zip(batch["input_ids"], lists, strict=True):
        assert row[: len(ids)].tolist() == ids
    waveforms = processor.decode_audio(batch["input_ids"])
    for one, ids in zip(waveforms, lists, strict=True):
        assert np.array_equal(one, processor.decode_audio(ids)[0])


def test_every_kind_of_audio(
    processor: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path
) -> None:
    path = save_audio(clips[0], tmp_path / "clip.wav", RATE)
    samples, _ = soundfile.read(path, dtype="float32")
    expected = [ids_of(processor, samples)]
    kinds = [
        path,
        str(path),
        path.read_bytes(),
        {"bytes": path.read_bytes(), "path": None},
        {"array": samples, "sampling_rate": RATE},
        [path],
        (samples,),
    ]
    for kind in kinds:
        assert processor(audio=kind)["input_ids"] == expected
    for kind in (samples.tolist(), torch.from_numpy(samples), samples.astype(np.float64)):
        assert processor(audio=kind, sampling_rate=RATE)["input_ids"] == expected


def test_stereo_is_mixed_down_or_kept_apart(
    processor: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    stereo = np.stack([clips[0][:20_000], clips[2][:20_000]])
    mixed = processor(audio=stereo, sampling_rate=RATE)["input_ids"]
    assert mixed == [ids_of(processor, stereo.mean(axis=0))]
    apart = processor(audio=stereo, sampling_rate=RATE, per_channel=True)["input_ids"]
    assert apart == [ids_of(processor, stereo[0]), ids_of(processor, stereo[1])]


def test_a_batch_in_one_array_is_never_mixed_down(processor: CodecBPEProcessor) -> None:
    rows = np.stack([tiny.speech_like(9_000, seed) for seed in range(3)])
    for batch in (rows, torch.from_numpy(rows)):
        with pytest.raises(ProcessorError, match=r"\[3, 9000\] may be a batch .* list\(audio\)"):
            processor(audio=batch, sampling_rate=RATE)
        several = processor(audio=list(batch), sampling_rate=RATE)["input_ids"]
        assert several == [ids_of(processor, row) for row in rows]
        apart = processor(audio=batch, sampling_rate=RATE, per_channel=True)["input_ids"]
        assert apart == several
        mixed = processor(audio=[batch], sampling_rate=RATE)["input_ids"]
        assert mixed == [ids_of(processor, rows.mean(axis=0))]


def test_chunks_are_part_of_the_processor(
    codec: AudioCodec, processor: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path
) -> None:
    chunked = CodecBPEProcessor.from_codec(
        codec, processor.tokenizer, chunk_seconds=0.8, context_seconds=1.6
    )
    codes = codec.encode([clips[2]], chunk_seconds=0.8, context_seconds=1.6)[0]
    assert ids_of(chunked, clips[2]) == processor.tokenizer.codes_to_ids(codes)
    chunked.save_pretrained(tmp_path)
    loaded = CodecBPEProcessor.from_pretrained(tmp_path)
    assert (loaded.chunk_seconds, loaded.context_seconds) == (0.8, 1.6)


def test_text_with_placeholders(
    codec: AudioCodec, processor: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    framed = CodecBPEProcessor.from_codec(
        codec, processor.tokenizer, audio_start_token="<audio>", audio_end_token="</audio>"
    )
    start, end = framed.tokenizer.convert_tokens_to_ids(["<audio>", "</audio>"])
    first, second = (ids_of(processor, clip) for clip in clips[:2])
    found = framed(text=["<|audio|><pad><|audio|>", "<pad>"], audio=clips[:2], sampling_rate=RATE)
    pad = framed.tokenizer.pad_token_id
    assert found["input_ids"] == [[start, *first, end, pad, start, *second, end], [pad]]
    for waveform, ids in zip(framed.decode_audio([first, second]), (first, second), strict=True):
        assert np.array_equal(waveform, processor.decode_audio(ids)[0])


def test_chat_template(
    codec: AudioCodec, processor: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    template = (
        "{% for message in messages %}{% for part in message['content'] %}"
        "{{ '<|audio|>' if part['type'] == 'audio' else part['text'] }}"
        "{% endfor %}{% endfor %}"
    )
    chatty = CodecBPEProcessor.from_codec(codec, processor.tokenizer, chat_template=template)
    parts = [{"type": "text", "text": "<audio>"}, {"type": "audio", "audio": clips[1]}]
    chat = [{"role": "user", "content": parts}]
    assert chatty.apply_chat_template(chat) == "<audio><|audio|>"
    found = chatty.apply_chat_template(chat, tokenize=True, return_dict=True)
    expected = chatty(text="<audio><|audio|>", audio=clips[1], sampling_rate=RATE)
    assert found["input_ids"] == expected["input_ids"]
    with pytest.raises(ProcessorError, match="assistant"):
        chatty.apply_chat_template(chat, tokenize=True, return_assistant_tokens_mask=True)


def test_audio_in_chats_goes_through_the_same_door(
    codec: AudioCodec, processor: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path
) -> None:
    template = (
        "{% for message in messages %}{% for part in message['content'] %}<|audio|>"
        "{% endfor %}{% endfor %}"
    )
    chatty = CodecBPEProcessor.from_codec(codec, processor.tokenizer, chat_template=template)
    path = save_audio(clips[1], tmp_path / "clip.wav", RATE)
    expected = chatty(audio=path)["input_ids"]
    values = [{"audio": path}, {"path": str(path)}, {"url": path.as_uri()}]
    values += [{"audio": path.read_bytes()}, {"audio": {"path": str(path), "bytes": None}}]
    values += [{**value, "sampling_rate": RATE} for value in values]
    values += [{"audio": str(path), "sampling_rate": None}]
    for value in values:
        chat = [{"role": "user", "content": [{"type": "audio", **value}]}]
        assert chatty.apply_chat_template(chat, tokenize=True) == expected
        assert chatty.apply_chat_template([chat, chat], tokenize=True) == expected * 2
    for name, error in (("missing.wav", AudioNotFoundError), ("text.wav", AudioFileError)):
        (tmp_path / "text.wav").write_text("no audio")
        chat = [{"role": "user", "content": [{"type": "audio", "path": str(tmp_path / name)}]}]
        with pytest.raises(error):
            chatty.apply_chat_template(chat, tokenize=True)


# Tokens in, audio out.


def test_decoded_length_is_what_the_frames_say(
    processor: CodecBPEProcessor, codec: AudioCodec, clips: list[np.ndarray]
) -> None:
    ids = processor(audio=clips, sampling_rate=RATE)["input_ids"]
    for clip, waveform in zip(clips, processor.decode_audio(ids), strict=True):
        assert waveform.shape == (codec.num_samples(codec.num_frames(len(clip))),)
        assert waveform.dtype == np.float32


def test_decode_audio_takes_one_sequence_or_many(
    processor: CodecBPEProcessor, codec: AudioCodec, clips: list[np.ndarray]
) -> None:
    ids = ids_of(processor, clips[1])
    (expected,) = codec.decode(codec.encode([clips[1]]))
    for form in (ids, [ids], np.array(ids), torch.tensor(ids), torch.tensor([ids]), tuple(ids)):
        (waveform,) = processor.decode_audio(form)
        assert np.array_equal(waveform, expected)
    assert processor.decode_audio([]) == []


def test_broken_ids(processor: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    ids = processor.tokenizer.convert_tokens_to_ids(
        list(processor.tokenizer.alphabet.to_text(processor.codec.encode([clips[1]])[0]))
    )
    with pytest.raises(AlphabetError, match="errors='drop'"):
        processor.decode_audio(ids[:-1])
    (waveform,) = processor.decode_audio(ids[:-1], errors="drop")
    assert np.array_equal(waveform, processor.decode_audio(ids[:-4])[0])
    with pytest.raises(TokenizerError, match="outside the vocabulary"):
        processor.decode_audio([10_000])


def test_text_and_generic_post_processing(
    processor: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    ids = ids_of(processor, clips[1])
    text = processor.tokenizer.alphabet.to_text(processor.codec.encode([clips[1]])[0])
    assert processor.decode(ids) == text
    assert processor.batch_decode([ids, ids]) == [text, text]
    (waveform,) = processor.post_process_multimodal_output([ids], generation_mode="audio")
    assert np.array_equal(waveform, processor.decode_audio(ids)[0])
    assert processor.post_process_multimodal_output(ids) == text


def test_save_audio(processor: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path) -> None:
    (waveform,) = processor.decode_audio(ids_of(processor, clips[1]))
    samples, rate = soundfile.read(processor.save_audio(waveform, tmp_path / "a.flac"))
    assert (len(samples), rate) == (len(waveform), RATE)


# Saving and loading.


def test_auto_classes_load_a_saved_folder(
    processor: CodecBPEProcessor, saved: Path, clips: list[np.ndarray]
) -> None:
    loaded = AutoProcessor.from_pretrained(saved)
    assert type(loaded) is CodecBPEProcessor
    assert type(AutoTokenizer.from_pretrained(saved)) is CodecBPETokenizer
    assert type(AutoFeatureExtractor.from_pretrained(saved)) is EncodecFeatureExtractor
    ids = processor(audio=clips, sampling_rate=RATE)["input_ids"]
    assert loaded(audio=clips, sampling_rate=RATE)["input_ids"] == ids
    assert np.array_equal(loaded.decode_audio(ids)[0], processor.decode_audio(ids)[0])


@pytest.mark.parametrize("family", ["qwen2", "mistral", "phi3"])
def test_a_model_beside_changes_nothing(
    processor: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path, family: str
) -> None:
    processor.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    for kind in (AutoProcessor, CodecBPEProcessor):
        assert ids_of(kind.from_pretrained(tmp_path), clips[0]) == ids_of(processor, clips[0])


def test_the_codec_is_pinned(saved: Path, codec: AudioCodec) -> None:
    config = json.loads((saved / "processor_config.json").read_text())
    assert config["codec"] == {
        "family": "mimi",
        "name_or_path": None,
        "revision": None,
        "fingerprint": codec.fingerprint,
        "num_codebooks": 4,
        "codebook_sizes": [16] * 4,
        "sampling_rate": RATE,
        "output_sampling_rate": RATE,
        "frame_rate": 12.5,
        "dtype": "float32",
        "resampler": "soxr_hq",
    }
    assert config["processor_class"] == "CodecBPEProcessor"
    assert str(saved) not in json.dumps(config)


def test_a_codec_from_the_hub_is_pinned_by_commit_and_not_copied(
    processor: CodecBPEProcessor, tmp_path: Path
) -> None:
    codec = MimiCodec(
        tiny.mimi(), num_codebooks=4, name_or_path="someone/tiny-mimi", revision="c0ffee"
    )
    CodecBPEProcessor.from_codec(codec, processor.tokenizer).save_pretrained(tmp_path)
    pin = json.loads((tmp_path / "processor_config.json").read_text())["codec"]
    assert (pin["name_or_path"], pin["revision"]) == ("someone/tiny-mimi", "c0ffee")
    assert pin["fingerprint"] is None
    assert not (tmp_path / "codec").exists()
    with pytest.raises(CodecNotFoundError, match="someone/tiny-mimi"):
        _ = CodecBPEProcessor.from_pretrained(tmp_path).codec


def test_the_codec_is_loaded_on_first_use_only(saved: Path, clips: list[np.ndarray]) -> None:
    (saved / "codec" / "model.safetensors").rename(saved / "away")
    loaded = AutoProcessor.from_pretrained(saved)
    text = loaded.tokenizer.alphabet.to_text([[1], [2], [3], [4]])
    assert loaded.decode(loaded.tokenizer(text)["input_ids"]) == text
    assert loaded.codec_pin.sampling_rate == RATE
    with pytest.raises(CodecNotFoundError):
        loaded(audio=clips[0], sampling_rate=RATE)
    (saved / "away").rename(saved / "codec" / "model.safetensors")
    assert loaded.codec is loaded.codec


def test_another_codec_in_its_place_is_an_error_that_names_the_difference(saved: Path) -> None:
    other = tiny.mimi(codebook_size=32)
    other.save_pretrained(saved / "codec")
    with pytest.raises(CodecMismatchError, match=r"codebook_sizes is \(32, 32, 32, 32\), not \(16"):
        _ = AutoProcessor.from_pretrained(saved).codec
    retrained = tiny.mimi()
    with torch.no_grad():
        next(retrained.parameters()).add_(0.1)
    retrained.save_pretrained(saved / "codec")
    with pytest.raises(CodecMismatchError, match="fingerprint"):
        _ = AutoProcessor.from_pretrained(saved).codec


def test_a_wrong_codec_stays_wrong(saved: Path) -> None:
    path = saved / "processor_config.json"
    config = json.loads(path.read_text())
    config["codec"]["fingerprint"] = "0" * 32
    path.write_text(json.dumps(config))
    loaded = AutoProcessor.from_pretrained(saved)
    for _ in range(2):
        with pytest.raises(CodecMismatchError, match="fingerprint"):
            _ = loaded.codec


def test_a_repository_on_the_hub_and_in_its_cache(
    hub: LocalHub,
    processor: CodecBPEProcessor,
    saved: Path,
    clips: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {path.relative_to(saved).as_posix(): path for path in saved.rglob("*.*")}
    hub.commit("someone/codec-bpe-tiny", {name: path.read_bytes() for name, path in files.items()})
    for offline in (False, True):
        isolation.set_offline(monkeypatch, offline)
        hub.requests.clear()
        loaded = CodecBPEProcessor.from_pretrained("someone/codec-bpe-tiny")
        assert ids_of(loaded, clips[0]) == ids_of(processor, clips[0])
        assert bool(hub.requests) != offline
    loaded.save_pretrained("again")
    assert ids_of(AutoProcessor.from_pretrained("again"), clips[0])


def test_a_model_without_a_commit_is_not_pinned_to_a_name(processor: CodecBPEProcessor) -> None:
    codec = MimiCodec(tiny.mimi(), num_codebooks=4, name_or_path="someone/tiny-mimi")
    assert codec.pin.is_beside
    assert codec.pin.fingerprint == processor.codec.fingerprint


def test_options_at_load_reach_the_processor_alone(saved: Path, tmp_path: Path) -> None:
    plain = AutoProcessor.from_pretrained(saved)
    loaded = AutoProcessor.from_pretrained(saved, audio_token="<|sound|>", chunk_seconds=0.8)
    assert (loaded.audio_token, loaded.chunk_seconds) == ("<|sound|>", 0.8)
    assert loaded.tokenizer.get_vocab() == plain.tokenizer.get_vocab()
    loaded.save_pretrained(tmp_path / "again")
    assert "chunk_seconds" not in (tmp_path / "again" / "tokenizer_config.json").read_text()
    with pytest.raises(TokenizerError, match="no token '<nope>'"):
        AutoProcessor.from_pretrained(saved, audio_start_token="<nope>")
    with pytest.raises(CodecNotFoundError, match="There is no codec 'nowhere/at-all'"):
        AutoProcessor.from_pretrained(saved, codec="nowhere/at-all")
    with pytest.raises(CodecMismatchError, match="feature extractor works at 8000 Hz"):
        AutoProcessor.from_pretrained(saved, sampling_rate=8_000)


def test_a_relative_path_holds_when_the_folder_changes(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(saved.parent)
    loaded = AutoProcessor.from_pretrained(saved.name)
    monkeypatch.chdir(saved.parents[1])
    assert loaded.codec.num_codebooks == 4


@pytest.mark.parametrize("name", ["tokenizer.json", "processor_config.json", "codec/config.json"])
def test_missing_files(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises((ProcessorNotFoundError, CodecNotFoundError, TokenizerError)):
        _ = CodecBPEProcessor.from_pretrained(saved).codec
    with pytest.raises(ProcessorNotFoundError, match="no whole processor"):
        CodecBPEProcessor.from_pretrained(saved / "nowhere")


@pytest.mark.parametrize("window", [(-1.0, 0.0), (None, 1.0), (math.nan, 0.0), ("1", 0.0)])
def test_windows_that_make_no_sense_are_never_saved(
    processor: CodecBPEProcessor, codec: AudioCodec, window: tuple[float, float]
) -> None:
    with pytest.raises(CodecError):
        CodecBPEProcessor.from_codec(
            codec, processor.tokenizer, chunk_seconds=window[0], context_seconds=window[1]
        )


def test_windows_and_precisions_of_numpy_are_saved(
    codec: AudioCodec, processor: CodecBPEProcessor, tmp_path: Path
) -> None:
    window = {"chunk_seconds": np.float32(0.5), "context_seconds": np.int64(1)}
    CodecBPEProcessor.from_codec(codec, processor.tokenizer, **window).save_pretrained(tmp_path)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert (loaded.chunk_seconds, loaded.context_seconds) == (0.5, 1)


def test_a_codec_of_double_precision_is_saved_and_loaded(
    saved: Path, processor: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path
) -> None:
    double = load_codec(saved / "codec", num_codebooks=4, dtype="float64")
    ours = CodecBPEProcessor.from_codec(double, processor.tokenizer)
    ours.save_pretrained(tmp_path / "double")
    loaded = AutoProcessor.from_pretrained(tmp_path / "double")
    assert loaded.codec.dtype == torch.float64
    assert ids_of(loaded, clips[0]) == ids_of(ours, clips[0])


def test_a_codec_that_changed_since_is_not_saved(tmp_path: Path) -> None:
    codec = MimiCodec(tiny.mimi(), num_codebooks=2)
    tokenizer = train_tokenizer(
        codec.encode([tiny.speech_like(RATE)]), codebook_sizes=codec.codebook_sizes
    )
    processor = CodecBPEProcessor.from_codec(codec, tokenizer)
    codec.model.to(torch.bfloat16)
    with pytest.raises(CodecMismatchError, match="dtype is 'bfloat16', not 'float32'"):
        processor.save_pretrained(tmp_path)
    assert not any(tmp_path.iterdir())


def test_saving_again_elsewhere(saved: Path, clips: list[np.ndarray], tmp_path: Path) -> None:
    loaded = AutoProcessor.from_pretrained(saved)
    loaded.save_pretrained(tmp_path / "again")
    again = AutoProcessor.from_pretrained(tmp_path / "again")
    assert ids_of(again, clips[0]) == ids_of(loaded, clips[0])
    files = {path.relative_to(saved) for path in saved.rglob("*.*")}
    assert files == {
        path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.*")
    }


def test_a_processor_without_codec_is_for_text_and_is_not_saved(
    processor: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path
) -> None:
    mute = CodecBPEProcessor(processor.feature_extractor, processor.tokenizer)
    text = mute.tokenizer.alphabet.to_text([[1], [2], [3], [4]])
    assert mute.decode(mute.tokenizer(text)["input_ids"]) == text
    for use in (
        lambda: mute(audio=clips[0], sampling_rate=RATE),
        lambda: mute.decode_audio(mute.tokenizer(text)["input_ids"]),
        lambda: mute.save_pretrained(tmp_path / "mute"),
    ):
        with pytest.raises(ProcessorError, match="codec"):
            use()
    assert not (tmp_path / "mute").exists()


def test_nothing_is_saved_onto_a_file(processor: CodecBPEProcessor, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", ""):
        with pytest.raises(ProcessorError, match="is a file or has no name: save to a folder"):
            processor.save_pretrained(place)
    with pytest.raises(CodecError, match="file is a file: save to a folder"):
        processor.codec.save_pretrained(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"resampler": "linear"}, "resampler 'linear'"),
        ({"colour": "blue"}, "malformed: colour missing or unknown"),
        ({"family": ...}, "malformed: family missing or unknown"),
    ],
)
def test_malformed_pins(saved: Path, change: dict[str, object], error: str) -> None:
    path = saved / "processor_config.json"
    config = json.loads(path.read_text())
    pin = {**config["codec"], **change}
    config["codec"] = {key: value for key, value in pin.items() if value is not ...}
    path.write_text(json.dumps(config))
    with pytest.raises(ProcessorError, match=error):
        CodecBPEProcessor.from_pretrained(saved)


def test_a_codec_by_name(
    saved: Path, processor: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    named = CodecBPEProcessor(
        processor.feature_extractor, processor.tokenizer, codec=saved / "codec"
    )
    assert ids_of(named, clips[0]) == ids_of(processor, clips[0])


# Copies, hashes and datasets.


def test_pickles_leave_the_codec_out_and_copies_share_it(
    saved: Path, processor: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    loaded = AutoProcessor.from_pretrained(saved)
    before = Hasher.hash(loaded)
    expected = ids_of(loaded, clips[0])
    assert Hasher.hash(loaded) == before == Hasher.hash(AutoProcessor.from_pretrained(saved))
    with pytest.raises(ProcessorError, match="device, num_codebooks cannot be given here"):
        AutoProcessor.from_pretrained(saved, device="cuda", num_codebooks=2)
    twin = pickle.loads(pickle.dumps(loaded))
    assert ids_of(twin, clips[0]) == expected
    assert twin.codec is not loaded.codec
    assert copy.deepcopy(processor).codec is processor.codec
    with pytest.raises(ProcessorError, match="only in memory"):
        _ = pickle.loads(pickle.dumps(processor)).codec
    from_folder = CodecBPEProcessor.from_codec(
        load_codec(saved / "codec", num_codebooks=4), processor.tokenizer
    )
    assert ids_of(pickle.loads(pickle.dumps(from_folder)), clips[0]) == expected


@pytest.mark.parametrize("batched", [False, True])
def test_dataset_map(saved: Path, clips: list[np.ndarray], tmp_path: Path, batched: bool) -> None:
    paths = [str(save_audio(clip, tmp_path / f"{i}.wav", RATE)) for i, clip in enumerate(clips)]
    dataset = Dataset.from_dict({"audio": paths, "text": ["plain", "plain", "plain"]})
    dataset = dataset.cast_column("audio", Audio(decode=False))
    loaded = AutoProcessor.from_pretrained(saved)
    mapped = dataset.map(loaded, batched=batched, batch_size=2)
    assert mapped["input_ids"][:] == loaded(audio=paths)["input_ids"]
    assert mapped.column_names == ["audio", "text", "input_ids", "attention_mask"]


def test_threads_do_not_truncate_for_each_other(
    processor: CodecBPEProcessor, clips: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [{}, {"truncation": True, "max_length": 20}] * 8
    calls = [partial(processor, audio=clips[1], sampling_rate=RATE, **each) for each in options]
    expected = [call()["input_ids"] for call in calls]
    kind = type(processor.tokenizer)
    set_state = kind.set_truncation_and_padding

    def slowly(*args: Any, **kwargs: Any) -> None:
        set_state(*args, **kwargs)
        time.sleep(0.01)  # long enough for another thread to set it otherwise

    monkeypatch.setattr(kind, "set_truncation_and_padding", slowly)
    with ThreadPoolExecutor(8) as pool:
        assert [done["input_ids"] for done in pool.map(lambda call: call(), calls)] == expected


def test_examples(processor: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    value = {"array": clips[1], "sampling_rate": RATE}
    ids = ids_of(processor, clips[1])
    assert processor({"audio": value})["input_ids"] == ids
    assert processor({"audio": value, "text": "plain"})["input_ids"] == ids
    pad = processor.tokenizer.pad_token_id
    assert processor({"audio": value, "text": "<pad><|audio|>"})["input_ids"] == [pad, *ids]
    assert processor({"audio": [value, value]})["input_ids"] == [ids, ids]
    with pytest.raises(ProcessorError, match=r"columns \['sound'\]"):
        processor({"sound": value})


@pytest.mark.parametrize("format_", ["numpy", "torch"])
def test_dataset_map_over_arrays_of_one_length(processor: CodecBPEProcessor, format_: str) -> None:
    arrays = [tiny.speech_like(9_000, seed) for seed in range(3)]
    expected = [ids_of(processor, array) for array in arrays]
    dataset = Dataset.from_dict({"audio": [array.tolist() for array in arrays]})
    call = partial(processor, sampling_rate=RATE)
    formatted = dataset.with_format(format_)
    mapped = formatted.map(call, new_fingerprint=format_).with_format(None)
    assert mapped["input_ids"][:] == expected
    # [B, S] and [C, S] look alike: mixing clips down to one would be silent.
    with pytest.raises(ProcessorError, match="with_format"):
        formatted.map(call, batched=True, new_fingerprint=f"{format_} batched")
    mapped = dataset.map(call, batched=True, remove_columns=["audio"], new_fingerprint="batched")
    assert mapped["input_ids"][:] == expected


def test_dataset_map_over_stereo_lists(processor: CodecBPEProcessor) -> None:
    stereo = np.stack([tiny.speech_like(9_000, 1), tiny.speech_like(9_000, 2)])
    dataset = Dataset.from_dict({"audio": [stereo.tolist()]})
    mapped = dataset.map(partial(processor, sampling_rate=RATE), new_fingerprint="stereo")
    assert mapped["input_ids"][:] == [ids_of(processor, stereo.mean(axis=0))]


def test_several_processes_map_alike(saved: Path, clips: list[np.ndarray], tmp_path: Path) -> None:
    paths = [str(save_audio(clip, tmp_path / f"{i}.wav", RATE)) for i, clip in enumerate(clips)]
    dataset = Dataset.from_dict({"audio": paths})
    loaded = AutoProcessor.from_pretrained(saved)
    expected = loaded(audio=paths)["input_ids"]  # the parent has used its codec's threads
    assert dataset.map(loaded, num_proc=2)["input_ids"][:] == expected


def test_a_forked_process_does_not_wait_for_its_parents_threads(saved: Path) -> None:
    code = (
        "import os, sys, numpy as np, torch, hf_codec_bpe\n"
        "from transformers import AutoProcessor\n"
        "torch.set_num_threads(2)\n"
        f"processor = AutoProcessor.from_pretrained({str(saved)!r})\n"
        "clip = np.sin(np.arange(200_000) / 20).astype(np.float32)\n"
        f"call = lambda: processor(audio=clip, sampling_rate={RATE})['input_ids']\n"
        "expected = call()\n"
        "if os.fork() == 0:\n"
        "    os._exit(call() != expected)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=120, check=False)
    assert done.returncode == 0


# Bad input.


def bad_files(folder: Path) -> dict[str, object]:
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("no audio")
    whole = save_audio(tiny.speech_like(48_000), folder / "whole.flac", RATE)
    (folder / "cut.flac").write_bytes(whole.read_bytes()[:40_000])
    return {name: folder / name for name in ("empty.wav", "text.wav", "cut.flac")}


def test_bad_audio(processor: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path) -> None:
    cases: list[tuple[object, type[CodecBPEError], type[Exception]]] = [
        *((path, AudioFileError, OSError) for path in bad_files(tmp_path).values()),
        (tmp_path / "missing.wav", AudioNotFoundError, FileNotFoundError),
        (np.zeros(0, dtype=np.float32), AudioError, ValueError),
        (np.array([0.0, np.nan]), AudioError, ValueError),
        (np.array([0.0, -np.inf]), AudioError, ValueError),
        ([clips[0], np.array([np.nan])], AudioError, ValueError),
    ]
    for audio, error, builtin in cases:
        with pytest.raises(error) as caught:
            processor(audio=audio)
        assert isinstance(caught.value, builtin)
        assert "\n" not in str(caught.value)


def test_wrong_sampling_rate(processor: CodecBPEProcessor, clips: list[np.ndarray]) -> None:
    with pytest.raises(SamplingRateError, match="resample=True"):
        processor(audio=clips[0], sampling_rate=16_000)
    resampled = processor(audio=clips[0], sampling_rate=16_000, resample=True)["input_ids"]
    assert len(processor.tokenizer.ids_to_codes(resampled[0])[0]) == 40  # 3.125 s at 12.5 Hz


def test_grouped_options_are_transformers_way(
    processor: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    flat = processor(audio=clips, sampling_rate=RATE, padding=True)
    grouped = processor(
        audio=clips, audio_kwargs={"sampling_rate": RATE}, text_kwargs={"padding": True}
    )
    assert grouped["input_ids"] == flat["input_ids"]
    with pytest.raises(SamplingRateError):
        processor(audio=clips, audio_kwargs={"sampling_rate": 8_000})


def test_one_sample(processor: CodecBPEProcessor) -> None:
    ids = ids_of(processor, np.array([0.5], dtype=np.float32))
    assert processor.tokenizer.ids_to_codes(ids).shape == (4, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({}, "nothing to process"),
        ({"audio": []}, "nothing to process"),
        ({"audio": [[0.5] * 9, []]}, "Clip 1 of 2 is an empty list"),
        ({"audio": [np.zeros(9), []], "per_channel": True}, "Clip 1 of 2 is an empty list"),
        ({"text": "<|audio|>"}, "1 <|audio|> placeholder"),
        ({"text": "<pad>", "audio": np.zeros(9)}, "0 <|audio|> placeholder"),
        (
            {"text": ["<|audio|>"] * 2, "audio": [[np.zeros(9), np.zeros(9)], []]},
            "placeholders, but",
        ),
        ({"text": {"audio": [[np.zeros(9), np.zeros(9)], []]}}, "placeholders, but"),
        ({"text": "\U000f0000<|audio|>", "audio": np.zeros(9)}, "stand for audio codes"),
        ({"text": "<pad>", "images": [1]}, "no images"),
        ({"text": np.zeros(9)}, "pass audio as audio="),
        ({"text": 5}, "pass audio as audio="),
        ({"audio": np.zeros(9), "sampling_rat": RATE}, "sampling_rat is not an option"),
        ({"audio": np.zeros(9), "audio_kwargs": {"rate": RATE}}, "rate is not an option"),
    ],
)
def test_calls_that_make_no_sense(
    processor: CodecBPEProcessor, call: dict[str, object], message: str
) -> None:
    with pytest.raises(ProcessorError, match=message.replace("|", r"\|")):
        processor(**call)  # type: ignore[arg-type]


def test_a_tokenizer_that_does_not_fit(processor: CodecBPEProcessor, codec: AudioCodec) -> None:
    other = train_tokenizer([], codebook_sizes=[16] * 3, vocab_size=49)
    with pytest.raises(CodecMismatchError, match="load the codec with num_codebooks=3"):
        CodecBPEProcessor.from_codec(codec, other)
    with pytest.raises(CodecMismatchError):
        CodecBPEProcessor.from_codec(DacCodec(tiny.dac(codebook_size=8)), processor.tokenizer)
    with pytest.raises(TokenizerError, match="no token '<nowhere>'"):
        CodecBPEProcessor.from_codec(codec, processor.tokenizer, audio_start_token="<nowhere>")
    plain = PreTrainedTokenizerFast(tokenizer_object=processor.tokenizer.backend_tokenizer)
    with pytest.raises(TokenizerError, match="knows no codes"):
        CodecBPEProcessor(processor.feature_extractor, plain, codec=codec)
