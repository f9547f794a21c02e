"""Runs that are killed at any moment, and what is there when they are run again."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from hf_codec_bpe import encode_dataset
from hf_codec_bpe.codecs import EncodecCodec

from . import folders, tiny
from .folders import files_of

NUM_KILLS = 20
NUM_CLIPS = 18
SHARD_SIZE = 3
FORK = multiprocessing.get_context("fork")


class LoggingCodec(EncodecCodec):
    """Notes the length of each clip that it encodes, by which the clips of this test differ."""

    log: Path

    def _encode_batch(self, input_values: torch.Tensor) -> torch.Tensor:
        with self.log.open("a") as file:
            file.write(f"{input_values.shape[-1]}\n")
        return super()._encode_batch(input_values)


@pytest.fixture(scope="module")
def codec() -> LoggingCodec:
    torch.set_num_threads(1)  # what is forked has no other threads
    codec = LoggingCodec(tiny.encodec(), num_codebooks=2)
    codec.log = Path(os.devnull)
    codec.encode([tiny.speech_like(1_000)])
    return codec


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return folders.corpus(tmp_path / "in", NUM_CLIPS)


def encode(corpus: Path, out: Path, codec: LoggingCodec, log: Path, **options: Any) -> None:
    codec.log = log
    options = {"shard_size": SHARD_SIZE, "show_progress": False, **options}
    encode_dataset(corpus, out, codec, **options)


def killed(seconds: float | None, *arguments: Any, **options: Any) -> bool:
    """Encodes in a process that is killed after so long; whether it was still at work."""
    process = FORK.Process(target=encode, args=arguments, kwargs=options)
    process.start()
    process.join(seconds)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.parametrize("layout", ["parquet", "npy"])
def test_killed_at_any_moment(
    corpus: Path, codec: LoggingCodec, tmp_path: Path, layout: str
) -> None:
    start = time.monotonic()
    assert not killed(
        None, corpus, tmp_path / "whole", codec, tmp_path / "whole.log", format=layout
    )
    duration = time.monotonic() - start
    whole = files_of(tmp_path / "whole")
    generator = random.Random(layout)
    num_kills = 0
    for folder in count():
        out, log = tmp_path / f"out{folder}", tmp_path / f"log{folder}"
        found: dict[str, bytes] = {}
        in_flight = 0
        while True:
            rest = 1 - len(found) / len(whole)
            patience = 1 + in_flight / 10  # a busy machine needs longer than it did at first
            seconds = generator.uniform(0, duration * (rest + 0.5)) * patience
            was_killed = killed(seconds, corpus, out, codec, log, format=layout)
            found = {name: data for name, data in files_of(out).items() if "partial" not in name}
            assert found.items() <= whole.items()  # whatever is visible is whole
            if not was_killed:
                break
            in_flight += 1
        assert files_of(out) == whole
        encoded = Counter(log.read_text().split())
        assert len(encoded) == NUM_CLIPS
        # What was encoded more than once was in flight when a run was killed.
        unit = SHARD_SIZE if layout == "parquet" else 1
        assert encoded.total() - NUM_CLIPS <= in_flight * unit
        num_kills += in_flight
        if num_kills >= NUM_KILLS:
            break
