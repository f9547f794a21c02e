"""EnCodec's residual quantizer, computed so that a CPU's cache is enough.

Axis letters: B = batch, D = hidden size, K = codebooks, N = size of a codebook, T = frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

__all__ = ["residual_codes"]

_ROWS = 128
"""Frames whose distances, half a megabyte for 1024 vectors, stay in a core's cache."""


def residual_codes(layers: Iterable[Any], embeddings: torch.Tensor) -> torch.Tensor:
    """Embeddings `[B, D, T]` to the codes `[B, K, T]` that EnCodec's quantizer gives.

    The model computes the distances of all frames anew for every term of their formula: three
    times through main memory. Here they go through it once, and the same terms are added in the
    same order, so that every distance has the same bits.

    Args:
        layers: The quantizer's layers that are in use, in order.
        embeddings: What the encoder gives.
    """
    residual = embeddings.transpose(1, 2)
    codes = []
    for layer in layers:
        vectors = layer.codebook.embed
        nearest = _nearest(residual.flatten(0, 1), vectors).view(residual.shape[:2])
        residual = residual - F.embedding(nearest, vectors)
        codes.append(nearest)
    return torch.stack(codes, dim=1)


def _nearest(states: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """For each of the states `[B * T, D]` the number of the nearest of the vectors `[N, D]`."""
    rows = _ROWS if states.device.type == "cpu" else len(states)
    squares = vectors.t().pow(2).sum(0, keepdim=True)
    norms = states.pow(2).sum(1, keepdim=True).split(rows)
    products = (2 * states @ vectors.t()).split(rows)
    return torch.cat(
        [
            torch.sub(norm, product, out=product).add_(squares).min(dim=-1).indices
            for norm, product in zip(norms, products, strict=True)
        ]
    )
