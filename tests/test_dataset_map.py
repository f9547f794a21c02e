"""A processor under `datasets.map`: every kind of audio, processes, streaming, and the cache."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from datasets import Audio, Dataset, IterableDataset
from datasets.fingerprint import Hasher
from transformers import AutoProcessor

from hf_codec_bpe import CodecBPEProcessor, train_tokenizer
from hf_codec_bpe.audio import save_audio
from hf_codec_bpe.errors import ProcessorError

RATE = 24_000


@pytest.fixture
def loaded(saved: Path) -> CodecBPEProcessor:
    return AutoProcessor.from_pretrained(saved)


@pytest.fixture
def paths(clips: list[np.ndarray], tmp_path: Path) -> list[str]:
    return [str(save_audio(clip, tmp_path / f"{i}.wav", RATE)) for i, clip in enumerate(clips)]


@pytest.fixture
def expected(loaded: CodecBPEProcessor, paths: list[str]) -> list[list[int]]:
    return loaded(audio=paths)["input_ids"]


class Decoder:
    """What `datasets` gives for decoded audio where torchcodec is installed."""

    def __init__(self, samples: np.ndarray) -> None:
        import torch

        self.data = torch.from_numpy(samples)[None]
        self.sample_rate = RATE

    def get_all_samples(self) -> Decoder:
        return self


def rows(paths: list[str], clips: list[np.ndarray]) -> dict[str, Dataset]:
    """The same clips as every kind of column."""
    as_paths = Dataset.from_dict({"audio": paths})
    return {
        "paths": as_paths,
        "undecoded": as_paths.cast_column("audio", Audio(decode=False)),
        "decoded": Dataset.from_list(
            [{"audio": {"array": clip.tolist(), "sampling_rate": RATE}} for clip in clips]
        ),
        "arrays": Dataset.from_dict({"audio": [clip.tolist() for clip in clips]}),
    }


@pytest.mark.parametrize("kind", ["paths", "undecoded", "decoded", "arrays"])
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("streaming", [False, True])
def test_every_kind_of_column(
    loaded: CodecBPEProcessor,
    paths: list[str],
    clips: list[np.ndarray],
    expected: list[list[int]],
    kind: str,
    batched: bool,
    streaming: bool,
) -> None:
    dataset: Any = rows(paths, clips)[kind]
    call: Any = partial(loaded, sampling_rate=RATE) if kind == "arrays" else loaded
    if streaming:
        dataset = dataset.to_iterable_dataset()
    mapped = dataset.map(call, batched=batched, batch_size=2, remove_columns=["audio"])
    assert [row["input_ids"] for row in mapped] == expected
    assert set(next(iter(mapped))) == {"input_ids", "attention_mask"}


@pytest.mark.parametrize("kind", ["paths", "decoded"])
@pytest.mark.parametrize("format_", ["numpy", "torch"])
@pytest.mark.parametrize("batched", [False, True])
def test_a_dataset_with_a_format(
    loaded: CodecBPEProcessor,
    paths: list[str],
    clips: list[np.ndarray],
    expected: list[list[int]],
    kind: str,
    format_: str,
    batched: bool,
) -> None:
    """With one, a sampling rate is an array without axes."""
    dataset = rows(paths, clips)[kind].add_column("text", ["a"] * 3).with_format(format_)
    mapped = dataset.map(loaded, batched=batched, remove_columns=["audio", "text"])
    assert mapped.with_format(None)["input_ids"][:] == expected


@pytest.mark.parametrize("batched", [False, True])
def test_what_torchcodec_decodes(
    loaded: CodecBPEProcessor, clips: list[np.ndarray], expected: list[list[int]], batched: bool
) -> None:
    decoders = [Decoder(clip) for clip in clips]
    stream = IterableDataset.from_generator(lambda: ({"audio": each} for each in decoders))
    mapped = stream.map(loaded, batched=batched, batch_size=2, remove_columns=["audio"])
    assert [row["input_ids"] for row in mapped] == expected


def test_channels_are_sequences_of_their_own(
    loaded: CodecBPEProcessor, clips: list[np.ndarray], tmp_path: Path
) -> None:
    path = save_audio(np.stack([clips[0], clips[0][::-1]]), tmp_path / "stereo.wav", RATE)
    dataset = Dataset.from_dict({"audio": [str(path)]})
    encode = partial(loaded, per_channel=True)
    expected = loaded(audio=str(path), per_channel=True)["input_ids"]
    assert len(expected) == 2
    assert dataset.map(encode)["input_ids"][0] == expected
    assert list(dataset.map(encode, batched=True, remove_columns="audio")["input_ids"]) == expected


def test_rows_that_may_be_channels_are_refused_where_nothing_tells(
    loaded: CodecBPEProcessor, clips: list[np.ndarray]
) -> None:
    """A streamed dataset does not say whether two rows of numbers are a batch or a stereo clip."""
    stereo = [clips[1].tolist(), clips[1][::-1].tolist()]
    encode = partial(loaded, sampling_rate=RATE)
    single = Dataset.from_dict({"audio": [stereo]})
    (ids,) = single.map(encode)["input_ids"]
    with pytest.raises(ProcessorError, match="may be a batch of clips or the channels"):
        list(single.to_iterable_dataset().map(encode))
    batch = Dataset.from_dict({"audio": stereo, "speaker": ["a", "b"]}).to_iterable_dataset()
    assert len(list(batch.map(encode, batched=True))) == 2
    assert ids == loaded(audio=np.array(stereo), sampling_rate=RATE)["input_ids"][0]


@pytest.mark.parametrize("options", [{"padding": True, "batch_size": 2}, {"output_labels": True}])
def test_options_by_partial(
    loaded: CodecBPEProcessor, paths: list[str], options: Mapping[str, Any]
) -> None:
    dataset = Dataset.from_dict({"audio": paths})
    mapped = dataset.map(partial(loaded, **options), batched=True, remove_columns=["audio"])
    direct = loaded(audio=paths, **options)
    assert mapped.column_names == list(direct)
    assert all(mapped[name][:] == direct[name] for name in direct)


# The cache.


def hash_of(change: Callable[[Path], CodecBPEProcessor], saved: Path) -> str:
    return Hasher.hash(change(saved))


def chunked(saved: Path) -> CodecBPEProcessor:
    processor = AutoProcessor.from_pretrained(saved)
    processor.chunk_seconds = 1.0
    return processor


def other_tokenizer(saved: Path) -> CodecBPEProcessor:
    processor = AutoProcessor.from_pretrained(saved)
    tokenizer = train_tokenizer([], codebook_sizes=processor.codec.codebook_sizes, vocab_size=80)
    return CodecBPEProcessor.from_codec(processor.codec, tokenizer)


def other_revision(saved: Path) -> CodecBPEProcessor:
    processor = AutoProcessor.from_pretrained(saved)
    pin = {**processor._codec.pin.to_dict(), "name_or_path": "a/b", "fingerprint": None}
    return CodecBPEProcessor(
        processor.feature_extractor, processor.tokenizer, codec={**pin, "revision": "0" * 40}
    )


def another_revision(saved: Path) -> CodecBPEProcessor:
    first = other_revision(saved)
    pin = {**first._codec.pin.to_dict(), "revision": "1" * 40}
    return CodecBPEProcessor(first.feature_extractor, first.tokenizer, codec=pin)


def fewer_codebooks(saved: Path) -> CodecBPEProcessor:
    from hf_codec_bpe import load_codec

    codec = load_codec(saved / "codec", num_codebooks=3)
    tokenizer = train_tokenizer([], codebook_sizes=codec.codebook_sizes, vocab_size=80)
    return CodecBPEProcessor.from_codec(codec, tokenizer)


def test_whatever_changes_tokens_changes_the_hash(saved: Path) -> None:
    changes = [
        AutoProcessor.from_pretrained,
        chunked,
        other_tokenizer,
        other_revision,
        another_revision,
        fewer_codebooks,
    ]
    hashes = [hash_of(change, saved) for change in changes]
    assert len(set(hashes)) == len(changes)
    assert [hash_of(change, saved) for change in changes] == hashes


def test_hashing_takes_milliseconds(loaded: CodecBPEProcessor, paths: list[str]) -> None:
    loaded(audio=paths)  # with the codec loaded
    Hasher.hash(loaded)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        Hasher.hash(loaded)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.02


AGAIN = """
import sys
from datasets import load_from_disk
from transformers import AutoProcessor
import hf_codec_bpe.codecs.lazy as lazy

def refuse(self):
    raise SystemExit("the codec was loaded")

lazy.LazyCodec.load = refuse
processor = AutoProcessor.from_pretrained(sys.argv[1])
mapped = load_from_disk(sys.argv[2]).map(processor, batched=True)
print(mapped["input_ids"][:])
"""


def test_the_cache_serves_a_second_call_without_the_codec(
    saved: Path,
    loaded: CodecBPEProcessor,
    paths: list[str],
    expected: list[list[int]],
    tmp_path: Path,
) -> None:
    Dataset.from_dict({"audio": paths}).save_to_disk(tmp_path / "dataset")
    dataset = datasets.load_from_disk(tmp_path / "dataset")
    first = dataset.map(loaded, batched=True)
    again = AutoProcessor.from_pretrained(saved)
    second = datasets.load_from_disk(tmp_path / "dataset").map(again, batched=True)
    assert again._codec._codec is None
    assert second._fingerprint == first._fingerprint
    command = [sys.executable, "-c", AGAIN, str(saved), str(tmp_path / "dataset")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(expected)
    changed = dataset.map(chunked(saved), batched=True)
    assert changed._fingerprint != first._fingerprint
    assert changed["input_ids"][:] != expected


# Processes.


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_two_processes_map_as_one(
    loaded: CodecBPEProcessor,
    paths: list[str],
    expected: list[list[int]],
    method: str,
) -> None:
    import multiprocess

    before = multiprocess.get_start_method()
    multiprocess.set_start_method(method, force=True)
    try:
        mapped = Dataset.from_dict({"audio": paths}).map(
            loaded, batched=True, batch_size=1, num_proc=2, remove_columns=["audio"]
        )
    finally:
        multiprocess.set_start_method(before, force=True)
    assert mapped["input_ids"][:] == expected


def test_rank_picks_a_device(
    loaded: CodecBPEProcessor, paths: list[str], expected: list[list[int]]
) -> None:
    def on_its_device(example: Mapping[str, Any], rank: int) -> Mapping[str, Any]:
        return {**loaded.to(f"cpu:{rank}")(example), "rank": rank}

    mapped = Dataset.from_dict({"audio": paths}).map(on_its_device, with_rank=True, num_proc=2)
    assert mapped["input_ids"][:] == expected
    assert mapped["rank"][:] == [0, 0, 1]
