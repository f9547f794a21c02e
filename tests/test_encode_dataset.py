"""A corpus to shards of codes."""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from datasets import Audio, Dataset

from hf_codec_bpe import AudioCodec, CodesFolder, CodeShards, encode_dataset, train_tokenizer
from hf_codec_bpe.audio import load_audio, load_channels, save_audio
from hf_codec_bpe.code_shards import open_codes
from hf_codec_bpe.codecs import EncodecCodec, MimiCodec
from hf_codec_bpe.data import sources
from hf_codec_bpe.data.source_encoding import EncodingOptions
from hf_codec_bpe.errors import (
    AudioError,
    AudioNotFoundError,
    CodecError,
    CodesError,
    CodesFileError,
)
from hf_codec_bpe.shard_files import encoding_errors

from . import tiny
from .folders import files_of

CODEC = MimiCodec(tiny.mimi(), num_codebooks=4)
ENCODEC = EncodecCodec(tiny.encodec(), num_codebooks=4)


class BatchingCodec(EncodecCodec):
    """Batches as on a GPU, whose memory holds windows of so many samples in all."""

    memory: float = float("inf")
    no_memory: Exception = torch.OutOfMemoryError("CUDA out of memory")

    def max_batch_size(self, batch_size: int) -> int:
        return batch_size

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(input_values))
        if input_values.numel() > self.memory:
            raise self.no_memory
        return torch.cat(
            [super(BatchingCodec, self)._encode_batch(one[None]) for one in input_values]
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.batches: list[int] = []


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Eleven stereo clips of different lengths and formats, at other rates than the codecs'."""
    for i in range(11):
        samples = np.stack([tiny.speech_like(2_000 + 3_001 * i, seed) for seed in (i, i + 50)])
        name = f"{'ab'[i % 2]}/{i:02d}.{('wav', 'flac', 'ogg', 'mp3')[i % 4]}"
        save_audio(samples, tmp_path / "in" / name, (16_000, 24_000, 44_100)[i % 3])
    return tmp_path / "in"


def encode(source: Any, out: Any, codec: AudioCodec = CODEC, **options: Any) -> Any:
    return encode_dataset(source, out, codec, **{"show_progress": False, **options})


def clips_of(corpus: Path) -> list[Path]:
    return sorted(path for path in corpus.rglob("*") if path.is_file())


def assert_same(codes: Any, expected: list[np.ndarray]) -> None:
    for found, each in zip(codes, expected, strict=True):
        assert found.dtype == np.uint16
        assert np.array_equal(found, each)


# What is in the shards.


@pytest.mark.parametrize("codec", [CODEC, ENCODEC], ids=["mimi", "encodec"])
@pytest.mark.parametrize("window", [(None, 0.0), (0.5, 0.0), (0.24, 0.48)])
@pytest.mark.parametrize("per_channel", [False, True])
def test_shards_hold_what_the_codec_encodes(
    corpus: Path, codec: AudioCodec, window: tuple[float | None, float], per_channel: bool
) -> None:
    options = {"chunk_seconds": window[0], "context_seconds": window[1]}
    summary = encode(corpus, "out", codec, per_channel=per_channel, shard_size=4, **options)
    paths = clips_of(corpus)
    load = load_channels if per_channel else lambda path, rate: [load_audio(path, rate)]
    clips = [load(path, codec.sampling_rate) for path in paths]
    expected = codec.encode([channel for clip in clips for channel in clip], **options)
    shards = CodeShards("out")
    assert_same(shards, expected)
    assert_same(shards, expected)  # as often as one likes
    table = pandas.concat(map(pandas.read_parquet, shards.shards), ignore_index=True)
    names = [path.relative_to(corpus).as_posix() for path in paths for _ in range(1 + per_channel)]
    assert table["id"].tolist() == names
    assert table["channel"].tolist() == ([0, 1] if per_channel else [0]) * 11
    assert table["path"].tolist() == [str(corpus / name) for name in names]
    seconds = [len(channel) / codec.sampling_rate for clip in clips for channel in clip]
    assert table["duration"].tolist() == seconds
    assert summary.num_encoded == 11
    assert summary.seconds == pytest.approx(sum(seconds) / (1 + per_channel))
    assert not summary.errors


def test_the_pin_lies_beside_the_codes_and_in_them(corpus: Path) -> None:
    encode(corpus, "out", chunk_seconds=1.0)
    pin = CODEC.pin.to_dict()
    assert json.loads(Path("out/codec.json").read_text()) == pin
    assert CodeShards("out").pin == pin
    metadata = pq.read_schema("out/data/train-00000.parquet").metadata[b"hf_codec_bpe"]
    assert {**pin, "chunk_seconds": 1.0}.items() <= json.loads(metadata).items()
    assert json.loads(metadata) == json.loads(Path("out/encoding.json").read_text())


def test_datasets_reads_the_folder(corpus: Path) -> None:
    encode(corpus, "out", shard_size=4)
    (corpus / "zz.wav").write_text("no audio")
    encode(corpus, "with_errors", shard_size=11)
    for folder in ("out", "with_errors"):  # whose last shard has no rows
        loaded = datasets.load_dataset(folder, split="train")
        assert_same(
            (np.array(codes, dtype=np.uint16) for codes in loaded["codes"]), CodeShards("out")
        )
        tokenizer = train_tokenizer(
            loaded["codes"], codebook_sizes=CODEC.codebook_sizes, vocab_size=100
        )
        streamed = datasets.load_dataset(folder, split="train", streaming=True)
        first = next(iter(streamed))["codes"]
        assert np.array_equal(tokenizer.ids_to_codes(tokenizer.codes_to_ids(first)), first)


def test_large_codebooks_take_32_bits(corpus: Path) -> None:
    class Wide(MimiCodec):
        def _select_codebooks(self, *args: Any) -> tuple[int, ...]:
            return (65_537,)

    encode(corpus, "out", Wide(tiny.mimi()))
    assert next(iter(CodeShards("out"))).dtype == np.uint32


# Where audio comes from.


def test_every_source_gives_the_same_codes(corpus: Path, tmp_path: Path) -> None:
    paths = [str(path) for path in clips_of(corpus)]
    encode(corpus, "folder")
    expected = list(CodeShards("folder"))
    (corpus / "list.jsonl").write_text(
        "\n".join(
            json.dumps({"audio_filepath": Path(p).relative_to(corpus).as_posix()}) for p in paths
        )
    )
    (tmp_path / "list.tsv").write_text(
        "\n".join(["id\tpath", *(f"n{p[-6:-4]}\t{p}" for p in paths)])
    )
    arrays = [load_audio(path, 24_000) for path in paths]
    dataset = Dataset.from_dict({"audio": paths, "name": [f"n{i}" for i in range(11)]})
    decoded = [{"array": array.tolist(), "sampling_rate": 24_000} for array in arrays]
    undecoded = dataset.cast_column("audio", Audio())
    kinds = {
        "files": (paths, {}),
        "jsonl": (corpus / "list.jsonl", {}),
        "tsv": (tmp_path / "list.tsv", {}),
        "path column": (dataset, {"id_column": "name"}),
        "Audio column": (undecoded, {}),
        "streamed": (undecoded.to_iterable_dataset(), {"id_column": "name"}),
        "decoded": (Dataset.from_dict({"sound": decoded}), {"audio_column": "sound"}),
        "arrays": (
            Dataset.from_dict({"audio": [array.tolist() for array in arrays]}),
            {"sampling_rate": 24_000},
        ),
    }
    for name, (source, options) in kinds.items():
        encode(source, name, shard_size=4, **options)
        assert_same(CodeShards(name), expected)
        encode(source, name, shard_size=4, **options)  # the same source again is no other one
    assert CodeShards("jsonl").names == CodeShards("folder").names
    assert CodeShards("tsv").names[:2] == ["n00_c0", "n02_c0"]
    assert CodeShards("streamed").names[3] == "n3_c0"
    assert CodeShards("Audio column").names[3] == "3_c0"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "x"}', "Entry 1 of .* names no file"),
        ("[1]", "not a JSON object"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"path": "a.wav", "offset": 2.5}', "only whole files"),
        (
            '{"path": ["a.wav", "b.wav"]}',
            r'Entry 1 of .* has \["a.wav", "b.wav"\] in the column path',
        ),
        ('{"path": {"file": "a.wav"}}', "in the column path, which takes text"),
        ('{"path": "a.wav", "id": [1, 2]}', "in the column id, which takes text"),
        ('{"path": "a.wav", "text": ["Hi", "you"]}', "in the column text, which takes text"),
        ("", "is empty"),
    ],
)
def test_bad_manifests(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "list.jsonl").write_text(line)
    with pytest.raises(AudioError, match=message):
        encode(tmp_path / "list.jsonl", "out")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("list.tsv", ['"Hi', 'bye"', "."]),
        ("list.tsv", ['"Hi', "bye", "."]),
        ("list.csv", ['"Hi', "bye", "."]),
    ],
)
def test_a_lone_quote_in_a_manifest_swallows_no_clips(name: str, fields: list[str]) -> None:
    between = "\t" if name.endswith("tsv") else ","
    rows = [("path", "text"), ("0.wav", '"A ""whole"" one"'), *(("1.wav", t) for t in fields)]
    Path(name).write_text("\r\n".join(map(between.join, rows)))
    with pytest.raises(AudioError, match=r"up to line \d .*: repair the quotes"):
        sources.read_clips([name])
    Path(name).write_text("\n".join(map(between.join, rows[:2])))
    assert [clip.text for clip in sources.read_clips([name])] == ['A "whole" one']


def test_a_filter_chooses_among_a_manifests_files() -> None:
    Path("list.csv").write_text("path\na/0.wav\nb/0.wav\na/1.wav\n")
    chosen = sources.read_clips(["list.csv"], audio_filter="a/")
    assert [clip.id for clip in chosen] == ["a/0.wav", "a/1.wav"]
    with pytest.raises(AudioNotFoundError, match=r"No path of list\.csv contains x or y"):
        sources.read_clips(["list.csv"], audio_filter=["x", "y"])
    with pytest.raises(AudioError, match="audio_filter is for files"):
        encode(Dataset.from_dict({"audio": ["a.wav"]}), "out", audio_filter="a")


@pytest.mark.parametrize("column", ["path", "audio_filepath", "id", "text"])
def test_a_column_that_is_there_twice_hides_no_other(column: str) -> None:
    Path("list.csv").write_text(f"path,note,{column},note,{column}\n0.wav,,1.wav,,2.wav\n")
    with pytest.raises(AudioError, match=rf"list\.csv has \d columns {column}, but one counts"):
        sources.read_clips(["list.csv"])
    Path("list.csv").write_text("path,note,note\n0.wav,a,b\n")  # nobody reads these
    assert [clip.id for clip in sources.read_clips(["list.csv"])] == ["0.wav"]


@pytest.mark.parametrize(("name", "between"), [("list.csv", ","), ("list.tsv", "\t")])
def test_a_lone_separator_in_a_manifest_cuts_no_text_off(name: str, between: str) -> None:
    rows = [("path", "text"), ("0.wav", "All of it", ""), ("1.wav", "Hello", " world")]
    Path(name).write_text("\n".join(map(between.join, rows)))
    with pytest.raises(AudioError, match=r"line 3 \(3 fields, but the first row names 2\)"):
        sources.read_clips([name])
    Path(name).write_text("\n".join(map(between.join, rows[:2])))
    assert [clip.text for clip in sources.read_clips([name])] == ["All of it"]


def test_bad_sources(corpus: Path) -> None:
    rows = Dataset.from_dict({"audio": ["a.wav", "b.wav"], "id": ["x", "x"]})
    with pytest.raises(AudioError, match=r"dataset\['test'\]"):
        encode(datasets.DatasetDict(test=rows), "out")
    with pytest.raises(AudioError, match="none named 'sound'"):
        encode(rows, "out", audio_column="sound")
    with pytest.raises(CodesError, match="2 clips have the id 'x'"):
        encode(rows, "out", id_column="id")
    with pytest.raises(CodesError, match=r"2 clips have the id '00\.wav'"):
        encode([corpus / "a" / "00.wav"] * 2, "out")
    with pytest.raises(AudioNotFoundError):
        encode("nowhere", "out")
    Path("list.csv").write_text("path\na.wav\n")
    with pytest.raises(AudioError, match=r"list\.csv is a manifest, and there are 1 other"):
        encode([corpus, "list.csv"], "out")
    assert not Path("out").exists()


# Faults.


def test_numbers_of_numpy_are_as_good_as_pythons(corpus: Path) -> None:
    encode(corpus, "out", shard_size=np.int64(4), chunk_seconds=np.float32(0.5))
    assert encode(corpus, "out", shard_size=4, chunk_seconds=0.5).num_encoded == 0


def test_an_empty_source_is_not_the_current_folder(corpus: Path) -> None:
    for source in ("", [str(corpus), ""]):
        with pytest.raises(AudioNotFoundError, match="A source is an empty string"):
            encode(source, "out")
    assert not Path("out").exists()


def test_an_empty_folder_of_codes_is_not_the_current_one(corpus: Path) -> None:
    encode(corpus, ".")
    with pytest.raises(CodesError, match="The folder of codes is an empty string"):
        encode(corpus, "")
    for read in (CodeShards, CodesFolder, open_codes):
        with pytest.raises(CodesError, match="The folder of codes is an empty string"):
            read("")


def test_a_bad_file_is_noted_and_touches_no_other(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode(corpus, "whole", shard_size=5)
    (corpus / "a" / "001.wav").write_text("no audio")
    (corpus / "b" / "000.flac").write_bytes((corpus / "b" / "01.flac").read_bytes()[:-5_000])
    soundfile.write(corpus / "z.wav", np.array([0.5, np.nan] * 9_000), 24_000, subtype="FLOAT")
    codec = BatchingCodec(tiny.encodec(), num_codebooks=4)
    for number, each in enumerate((CODEC, codec)):
        summary = encode(corpus, f"out{number}", each, shard_size=5, chunk_seconds=0.1)
        assert [error["id"] for error in summary.errors] == ["a/001.wav", "b/000.flac", "z.wav"]
        assert [error["path"] for error in summary.errors] == [
            str(corpus / error["id"]) for error in summary.errors
        ]
        reasons = [error["reason"] for error in summary.errors]
        for reason, word in zip(reasons, ("cannot be decoded", "", "NaN"), strict=True):
            assert word in reason
        assert encoding_errors(f"out{number}") == summary.errors
        ids = set(datasets.load_dataset(f"out{number}", split="train")["id"])
        assert ids == {path.relative_to(corpus).as_posix() for path in clips_of(corpus)} - {
            error["id"] for error in summary.errors
        }
    encode(corpus, "chunked", codec=CODEC, shard_size=5, chunk_seconds=0.1)
    assert_same(CodeShards("out0"), list(CodeShards("chunked")))


def test_whatever_a_decoder_does_is_noted(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = soundfile.SoundFile.read

    def spoilt(self: soundfile.SoundFile, *args: Any, **options: Any) -> Any:
        if self.name.endswith("03.mp3"):
            raise RuntimeError("a bug in a decoder")
        return read(self, *args, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", spoilt)
    (error,) = encode(corpus, "out").errors
    assert error["id"] == "b/03.mp3"
    assert "RuntimeError: a bug in a decoder" in error["reason"]
    assert len(CodeShards("out")) == 10


def test_errors_are_retried_on_demand(corpus: Path) -> None:
    good = (corpus / "b" / "05.flac").read_bytes()
    encode(corpus, "whole", shard_size=3)
    (corpus / "b" / "05.flac").write_bytes(b"no audio")
    assert len(encode(corpus, "out", shard_size=3).errors) == 1
    (corpus / "b" / "05.flac").write_bytes(good)
    again = encode(corpus, "out", shard_size=3)
    assert (again.num_encoded, again.num_there, len(again.errors)) == (0, 4, 1)
    retried = encode(corpus, "out", shard_size=3, retry_errors=True)
    assert (retried.num_encoded, retried.num_there, retried.errors) == (3, 3, [])
    assert files_of(Path("out")) == files_of(Path("whole"))


@pytest.mark.parametrize("fits", [5, 2, 1])
def test_short_memory_makes_batches_smaller_and_changes_no_codes(corpus: Path, fits: int) -> None:
    codec = BatchingCodec(tiny.encodec(), num_codebooks=4)
    options = {"chunk_seconds": 0.1, "batch_size": 8, "shard_size": 4}
    encode(corpus, "plenty", codec, **options)
    assert max(codec.batches) == 8
    codec.batches.clear()
    codec.memory = fits * 2_400
    assert not encode(corpus, "short", codec, **options).errors
    assert files_of(Path("short")) == files_of(Path("plenty"))
    assert sum(size > fits for size in codec.batches) <= 3  # and not tried again and again


def error_of(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("no error")


@pytest.mark.parametrize(
    "no_memory",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("input tensor must fit into 32-bit index math"),
        error_of(lambda: np.empty(1 << 50)),
    ],
    ids=["cuda", "cudnn", "index", "numpy"],
)
def test_a_window_too_long_for_memory_is_an_error_of_its_clip(
    corpus: Path, no_memory: Exception
) -> None:
    codec = BatchingCodec(tiny.encodec(), num_codebooks=4)
    codec.memory, codec.no_memory = 20_000, no_memory
    summary = encode(corpus, "out", codec, chunk_seconds=None, shard_size=4)
    lengths = {p: len(load_audio(p, 24_000)) for p in clips_of(corpus)}
    too_long = [str(path) for path, length in lengths.items() if length > 20_000]
    assert [error["path"] for error in summary.errors] == too_long
    assert all("do not fit in memory" in error["reason"] for error in summary.errors)
    assert len(CodeShards("out")) == 11 - len(too_long) > 0


@contextmanager
def files_of_at_most(num_bytes: int) -> Iterator[None]:
    """The kernel's way to refuse what is written beyond."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_disk_that_is_full_is_a_clear_error(corpus: Path) -> None:
    encode(corpus, "whole", shard_size=4)
    sizes = [path.stat().st_size for path in sorted(Path("whole/data").iterdir())]
    largest = max(sizes)
    with files_of_at_most(largest - 1), pytest.raises(CodesFileError, match="cannot be written"):
        encode(corpus, "out", shard_size=4)
    there = files_of(Path("out"))
    assert all(name in files_of(Path("whole")) for name in there)  # nothing half, nothing hidden
    assert f"out/data/train-{sizes.index(largest):05d}.parquet" not in there
    encode(corpus, "out", shard_size=4)
    assert files_of(Path("out")) == files_of(Path("whole"))


@pytest.mark.parametrize("layout", ["parquet", "npy"])
def test_a_folder_that_cannot_be_written_is_a_clear_error(corpus: Path, layout: str) -> None:
    with pytest.raises(CodesFileError, match="cannot be written"):
        encode(corpus, "/proc/no/such", format=layout)
    Path("file").touch()
    with pytest.raises(CodesFileError, match="cannot be written"):
        encode(corpus, "file/out", format=layout)


def test_ctrl_c_stops_the_thread_too(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = EncodecCodec(tiny.encodec(), num_codebooks=4)
    calls = iter(range(5))

    def encode_batch(values: torch.Tensor) -> torch.Tensor:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return ENCODEC._encode_batch(values)

    monkeypatch.setattr(codec, "_encode_batch", encode_batch)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        encode(corpus, "out", codec, shard_size=2)
    assert threading.active_count() == before
    assert not [name for name in files_of(Path("out")) if "partial" in name]
    encode(corpus, "out", ENCODEC, shard_size=2)
    encode(corpus, "whole", ENCODEC, shard_size=2)
    assert files_of(Path("out")) == files_of(Path("whole"))


def test_two_runs_into_one_folder_leave_each_other_alone(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = EncodecCodec(tiny.encodec(), num_codebooks=4)

    def encode_batch(values: torch.Tensor) -> torch.Tensor:
        encode(corpus, "out", ENCODEC)  # all of it, while the first shard is half written
        return ENCODEC._encode_batch(values)

    monkeypatch.setattr(codec, "_encode_batch", encode_batch)
    encode(corpus, "out", codec)
    encode(corpus, "whole", ENCODEC)
    assert files_of(Path("out")) == files_of(Path("whole"))


def test_threads_that_read_change_nothing(corpus: Path) -> None:
    (corpus / "a/broken.wav").write_text("not audio")
    codec = BatchingCodec(tiny.encodec(), num_codebooks=4)
    options: dict[str, Any] = {"chunk_seconds": 0.3, "shard_size": 5, "batch_size": 3}
    for num_workers in (1, 4):
        encode(corpus, f"by{num_workers}", codec, num_workers=num_workers, **options)
    assert files_of(Path("by1")) == files_of(Path("by4"))
    half = len(codec.batches) // 2
    assert codec.batches[:half] == codec.batches[half:]


def test_a_gpu_has_more_threads_that_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert EncodingOptions().num_threads("cpu") == 1
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(64))
    assert EncodingOptions().num_threads("cuda") == 8
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(2))
    assert EncodingOptions().num_threads("mps") == 2
    assert EncodingOptions(num_workers=3).num_threads("cuda") == 3


# Several runs.


@pytest.mark.parametrize("batching", [False, True])
def test_jobs_fill_a_folder_together(corpus: Path, batching: bool) -> None:
    codec = BatchingCodec(tiny.encodec(), num_codebooks=4) if batching else ENCODEC
    encode(corpus, "whole", codec, shard_size=2)
    for index in (2, 0, 1):
        encode(corpus, "out", codec, shard_size=2, num_shards=3, shard_index=index)
    assert files_of(Path("out")) == files_of(Path("whole"))
    streamed = Dataset.from_dict(
        {"audio": [str(p) for p in clips_of(corpus)]}
    ).to_iterable_dataset()
    for index in (1, 0, 2):
        encode(streamed, "streamed", codec, shard_size=2, num_shards=3, shard_index=index)
    assert_same(CodeShards("streamed"), list(CodeShards("whole")))


def test_a_folder_holds_codes_of_one_making(corpus: Path) -> None:
    encode(corpus, "out", shard_size=4)
    for change, message in (
        ({"chunk_seconds": 1.0}, "chunk_seconds was 30.0, is 1.0"),
        ({"codec": MimiCodec(tiny.mimi(), num_codebooks=2)}, "num_codebooks was 4, is 2"),
        ({"shard_size": 5}, "shard_size was 4, is 5"),
        ({"source": corpus / "a"}, "num_sources was 11, is 6"),
        ({"format": "npy"}, "shard_size was 4, is None"),
    ):
        arguments = {"source": corpus, "codec": CODEC, "shard_size": 4, **change}
        with pytest.raises(CodesError, match=message):
            encode(out="out", **arguments)
    (corpus / "a" / "00.wav").rename(corpus / "a" / "01.wav")
    with pytest.raises(CodesError, match=r"settings \(the clips are others"):
        encode(corpus, "out", shard_size=4)
    Path("out/encoding.json").unlink()
    with pytest.raises(CodesError, match=r"no encoding.json"):
        encode(corpus, "out", shard_size=4)


def test_another_stream_is_not_taken_for_the_first(corpus: Path) -> None:
    paths = [str(path) for path in clips_of(corpus)]
    encode(Dataset.from_dict({"audio": paths}).to_iterable_dataset(), "out")
    other = Dataset.from_dict({"audio": paths[::-1]}).to_iterable_dataset()
    with pytest.raises(CodesError, match="other settings"):
        encode(other, "out")


def test_streams_without_names_are_told_apart_by_what_is_in_them(corpus: Path) -> None:
    sounds = [{"bytes": path.read_bytes(), "path": None} for path in clips_of(corpus)]

    def stream(some: list[Any]) -> Any:
        rows = Dataset.from_dict({"audio": some}).cast_column("audio", Audio())
        return rows.to_iterable_dataset()

    encode(stream(sounds[:5]), "out")
    assert encode(stream(sounds[:5]), "out").num_encoded == 0
    with pytest.raises(CodesError, match="other settings"):
        encode(stream(sounds[5:]), "out")


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_stream_that_has_grown_is_encoded_to_its_end(corpus: Path, per_channel: bool) -> None:
    (corpus / "a" / "04.bad.wav").write_text("no audio")
    paths = [str(path) for path in clips_of(corpus)]
    stream = Dataset.from_dict({"audio": paths}).to_iterable_dataset()
    options = {"shard_size": 4, "per_channel": per_channel}
    assert encode(stream.take(6), "out", **options).num_encoded == 5
    assert encode(stream.take(6), "out", **options).num_encoded == 0
    assert encode(stream, "out", **options).num_encoded == 8  # the second shard was not full
    encode(stream, "whole", **options)
    assert files_of(Path("out")) == files_of(Path("whole"))


def test_a_streams_ids_are_unique(corpus: Path) -> None:
    columns = {"audio": [str(path) for path in clips_of(corpus)[:3]], "id": ["x", "y", "x"]}
    with pytest.raises(CodesError, match="Two clips of the stream have the id 'x'"):
        encode(Dataset.from_dict(columns).to_iterable_dataset(), "out", id_column="id")


@pytest.mark.parametrize("id_", [None, ""])
def test_a_clip_without_an_id_is_named(corpus: Path, id_: str | None) -> None:
    columns = {"audio": [str(path) for path in clips_of(corpus)[:2]], "id": ["x", id_]}
    dataset = Dataset.from_dict(columns)
    for rows in (dataset, dataset.to_iterable_dataset()):
        with pytest.raises(CodesError, match=r"Row 1 has .* in the column 'id', which is no id"):
            encode(rows, "out", id_column="id")


@pytest.mark.parametrize("name", [b"caf\xe9.wav", "x\u2028y.wav".encode(), "\u00e9 z.wav".encode()])
@pytest.mark.parametrize("layout", ["parquet", "npy"])
def test_odd_names_stop_nothing(corpus: Path, layout: str, name: bytes) -> None:
    bad = os.path.join(os.fsencode(corpus), name)
    with open(bad, "wb") as file:
        file.write(b"no audio")
    for _ in range(2):
        (error,) = encode(corpus, "out", format=layout).errors
        assert error["id"] == os.fsdecode(name).encode("utf-8", "backslashreplace").decode()
    assert len(open_codes("out")) == 11
    os.replace(clips_of(corpus)[0], bad)  # now it is audio
    assert encode(corpus, "anew", format=layout).num_encoded == 11 - (b"\xe9" in name[3:4])


def test_links_are_followed_and_nothing_is_left_out_silently(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    clips_of(corpus)[0].rename(tmp_path / "more" / "linked.wav")
    (corpus / "link").symlink_to(tmp_path / "more")
    (corpus / "a" / "around").symlink_to(corpus)
    (corpus / "circle.wav").symlink_to("circle.wav")
    (corpus / "dangling.wav").symlink_to("nowhere.wav")
    summary = encode(corpus, "out")
    assert summary.num_encoded == 11
    assert [error["id"] for error in summary.errors] == ["circle.wav", "dangling.wav"]


def test_a_folder_that_cannot_be_read_is_an_error(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scandir(path: Path) -> Any:
        if path.name == "b":
            raise PermissionError(13, "Permission denied")
        return real(path)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)  # root may read everything
    with pytest.raises(AudioError, match=r"in/b cannot be read .*Permission denied"):
        encode(corpus, "out")


def test_manifests_name_clips_as_they_like(corpus: Path, tmp_path: Path) -> None:
    lines = [{"path": str(path), "id": i} for i, path in enumerate(clips_of(corpus))]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    encode(tmp_path / "list.jsonl", "out", format="npy")
    assert CodesFolder("out").names == sorted(f"{i}_c0" for i in range(11))
    (tmp_path / "list.csv").write_bytes("path\ncaf\u00e9.wav".encode("latin-1"))
    with pytest.raises(AudioError, match="is not UTF-8"):
        encode(tmp_path / "list.csv", "out")
    (tmp_path / "half.jsonl").write_text('{"path": "a.wav", "id": "\\ud800"}')
    (error,) = encode(tmp_path / "half.jsonl", "half").errors
    assert error["reason"] == "The name '\\\\ud800' is not UTF-8: rename the file."


def test_overwriting(corpus: Path) -> None:
    encode(corpus, "out", shard_size=4)
    assert encode(corpus, "out", shard_size=4, overwrite=True).num_encoded == 11


@pytest.mark.parametrize(
    "options",
    [
        {"format": "csv"},
        {"file_per_chunk": True},
        {"shard_size": 0},
        {"shard_index": 1},
        {"num_shards": 2, "shard_index": 2},
        {"batch_size": 0},
        {"num_workers": 0},
        {"chunk_seconds": 1e-9},
        {"chunk_seconds": None, "context_seconds": 1.0},
    ],
)
def test_options_that_cannot_be(corpus: Path, options: dict[str, Any]) -> None:
    with pytest.raises((CodesError, CodecError), match=r"pass|seconds|job"):
        encode(corpus, "out", **options)
    assert not Path("out").exists()


def test_progress_tells_speed_and_time_left(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = encode(corpus, "out", show_progress=True)
    last = capsys.readouterr().err.split("\r")[-1]
    assert "11/11" in last
    assert f"{summary.seconds / 3600:.2f} h of audio" in last
    assert "h/s" in last


# Reading.


def test_choosing_clips(corpus: Path) -> None:
    encode(corpus, "out", per_channel=True, shard_size=4)
    encode(corpus, "npy", per_channel=True, format="npy")
    everything = CodeShards("out")
    assert len(everything) == 22
    for options in (
        {"num_files": 5},
        {"codes_filter": "a/"},
        {"codes_filter": ["b/03", "b/05"], "num_files": 3},
        {"num_codebooks": 2},
        {"max_seconds": 3.0, "seed": 3},
    ):
        shards, folder = open_codes("out", **options), open_codes("npy", **options)
        assert isinstance(shards, CodeShards)
        assert isinstance(folder, CodesFolder)
        if "seed" not in options:  # an npy folder knows lengths in frames only
            assert shards.names == folder.names
            assert_same(shards, list(folder))
        chosen = set(shards.names)
        expected = [
            codes[: options.get("num_codebooks")]
            for name, codes in zip(everything.names, everything, strict=True)
            if name in chosen
        ]
        assert_same(shards, expected)
    with pytest.raises(CodesError, match="contains nowhere"):
        CodeShards("out", codes_filter="nowhere")
    with pytest.raises(CodesError, match="4 codebooks, not of 5"):
        CodeShards("out", num_codebooks=5)


@pytest.mark.parametrize("layout", ["parquet", "npy"])
def test_a_sample_of_so_much_audio(corpus: Path, layout: str) -> None:
    encode(corpus, "out", format=layout, shard_size=4)
    longest = max(len(load_audio(path, 24_000)) for path in clips_of(corpus)) / 24_000
    whole = open_codes("out")
    samples = {seed: open_codes("out", max_seconds=2.0, seed=seed) for seed in range(6)}
    for seed, sample in samples.items():
        assert 2.0 <= sample.seconds < 2.0 + longest + 0.1
        assert sample.names == open_codes("out", max_seconds=2.0, seed=seed).names
        assert sample.names == [name for name in whole.names if name in sample.names]
    assert len({tuple(sample.names) for sample in samples.values()}) > 1
    assert open_codes("out", max_seconds=1e9).names == whole.names
    with pytest.raises(CodesError, match="chooses nothing"):
        open_codes("out", max_seconds=0)


def test_a_folder_that_is_not_finished_says_so(
    corpus: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encode(corpus, "out", shard_size=4, num_shards=2, shard_index=1)
    with caplog.at_level(logging.WARNING):
        assert len(CodeShards("out")) == 4
    assert "holds 1 of 3 shards" in caplog.text
    Path("out/data/train-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(CodesError, match="run the same encoding again"):
        CodeShards("out")


def test_a_damaged_shard_is_an_error_and_never_other_codes(corpus: Path) -> None:
    encode(corpus, "out")
    shard, expected = Path("out/data/train-00000.parquet"), list(CodeShards("out"))
    whole, metadata = shard.read_bytes(), pq.read_metadata(shard)
    end = sum(metadata.row_group(0).column(i).total_compressed_size for i in range(5))
    num_errors = 0
    for place in range(4, end, end // 50):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        shard.write_bytes(damaged)
        try:
            assert_same(CodeShards("out"), expected)
        except CodesError:
            num_errors += 1
    assert num_errors > 30


def test_files_of_others_are_not_taken_for_shards(corpus: Path) -> None:
    encode(corpus, "out", shard_size=4)
    encode(corpus, "other", shard_size=4, chunk_seconds=0.5)
    shard, another = Path("out/data/train-00001.parquet"), Path("other/data/train-00001.parquet")
    pandas.read_parquet(shard).to_parquet("plain.parquet")
    for file in (another, Path("plain.parquet")):
        shard.write_bytes(file.read_bytes())
        with pytest.raises(CodesError, match=r"train-00001.* otherwise than encoding\.json says"):
            CodeShards("out")
    shard.unlink()
    encode(corpus, "out", shard_size=4)
    assert len(CodeShards("out")) == 11
    settings = json.loads(Path("out/encoding.json").read_text())
    Path("out/encoding.json").write_text(json.dumps({**settings, "of_a_later_version": None}))
    assert len(CodeShards("out")) == 11
    shard.rename("out/data/train-00000-of-00001.parquet")  # as datasets.push_to_hub names them
    with pytest.raises(CodesError, match="not named as encode_dataset names its files"):
        CodeShards("out")


# Codec-bpe's layout.


def test_npy_files_hold_the_same_codes(corpus: Path) -> None:
    (corpus / "a" / "bad.wav").write_text("no audio")
    encode(corpus, "out")
    for index in range(2):
        summary = encode(corpus, "npy", format="npy", num_shards=2, shard_index=index)
    assert [error["id"] for error in summary.errors] == ["a/bad.wav"]
    folder = CodesFolder("npy")
    assert folder.names == CodeShards("out").names
    assert all(np.array_equal(a, b) for a, b in zip(folder, CodeShards("out"), strict=True))
    again = encode(corpus, "npy", format="npy")
    assert (again.num_encoded, again.num_there, len(again.errors)) == (0, 11, 1)
    rows = Dataset.from_dict({"audio": [str(p) for p in clips_of(corpus)[:2]], "id": ["x", "../y"]})
    with pytest.raises(CodesError, match="leads out of the folder"):
        encode(rows, "bad", format="npy", id_column="id")


def test_errors_of_npy_files_are_those_of_the_last_run(corpus: Path) -> None:
    for name in ("a/bad.wav", "b/bad.wav"):
        (corpus / name).write_text("no audio")
    for index in range(3):
        encode(corpus, "out", format="npy", num_shards=3, shard_index=index)
    summary = encode(corpus, "out", format="npy")  # with fewer jobs
    assert [error["id"] for error in summary.errors] == ["a/bad.wav", "b/bad.wav"]
    (corpus / "b" / "bad.wav").write_bytes(clips_of(corpus)[0].read_bytes())
    for index in range(2):
        summary = encode(corpus, "out", format="npy", num_shards=2, shard_index=index)
    assert [error["id"] for error in summary.errors] == ["a/bad.wav"]


def test_a_name_too_long_for_a_file_is_told_before_any_work(tmp_path: Path) -> None:
    clip = save_audio(tiny.speech_like(2_000), tmp_path / "in" / f"{'x' * 250}.wav", 24_000)
    with pytest.raises(CodesError, match="has a name of 257 bytes, and files have at most 255"):
        encode(clip, "npy", format="npy")
    assert not Path("npy").exists()
    encode(clip, "parquet")
    assert CodeShards("parquet").names == [f"{'x' * 250}_c0"]


def test_npy_files_of_other_clips_are_not_taken_for_ones_own(corpus: Path, tmp_path: Path) -> None:
    first, second = clips_of(corpus)[:2]
    for folder, path in (("one", first), ("two", second)):
        (tmp_path / folder).mkdir()
        path.rename(tmp_path / folder / "x.wav")
    encode(tmp_path / "one", "out", format="npy")
    for index in range(2):
        jobs = {"num_shards": 2, "shard_index": index}
        if index == 0:
            with pytest.raises(CodesError, match=r"'x\.wav' already, but of .*one.x\.wav"):
                encode(tmp_path / "two", "out", format="npy", **jobs)
    assert encode("one", "out", format="npy").num_there == 1  # by another path to it
    assert encode(corpus, "out", format="npy").num_encoded == 9  # clips may be added
    encode(tmp_path / "two", "out", format="npy", overwrite=True)
    assert encode(tmp_path / "two", "out", format="npy").num_there == 1
    rows = Dataset.from_dict({"audio": [str(path) for path in clips_of(corpus)]})
    encode(rows, "numbered", format="npy")
    with pytest.raises(CodesError, match="the clips are others"):
        encode(rows.select(range(8, -1, -1)), "numbered", format="npy")


def test_npy_files_of_a_longer_clip_do_not_outlive_it(tmp_path: Path) -> None:
    options = {"format": "npy", "per_channel": True, "chunk_seconds": 0.5, "file_per_chunk": True}
    clip, stereo = tmp_path / "x.wav", np.stack([tiny.speech_like(40_000, i) for i in (1, 2)])
    for samples in (stereo, stereo[0, :15_000]):
        save_audio(samples, clip, 24_000)
        encode(clip, "out", overwrite=True, **options)
    encode(clip, "alone", **options)
    assert files_of("out") == files_of("alone")
    clip.write_text("no audio")
    assert len(encode(clip, "out", overwrite=True, **options).errors) == 1
    assert len(encode(clip, "out", **options).errors) == 1  # it is tried again


def test_npy_files_of_a_run_that_was_killed_are_made_anew(tmp_path: Path) -> None:
    options = {"format": "npy", "chunk_seconds": 0.5, "file_per_chunk": True}
    clip = save_audio(tiny.speech_like(40_000), tmp_path / "x.wav", 24_000)
    encode(clip, "out", **options)
    Path("out/x_c0_t000000_000.npy").unlink()  # which is written last
    save_audio(tiny.speech_like(15_000), clip, 24_000)
    encode(clip, "out", **options)
    encode(clip, "alone", **options)
    assert files_of("out") == files_of("alone")


def test_two_runs_write_one_npy_file(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def replace_late(path: Path, target: Path) -> Path:
        if target.suffix == ".npy":
            monkeypatch.setattr(Path, "replace", replace)
            encode(corpus, "out", format="npy")  # all of it, before this file takes its place
        return replace(path, target)

    encode(corpus, "whole", format="npy")
    monkeypatch.setattr(Path, "replace", replace_late)
    encode(corpus, "out", format="npy")
    assert files_of("out") == files_of("whole")


def test_what_a_killed_run_left_of_npy_files_is_removed(corpus: Path) -> None:
    program = (
        "import os; from pathlib import Path; from tests.test_encode_dataset import encode\n"
        "Path.replace = lambda path, target: target.suffix == '.npy' and os._exit(9) or "
        "os.rename(path, target)\n"
        f"encode({str(corpus)!r}, 'out', format='npy')"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 9
    assert list(Path("out").rglob(".*.npy.*"))
    encode(corpus, "out", format="npy")
    encode(corpus, "whole", format="npy")
    assert files_of("out") == files_of("whole")


def test_an_npy_file_is_whole_or_not_there(corpus: Path) -> None:
    encode(corpus, "whole", format="npy")
    sizes = {path: path.stat().st_size for path in Path("whole").rglob("*.npy")}
    with (
        files_of_at_most(max(sizes.values()) - 1),
        pytest.raises(CodesFileError, match="cannot be written"),
    ):
        encode(corpus, "out", format="npy")
    whole = files_of(Path("whole"))
    there = {name: data for name, data in files_of(Path("out")).items() if name.endswith(".npy")}
    assert all(whole[name] == data for name, data in there.items())
    encode(corpus, "out", format="npy")
    assert files_of(Path("out")) == whole


def test_ids_tell_clips_apart() -> None:
    with pytest.raises(CodesError, match="the id 'b'"):
        sources.check_ids(["a", "b", "c", "b"])
    sources.check_ids([])


MEMORY = """
import resource, sys
import numpy as np, torch
from hf_codec_bpe import encode_dataset
from hf_codec_bpe.audio import save_audio
from hf_codec_bpe.codecs import DacCodec
from tests import tiny

class Idle(DacCodec):
    def _encode_batch(self, input_values):
        num_frames = self.num_frames(input_values.shape[-1])
        return torch.zeros(len(input_values), 1, num_frames, dtype=torch.long)

torch.set_num_threads(1)
codec = Idle(tiny.dac(encoder_hidden_size=1), num_codebooks=1)
minute = (np.sin(np.arange(60 * 44_100) / 20) * 0.3).astype(np.float32)

save_audio(minute, "warm.flac", 44_100)
encode_dataset("warm.flac", "warm", codec, show_progress=False)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
summary = encode_dataset(sys.argv[1], "out", codec, show_progress=False)
assert summary.seconds == 1200
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    minute = (np.sin(np.arange(60 * 44_100) / 20) * 9_000).astype(np.int16)
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 44_100, 1) as file:
        for _ in range(20):
            file.write(minute)
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "long.flac")]
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # The clip is 212 MB at the file's rate and 77 MB at the codec's.
    assert int(done.stdout) / 1024 < 60
