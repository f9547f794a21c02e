"""Finite scalar quantization (Mentzer et al. 2023), with FlexiCodec's bounds.

Axis letters: B = batch, C = channels, G = groups, N = numbers per code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["FiniteScalarQuantizer"]

MARGIN = 1e-3
"""How far inside its outermost steps a number is bounded."""


class FiniteScalarQuantizer(nn.Module):
    """Each of N numbers is rounded to one of its levels; together they are the code.

    Args:
        channels: C.
        levels: The number of steps of each number.
    """

    def __init__(self, channels: int, levels: Sequence[int]) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.weights = tuple(math.prod(levels[:i]) for i in range(len(levels)))
        self.project_in = nn.Linear(channels, len(levels))
        self.project_out = nn.Linear(len(levels), channels)

    def encode(self, states: torch.Tensor) -> torch.Tensor:
        """States `[B, C, G]` to codes `[B, G]`, int64."""
        numbers = self.project_in(states.mT).float()
        levels = torch.tensor(self.levels, device=states.device)
        half = (levels - 1) * (1 - MARGIN) / 2
        offset = torch.where(levels % 2 == 0, 0.5, 0.0)
        # The tangent, where others have the inverse hyperbolic tangent: it gives other codes.
        bounded = (numbers + (offset / half).tan()).tanh() * half - offset
        steps = bounded.round().long() + levels // 2
        return (steps * torch.tensor(self.weights, device=states.device)).sum(dim=-1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes `[B, G]` to states `[B, C, G]`."""
        levels = torch.tensor(self.levels, device=codes.device)
        steps = codes[..., None] // torch.tensor(self.weights, device=codes.device) % levels
        numbers = (steps - levels // 2) / (levels // 2)
        return self.project_out(numbers.to(self.project_out.weight.dtype)).mT
