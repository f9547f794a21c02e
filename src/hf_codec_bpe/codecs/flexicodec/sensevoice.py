"""The encoder of SenseVoice (An et al. 2024), as far as FlexiCodec needs it.

That is without its last layers and its head for recognition, and with one fixed prompt of four
vectors (language, event and emotion left open, no text normalisation).

Axis letters: B = batch, D = hidden size, F = input size, L = positions, N = features.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from .configuration_flexicodec import FlexiCodecConfig

__all__ = ["PROMPT_ROWS", "SenseVoiceEncoder"]

PROMPT_ROWS = (0, 1, 2, 15)
"""The rows of the original's embedding that make up the prompt."""

LONGEST_PERIOD = 10_000.0


def add_positions(states: torch.Tensor) -> torch.Tensor:
    """Adds sines and cosines of the positions, counted from 1, to `[B, L, F]`."""
    length, size = states.shape[-2:]
    channels = torch.arange(size // 2, device=states.device, dtype=torch.float32)
    scales = torch.exp(channels * (-math.log(LONGEST_PERIOD) / (size / 2 - 1)))
    places = torch.arange(1, length + 1, device=states.device, dtype=torch.float32)
    angles = places[:, None] * scales
    return states + torch.cat([angles.sin(), angles.cos()], dim=1).to(states.dtype)


class SenseVoiceAttention(nn.Module):
    """Attention with a memory block: a depthwise convolution over the values, and they themselves.

    Takes `[B, L, input size]`, gives `[B, L, D]`.
    """

    def __init__(self, config: FlexiCodecConfig, input_size: int) -> None:
        super().__init__()
        size, kernel = config.sensevoice_hidden_size, config.sensevoice_kernel_size
        self.num_heads = config.sensevoice_num_heads
        self.qkv_proj = nn.Linear(input_size, 3 * size)
        self.o_proj = nn.Linear(size, size)
        self.memory_padding = ((kernel - 1) // 2, kernel // 2)
        self.memory = nn.Conv1d(size, size, kernel, groups=size, bias=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        projected = self.qkv_proj(states)
        values = projected.chunk(3, dim=-1)[2]
        memory = self.memory(F.pad(values.mT, self.memory_padding)).mT + values
        heads = projected.unflatten(-1, (3, self.num_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind()
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.o_proj(attended.transpose(1, 2).flatten(2)) + memory


class SenseVoiceLayer(nn.Module):
    """Attention and an MLP, each after a norm and added to its input.

    The first layer changes the size: there, nothing is added to the attention.
    """

    def __init__(self, config: FlexiCodecConfig, input_size: int) -> None:
        super().__init__()
        size, intermediate = config.sensevoice_hidden_size, config.sensevoice_intermediate_size
        self.adds_input = input_size == size
        self.input_layernorm = nn.LayerNorm(input_size)
        self.self_attn = SenseVoiceAttention(config, input_size)
        self.post_attention_layernorm = nn.LayerNorm(size)
        self.fc1 = nn.Linear(size, intermediate)
        self.fc2 = nn.Linear(intermediate, size)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        attended = self.self_attn(self.input_layernorm(states))
        states = states + attended if self.adds_input else attended
        return states + self.fc2(F.relu(self.fc1(self.post_attention_layernorm(states))))


class SenseVoiceEncoder(nn.Module):
    """Normalised features `[B, N, F]` to semantic features `[B, N, D]`.

    Every feature attends to every other one: clips of different lengths never share a batch.
    """

    def __init__(self, config: FlexiCodecConfig) -> None:
        super().__init__()
        size, input_size = config.sensevoice_hidden_size, config.sensevoice_input_size
        self.prompt = nn.Parameter(torch.zeros(len(PROMPT_ROWS), input_size))
        self.layers = nn.ModuleList(
            SenseVoiceLayer(config, size if i else input_size)
            for i in range(config.sensevoice_num_layers)
        )
        self.layer_norm = nn.LayerNorm(size)
        self.input_scale = math.sqrt(size)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        prompt = self.prompt.expand(len(features), -1, -1)
        states = add_positions(torch.cat([prompt, features], dim=1) * self.input_scale)
        for layer in self.layers:
            states = layer(states)
        return self.layer_norm(states)[:, len(PROMPT_ROWS) :]
