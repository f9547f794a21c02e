"""How torch says that memory is short, as one error of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import CodecMemoryError

__all__ = ["memory_errors"]

_NO_MEMORY = re.compile(
    "out of memory|not enough memory|can't allocate memory|ALLOC_FAILED|Invalid buffer size"
    "|unable to find an engine|32-bit index math|CUBLAS_STATUS_NOT_INITIALIZED"
)
"""What torch, CUDA, cuBLAS, cuDNN and MPS say where a smaller input would do, not always as an
error of their own."""


@contextmanager
def memory_errors(what: str, remedy: str) -> Iterator[None]:
    """Turns what torch says where memory is short into a `CodecMemoryError`.

    Args:
        what: What was computed, and where.
        remedy: What to do about it.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError; its base on a CPU
        known = (MemoryError, torch.OutOfMemoryError)
        if isinstance(error, known) or _NO_MEMORY.search(str(error)):
            raise CodecMemoryError(f"{what} do not fit in memory: {remedy}.") from error
        raise
