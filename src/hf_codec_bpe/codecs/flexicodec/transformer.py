"""Mimi's transformer (Défossez et al. 2024), not causal and with rotations of adjacent pairs.

Every position attends to every other one, so that what comes out depends on the whole clip: clips
of different lengths never share a batch.

Axis letters: B = batch, C = channels, D = hidden size, H = heads, L = positions, P = channels of a
head.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

__all__ = ["FlexiCodecTransformer", "LayerScale", "rotate_positions"]

ROPE_BASE = 10_000.0


def rotate_positions(states: torch.Tensor) -> torch.Tensor:
    """Rotates the channel pairs (0, 1), (2, 3)... of `[B, H, L, P]` by angles of their position.

    Example:
        >>> rotate_positions(torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]))
        tensor([[[[1.0000, 0.0000],
                  [0.5403, 0.8415]]]])
    """
    length, size = states.shape[-2:]
    pairs = torch.arange(size // 2, device=states.device, dtype=torch.float32)
    frequencies = torch.exp(pairs * (-math.log(ROPE_BASE) * 2 / size))
    angles = torch.arange(length, device=states.device, dtype=torch.float32)[:, None] * frequencies
    cos, sin = angles.cos(), angles.sin()
    real, imaginary = states.float().unflatten(-1, (-1, 2)).unbind(-1)
    rotated = [real * cos - imaginary * sin, real * sin + imaginary * cos]
    return torch.stack(rotated, dim=-1).flatten(-2).to(states.dtype)


class LayerScale(nn.Module):
    """A factor for each channel."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((hidden_size,), 0.01))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.scale * states


class FlexiCodecAttention(nn.Module):
    """Attention from everywhere to everywhere in `[B, L, D]`."""

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv_proj = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.o_proj = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        heads = self.qkv_proj(states).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind()
        query, key = rotate_positions(query), rotate_positions(key)
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.o_proj(attended.transpose(1, 2).flatten(2))


class FlexiCodecTransformerLayer(nn.Module):
    """Attention and an MLP over `[B, L, D]`, each after a norm and added with a scale."""

    def __init__(self, hidden_size: int, intermediate_size: int, num_heads: int) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(hidden_size)
        self.self_attn = FlexiCodecAttention(hidden_size, num_heads)
        self.self_attn_layer_scale = LayerScale(hidden_size)
        self.post_attention_layernorm = nn.LayerNorm(hidden_size)
        self.fc1 = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.fc2 = nn.Linear(intermediate_size, hidden_size, bias=False)
        self.mlp_layer_scale = LayerScale(hidden_size)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        attended = self.self_attn(self.input_layernorm(states))
        states = states + self.self_attn_layer_scale(attended)
        inner = F.gelu(self.fc1(self.post_attention_layernorm(states)))
        return states + self.mlp_layer_scale(self.fc2(inner))


class FlexiCodecTransformer(nn.Module):
    """Layers over `[B, C, L]`, projected to another hidden size if C is not that. No norm after.

    Args:
        channels: C.
        hidden_size: Size inside.
        intermediate_size: Size inside the MLPs.
        num_layers: How many layers.
        num_heads: Attention heads.
    """

    def __init__(
        self,
        channels: int,
        hidden_size: int,
        intermediate_size: int,
        num_layers: int,
        num_heads: int,
    ) -> None:
        super().__init__()
        projects = hidden_size != channels
        self.input_proj = nn.Linear(channels, hidden_size, bias=False) if projects else None
        self.layers = nn.ModuleList(
            FlexiCodecTransformerLayer(hidden_size, intermediate_size, num_heads)
            for _ in range(num_layers)
        )
        self.output_proj = nn.Linear(hidden_size, channels, bias=False) if projects else None

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        states = states.mT
        if self.input_proj is not None:
            states = self.input_proj(states)
        for layer in self.layers:
            states = layer(states)
        if self.output_proj is not None:
            states = self.output_proj(states)
        return states.mT
