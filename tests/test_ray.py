"""Encoding on a Ray cluster: the same bytes as on one machine, whoever dies meanwhile."""

from __future__ import annotations

import os
import pickle
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import Dataset

from hf_codec_bpe import AudioCodec, encode_dataset
from hf_codec_bpe.cli import main
from hf_codec_bpe.data import ray as on_ray
from hf_codec_bpe.data.encode_dataset import EncodingSummary
from hf_codec_bpe.data.packed_codec import PackedCodec
from hf_codec_bpe.data.shard_encoder import ATTEMPTS_FOLDER, MAX_DEATHS, ShardEncoder, ShardJob
from hf_codec_bpe.data.shard_encoding import ShardFolder, ShardPlan
from hf_codec_bpe.data.source_encoding import EncodingOptions
from hf_codec_bpe.data.sources import SourceList, open_sources
from hf_codec_bpe.errors import (
    CodecError,
    CodecNotFoundError,
    CodesError,
    CodesFileError,
    MissingDependencyError,
)

from . import folders, tiny
from .folders import files_of
from .watched_codec import WatchedCodec, encoded, processes

ROOT = Path(__file__).parents[1]
LOOPBACK = "127.0.0.2"  # Ray replaces 127.0.0.1 by an address that others can reach
NUM_CLIPS = 11
SHARD_SIZE = 2
OPTIONS: dict[str, Any] = {"shard_size": SHARD_SIZE, "show_progress": False}


def watched_codec() -> AudioCodec:
    return WatchedCodec(tiny.encodec(), num_codebooks=2)


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """What Ray reads when it is imported, so that tests import it when they run."""
    # Short, as paths of sockets must be.
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="ray-") as folder,
    ):
        patch.setenv("RAY_TMPDIR", folder)
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # 15 would starve beside other tests
        patch.setenv("RAY_AUTH_MODE", "token")  # its ports are open to the network
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex())
        patch.setenv("PYTHONPATH", str(ROOT))  # where the nodes' processes find these modules
        yield


@pytest.fixture(scope="module")
def cluster(environment: None) -> Iterator[str]:
    """The address of two nodes with one CPU each, which talk to nobody outside of this machine."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "node_ip_address": LOOPBACK, "object_store_memory": 80_000_000}
    nodes = Cluster()
    try:
        nodes.add_node(**node, include_dashboard=False)
        nodes.add_node(**node)
        yield nodes.address
    finally:
        nodes.shutdown()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return folders.corpus(tmp_path / "in", NUM_CLIPS)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    return True


CALLER = """
import sys
import ray
from hf_codec_bpe.data.ray import encode_dataset
from tests.test_ray import LOOPBACK, OPTIONS, watched_codec

ray.init(sys.argv[1], _node_ip_address=LOOPBACK)
encode_dataset("in", "out", watched_codec(), concurrency=1, **OPTIONS)
"""


@pytest.mark.usefixtures("corpus")
def test_whoever_dies_the_bytes_are_those_of_one_machine(cluster: str) -> None:
    import ray

    whole = encode_dataset("in", "whole", watched_codec(), **OPTIONS)
    Path("log").unlink()

    # The caller is killed while its only worker is at its third shard; the worker ends, too.
    Path("hold").touch()
    with subprocess.Popen([sys.executable, "-c", CALLER, cluster]) as caller:
        try:
            wait_for(lambda: Path("log").exists() and len(encoded()) == 6)
        finally:
            caller.kill()
    wait_for(lambda: not any(map(is_alive, processes())))
    there = {path: path.stat().st_mtime_ns for path in Path("out").glob("data/train-*")}
    assert len(there) == 2
    assert set(encoded().values()) == {1}
    Path("hold").unlink()

    # Of the two workers of the next run, one is killed.
    Path("log").unlink()
    Path("meet").touch()
    Path("die").touch()
    ray.init(cluster, _node_ip_address=LOOPBACK)
    try:
        summary = on_ray.encode_dataset("in", "out", watched_codec(), **OPTIONS)
        with pytest.raises(CodesError, match="num_gpus=1 for an actor"):
            on_ray.encode_dataset("in", "other", watched_codec(), num_gpus=1, **OPTIONS)
    finally:
        ray.shutdown()
    assert not Path("die").exists()
    assert len(processes()) >= 3  # the third took the place of the dead one
    assert 0 < encoded().total() - len(encoded()) <= SHARD_SIZE  # again: only what was in flight

    assert files_of("out") == files_of("whole")
    assert all(path.stat().st_mtime_ns == made for path, made in there.items())
    assert len(encoded()) == whole.num_encoded - 2 * SHARD_SIZE == summary.num_encoded
    assert (summary.num_there, summary.errors) == (2, whole.errors)
    assert [error["path"] for error in summary.errors] == ["in/10-bad.wav"]

    # One machine goes on where a cluster stopped.
    Path("out/data/train-00001.parquet").unlink()
    assert encode_dataset("in", "out", watched_codec(), **OPTIONS).num_encoded == SHARD_SIZE
    assert files_of("out") == files_of("whole")


# Without a cluster.


def job(**changes: Any) -> ShardJob:
    """A job in the current folder, whose codec nobody asks for."""
    options = EncodingOptions()
    codec, plan = watched_codec(), ShardPlan(SourceList([]), SHARD_SIZE, 1, 0)
    folder = ShardFolder.begin(Path("out"), plan, codec, options)
    values = {"codec": None, "device": "cpu", "folder": folder, "options": options}
    return ShardJob(**{**values, "working_directory": os.getcwd(), **changes})


def error_of(job: ShardJob, index: int) -> Exception:
    """What an actor says when it is given a shard."""
    batch = pa.table({"index": [index], "clips": [pickle.dumps([])]})
    (error,) = ShardEncoder(job)(batch)["error"]
    return pickle.loads(error)


def test_a_node_that_sees_other_folders_says_so() -> None:
    with pytest.raises(CodesFileError, match=r"The node .*/nowhere.* all nodes have them"):
        raise error_of(job(working_directory="/nowhere"), 0)
    with pytest.raises(CodesFileError, match=r"elsewhere/encoding\.json"):
        raise error_of(job(folder=ShardFolder(Path("elsewhere"), {})), 0)


def test_a_shard_that_kills_everybody_is_given_up() -> None:
    begun = Path("out") / ATTEMPTS_FOLDER / "00007"
    begun.parent.mkdir(parents=True)
    begun.write_text("x" * (MAX_DEATHS + 1))
    with pytest.raises(CodesError, match="4 processes died while they encoded shard 7"):
        raise error_of(job(), 7)
    assert not begun.exists()  # the next run tries again


def test_a_codec_travels_by_name_or_as_files() -> None:
    codec = watched_codec()
    packed = pickle.loads(pickle.dumps(PackedCodec.of(codec)))
    assert set(packed.files) >= {"config.json", "model.safetensors"}
    loaded = packed.load("cpu")
    assert type(loaded) is WatchedCodec
    assert loaded.pin == codec.pin
    on_hub = WatchedCodec(codec.model, name_or_path="user/codec", revision="0" * 40)
    assert PackedCodec.of(on_hub).files == {}
    with pytest.raises(CodecNotFoundError, match="user/codec"):
        PackedCodec.of(on_hub).load("cpu")
    with pytest.raises(CodecError, match="device='cuda' cannot be used"):
        packed.load("cuda")


def test_clips_of_every_source_travel(corpus: Path) -> None:
    audio = [{"bytes": bytes([i]), "path": f"{i}.wav"} for i in range(9)]
    rows = Dataset.from_dict({"audio": audio, "name": [f"n{i}" for i in range(9)]})
    for sources in (
        open_sources(corpus),
        open_sources(rows),
        open_sources(rows.shuffle(seed=0), id_column="name"),
    ):
        everything = list(sources.read(0, 99))
        assert len(everything) == sources.num_sources
        assert list(pickle.loads(pickle.dumps(sources.read(2, 5)))) == everything[2:5]


def test_what_a_cluster_cannot_do(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Dataset.from_dict({"audio": ["a.wav"]}).to_iterable_dataset()
    with pytest.raises(CodesError, match="streamed"):
        on_ray.encode_dataset(stream, "out", watched_codec())
    with pytest.raises(CodesError, match="shard_size=0"):
        on_ray.encode_dataset(corpus, "out", watched_codec(), shard_size=0)
    with pytest.raises(CodesError, match="concurrency=0"):
        on_ray.encode_dataset(corpus, "out", watched_codec(), concurrency=0)
    with pytest.raises(CodesError, match="num_cpus=0 and num_gpus=0"):
        on_ray.encode_dataset(corpus, "out", watched_codec(), num_cpus=0)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(on_ray, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'hf-codec-bpe\[ray\]'"):
        on_ray.encode_dataset(corpus, "out", watched_codec())
    assert not Path("out").exists()


def test_the_command_line(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["hf-codec-bpe", "encode", "in", "out", *arguments])
        with pytest.raises(SystemExit):
            main()
        return "".join(capsys.readouterr())

    calls = []

    def encode(*arguments: Any, **options: Any) -> EncodingSummary:
        calls.append(options)
        return EncodingSummary(11, 5.0, 0, [])

    monkeypatch.setattr(on_ray, "encode_dataset", encode)
    assert "11 clips encoded" in run("--ray", "auto", "--device", "cuda", "--shard-size", "4")
    assert "11 clips encoded" in run("--ray", "local", "--retry-errors")
    assert [(call["address"], call["num_gpus"]) for call in calls] == [("auto", 1), ("local", 0)]
    assert (calls[0]["shard_size"], calls[1]["retry_errors"]) == (4, True)
    assert "leave out --format npy" in run("--ray", "auto", "--num-shards", "2")
    assert "gives each worker a GPU of its own" in run("--ray", "auto", "--device", "cuda:1")
