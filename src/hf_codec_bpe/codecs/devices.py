"""Where a codec may run."""

from __future__ import annotations

import torch

from ..errors import CodecError

__all__ = ["checked_device"]


def checked_device(device: str | torch.device) -> torch.device:
    """A device that is here.

    Raises:
        CodecError: It is not, or that is no device.
    """
    try:
        return torch.empty(0, device=torch.device(device)).device
    except (RuntimeError, AssertionError, TypeError) as error:  # torch without CUDA asserts
        raise CodecError(f"device={str(device)!r} cannot be used: {error}") from error
