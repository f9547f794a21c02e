"""EnCodec's and Mimi's convolutions, with their padding counted in integers.

Transformers counts it in tensors of the model's device: a GPU is waited for at every convolution,
`torch.compile` compiles each of them for itself until its limit is reached, and beyond 2^24 samples
float32 counts wrongly.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn
from transformers.models.encodec.modeling_encodec import EncodecConv1d
from transformers.models.mimi.modeling_mimi import MimiConv1d

__all__ = ["count_padding_in_integers"]


def count_padding_in_integers(model: nn.Module) -> None:
    """Changes a model's convolutions in place; what they compute stays the same."""
    for module in model.modules():
        if isinstance(module, (EncodecConv1d, MimiConv1d)):
            _count_in_integers(module)


def _count_in_integers(module: Any) -> None:
    conv = module.conv
    stride, extent = conv.stride[0], (conv.kernel_size[0] - 1) * conv.dilation[0] + 1
    total = extent - stride
    counts = {
        "stride": stride,
        "kernel_size": extent,
        "padding_total": total,
        "padding_left": total - total // 2,
        "padding_right": total // 2,
    }
    for name in counts.keys() & {*vars(module), *module._buffers}:
        delattr(module, name)
        setattr(module, name, counts[name])
    module._get_extra_padding_for_conv1d = partial(_extra_padding, stride)
    module._get_output_length = partial(_output_length, stride)


def _extra_padding(stride: int, hidden_states: torch.Tensor) -> int:
    """Positions that complete the last stride."""
    return -hidden_states.shape[-1] % stride


def _output_length(stride: int, input_length: Any) -> torch.Tensor:
    return -(-torch.as_tensor(input_length) // stride)
