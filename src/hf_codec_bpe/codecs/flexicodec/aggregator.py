"""Frames to one vector per group.

Axis letters: C = channels, G = groups, T = frames.
"""

from __future__ import annotations

import torch
from torch import nn

from .configuration_flexicodec import FlexiCodecConfig
from .transformer import FlexiCodecTransformer

__all__ = ["FlexiCodecAggregator"]


class FlexiCodecAggregator(nn.Module):
    """A transformer that reads each group off a query after its frames.

    The query is the mean of the group's frames plus a learnt vector.

    Args:
        config: The codec's.
        channels: C.
        hidden_size: Size of the transformer.
    """

    def __init__(self, config: FlexiCodecConfig, channels: int, hidden_size: int) -> None:
        super().__init__()
        self.query_embedding = nn.Parameter(torch.zeros(1, channels, 1))
        self.transformer = FlexiCodecTransformer(
            channels,
            hidden_size,
            config.aggregator_intermediate_size,
            config.aggregator_num_layers,
            config.aggregator_num_heads,
        )

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Frames `[1, C, T]` and the groups' lengths, int64 `[G]`, to vectors `[1, C, G]`."""
        states = frames[0].T
        means = torch.segment_reduce(states, "mean", lengths=lengths)
        queries = means + self.query_embedding[0].T
        groups = torch.arange(len(lengths), device=lengths.device)
        # Each group shifts what follows it by its query.
        frame_places = torch.arange(len(states), device=lengths.device)
        frame_places = frame_places + groups.repeat_interleave(lengths)
        query_places = lengths.cumsum(dim=0) + groups
        sequence = states.new_empty(len(states) + len(queries), states.shape[1])
        sequence[frame_places], sequence[query_places] = states, queries
        return self.transformer(sequence.T[None])[..., query_places]
