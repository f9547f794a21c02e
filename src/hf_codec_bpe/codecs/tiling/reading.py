"""The encoders of Transformers and of this package as layers.

EnCodec's, Mimi's, WavTokenizer's and SimVQ's are one encoder, SEANet, and name their parts alike;
the other is DAC's.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from transformers.models.dac.modeling_dac import DacEncoder, DacResidualUnit, Snake1d

from .layers import Convolution, Layer, Residual

__all__ = ["modules_of", "read_layer"]


def modules_of(encoder: Any) -> list[nn.Module]:
    """The modules that an encoder runs, one after another."""
    if not isinstance(encoder, DacEncoder):
        return list(encoder.layers)
    blocks = [module for block in encoder.block for module in block.children()]
    return [encoder.conv1, *blocks, encoder.snake1, encoder.conv2]


def read_layer(module: Any) -> Layer | None:
    """A module as a layer, its weight norm computed; `None` for what cannot be cut into tiles."""
    if not all(map(_is_plain, module.modules())):
        return None
    if isinstance(module, nn.ELU):
        return partial(F.elu, alpha=module.alpha, inplace=True)
    if isinstance(module, Snake1d):
        return partial(_snake, module.alpha)
    if isinstance(module, nn.Conv1d):  # DAC's, which pads with zeros by itself
        return _convolution(module, int(module.padding[0]), "constant")
    if isinstance(module, DacResidualUnit):
        return _residual(module.children(), None)
    if hasattr(module, "block") and hasattr(module, "shortcut"):
        return _residual(module.block, module.shortcut)
    if hasattr(module, "conv") and not hasattr(module, "norm"):  # a norm sees all of the clip
        total = int(module.conv.dilation[0]) * (module.conv.kernel_size[0] - 1) + 1
        total -= module.conv.stride[0]
        left = total if module.causal else total - total // 2
        return _convolution(module.conv, left, module.pad_mode)
    return None


def _is_plain(module: nn.Module) -> bool:
    """Whether a module does what its class says: nobody has hooked into it."""
    return not (module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))


def _convolution(conv: Any, left: int, mode: str) -> Convolution | None:
    if not isinstance(conv, nn.Conv1d) or conv.groups > 1 or conv.padding_mode != "zeros":
        return None
    return Convolution(conv.weight, conv.bias, conv.stride[0], conv.dilation[0], left, mode)


def _residual(branch: Iterable[nn.Module], shortcut: nn.Module | None) -> Residual | None:
    layers = [read_layer(module) for module in branch]
    beside = None
    if shortcut is not None and not isinstance(shortcut, nn.Identity):
        beside = read_layer(shortcut)
        if not isinstance(beside, Convolution) or beside.extent > 1:
            return None
    if isinstance(layers[0], partial) and beside is None:  # the input is still needed
        ...
    return Residual(layers, beside)


def _snake(alpha: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """DAC's activation, with fewer copies."""
    return (alpha * states).sin_().pow_(2).mul_((alpha + 1e-9).reciprocal()).add_(states)
