"""What every test gets: a home of its own on a machine without a Hub, or with a local one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from hf_codec_bpe import AudioCodec, CodecBPEProcessor, train_tokenizer
from hf_codec_bpe.codecs import MimiCodec

from . import tiny
from .hub import LocalHub, isolation

torch.set_num_threads(1)  # tests run side by side
os.environ["OMP_NUM_THREADS"] = "1"  # and so do the processes that they start
settings.register_profile("tests", deadline=None)  # the first call may compile
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolation.empty_home()
    isolation.stay_local(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hub of this test's own; the clients here and in new processes are its "user"."""
    with LocalHub(isolation.PORT) as hub:
        monkeypatch.setenv("HF_TOKEN", hub.token)
        isolation.set_offline(monkeypatch, False)
        yield hub
    assert not hub.failures, hub.failures


@pytest.fixture(scope="session")
def codec() -> AudioCodec:
    """A tiny Mimi with 4 codebooks, in memory."""
    return MimiCodec(tiny.mimi(), num_codebooks=4)


@pytest.fixture(scope="session")
def clips() -> list[np.ndarray]:
    """Three clips of different lengths at the tiny Mimi's 24 kHz."""
    return [tiny.speech_like(num_samples, num_samples) for num_samples in (50_000, 24_000, 99_999)]


@pytest.fixture(scope="session")
def processor(codec: AudioCodec, clips: list[np.ndarray]) -> CodecBPEProcessor:
    """A processor over the tiny Mimi, in memory."""
    tokenizer = train_tokenizer(
        codec.encode(clips),
        codebook_sizes=codec.codebook_sizes,
        vocab_size=200,
        additional_special_tokens=["<audio>", "</audio>"],
    )
    return CodecBPEProcessor.from_codec(codec, tokenizer)


@pytest.fixture
def saved(processor: CodecBPEProcessor, tmp_path: Path) -> Path:
    """The processor as a repository with its codec beside it."""
    processor.save_pretrained(tmp_path / "repository")
    return tmp_path / "repository"
