"""Arithmetic in a model's own precision, whatever the process around it has set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any, Generic, TypeVar

import torch

__all__ = ["own_precision", "usual_dtype"]

Before = TypeVar("Before")


@contextmanager
def own_precision(device: torch.device) -> Iterator[None]:
    """Inference in the precision that a codec's pin names.

    Without it, codes would depend on an autocast that the caller is in, such as a training loop's,
    and on the default type and device that a script has set: windows and filters are made in them.
    And on GPUs since Ampere, torch computes convolutions and LSTMs of float32 in TF32, which has
    10 of its 23 bits: that changes a code in a hundred.
    """
    kind = device.type
    is_castable = torch.amp.is_autocast_available(kind)
    with (
        torch.inference_mode(),
        torch.autocast(kind, enabled=False) if is_castable else nullcontext(),
        usual_dtype(),
        _usual_device(),
        _TF32_OFF() if kind == "cuda" else nullcontext(),
    ):
        yield


def usual_dtype() -> AbstractContextManager[None]:
    """Float32 for tensors whose type is not said, as where no default was set."""
    return _USUAL_DTYPE()


def _usual_device() -> AbstractContextManager[Any]:
    """The CPU for tensors whose device is not said: feature extractors compute there."""
    return nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")


class _ForAll(Generic[Before]):
    """Settings of the whole process, changed for as long as anybody needs that.

    Args:
        change: Changes them, and returns what they were.
        change_back: Takes that.
    """

    def __init__(self, change: Callable[[], Before], change_back: Callable[[Before], None]) -> None:
        self._change = change
        self._change_back = change_back
        self._lock = Lock()
        self._num_users = 0
        self._before: list[Before] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._num_users:
                self._before = [self._change()]
            self._num_users += 1
        try:
            yield
        finally:
            with self._lock:
                self._num_users -= 1
                if not self._num_users:
                    self._change_back(*self._before)


def _use_float32() -> torch.dtype:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    return before


def _use_again(dtype: torch.dtype) -> None:
    if dtype != torch.float32:  # another thread may have chosen one meanwhile
        torch.set_default_dtype(dtype)


def _switches() -> list[tuple[Any, str]]:
    """Older and newer ones for the same thing: torch's own compiler reads the older ones."""
    cudnn: Any = torch.backends.cudnn
    matmul = torch.backends.cuda.matmul
    older = [(cudnn, "allow_tf32"), (matmul, "allow_tf32")]
    return older + [(each, "fp32_precision") for each in (cudnn.conv, cudnn.rnn, matmul)]


def _switch_off() -> list[Any]:
    before = [_read(*switch) for switch in _switches()]
    for owner, name in _switches():
        if name == "allow_tf32":
            setattr(owner, name, False)
        elif _read(owner, name) == "tf32":  # from torch.backends.fp32_precision
            setattr(owner, name, "ieee")
    return before


def _switch_back(before: Sequence[Any]) -> None:
    for (owner, name), value in zip(_switches(), before, strict=True):
        if value is not None and _read(owner, name) != value:
            setattr(owner, name, value)


def _read(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except RuntimeError:  # an older switch, where newer ones say what it cannot
        return None


_USUAL_DTYPE = _ForAll(_use_float32, _use_again)
_TF32_OFF = _ForAll(_switch_off, _switch_back)
