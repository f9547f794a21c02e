"""What `FlexiCodecModel` gives.

Axis letters: B = batch, G = groups, K = streams of codes, S = samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers.utils import ModelOutput

__all__ = ["NO_CODE", "FlexiCodecDecoderOutput", "FlexiCodecEncoderOutput", "FlexiCodecOutput"]

NO_CODE = -1
"""Stands after the last group of a clip that has fewer than others of its batch."""


@dataclass
class FlexiCodecEncoderOutput(ModelOutput):
    """What `encode` gives.

    `audio_codes` is int64 `[B, K, G]`, -1 after a clip's last group. `group_counts`, int64 `[B]`,
    says how many groups each clip has.
    """

    audio_codes: torch.Tensor
    group_counts: torch.Tensor | None = None


@dataclass
class FlexiCodecDecoderOutput(ModelOutput):
    """What `decode` gives: `audio_values` `[B, 1, S]`, zeros after the end of shorter clips."""

    audio_values: torch.Tensor


@dataclass
class FlexiCodecOutput(ModelOutput):
    """What a forward pass gives: both."""

    audio_codes: torch.Tensor
    group_counts: torch.Tensor | None = None
    audio_values: torch.Tensor | None = None
