"""ConvNeXt blocks around the semantic quantizer: they run over groups, not over frames.

Axis letters: B = batch, C = channels, G = groups.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from .configuration_flexicodec import FlexiCodecConfig

__all__ = ["SemanticDecoder", "SemanticEncoder"]

KERNEL_SIZE = 7


class ConvNeXtBlock(nn.Module):
    """A depthwise convolution, a norm and an MLP over `[B, C, G]`, added to the input."""

    def __init__(self, config: FlexiCodecConfig) -> None:
        super().__init__()
        size, intermediate = config.convnext_hidden_size, config.convnext_intermediate_size
        self.dwconv = nn.Conv1d(size, size, KERNEL_SIZE, padding=KERNEL_SIZE // 2, groups=size)
        self.norm = nn.LayerNorm(size, eps=1e-6)
        self.pwconv1 = nn.Linear(size, intermediate)
        self.pwconv2 = nn.Linear(intermediate, size)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        inner = self.norm(self.dwconv(states).mT)
        return states + self.pwconv2(F.gelu(self.pwconv1(inner))).mT


def _layers(config: FlexiCodecConfig) -> nn.ModuleList:
    return nn.ModuleList(ConvNeXtBlock(config) for _ in range(config.convnext_num_layers))


class SemanticEncoder(nn.Module):
    """Groups' semantic vectors to what is quantized."""

    def __init__(self, config: FlexiCodecConfig) -> None:
        super().__init__()
        self.conv = nn.Conv1d(config.semantic_hidden_size, config.convnext_hidden_size, 1)
        self.layers = _layers(config)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        states = self.conv(states)
        for layer in self.layers:
            states = layer(states)
        return states


class SemanticDecoder(nn.Module):
    """What was quantized to the semantic part of the groups' acoustic latents."""

    def __init__(self, config: FlexiCodecConfig) -> None:
        super().__init__()
        self.layers = _layers(config)
        self.conv = nn.Conv1d(config.convnext_hidden_size, config.hidden_size, 1)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            states = layer(states)
        return self.conv(states)
