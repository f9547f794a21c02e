"""Which frames make up a group.

Axis letters: D = feature size, G = groups, T = frames.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812

__all__ = ["NEVER", "downsample", "group_lengths"]

NEVER = 1.0
"""The threshold at which no frames are merged."""


def downsample(features: torch.Tensor, factor: float) -> torch.Tensor:
    """Features `[1, D, N]` to frames `[1, D, int(N / factor)]`.

    Whole factors average; others interpolate, with the real step N / int(N / factor).
    """
    if factor == 1:
        return features
    if factor == int(factor):
        return F.avg_pool1d(features, int(factor))
    return F.interpolate(features, size=int(features.shape[-1] / factor), mode="linear")


def group_lengths(frames: torch.Tensor, threshold: float, max_length: int) -> torch.Tensor:
    """How many frames each group takes, where neighbours that are alike are merged.

    A frame joins the one before it if their cosine similarity is above the threshold. A run longer
    than `max_length` is split from its start on. From a threshold of 1 on nothing is merged; the
    original does merge some identical frames then, whose similarity is rounded to more than 1.

    Args:
        frames: `[1, D, T]`.
        threshold: Between 0 and 1.
        max_length: The most frames of a group.

    Returns:
        Int64 `[G]`, from 1 to `max_length`; their sum is T.

    Example:
        >>> frames = torch.tensor([[[1.0, 1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]]])
        >>> group_lengths(frames, 0.9, max_length=3)
        tensor([3, 1, 1])
        >>> group_lengths(frames, 1.0, max_length=3)
        tensor([1, 1, 1, 1, 1])
    """
    num_frames = frames.shape[-1]
    places = torch.arange(num_frames, device=frames.device)
    if threshold >= NEVER:
        return torch.ones_like(places)
    states = frames[0].T.float()
    similarity = F.cosine_similarity(states[:-1], states[1:], dim=1)
    starts_run = F.pad(similarity <= threshold, (1, 0), value=True)
    run_start = torch.where(starts_run, places, 0).cummax(dim=0).values
    starts_group = (places - run_start) % max_length == 0
    return torch.bincount(starts_group.cumsum(dim=0) - 1)
