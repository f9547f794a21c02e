"""Arithmetic in a model's own precision, whatever the process around it has set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock
from types import TracebackType
from typing import Any

import torch

__all__ = ["own_precision"]


@contextmanager
def own_precision(device: torch.device) -> Iterator[None]:
    """Inference in the precision that a codec's pin names.

    Without it, codes would depend on an autocast that the caller is in, such as a training loop's.
    And on GPUs since Ampere, torch computes convolutions and LSTMs of float32 in TF32, which has
    10 of its 23 bits: that changes a code in a hundred.
    """
    kind = device.type
    is_castable = torch.amp.is_autocast_available(kind)
    with (
        torch.inference_mode(),
        torch.autocast(kind, enabled=False) if is_castable else nullcontext(),
        _NO_TF32 if kind == "cuda" else nullcontext(),
    ):
        yield


class _NoTF32:
    """Switches TF32 off until nobody needs that any more: the switches are the whole process's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._num_users = 0
        self._before: list[Any] = []

    def __enter__(self) -> None:
        with self._lock:
            if not self._num_users:
                self._before = [_read(*switch) for switch in _switches()]
                _switch_off()
            self._num_users += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._num_users -= 1
            if not self._num_users:
                for (owner, name), value in zip(_switches(), self._before, strict=True):
                    if value is not None and _read(owner, name) != value:
                        setattr(owner, name, value)


def _switches() -> list[tuple[Any, str]]:
    """Older and newer ones for the same thing: torch's own compiler reads the older ones."""
    cudnn: Any = torch.backends.cudnn
    matmul = torch.backends.cuda.matmul
    older = [(cudnn, "allow_tf32"), (matmul, "allow_tf32")]
    return older + [(each, "fp32_precision") for each in (cudnn.conv, cudnn.rnn, matmul)]


def _switch_off() -> None:
    for owner, name in _switches():
        if name == "allow_tf32":
            setattr(owner, name, False)
        elif _read(owner, name) == "tf32":  # from torch.backends.fp32_precision
            setattr(owner, name, "ieee")


def _read(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except RuntimeError:  # an older switch, where newer ones say what it cannot
        return None


_NO_TF32 = _NoTF32()
