"""What a process may have set: TF32, whose switches can be tried without a GPU, and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest
import torch

from hf_codec_bpe.codecs.arithmetic import own_precision

CUDA = torch.device("cuda")


class Encoding:
    """A thread that encodes from `begin` to `end`."""

    def __init__(self) -> None:
        self._begun, self._over = Event(), Event()
        self._thread = Thread(target=self._run)

    def _run(self) -> None:
        with own_precision(CUDA):
            self._begun.set()
            self._over.wait(10)

    def begin(self) -> None:
        self._thread.start()
        assert self._begun.wait(10)

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def precisions() -> list[str]:
    backends: Any = torch.backends
    switches = (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul)
    return [switch.fp32_precision for switch in switches]


@pytest.fixture
def _everywhere() -> Iterator[None]:
    backends: Any = torch.backends
    backends.fp32_precision = "tf32"
    yield
    backends.fp32_precision = "none"


def test_it_is_off_for_as_long_as_somebody_encodes() -> None:
    before = precisions()
    assert "tf32" in before  # torch's default for convolutions
    first, second = Encoding(), Encoding()
    first.begin()
    second.begin()
    first.end()  # who came first goes first
    assert "tf32" not in precisions()
    assert not torch.backends.cudnn.allow_tf32  # torch.compile reads the older name
    second.end()
    assert precisions() == before
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.usefixtures("_everywhere")
def test_wherever_it_was_switched_on() -> None:
    before = precisions()
    assert before == ["tf32"] * 3
    with own_precision(CUDA):
        assert "tf32" not in precisions()
    assert precisions() == before


def test_other_devices_leave_it_alone() -> None:
    before = precisions()
    with own_precision(torch.device("cpu")):
        assert precisions() == before
        assert torch.is_inference_mode_enabled()


@pytest.fixture
def _halves() -> Iterator[None]:
    torch.set_default_dtype(torch.bfloat16)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_halves")
def test_the_default_type_is_back_when_nobody_encodes_any_more() -> None:
    first, second = Encoding(), Encoding()
    first.begin()
    second.begin()
    first.end()
    assert torch.get_default_dtype() == torch.float32
    second.end()
    assert torch.get_default_dtype() == torch.bfloat16


def test_a_default_that_another_thread_chooses_meanwhile_stays() -> None:
    encoding = Encoding()
    encoding.begin()
    torch.set_default_dtype(torch.float64)
    encoding.end()
    chosen = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    assert chosen == torch.float64
