"""One codebook, searched a few frames at a time.

Axis letters: B = batch, D = hidden size, N = codes in the codebook, T = frames.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

__all__ = ["Codebook"]

SEARCHED_AT_ONCE = 2**24
"""Distances in memory at a time, 64 MiB of float32. All those of 30 s and 262,144 codes are
2.4 GB."""


class Codebook(nn.Module):
    """Vectors `embed` `[N, D]`: latents to the nearest one's number, and numbers to vectors."""

    def __init__(self, codebook_size: int, hidden_size: int) -> None:
        super().__init__()
        self.embed = nn.Parameter(torch.empty(codebook_size, hidden_size))

    def encode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents `[B, D, T]` to codes `[B, T]`, int64; among equally near ones, the first."""
        flat = latents.transpose(1, 2).flatten(0, 1)
        norms = torch.cat([rows.square().sum(dim=1) for rows in self.embed.split(2**14)])
        frames = max(1, SEARCHED_AT_ONCE // len(self.embed))
        codes = torch.cat([self._nearest(some, norms) for some in flat.split(frames)])
        return codes.view(len(latents), -1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes `[B, T]` to vectors `[B, D, T]`."""
        return F.embedding(codes, self.embed).transpose(1, 2)

    def _nearest(self, vectors: torch.Tensor, norms: torch.Tensor) -> torch.Tensor:
        # In the originals' order of operations: near ties are decided by rounding.
        distances = vectors @ self.embed.T
        distances.mul_(-2).add_(vectors.square().sum(dim=1, keepdim=True)).add_(norms)
        return distances.argmin(dim=1)
