"""Arithmetic in a model's own precision, whatever the process around it has set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Any, ClassVar

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
        _TF32.off() if kind == "cuda" else nullcontext(),
    ):
        yield


class _TF32:
    """TF32's switches, which are the whole process's."""

    _lock = Lock()
    _num_users = 0
    _before: ClassVar[list[Any]] = []

    @classmethod
    @contextmanager
    def off(cls) -> Iterator[None]:
        """Switches TF32 off until nobody needs that any more."""
        with cls._lock:
            if not cls._num_users:
                cls._before = [_read(*switch) for switch in _switches()]
                _switch_off()
            cls._num_users += 1
        try:
            yield
        finally:
            with cls._lock:
                cls._num_users -= 1
                if not cls._num_users:
                    _switch_back(cls._before)


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


def _switch_back(before: Sequence[Any]) -> None:
    for (owner, name), value in zip(_switches(), before, strict=True):
        if value is not None and _read(owner, name) != value:
            setattr(owner, name, value)


def _read(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except RuntimeError:  # an older switch, where newer ones say what it cannot
        return None
