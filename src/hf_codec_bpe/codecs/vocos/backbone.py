"""The Vocos backbone (Siuzdak 2023) with WavTokenizer's attention in front (Ji et al. 2024).

Its group norms and its attention run over all frames: what is decoded depends on the whole clip,
so that clips of different lengths are never decoded together.

Axis letters: B = batch, C = `backbone_dim`, D = hidden size, T = frames.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from .configuration_vocos import VocosCodecConfig

__all__ = ["VocosAdaLayerNorm", "VocosBackbone", "VocosConvNeXtBlock"]


class VocosLayerNorm(nn.LayerNorm):
    """A layer norm that knows no conditions."""

    def forward(self, input: torch.Tensor, bandwidth_id: int = 0) -> torch.Tensor:
        return super().forward(input)


class VocosAdaLayerNorm(nn.Module):
    """A layer norm over `[B, T, C]` whose scale and shift are looked up by a condition."""

    def __init__(self, num_embeddings: int, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.scale = nn.Embedding(num_embeddings, dim)
        self.shift = nn.Embedding(num_embeddings, dim)

    def forward(self, states: torch.Tensor, bandwidth_id: int) -> torch.Tensor:
        states = F.layer_norm(states, states.shape[-1:], eps=self.eps)
        return states * self.scale.weight[bandwidth_id] + self.shift.weight[bandwidth_id]


def _layer_norm(config: VocosCodecConfig) -> nn.Module:
    if config.adanorm_num_embeddings is None:
        return VocosLayerNorm(config.backbone_dim, eps=config.norm_eps)
    return VocosAdaLayerNorm(
        config.adanorm_num_embeddings, config.backbone_dim, eps=config.norm_eps
    )


def _group_norm(config: VocosCodecConfig) -> nn.GroupNorm:
    return nn.GroupNorm(config.group_norm_num_groups, config.backbone_dim, eps=config.norm_eps)


class VocosResidualBlock(nn.Module):
    """Twice group norm, SiLU and convolution over `[B, C, T]`, added to the input."""

    def __init__(self, config: VocosCodecConfig) -> None:
        super().__init__()
        self.norm1 = _group_norm(config)
        self.conv1 = nn.Conv1d(config.backbone_dim, config.backbone_dim, 3, padding=1)
        self.norm2 = _group_norm(config)
        self.conv2 = nn.Conv1d(config.backbone_dim, config.backbone_dim, 3, padding=1)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        inner = self.conv1(F.silu(self.norm1(states)))
        return states + self.conv2(F.silu(self.norm2(inner)))


class VocosAttentionBlock(nn.Module):
    """Attention of one head from every frame to every frame of `[B, C, T]`, without positions."""

    def __init__(self, config: VocosCodecConfig) -> None:
        super().__init__()
        self.norm = _group_norm(config)
        self.q = nn.Conv1d(config.backbone_dim, config.backbone_dim, 1)
        self.k = nn.Conv1d(config.backbone_dim, config.backbone_dim, 1)
        self.v = nn.Conv1d(config.backbone_dim, config.backbone_dim, 1)
        self.proj_out = nn.Conv1d(config.backbone_dim, config.backbone_dim, 1)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        normed = self.norm(states)
        query, key, value = (
            project(normed).transpose(1, 2)[:, None] for project in (self.q, self.k, self.v)
        )
        attended = F.scaled_dot_product_attention(query, key, value)[:, 0]
        return states + self.proj_out(attended.transpose(1, 2))


class VocosConvNeXtBlock(nn.Module):
    """A depthwise convolution, a norm and a scaled MLP over `[B, C, T]`, added to the input."""

    def __init__(self, config: VocosCodecConfig) -> None:
        super().__init__()
        dim, intermediate = config.backbone_dim, config.backbone_intermediate_dim
        self.dwconv = nn.Conv1d(dim, dim, 7, padding=3, groups=dim)
        self.norm = _layer_norm(config)
        self.pwconv1 = nn.Linear(dim, intermediate)
        self.pwconv2 = nn.Linear(intermediate, dim)
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, states: torch.Tensor, bandwidth_id: int) -> torch.Tensor:
        inner = self.norm(self.dwconv(states).transpose(1, 2), bandwidth_id)
        inner = self.gamma * self.pwconv2(F.gelu(self.pwconv1(inner)))
        return states + inner.transpose(1, 2)


class VocosBackbone(nn.Module):
    """Vectors of codes `[B, D, T]` to states `[B, T, C]`."""

    def __init__(self, config: VocosCodecConfig) -> None:
        super().__init__()
        self.embed = nn.Conv1d(config.hidden_size, config.backbone_dim, 7, padding=3)
        self.pos_net = nn.Sequential(
            VocosResidualBlock(config),
            VocosResidualBlock(config),
            VocosAttentionBlock(config),
            VocosResidualBlock(config),
            VocosResidualBlock(config),
            _group_norm(config),
        )
        self.norm = _layer_norm(config)
        self.convnext = nn.ModuleList(
            VocosConvNeXtBlock(config) for _ in range(config.backbone_num_layers)
        )
        self.final_layer_norm = nn.LayerNorm(config.backbone_dim, eps=config.norm_eps)

    def forward(self, features: torch.Tensor, bandwidth_id: int = 0) -> torch.Tensor:
        states = self.pos_net(self.embed(features)).transpose(1, 2)
        states = self.norm(states, bandwidth_id).transpose(1, 2)
        for block in self.convnext:
            states = block(states, bandwidth_id)
        return self.final_layer_norm(states.transpose(1, 2))
