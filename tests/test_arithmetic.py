"""TF32, which would change codes on GPUs: its switches can be tried without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from hf_codec_bpe.codecs.arithmetic import own_precision

CUDA = torch.device("cuda")


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
    first, second = own_precision(CUDA), own_precision(CUDA)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)  # as threads do: who came first goes first
    assert "tf32" not in precisions()
    assert not torch.backends.cudnn.allow_tf32  # torch.compile reads the older name
    second.__exit__(None, None, None)
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
