"""The encoders of Transformers and of this package as layers.

EnCodec's, WavTokenizer's and SimVQ's are one encoder, SEANet, and name their parts alike; the other
is DAC's.
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

__all__ = ["is_plain", "modules_of", "read_layer"]


def modules_of(encoder: Any) -> list[nn.Module]:
    """The modules that an encoder runs, one after another."""
    if not isinstance(encoder, DacEncoder):
        return list(encoder.layers)
    blocks = [module for block in encoder.block for module in block.children()]
    return [encoder.conv1, *blocks, encoder.snake1, encoder.conv2]


def read_layer(module: Any, in_place: bool = True) -> Layer | None:
    """A module as a layer with the weights that it has now.

    Args:
        module: A part of an encoder.
        in_place: Whether an activation may overwrite its input.

    Returns:
        `None` for what sees all of a clip, such as an LSTM, and for what is not known.
    """
    if not all(map(is_plain, module.modules())):
        return None
    if isinstance(module, nn.ELU):
        return partial(F.elu, alpha=module.alpha, inplace=in_place)
    if isinstance(module, Snake1d):
        return partial(_snake, module.alpha)
    if isinstance(module, nn.Conv1d):  # DAC's, which pads with zeros by itself
        return _convolution(module, int(module.padding[0]), "constant", completes=False)
    if isinstance(module, DacResidualUnit):
        return _residual(module.children(), nn.Identity())
    if hasattr(module, "block") and hasattr(module, "shortcut"):
        return _residual(module.block, module.shortcut)
    if hasattr(module, "conv") and not hasattr(module, "norm"):  # a norm sees all of a clip
        return _convolution(module.conv, _padding_in_front(module), module.pad_mode)
    return None


def is_plain(module: nn.Module) -> bool:
    """Whether a module does what its class says: nobody has hooked into it or compiled it."""
    return not (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._compiled_call_impl
        or "forward" in vars(module)
    )


def _convolution(conv: Any, left: int, mode: str, completes: bool = True) -> Convolution | None:
    if getattr(type(conv), "forward", None) is not nn.Conv1d.forward:  # a kind of its own
        return None
    if conv.groups > 1 or conv.padding_mode != "zeros":
        return None
    stride, dilation = conv.stride[0], conv.dilation[0]
    return Convolution(conv.weight, conv.bias, stride, dilation, left, mode, completes)


def _padding_in_front(module: Any) -> int:
    """Of SEANet's convolutions: all of the padding, or the larger half."""
    conv = module.conv
    total = int(conv.dilation[0] * (conv.kernel_size[0] - 1) + 1 - conv.stride[0])
    return total if module.causal else total - total // 2


def _residual(branch: Iterable[nn.Module], shortcut: nn.Module) -> Residual | None:
    beside: Layer | None
    if isinstance(shortcut, nn.Identity):
        beside = None
    else:
        beside = read_layer(shortcut)
        if not isinstance(beside, Convolution) or beside.extent > 1:
            return None
    layers = [
        read_layer(module, in_place=index > 0 or beside is not None)
        for index, module in enumerate(branch)
    ]
    known = [layer for layer in layers if layer is not None]
    return Residual(known, beside) if len(known) == len(layers) else None


def _snake(alpha: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """`Snake1d`, with fewer copies."""
    return (alpha * states).sin_().pow_(2).mul_((alpha + 1e-9).reciprocal()).add_(states)
