"""What the package's own models take: tensors of the right kind, before their shapes matter."""

from __future__ import annotations

from typing import Any

import torch

from ..errors import AudioError, CodesError

__all__ = ["finite_floats", "whole_codes"]


def finite_floats(values: Any, name: str, dtype: torch.dtype) -> torch.Tensor:
    """A tensor of floats in the model's precision.

    Raises:
        AudioError: Not a tensor of floats, or one with NaN or infinite values in that precision.
    """
    if not isinstance(values, torch.Tensor) or not values.is_floating_point():
        raise AudioError(f"{name} is {_kind(values)}: pass a torch.Tensor of floats.")
    cast = values.to(dtype)
    if not cast.isfinite().all():
        raise AudioError(
            f"{name} holds values that are NaN, infinite or too large for {dtype}: repair the clip "
            "or leave it out."
        )
    return cast


def whole_codes(audio_codes: Any) -> torch.Tensor:
    """Codes as int64.

    Raises:
        CodesError: Not a tensor of integers.
    """
    if (
        not isinstance(audio_codes, torch.Tensor)
        or audio_codes.dtype == torch.bool
        or audio_codes.is_floating_point()
        or audio_codes.is_complex()
    ):
        raise CodesError(f"audio_codes is {_kind(audio_codes)}: pass a torch.Tensor of integers.")
    return audio_codes.long()


def _kind(values: Any) -> str:
    of = f" of {values.dtype}" if hasattr(values, "dtype") else ""
    return f"a {type(values).__name__}{of}"
